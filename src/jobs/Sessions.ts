/**
 * Hosts on record: each has a session, which its leases end with.
 */
import { Data, Effect, Schema } from "effect"
import type { Database, News } from "../store/Database.ts"
import { jsonRows } from "../store/JsonRows.ts"
import { Capabilities, HostView, Progress } from "./Jobs.ts"
import { Transaction } from "./Transaction.ts"

const CapabilitiesJson = Schema.fromJsonString(Capabilities)
const ProgressJson = Schema.fromJsonString(Schema.Array(Progress))
const encodeCapabilities = Schema.encodeSync(CapabilitiesJson)
const encodeProgress = Schema.encodeSync(ProgressJson)
const decodeCapabilities = Schema.decodeSync(CapabilitiesJson)
const decodeProgress = Schema.decodeSync(ProgressJson)

export interface Session {
  readonly name: string
  readonly session: string
  readonly can: Capabilities
  readonly draining: boolean
  /** Milliseconds of silence after which it is taken for dead. */
  readonly expiry: number
}

/** Ends all leases of sessions as lost, for others to try. */
export const loseLeases = Effect.fnUntraced(function*(database: Database["Service"], sessions: ReadonlyArray<string>, reason: string) {
  const { sql } = database
  const transaction = new Transaction(database)
  const held = yield* sql<{ id: string }>`SELECT id FROM jobs WHERE state = 'running' AND ${sql.in("session", sessions)}`
  yield* transaction.hold(held.map(({ id }) => id))
  for (const row of transaction.rows.values()) {
    if (row.state !== "running" || row.session === null || !sessions.includes(row.session)) continue
    transaction.revoke(row)
    transaction.endAttempt(row, "lost", reason, { state: "ready" })
  }
  yield* transaction.flush()
  return transaction.news
})

/** Puts a host on record in the place of an earlier one of its name, whose leases are lost unless it is the same session. */
export const register = (database: Database["Service"], { can, draining, expiry, name, session }: Session) =>
  database.commit(Effect.gen(function*() {
    const { now, sql } = database
    const earlier = yield* sql<{ session: string }>`SELECT session FROM job_hosts WHERE name = ${name} AND session <> ${session}`
    const news = earlier.length === 0 ? [] : yield* loseLeases(database, earlier.map((each) => each.session), "another process took its host's place")
    yield* sql`INSERT INTO job_hosts (name, session, can, draining, seen_at, expiry, running)
      VALUES (${name}, ${session}, ${encodeCapabilities(can)}, ${draining ? 1 : 0}, ${yield* now}, ${expiry}, '[]')
      ON CONFLICT (name) DO UPDATE SET session = excluded.session, can = excluded.can, draining = excluded.draining,
        seen_at = excluded.seen_at, expiry = excluded.expiry, running = excluded.running`
    return { result: undefined, news: [...news, ["hosts", name] as const] }
  })).pipe(Effect.orDie)

/** What became of a session by the time of its heartbeat: it is on record, or it was taken for dead, or another has its name. */
export type Standing = "alive" | "expired" | "superseded"

/** A host says that it lives. Others hear of it where they see something new. */
export const beat = (
  database: Database["Service"],
  { name, session }: Session,
  { draining, running, tell }: { readonly draining: boolean; readonly running: ReadonlyArray<Progress>; readonly tell: boolean }
): Effect.Effect<Standing> =>
  database.commit(Effect.gen(function*() {
    const { now, sql } = database
    const alive = yield* sql`UPDATE job_hosts SET seen_at = ${yield* now}, draining = ${draining ? 1 : 0}, running = ${encodeProgress(running)}
      WHERE session = ${session} RETURNING name`
    const news: ReadonlyArray<News> = tell ? [["hosts", name]] : []
    if (alive.length > 0) return { result: "alive" as const, news }
    const other = yield* sql`SELECT name FROM job_hosts WHERE name = ${name}`
    return { result: other.length > 0 ? "superseded" as const : "expired" as const, news: [] }
  })).pipe(Effect.orDie)

/** Takes a host off the record. What it still held is lost, unless it was given back before. */
export const unregister = (database: Database["Service"], { name, session }: Session) =>
  database.commit(Effect.gen(function*() {
    const news = yield* loseLeases(database, [session], "its host went away")
    yield* database.sql`DELETE FROM job_hosts WHERE session = ${session}`
    return { result: undefined, news: [...news, ["hosts", name] as const] }
  })).pipe(Effect.orDie)

/** Nobody is taken for dead this time. */
class OutOfTouch extends Data.TaggedError("OutOfTouch") {}

/**
 * Takes those for dead that were silent for too long, and answers in how many milliseconds the next one will have been; `undefined`
 * where nobody is left who could.
 *
 * @param mayExpire asked again after the look: one that waited for a server that was away, or stood still, finds everybody silent
 */
export const sweep = (database: Database["Service"], mayExpire: Effect.Effect<boolean>): Effect.Effect<number | undefined> =>
  database.commit(Effect.gen(function*() {
    const { now, sql } = database
    const dead = (yield* mayExpire)
      ? yield* sql<{ name: string; session: string }>`DELETE FROM job_hosts WHERE seen_at + expiry <= ${yield* now} RETURNING name, session`
      : []
    if (dead.length > 0 && !(yield* mayExpire)) return yield* new OutOfTouch()
    const news = dead.length === 0 ? [] : yield* loseLeases(database, dead.map(({ session }) => session), "its host was silent for too long")
    // Whoever died within a transaction may have kept jobs from others, who look again now.
    const told: ReadonlyArray<News> = dead.length === 0 ? [] : [...news, ["jobs-ready", ""], ...dead.map(({ name }) => ["hosts", name] as const)]
    const [next] = yield* sql<{ left: number | null }>`SELECT CAST(min(seen_at + expiry) - ${yield* now} AS float8) AS "left" FROM job_hosts`
    return { result: next?.left ?? undefined, news: told }
  })).pipe(Effect.catchTag("OutOfTouch", () => Effect.succeed(undefined)), Effect.orDie)

/** All hosts that are not taken for dead. */
export const hostViews = ({ sql }: Database["Service"]) =>
  sql<{ name: string; session: string; can: string; draining: number; seen_at: number; running: string }>`
    SELECT name, session, can, draining, seen_at, running FROM job_hosts ORDER BY name`.pipe(
    Effect.map((rows) =>
      rows.map((row) => ({
        session: row.session,
        view: new HostView({
          name: row.name,
          can: decodeCapabilities(row.can),
          draining: row.draining === 1,
          seenAt: row.seen_at,
          running: decodeProgress(row.running)
        })
      }))
    )
  )

/** How leases stand that a host thinks it holds; only those that have ended. */
export const endedLeases = ({ sql }: Database["Service"], leases: ReadonlyArray<{ readonly job: string; readonly attempt: number }>) =>
  sql<{ job: string; attempt: number; outcome: string; reason: string }>`SELECT a.job, a.number AS attempt, a.outcome, a.reason
    FROM ${jsonRows(sql, { job: "text", attempt: "int4" }, leases.map(({ attempt, job }) => ({ job, attempt })))}
    JOIN job_attempts a ON a.job = given.job AND a.number = given.attempt WHERE a.outcome <> 'running'`
