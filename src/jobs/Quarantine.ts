/**
 * When a job is given up (ND-4): it failed too often, or the hosts that tried it went away too often.
 */
import { Effect, Option } from "effect"
import type { SqlClient, Statement } from "effect/sql"

/** A job that failed so often since others succeeded is quarantined: the fault is with the job. */
const maxFailures = 5
/** What failed before anything else succeeded does not count there: the fault is more likely with the prover. So often is too often all the same. */
const maxFailuresAlone = 25
/** Leases that ended with their host count as well: a job that takes hosts down with it must not run forever. */
const maxLosses = 25

/** Why a job is not to be tried again, if so. Attempts before the operator's last retry are forgiven. */
export const whyGivenUp = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, job: string) {
  const [row] = yield* sql<{ failures: number; alone: number; losses: number }>`WITH own AS (
      SELECT a.outcome, a.started_at FROM job_attempts a JOIN jobs j ON j.id = a.job WHERE a.job = ${job} AND a.number > j.forgiven
    ), success AS (
      SELECT min(started_at) AS first FROM (
        SELECT started_at FROM job_attempts WHERE outcome = 'done' AND started_at >= (SELECT min(started_at) FROM own WHERE outcome = 'failed')
        UNION ALL SELECT success_at FROM jobs WHERE id = ${job}
      ) AS successes
    )
    SELECT CAST(count(*) FILTER (WHERE outcome = 'failed') AS INTEGER) AS failures,
      CAST(count(*) FILTER (WHERE outcome = 'failed' AND started_at < coalesce((SELECT first FROM success), started_at + 1)) AS INTEGER) AS alone,
      CAST(count(*) FILTER (WHERE outcome = 'lost') AS INTEGER) AS losses
    FROM own`
  const { alone, failures, losses } = row!
  if (failures - alone >= maxFailures || failures >= maxFailuresAlone) return Option.some("it failed too often")
  return losses >= maxLosses ? Option.some("it was lost too often") : Option.none()
})

/** Notes on jobs that failed when others first succeeded after that: those others are about to be forgotten with their attempts. */
export const noteSuccesses = (sql: SqlClient.SqlClient, forgotten: Statement.Fragment) =>
  sql`UPDATE jobs SET success_at = (SELECT min(started_at) FROM (
      SELECT a.started_at FROM job_attempts a JOIN ${forgotten} ON given.id = a.job WHERE a.outcome = 'done' AND a.started_at >= (
        SELECT min(own.started_at) FROM job_attempts own WHERE own.job = jobs.id AND own.outcome = 'failed' AND own.number > jobs.forgiven
      ) UNION ALL SELECT jobs.success_at
    ) AS successes) WHERE troubles > 0 AND state IN ('blocked', 'ready', 'running')`
