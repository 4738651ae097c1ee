/**
 * New jobs on record, and known ones that are wanted again.
 */
import { Effect } from "effect"
import type { Statement } from "effect/sql"
import { jsonRows } from "../store/JsonRows.ts"
import type { Database } from "../store/Database.ts"
import { inOneTrip } from "../store/OneTrip.ts"
import { hasEnded, hashOf, putBlobs } from "./JobRows.ts"
import type { JobSpec, JobState } from "./Jobs.ts"
import type { Transaction } from "./Transaction.ts"

/** One submission at a time, over all hosts: a job's needs are on record before it, or after it, but never at once. */
const submissionLock = 0x6c69676e

export const lockSubmissions = ({ dialect, sql }: Database["Service"]) =>
  dialect === "postgres" ? sql`SELECT pg_advisory_xact_lock(${submissionLock})` : Effect.void

/** Puts jobs on record, and answers which were not known before. Those that are known already, and what they all need, must be held by the transaction. */
export const submit = Effect.fnUntraced(function*(transaction: Transaction, database: Database["Service"], specs: ReadonlyArray<JobSpec>) {
  const { now, sql } = database
  const wanted = new Map<string, JobSpec>()
  for (const spec of specs) {
    const known = wanted.get(spec.id)
    if (known === undefined || known.priority < spec.priority) wanted.set(spec.id, spec)
  }
  const fresh: Array<JobSpec> = []
  const wantedAgain: Array<{ readonly id: string; readonly priority: number; readonly state: JobState; readonly waiting: number }> = []
  const sooner: Array<{ readonly id: string; readonly priority: number }> = []
  const waitingFor = ({ needs }: JobSpec) => new Set(needs.filter((need) => transaction.rows.get(need)?.state !== "done")).size
  const stateOf = (waiting: number) => (waiting === 0 ? "ready" as const : "blocked" as const)
  for (const spec of wanted.values()) {
    const row = transaction.rows.get(spec.id)
    if (row === undefined) {
      fresh.push(spec)
    } else if (row.state === "cancelled") {
      const waiting = waitingFor(spec)
      wantedAgain.push({ id: row.id, priority: Math.max(row.priority, spec.priority), state: stateOf(waiting), waiting })
    } else if (!hasEnded(row.state) && row.priority < spec.priority) sooner.push({ id: row.id, priority: spec.priority })
  }

  if (fresh.length > 0) {
    const inputs = fresh.map(({ input }) => ({ hash: hashOf(input), bytes: input }))
    const writes: Array<Statement.Statement<unknown>> = [putBlobs(sql, inputs)]
    const rows = fresh.map((spec, at) => {
      const waiting = waitingFor(spec)
      const { id, kind, needs, priority, requires, size, subject } = spec
      return {
        id, kind, subject, size, proof_system: requires.proofSystem, cores: requires.cores, memory: requires.memory, priority,
        needs: JSON.stringify(needs), input: inputs[at]!.hash, state: stateOf(waiting), waiting
      }
    })
    const columns = {
      id: "text", kind: "text", subject: "text", size: "text", proof_system: "text", cores: "int4", memory: "int4", priority: "int4",
      needs: "text", input: "text", state: "text", waiting: "int4"
    } as const
    writes.push(sql`INSERT INTO jobs (id, kind, subject, size, proof_system, cores, memory, priority, needs, input, state, waiting, reason, submitted_at)
      SELECT id, kind, subject, size, proof_system, cores, memory, priority, needs, input, state, waiting, '', ${yield* now}
      FROM ${jsonRows(sql, columns, rows)} WHERE true ON CONFLICT (id) DO NOTHING`)
    const needs = fresh.flatMap((spec) => [...new Set(spec.needs)].map((need) => ({ job: spec.id, need })))
    if (needs.length > 0) {
      writes.push(sql`INSERT INTO job_needs (need, job) SELECT given.need, given.job FROM ${jsonRows(sql, { job: "text", need: "text" }, needs)} WHERE true ON CONFLICT DO NOTHING`)
    }
    yield* inOneTrip(database, writes)
    const ready = new Set(rows.flatMap(({ id, state }) => (state === "ready" ? [id] : [])))
    if (ready.size > 0) transaction.noteReady(fresh.filter(({ id }) => ready.has(id)))
  }
  if (wantedAgain.length > 0) {
    yield* sql`UPDATE jobs SET state = given.state, reason = '', waiting = given.waiting, priority = given.priority
      FROM ${jsonRows(sql, { id: "text", priority: "int4", state: "text", waiting: "int4" }, wantedAgain)} WHERE jobs.id = given.id`
    transaction.noteReady()
  }
  if (sooner.length > 0) {
    yield* sql`UPDATE jobs SET priority = given.priority FROM ${jsonRows(sql, { id: "text", priority: "int4" }, sooner)} WHERE jobs.id = given.id`
  }
  return fresh.map(({ id }) => id)
})
