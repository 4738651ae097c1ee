/**
 * Leases: hosts take what is ready and what they can do, the most urgent first.
 */
import { Effect, Option } from "effect"
import type { Statement } from "effect/sql"
import type { Database } from "../store/Database.ts"
import { jsonRows } from "../store/JsonRows.ts"
import { type SpecRow, specColumns, specOf } from "./JobRows.ts"
import type { Capabilities, JobSpec, Lease } from "./Jobs.ts"
import { whyGivenUp } from "./Quarantine.ts"
import type { Transaction } from "./Transaction.ts"

export interface Take {
  readonly _tag: "Take"
  readonly session: string
  readonly host: string
  readonly can: Capabilities
  readonly most: number
  readonly holds: (lease: Lease) => boolean
  /** Whether whoever asked still waits for it. */
  readonly wanted: () => boolean
}

interface ClaimedRow extends SpecRow {
  readonly attempts: number
  readonly troubles: number
  readonly position: number
  readonly bytes: Uint8Array
}

const columnsOfClaim = (database: Database["Service"]) =>
  database.sql`${specColumns(database.sql)}, attempts, troubles, CAST(seq AS float8) AS position, (SELECT bytes FROM blobs WHERE hash = jobs.input) AS bytes`

const leasesOf = Effect.fnUntraced(function*({ sql }: Database["Service"], rows: ReadonlyArray<ClaimedRow>) {
  const sorted = [...rows].sort((left, right) => right.priority - left.priority || left.position - right.position)
  const specs = sorted.map((row) => specOf(row, row.bytes))
  const needs = specs.flatMap(({ needs }) => needs.map((need) => ({ need })))
  const outputs = new Map<string, Uint8Array>()
  if (needs.length > 0) {
    const made = yield* sql<{ id: string; bytes: Uint8Array }>`SELECT DISTINCT j.id, b.bytes
      FROM ${jsonRows(sql, { need: "text" }, needs)} JOIN jobs j ON j.id = given.need JOIN job_outputs b ON b.seq = j.seq`
    for (const { bytes, id } of made) outputs.set(id, bytes)
  }
  return specs.map((spec, at): Lease => ({ job: spec.id, attempt: sorted[at]!.attempts, spec, needed: spec.needs.map((need) => outputs.get(need)!) }))
})

/** Whether a host can do a job: the same as the claim asks for. */
export const canDo = (can: Capabilities, { requires: { cores, memory, proofSystem }, size }: JobSpec): boolean =>
  can.proofSystems.includes(proofSystem) && can.sizes.includes(size) && cores <= can.cores && memory <= can.memory

const claim = (database: Database["Service"], { can, most, session }: Take) => {
  const { dialect, sql } = database
  const shared = dialect === "postgres"
  // A session that was taken for dead gets nothing any more; nor is it taken for dead while it gets something.
  const alive = sql`(SELECT 1 FROM job_hosts WHERE session = ${session} ${sql.literal(shared ? "FOR KEY SHARE" : "")})`
  const ready = sql`SELECT seq FROM jobs WHERE state = 'ready' AND ${alive} = 1 AND ${sql.in("proof_system", can.proofSystems)} AND ${sql.in("size", can.sizes)}
    AND cores <= ${can.cores} AND memory <= ${can.memory} ORDER BY priority DESC, seq LIMIT ${most}`
  // As an array it is looked up once; as a table, a plan might do so once for every row.
  const chosen = shared ? sql`seq = ANY(ARRAY(${ready} FOR UPDATE SKIP LOCKED))` : sql`seq IN (${ready})`
  return sql<ClaimedRow>`UPDATE jobs SET state = 'running', attempts = attempts + 1, session = ${session} WHERE ${chosen} RETURNING ${columnsOfClaim(database)}`
}

/** Puts the attempts on record that begin with a claim. */
const beginAttempts = ({ sql }: Database["Service"], { host, session }: Take, now: Statement.Fragment, claimed: Statement.Fragment) =>
  sql`INSERT INTO job_attempts (job, number, session, host, started_at, outcome, reason)
    SELECT given.job, given.number, ${session}, ${host}, ${now}, 'running', '' FROM ${claimed}`

/** Claims what is not troubled with its attempts in one trip to the server; SQLite has no such statements, and needs none. */
const claimAndBegin = (database: Database["Service"], asked: Take, now: Statement.Fragment) => {
  const { dialect, sql } = database
  if (dialect === "sqlite") return claim(database, asked)
  const untroubled = sql`(SELECT id AS job, attempts AS number FROM claimed WHERE troubles = 0) AS given`
  return sql<ClaimedRow>`WITH claimed AS (${claim(database, asked)}), begun AS (${beginAttempts(database, asked, now, untroubled)}) SELECT * FROM claimed`
}

/** Jobs that must not be tried again are put away instead. */
const putAway = Effect.fnUntraced(function*(transaction: Transaction, { sql }: Database["Service"], rows: ReadonlyArray<ClaimedRow>) {
  const fit: Array<ClaimedRow> = []
  for (const row of rows) {
    const why = row.troubles === 0 ? Option.none<string>() : yield* whyGivenUp(sql, row.id)
    if (Option.isNone(why)) fit.push(row)
    else {
      yield* sql`UPDATE jobs SET state = 'quarantined', reason = ${why.value}, attempts = attempts - 1 WHERE id = ${row.id}`
      transaction.noteEnded(row.id)
    }
  }
  return fit
})

/** Takes leases for a host; none where there is nothing that it can do. */
export const take = Effect.fnUntraced(function*(transaction: Transaction, database: Database["Service"], asked: Take) {
  const { dialect, sql } = database
  const now = yield* database.now
  const taken: Array<ClaimedRow> = []
  for (let more = asked.most; more > 0; more = asked.most - taken.length) {
    const claimed = yield* claimAndBegin(database, { ...asked, most: more }, now)
    const fit = yield* putAway(transaction, database, claimed)
    taken.push(...fit)
    if (fit.length === claimed.length) break
  }
  if (taken.length === 0) return []
  const unbegun = taken.filter(({ troubles }) => dialect === "sqlite" || troubles > 0).map((row) => ({ job: row.id, number: row.attempts }))
  if (unbegun.length > 0) yield* beginAttempts(database, asked, now, jsonRows(sql, { job: "text", number: "int4" }, unbegun))
  return yield* leasesOf(database, taken)
})

/** What runs under a session, by the record. */
export const heldBy = Effect.fnUntraced(function*(database: Database["Service"], session: string) {
  const rows = yield* database.sql<ClaimedRow>`SELECT ${columnsOfClaim(database)} FROM jobs WHERE state = 'running' AND session = ${session}`
  return yield* leasesOf(database, rows)
})

export const leaseKey = ({ attempt, job }: { readonly job: string; readonly attempt: number }): string => `${attempt} ${job}`
