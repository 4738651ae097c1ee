/**
 * Jobs and their bytes as the tables hold them.
 */
import { createHash } from "node:crypto"
import { Effect, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { jsonRows } from "../store/JsonRows.ts"
import { JobId, type JobSize, JobSpec, type JobState } from "./Jobs.ts"

/** What all rows of jobs have that a specification is made of. */
export interface SpecRow {
  readonly id: string
  readonly kind: string
  readonly subject: string
  readonly size: string
  readonly proof_system: string
  readonly cores: number
  readonly memory: number
  readonly priority: number
  readonly needs: string
}

/** The columns of `SpecRow`; `input` is the bytes themselves. */
export const specColumns = (sql: SqlClient.SqlClient): Statement.Fragment =>
  sql.literal("id, kind, subject, size, proof_system, cores, memory, priority, needs")

const NeedsFromJson = Schema.fromJsonString(Schema.Array(JobId))
const decodeNeeds = Schema.decodeSync(NeedsFromJson)

/** A row without its input, as the fields of a job. */
export const specFields = (row: SpecRow) => ({
  id: JobId.make(row.id),
  kind: row.kind,
  subject: row.subject,
  size: row.size as JobSize,
  requires: { proofSystem: row.proof_system, cores: row.cores, memory: row.memory },
  priority: row.priority,
  needs: row.needs === "[]" ? [] : decodeNeeds(row.needs)
})

export const specOf = (row: SpecRow, input: Uint8Array): JobSpec => new JobSpec({ ...specFields(row), input })

/** Where it cannot change any more, but by being submitted again or retried. */
export const hasEnded = (state: JobState): boolean => state === "done" || state === "cancelled" || state === "quarantined"

export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** Keeps bytes by their hash; what is known already is not kept twice. */
export const putBlobs = (sql: SqlClient.SqlClient, blobs: ReadonlyMap<string, Uint8Array>) => {
  const sorted = [...blobs].sort(([left], [right]) => (left < right ? -1 : 1))
  let at = 1
  const places = sorted.map(([hash, { length }]) => {
    const place = { hash, at, length }
    at += length
    return place
  })
  // One parameter for all bytes: a statement with one for each would be another statement for every number of them.
  // One byte at least: SQLite's driver makes NULL of none.
  const together = Buffer.concat([...sorted.map(([, bytes]) => bytes), Buffer.alloc(1)])
  return sql`INSERT INTO blobs (hash, bytes) SELECT given.hash, substr(${together}, given.at, given.length)
    FROM ${jsonRows(sql, { hash: "text", at: "int4", length: "int4" }, places)} WHERE true ORDER BY given.hash ON CONFLICT DO NOTHING`.pipe(Effect.asVoid)
}
