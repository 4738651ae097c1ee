/**
 * What hosts report about leases, as changes of the jobs. A report under a lease that has ended changes nothing, but a valid output
 * always counts (OC-5).
 */
import { hasEnded } from "./JobRows.ts"
import type { Transaction } from "./Transaction.ts"

export interface Report {
  readonly _tag: "Report"
  readonly session: string
  readonly job: string
  readonly attempt: number
  readonly end:
    | { readonly _tag: "Done"; readonly output: Uint8Array }
    | { readonly _tag: "Failed"; readonly reason: string; readonly retry: boolean }
    | { readonly _tag: "Returned" }
}

/** Answers whether the report counted. The job must be held by the transaction. */
export const applyReport = (transaction: Transaction, { attempt, end, job, session }: Report): boolean => {
  const row = transaction.rows.get(job)
  if (row === undefined) return false
  const by = `${session}/${attempt}`
  if (row.state === "done" || end._tag !== "Done" && hasEnded(row.state)) return row.ended_by === by
  const running = row.state === "running"
  const holds = running && row.session === session && row.attempts === attempt
  switch (end._tag) {
    case "Done": {
      transaction.outputs.push({ id: row.id, seq: row.seq, bytes: end.output })
      const done = { state: "done", reason: "", ended_by: by } as const
      if (!running) transaction.change(row, done)
      else if (holds) transaction.endAttempt(row, "done", "", done)
      else {
        transaction.revoke(row)
        transaction.endAttempt(row, "cancelled", doneByAnother, done)
      }
      return true
    }
    case "Failed":
      if (holds) transaction.endAttempt(row, "failed", end.reason, end.retry ? { state: "ready" } : { state: "quarantined", reason: end.reason, ended_by: by })
      return holds
    case "Returned":
      if (holds) transaction.endAttempt(row, "returned", "its host gave it back", { state: "ready" })
      return holds
  }
}

/** The reason that an attempt ended with, when its job was done by somebody else meanwhile. */
export const doneByAnother = "done by another"
