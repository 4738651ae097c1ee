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

/**
 * Many pieces of bytes as one parameter: a statement with one for each would be another statement for every number of them. One byte
 * at least: SQLite's driver makes NULL of none.
 */
const together = (pieces: ReadonlyArray<Uint8Array>) => {
  let at = 1
  const places = pieces.map(({ length }) => {
    const place = { at, length }
    at += length
    return place
  })
  return { bytes: Buffer.concat([...pieces, Buffer.alloc(1)]), places }
}

/** Keeps bytes, once for each time that they are given; the same ones are kept but once, and counted. */
export const putBlobs = (sql: SqlClient.SqlClient, blobs: ReadonlyArray<{ readonly hash: string; readonly bytes: Uint8Array }>) => {
  const distinct = [...Map.groupBy(blobs, ({ hash }) => hash)].sort(([left], [right]) => (left < right ? -1 : 1))
  const { bytes, places } = together(distinct.map(([, same]) => same[0]!.bytes))
  const rows = distinct.map(([hash, same], at) => ({ hash, ...places[at]!, uses: same.length }))
  return sql`INSERT INTO blobs (hash, uses, bytes) SELECT given.hash, given.uses, substr(${bytes}, given.at, given.length)
    FROM ${jsonRows(sql, { hash: "text", at: "int4", length: "int4", uses: "int4" }, rows)}
    WHERE true ORDER BY given.hash ON CONFLICT (hash) DO UPDATE SET uses = blobs.uses + excluded.uses`
}

/** Keeps the outputs of jobs. */
export const putOutputs = (sql: SqlClient.SqlClient, outputs: ReadonlyArray<{ readonly seq: number; readonly bytes: Uint8Array }>) => {
  const { bytes, places } = together(outputs.map(({ bytes }) => bytes))
  const rows = outputs.map(({ seq }, at) => ({ seq, ...places[at]! }))
  return sql`INSERT INTO job_outputs (seq, bytes) SELECT given.seq, substr(${bytes}, given.at, given.length)
    FROM ${jsonRows(sql, { seq: "int8", at: "int4", length: "int4" }, rows)}`
}

/** Lets go of bytes, once for each time that their hash is given. */
export const dropBlobs = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, hashes: ReadonlyArray<string>) {
  const uses = [...Map.groupBy(hashes, (hash) => hash)].map(([hash, all]) => ({ hash, uses: all.length })).sort((left, right) => (left.hash < right.hash ? -1 : 1))
  const given = jsonRows(sql, { hash: "text", uses: "int4" }, uses)
  yield* sql`UPDATE blobs SET uses = blobs.uses - given.uses FROM ${given} WHERE blobs.hash = given.hash`
  yield* sql`DELETE FROM blobs WHERE hash IN (SELECT given.hash FROM ${given}) AND uses <= 0`
})
