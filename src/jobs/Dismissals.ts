/**
 * Jobs that nobody needs, that are to be tried once more after all, and that are forgotten.
 */
import { Effect } from "effect"
import type { Database } from "../store/Database.ts"
import { jsonRows } from "../store/JsonRows.ts"
import { dropBlobs } from "./JobRows.ts"
import { type JobId, JobUnknown } from "./Jobs.ts"
import { noteSuccesses } from "./Quarantine.ts"
import { Transaction } from "./Transaction.ts"

const named = (ids: ReadonlyArray<string>) => ids.map((id) => ({ id }))

/** Cancels jobs and all that depends on them. What is done stays done, and what is quarantined stays there. */
export const cancel = (database: Database["Service"], jobs: ReadonlyArray<JobId>, reason: string): Effect.Effect<void> =>
  database.commit(Effect.gen(function*() {
    const { sql } = database
    const transaction = new Transaction(database)
    const dependent = yield* sql<{ id: string }>`WITH RECURSIVE useless (id) AS (
        SELECT given.id FROM ${jsonRows(sql, { id: "text" }, named(jobs))} JOIN jobs j ON j.id = given.id WHERE j.state IN ('blocked', 'ready', 'running')
        UNION SELECT n.job FROM useless JOIN job_needs n ON n.need = useless.id
      ) SELECT id FROM useless`
    yield* transaction.hold(dependent.map(({ id }) => id))
    for (const row of transaction.rows.values()) {
      const cancelled = { state: "cancelled", reason } as const
      if (row.state === "running") {
        transaction.revoke(row)
        transaction.endAttempt(row, "cancelled", reason, cancelled)
      } else if (row.state === "ready" || row.state === "blocked") transaction.change(row, cancelled)
    }
    yield* transaction.flush()
    return { result: undefined, news: transaction.news }
  })).pipe(Effect.orDie)

/** A job is to be tried again as if it never had been. */
export const retry = (database: Database["Service"], job: JobId): Effect.Effect<void, JobUnknown> =>
  database.commit(Effect.gen(function*() {
    const { sql } = database
    const transaction = new Transaction(database)
    yield* transaction.hold([job])
    const row = transaction.rows.get(job)
    if (row === undefined) return { result: false, news: [] }
    if (row.state !== "quarantined" && row.state !== "cancelled") return { result: true, news: [] }
    yield* sql`UPDATE jobs SET forgiven = attempts, troubles = 0, success_at = NULL, reason = '', waiting = (${unfinishedNeeds(database, job)}),
      state = CASE WHEN (${unfinishedNeeds(database, job)}) = 0 THEN 'ready' ELSE 'blocked' END WHERE id = ${job}`
    transaction.noteReady()
    return { result: true, news: transaction.news }
  })).pipe(
    Effect.orDie,
    Effect.flatMap((known) => (known ? Effect.void : Effect.fail(new JobUnknown({ job }))))
  )

const unfinishedNeeds = ({ sql }: Database["Service"], job: JobId) =>
  sql`SELECT count(*) FROM job_needs n LEFT JOIN jobs needed ON needed.id = n.need WHERE n.job = ${job} AND coalesce(needed.state, '') <> 'done'`

/** Forgets jobs that ended and that nothing else needs, with bytes that nothing else has. */
export const forget = (database: Database["Service"], jobs: ReadonlyArray<JobId>): Effect.Effect<void> =>
  database.commit(Effect.gen(function*() {
    const { sql } = database
    const transaction = new Transaction(database)
    yield* transaction.hold(jobs)
    const given = jsonRows(sql, { id: "text" }, named(jobs))
    const gone = yield* sql<{ id: string; seq: number; input: string }>`DELETE FROM jobs
      WHERE id IN (SELECT given.id FROM ${given}) AND state IN ('done', 'cancelled', 'quarantined') AND NOT EXISTS (
        SELECT 1 FROM job_needs n JOIN jobs other ON other.id = n.job
        WHERE n.need = jobs.id AND other.state NOT IN ('done', 'cancelled') AND NOT (other.state = 'quarantined' AND other.id IN (SELECT given.id FROM ${given}))
      ) RETURNING id, CAST(seq AS float8) AS seq, input`
    if (gone.length === 0) return { result: undefined, news: [] }
    const ids = jsonRows(sql, { id: "text" }, gone)
    yield* noteSuccesses(sql, ids)
    yield* sql`DELETE FROM job_attempts WHERE job IN (SELECT given.id FROM ${ids})`
    yield* sql`DELETE FROM job_needs WHERE job IN (SELECT given.id FROM ${ids})`
    yield* sql`DELETE FROM job_outputs WHERE seq IN (SELECT given.seq FROM ${jsonRows(sql, { seq: "int8" }, gone)})`
    yield* dropBlobs(sql, gone.map(({ input }) => input))
    return { result: undefined, news: [["jobs-ended", ""]] }
  })).pipe(Effect.orDie)
