/**
 * Those who wait for jobs to end. One look into the tables serves all whom news is about.
 */
import { Deferred, Effect, type Scope, Stream } from "effect"
import type { Database } from "../store/Database.ts"
import { jsonRows } from "../store/JsonRows.ts"
import { makeBatches } from "./Batches.ts"
import { hasEnded } from "./JobRows.ts"
import { JobUnknown, type JobState, type Outcome } from "./Jobs.ts"

interface EndRow {
  readonly id: string
  readonly state: JobState
  readonly reason: string
  readonly attempts: number
  readonly bytes: Uint8Array | null
}

const outcomeOf = ({ attempts, bytes, reason, state }: EndRow): Outcome | undefined => {
  switch (state) {
    case "done":
      return { _tag: "Done", output: bytes! }
    case "cancelled":
      return { _tag: "Cancelled", reason }
    case "quarantined":
      return { _tag: "Quarantined", attempts, reason }
    default:
      return undefined
  }
}

/** Waits for one job's end at a time, for any number of callers. */
export const makeWaiting = (database: Database["Service"]): Effect.Effect<(job: string) => Effect.Effect<Outcome, JobUnknown>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { sql } = database
    const waiting = new Map<string, Set<Deferred.Deferred<Outcome>>>()

    const look = (ids: ReadonlyArray<string>) =>
      database.read(sql<EndRow>`SELECT j.id, j.state, j.reason, j.attempts, b.bytes FROM ${jsonRows(sql, { id: "text" }, ids.map((id) => ({ id })))}
        JOIN jobs j ON j.id = given.id LEFT JOIN job_outputs b ON b.seq = j.seq`).pipe(Effect.orDie)

    const tell = (rows: ReadonlyArray<EndRow>) => {
      for (const row of rows) {
        const outcome = hasEnded(row.state) ? outcomeOf(row) : undefined
        if (outcome === undefined) continue
        for (const one of waiting.get(row.id) ?? []) Deferred.doneUnsafe(one, Effect.succeed(outcome))
      }
    }

    /** Answers whether there is such a job. */
    const firstLook = yield* makeBatches((ids: ReadonlyArray<string>) =>
      Effect.map(look([...new Set(ids)]), (rows) => {
        tell(rows)
        const known = new Set(rows.map(({ id }) => id))
        return ids.map((id) => known.has(id))
      }))

    const ended = yield* database.news("jobs-ended")
    yield* ended.pipe(
      Stream.runForEachArray((payloads) => {
        const all = payloads.some((payload) => payload === undefined || payload === "")
        const ids = all ? [...waiting.keys()] : payloads.flatMap((payload) => payload!.split("\n")).filter((id) => waiting.has(id))
        return ids.length === 0 ? Effect.void : Effect.map(look(ids), tell)
      }),
      Effect.forkScoped({ startImmediately: true })
    )

    return (job) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const mine = Deferred.makeUnsafe<Outcome>()
          waiting.set(job, (waiting.get(job) ?? new Set()).add(mine))
          return mine
        }),
        (mine) =>
          Effect.flatMap(firstLook(job), (known): Effect.Effect<Outcome, JobUnknown> =>
            known ? Deferred.await(mine) : Effect.fail(new JobUnknown({ job }))),
        (mine) =>
          Effect.sync(() => {
            const others = waiting.get(job)
            others?.delete(mine)
            if (others?.size === 0) waiting.delete(job)
          })
      )
  })
