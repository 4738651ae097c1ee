/** Watches the threads that code under test starts. */
import { Effect, type Scope } from "effect"
import { once } from "node:events"
import type { Worker } from "node:worker_threads"

/** Threads started while the scope is open, in order. */
export const startedWorkers: Effect.Effect<ReadonlyArray<Worker>, never, Scope.Scope> = Effect.gen(function*() {
  const workers: Array<Worker> = []
  const listener = (worker: Worker) => workers.push(worker)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("worker", listener)),
    () => Effect.sync(() => process.off("worker", listener))
  )
  return workers
})

/** Waits until a thread is gone. */
export const exited = (worker: Worker): Effect.Effect<void> =>
  Effect.promise(async () => {
    if (worker.threadId !== -1) await once(worker, "exit")
  })
