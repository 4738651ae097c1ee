/**
 * Heartbeats of this process's hosts, and the look at those of the others.
 */
import { Clock, Effect, Latch, type Scope, Stream } from "effect"
import type { Database } from "../store/Database.ts"
import type { HostSession } from "./HostSession.ts"
import type { Terms } from "./Jobs.ts"
import { sweep } from "./Sessions.ts"

const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

/**
 * Beats as long as the scope is open. Hosts that died are found at the millisecond at which their time is over, but never by who was
 * out of touch with the database within the last expiry: after an outage everybody has been silent, and nobody is dead for that.
 *
 * A database that is embedded is always in touch, and its hosts live and die together: there, hearts beat only while something runs.
 */
export const makePulse = Effect.fnUntraced(function*(
  database: Database["Service"],
  hosts: ReadonlySet<HostSession>,
  { expiry, heartbeat }: Terms
): Effect.fn.Return<{ readonly noteRunning: Effect.Effect<void> }, never, Scope.Scope> {
  const { dialect, read, sql } = database
  const shared = dialect === "postgres"
  const running = yield* Latch.make(true)
  let inTouchSince = yield* monotonicMillis
  let touched = inTouchSince
  let nextBeat = inTouchSince

  const anythingRuns = read(sql`SELECT 1 FROM jobs WHERE state = 'running' LIMIT 1`).pipe(Effect.orDie, Effect.map((rows) => rows.length > 0))

  const pulse = Effect.gen(function*() {
    if ((yield* monotonicMillis) >= nextBeat) {
      yield* Effect.forEach(hosts, (host) => host.beat, { concurrency: "unbounded", discard: true })
      nextBeat = (yield* monotonicMillis) + heartbeat
    }
    const now = yield* monotonicMillis
    if (now - touched > 2 * heartbeat) inTouchSince = now
    touched = now
    const untrusted = shared ? inTouchSince + expiry - now : 0
    const mayExpire = Effect.map(monotonicMillis, (at) => !shared || (at <= now + 2 * heartbeat && at >= inTouchSince + expiry))
    const next = yield* sweep(database, mayExpire)
    const beatIn = nextBeat - now
    yield* Effect.sleep(Math.min(beatIn, Math.max(next ?? beatIn, untrusted, 1)))
    if (shared) return
    yield* running.close
    if (yield* anythingRuns) yield* running.open
    yield* running.await
  })

  const heard = yield* database.news("hosts")
  yield* heard.pipe(
    Stream.filter((payload) => payload === undefined),
    Stream.runForEach(() => Effect.map(monotonicMillis, (now) => void (inTouchSince = now))),
    Effect.forkScoped({ startImmediately: true })
  )
  if (!shared) {
    // What is ready may soon run, in whichever part of this process.
    const ready = yield* database.news("jobs-ready")
    yield* ready.pipe(Stream.runForEach(() => running.open), Effect.forkScoped({ startImmediately: true }))
  }
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(running.await, pulse)))
  return { noteRunning: Effect.asVoid(running.open) }
})
