/**
 * Attempts at jobs, and the jobs that are quarantined (ND-4).
 */
import { Clock, Effect, Option, Schema } from "effect"
import { Database } from "./Database.ts"
import { reading, SqlInteger, withoutNews } from "./Rows.ts"
import { AttemptOutcome, Quarantined } from "./Store.ts"

/** A job that failed so often since others succeeded is quarantined (ND-4): the fault is with the job. */
const maxFailures = 5
/** What failed before anything else succeeded does not count there: the fault is more likely with the prover. So often is too often all the same. */
const maxFailuresAlone = 25
/** Leases that ended with the node itself count as well: a job that takes the node down with it must not run forever. */
const maxLosses = 25

const readCounts = reading(Schema.Struct({
  attempts: SqlInteger,
  failures: SqlInteger,
  alone: SqlInteger,
  losses: SqlInteger,
  reason: Schema.NullOr(Schema.String)
}))
const readQuarantine = reading(Schema.Struct({ attempts: SqlInteger, reason: Schema.String }))
const readAttempts = reading(Schema.Struct({ job: Schema.String, attempt: SqlInteger, outcome: AttemptOutcome }))

/** Leases that a former process left open are closed as lost. */
export const attemptTables = Effect.gen(function*() {
  const { commit, read, sql } = yield* Database
  yield* Effect.orDie(commit(withoutNews(sql`UPDATE attempts SET outcome = 'lost', reason = 'the node stopped' WHERE outcome = 'running'`)))

  const quarantined = (job: string) =>
    Effect.map(
      readQuarantine(read(sql`SELECT reason, (SELECT count(*) FROM attempts WHERE job = ${job}) AS attempts FROM quarantine WHERE job = ${job}`)),
      ([row]) => new Quarantined({ job, ...row! })
    )

  const quarantine = Effect.fn("Store.quarantine")((job: string, reason: string) =>
    Effect.asVoid(Effect.orDie(commit(withoutNews(sql`INSERT INTO quarantine (job, reason) VALUES (${job}, ${reason}) ON CONFLICT DO NOTHING`)))))

  return {
    beginAttempt: Effect.fn("Store.beginAttempt")(function*(job: string) {
      const now = yield* Clock.currentTimeMillis
      const attempt = yield* commit(withoutNews(Effect.gen(function*() {
        const [before] = yield* readCounts(sql`
          SELECT count(*) AS attempts, count(*) FILTER (WHERE outcome = 'failed') AS failures, count(*) FILTER (WHERE outcome = 'lost') AS losses,
            count(*) FILTER (WHERE outcome = 'failed' AND started_at < coalesce(
              (SELECT min(started_at) FROM attempts WHERE outcome = 'done' AND started_at >=
                (SELECT min(started_at) FROM attempts WHERE job = ${job} AND outcome = 'failed')), started_at + 1)) AS alone,
            (SELECT reason FROM quarantine WHERE job = ${job}) AS reason
          FROM attempts WHERE job = ${job}`)
        const { alone, attempts, failures, losses, reason } = before!
        const failsOften = failures - alone >= maxFailures || failures >= maxFailuresAlone
        const why = reason ?? (failsOften ? "it failed too often" : losses >= maxLosses ? "it was lost too often" : null)
        if (why !== null) {
          yield* quarantine(job, why)
          return Option.none<number>()
        }
        yield* sql`INSERT INTO attempts (job, attempt, started_at, outcome, reason) VALUES (${job}, ${attempts + 1}, ${now}, 'running', '')`
        return Option.some(attempts + 1)
      }))).pipe(Effect.orDie)
      return Option.isSome(attempt) ? attempt.value : yield* yield* quarantined(job)
    }),

    endAttempt: Effect.fn("Store.endAttempt")(function*(job: string, attempt: number, outcome: AttemptOutcome, reason: string) {
      yield* commit(withoutNews(sql`UPDATE attempts SET outcome = ${outcome}, reason = ${reason}
        WHERE job = ${job} AND attempt = ${attempt} AND outcome = 'running'`))
    }, Effect.orDie),

    quarantine,
    attempts: readAttempts(read(sql`SELECT job, attempt, outcome FROM attempts ORDER BY job, attempt`))
  }
})
