/**
 * Jobs and hosts as operators see them (ND-5).
 */
import { Effect, Option } from "effect"
import type { Database } from "../store/Database.ts"
import { jsonRows } from "../store/JsonRows.ts"
import { type SpecRow, specColumns, specFields } from "./JobRows.ts"
import { type Attempt, type Capabilities, Job, JobId, type JobSpec, type JobState } from "./Jobs.ts"
import { hostViews } from "./Sessions.ts"

type Requirements = Pick<JobSpec, "size" | "requires">

/** What no live host has that a job asks for; `undefined` where one can do it. */
export const missingFor = ({ requires: { cores, memory, proofSystem }, size }: Requirements, hosts: ReadonlyArray<Capabilities>): string | undefined => {
  if (hosts.length === 0) return "no host is there to do it"
  const proving = hosts.filter(({ proofSystems }) => proofSystems.includes(proofSystem))
  if (proving.length === 0) return `no host has the proof system ${proofSystem}`
  const sized = proving.filter(({ sizes }) => sizes.includes(size))
  if (sized.length === 0) return `no host with ${proofSystem} takes ${size} jobs`
  const most = (of: (can: Capabilities) => number) => Math.max(...sized.map(of))
  if (most((can) => can.cores) < cores) return `it needs ${cores} cores, and the largest host has ${most((can) => can.cores)}`
  if (most((can) => can.memory) < memory) return `it needs ${memory} MiB of memory, and the largest host has ${most((can) => can.memory)}`
  return sized.some((can) => can.cores >= cores && can.memory >= memory) ? undefined : `no host has both ${cores} cores and ${memory} MiB of memory`
}

interface JobRow extends SpecRow {
  readonly state: JobState
  readonly reason: string
  readonly submitted_at: number
}

const routable = (database: Database["Service"]) =>
  Effect.map(hostViews(database), (hosts) => hosts.filter(({ view }) => !view.draining).map(({ view }) => view.can))

/** Reads jobs that a condition chooses, with their attempts and what they wait for. */
const readJobs = Effect.fnUntraced(function*(database: Database["Service"], rows: ReadonlyArray<JobRow>) {
  const { sql } = database
  const ids = rows.map(({ id }) => ({ id }))
  const attempts = yield* sql<Attempt & { readonly job: string; readonly started_at: number; readonly ended_at: number | null }>`
    SELECT a.job, a.number, a.host, a.started_at, a.ended_at, a.outcome, a.reason
    FROM ${jsonRows(sql, { id: "text" }, ids)} JOIN job_attempts a ON a.job = given.id ORDER BY a.job, a.number`
  const blocked = rows.filter(({ state }) => state === "blocked").map(({ id }) => ({ id }))
  const waits = blocked.length === 0 ? [] : yield* sql<{ job: string; need: string; state: string | null }>`
    SELECT n.job, n.need, needed.state FROM ${jsonRows(sql, { id: "text" }, blocked)} JOIN job_needs n ON n.job = given.id
    LEFT JOIN jobs needed ON needed.id = n.need WHERE coalesce(needed.state, '') <> 'done' ORDER BY n.job, n.need`
  const hosts = rows.some(({ state }) => state === "ready") ? yield* routable(database) : []
  const attemptsOf = Map.groupBy(attempts, ({ job }) => job)
  const waitsOf = Map.groupBy(waits, ({ job }) => job)
  return rows.map((row) => {
    const fields = specFields(row)
    const reason = row.state === "blocked"
      ? `it waits for ${(waitsOf.get(row.id) ?? []).map(({ need, state }) => `${need} (${state ?? "not submitted"})`).join(", ")}`
      : row.state === "ready" ? missingFor(fields, hosts) ?? "" : row.reason
    return new Job({
      ...fields,
      state: row.state,
      reason,
      submittedAt: row.submitted_at,
      attempts: (attemptsOf.get(row.id) ?? []).map(({ ended_at, host, number, outcome, reason, started_at }) => ({
        number, host, startedAt: started_at, endedAt: ended_at, outcome, reason
      }))
    })
  })
})

/** The newest jobs in given states. */
export const listJobs = Effect.fnUntraced(function*(database: Database["Service"], { most, states }: { readonly states: ReadonlyArray<JobState>; readonly most: number }) {
  const { sql } = database
  const rows = yield* sql<JobRow>`SELECT ${specColumns(sql)}, state, reason, submitted_at FROM jobs WHERE ${sql.in("state", states)} ORDER BY seq DESC LIMIT ${most}`
  return yield* readJobs(database, rows)
})

export const getJob = Effect.fnUntraced(function*(database: Database["Service"], job: string) {
  const { sql } = database
  const rows = yield* sql<JobRow>`SELECT ${specColumns(sql)}, state, reason, submitted_at FROM jobs WHERE id = ${job}`
  return Option.fromNullishOr((yield* readJobs(database, rows))[0])
})

/** So many jobs at most are named as unroutable. */
const mostUnroutable = 100

export const viewJobs = Effect.fnUntraced(function*(database: Database["Service"]) {
  const { sql } = database
  const counted = yield* sql<{ state: JobState; count: number }>`SELECT state, CAST(count(*) AS INTEGER) AS count FROM jobs GROUP BY state`
  const counts: Record<JobState, number> = { blocked: 0, ready: 0, running: 0, done: 0, cancelled: 0, quarantined: 0 }
  for (const { count, state } of counted) counts[state] = count
  const hosts = yield* hostViews(database)
  const can = hosts.filter(({ view }) => !view.draining).map(({ view }) => view.can)
  const kinds = yield* sql<{ size: string; proof_system: string; cores: number; memory: number }>`SELECT DISTINCT size, proof_system, cores, memory
    FROM jobs WHERE state = 'ready'`
  const unroutable: Array<{ readonly job: JobId; readonly missing: string }> = []
  for (const { cores, memory, proof_system, size } of kinds) {
    const missing = missingFor({ size: size as JobSpec["size"], requires: { proofSystem: proof_system, cores, memory } }, can)
    if (missing === undefined || unroutable.length >= mostUnroutable) continue
    const jobs = yield* sql<{ id: string }>`SELECT id FROM jobs WHERE state = 'ready' AND size = ${size} AND proof_system = ${proof_system}
      AND cores = ${cores} AND memory = ${memory} ORDER BY seq LIMIT ${mostUnroutable - unroutable.length}`
    for (const { id } of jobs) unroutable.push({ job: JobId.make(id), missing })
  }
  return { counts, hosts, unroutable }
})
