/**
 * Jobs in a database, the same in an embedded one and in one that hosts share. Hosts take leases from the tables themselves: no
 * process stands between them, and none is missed.
 */
import { Effect, Layer, Option, PubSub, Queue, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { randomUUID } from "node:crypto"
import { Database } from "../store/Database.ts"
import { makeBatches } from "./Batches.ts"
import { cancel, forget, retry } from "./Dismissals.ts"
import { HostSession, type Revocation } from "./HostSession.ts"
import { HostView, Jobs, JobUnknown, type JobsView, LeaseTerms, OutputCheck } from "./Jobs.ts"
import { migrateJobs } from "./JobsTables.ts"
import { makePulse } from "./Pulse.ts"
import { type Answer, type Request, turn, weigh } from "./Turn.ts"
import { getJob, listJobs, viewJobs } from "./Views.ts"
import { makeWaiting } from "./Waiting.ts"

/** Bytes that go into one transaction, unless a single request has more. */
const batchWeight = 8 << 20

/** Views come at most every so many milliseconds. */
const viewPause = 250

/** On whatever database there is; tables are made where they are missing. */
export const layer: Layer.Layer<Jobs, never, Database | OutputCheck> = Layer.effect(
  Jobs,
  Effect.gen(function*() {
    const database = yield* Database
    const check = yield* OutputCheck
    const scope = yield* Effect.scope
    const { sql } = database
    yield* database.read(migrateJobs).pipe(Effect.provideService(SqlClient.SqlClient, sql), Effect.orDie)
    const terms = (yield* LeaseTerms)[database.dialect]

    const by = randomUUID()
    const waiting = yield* makeWaiting(database)
    const { again, ask } = yield* makeBatches<Request, Answer, never>((requests, putOff) => {
      const done = requests.flatMap((request) => (request._tag === "Report" && request.end._tag === "Done" ? [request.job] : []))
      return waiting.whileEnding(done, turn({ database, by, noteFresh: waiting.noteFresh }, requests, putOff)).pipe(
        Effect.tap(() => noteChange),
        Effect.map(({ answers }) => answers)
      )
    }, { most: 1_024, weight: batchWeight, weigh })
    const changed = yield* PubSub.sliding<undefined>(1)
    const noteChange = Effect.asVoid(PubSub.publish(changed, undefined))

    const hosts = new Set<HostSession>()
    const pulse = yield* makePulse(database, hosts, terms)

    const becameReady = yield* database.news("jobs-ready")
    yield* becameReady.pipe(
      Stream.runForEachArray((told) => (told.every((each) => each === by) ? Effect.void : again)),
      Effect.forkScoped({ startImmediately: true })
    )

    const revoked = yield* database.news("jobs-revoked")
    yield* revoked.pipe(
      Stream.runForEach((session) =>
        Effect.forEach(hosts, (host) => (session === undefined || session === host.session ? host.review : Effect.void), { discard: true })
      ),
      Effect.forkScoped({ startImmediately: true })
    )

    const host = Effect.fn("Jobs.host")(function*({ can, name, session }: Parameters<Jobs["Service"]["host"]>[0]) {
      const needs = {
        database, ask, check, lookAgain: again, noteChange, scope, noteRunning: pulse.noteRunning, expiry: terms.expiry
      }
      const one = new HostSession(needs, name, can, session, yield* PubSub.unbounded<Revocation>())
      const held = yield* Effect.acquireRelease(Effect.tap(one.open, () => Effect.sync(() => hosts.add(one))), () =>
        Effect.andThen(Effect.sync(() => hosts.delete(one)), one.close))
      return { ...one.host, session: one.session, held }
    })

    /** What runs here is seen as it is now, and not as it was at the last heartbeat. */
    const view: Effect.Effect<JobsView> = database.read(viewJobs(database)).pipe(
      Effect.orDie,
      Effect.map((seen) => ({
        ...seen,
        hosts: seen.hosts.map(({ session, view }) => {
          const here = [...hosts].find((host) => host.session === session)
          return here === undefined ? view : new HostView({ ...view, running: here.running })
        })
      }))
    )

    const changes: Stream.Stream<JobsView> = Stream.unwrap(Effect.gen(function*() {
      const signals = yield* Queue.sliding<undefined>(1)
      const here = yield* PubSub.subscribe(changed)
      const sources = yield* Effect.forEach(["jobs-ready", "jobs-ended", "hosts"] as const, database.news)
      yield* Stream.mergeAll([Stream.fromSubscription(here), ...sources], { concurrency: "unbounded" }).pipe(
        Stream.runForEach(() => Queue.offer(signals, undefined)),
        Effect.forkScoped({ startImmediately: true })
      )
      const next = Effect.andThen(Queue.take(signals), view)
      return Stream.concat(Stream.fromEffect(next), Stream.fromEffectRepeat(Effect.andThen(Effect.sleep(viewPause), next)))
    }))

    const joined = { input: sql.literal("blobs b ON b.hash = j.input"), output: sql.literal("job_outputs b ON b.seq = j.seq") }
    const bytes = (part: "input" | "output", job: string) =>
      database.read(sql<{ bytes: Uint8Array }>`SELECT b.bytes FROM jobs j JOIN ${joined[part]} WHERE j.id = ${job}`).pipe(
        Effect.orDie,
        Effect.map(([row]) => Option.map(Option.fromNullishOr(row), (found) => found.bytes))
      )

    return Jobs.of({
      submit: Effect.fn("Jobs.submit")((jobs) => jobs.length === 0 ? Effect.void : Effect.asVoid(ask({ _tag: "Submit", jobs }))),
      outcome: Effect.fn("Jobs.outcome")((job) => waiting.outcome(job)),
      cancel: Effect.fn("Jobs.cancel")((jobs, reason) => cancel(database, jobs, reason)),
      retry: Effect.fn("Jobs.retry")((job) => retry(database, job)),
      forget: Effect.fn("Jobs.forget")((jobs) => forget(database, jobs)),
      list: Effect.fn("Jobs.list")((which) => Effect.orDie(database.read(listJobs(database, which)))),
      get: Effect.fn("Jobs.get")((job) => Effect.orDie(database.read(getJob(database, job)))),
      input: Effect.fn("Jobs.input")((job) =>
        Effect.flatMap(bytes("input", job), (found) => Option.isSome(found) ? Effect.succeed(found.value) : Effect.fail(new JobUnknown({ job })))
      ),
      output: Effect.fn("Jobs.output")((job) => bytes("output", job)),
      changes,
      host
    })
  })
)
