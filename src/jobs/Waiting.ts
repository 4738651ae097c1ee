/**
 * Those who wait for jobs to end. One look into the tables serves all whom news is about.
 */
import { Deferred, Effect, type Scope, Stream } from "effect"
import type { Database } from "../store/Database.ts"
import { jsonRows } from "../store/JsonRows.ts"
import { makeBatches } from "./Batches.ts"
import { JobUnknown, type JobState, type Outcome } from "./Jobs.ts"
import type { Output } from "./Transaction.ts"

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

export interface Waiting {
  /** Waits for one job's end. */
  readonly outcome: (job: string) => Effect.Effect<Outcome, JobUnknown>
  /** These are on record as soon as what is under way is committed: nobody needs to look whether they are until they end. */
  readonly noteFresh: (jobs: ReadonlyArray<string>) => void
  /** Puts outputs of jobs on record: who waits for them has them from memory then, and need not look. */
  readonly whileEnding: <A extends { readonly outputs: ReadonlyArray<Output> }>(jobs: ReadonlyArray<string>, work: Effect.Effect<A>) => Effect.Effect<A>
}

export const makeWaiting = (database: Database["Service"]): Effect.Effect<Waiting, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { sql } = database
    const waiting = new Map<string, Set<Deferred.Deferred<Outcome>>>()
    /** Put on record here, and nobody has told that they ended. */
    const unended = new Set<string>()
    let ending = new Set<string>()

    const look = (ids: ReadonlyArray<string>) =>
      database.read(sql<EndRow>`SELECT j.id, j.state, j.reason, j.attempts, b.bytes FROM ${jsonRows(sql, { id: "text" }, ids.map((id) => ({ id })))}
        JOIN jobs j ON j.id = given.id LEFT JOIN job_outputs b ON b.seq = j.seq`).pipe(Effect.orDie)

    const tellOf = (id: string, outcome: Outcome) => {
      for (const one of waiting.get(id) ?? []) Deferred.doneUnsafe(one, Effect.succeed(outcome))
      waiting.delete(id)
    }

    const tell = (rows: ReadonlyArray<EndRow>) => {
      for (const row of rows) {
        const outcome = outcomeOf(row)
        if (outcome !== undefined) tellOf(row.id, outcome)
      }
    }

    const lookFor = (ids: ReadonlyArray<string>) => {
      const wanted = ids.filter((id) => waiting.has(id) && !ending.has(id))
      return wanted.length === 0 ? Effect.void : Effect.map(look(wanted), tell)
    }

    /** Answers whether there is such a job. */
    const { ask: firstLook } = yield* makeBatches((ids: ReadonlyArray<string>) =>
      Effect.map(look([...new Set(ids)]), (rows) => {
        tell(rows)
        const known = new Set(rows.map(({ id }) => id))
        return ids.map((id) => known.has(id))
      }))

    const ended = yield* database.news("jobs-ended")
    yield* ended.pipe(
      Stream.runForEachArray((payloads) => {
        const all = payloads.some((payload) => payload === undefined || payload === "")
        const ids = all ? [...waiting.keys()] : payloads.flatMap((payload) => payload!.split("\n"))
        if (all) unended.clear()
        else for (const id of ids) unended.delete(id)
        return lookFor(ids)
      }),
      Effect.forkScoped({ startImmediately: true })
    )

    return {
      outcome: (job) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            const mine = Deferred.makeUnsafe<Outcome>()
            waiting.set(job, (waiting.get(job) ?? new Set()).add(mine))
            return mine
          }),
          (mine) =>
            unended.has(job)
              ? Deferred.await(mine)
              : Effect.flatMap(firstLook(job), (known): Effect.Effect<Outcome, JobUnknown> =>
                known ? Deferred.await(mine) : Effect.fail(new JobUnknown({ job }))),
          (mine) =>
            Effect.sync(() => {
              const others = waiting.get(job)
              others?.delete(mine)
              if (others?.size === 0) waiting.delete(job)
            })
        ),
      noteFresh: (jobs) => {
        for (const job of jobs) unended.add(job)
      },
      whileEnding: (jobs, work) =>
        Effect.suspend(() => {
          ending = new Set(jobs)
          return work
        }).pipe(
          Effect.tap(({ outputs }) =>
            Effect.sync(() => {
              for (const { bytes, id } of outputs) {
                unended.delete(id)
                tellOf(id, { _tag: "Done", output: bytes })
              }
            })
          ),
          Effect.ensuring(Effect.suspend(() => {
            ending = new Set()
            return lookFor(jobs)
          }))
        )
    }
  })
