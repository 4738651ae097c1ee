import { assert, describe, it, vi } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Scope } from "effect"
import * as WorkerPool from "../../src/proofs/WorkerPool.ts"
import type { PoolRequest } from "./poolWorker.ts"
import { exited, startedWorkers } from "./workers.ts"

// Real threads and real proofs: minutes on a machine that does other things as well.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const options: WorkerPool.PoolOptions = {
  name: "test",
  size: 1,
  script: new URL("./poolWorker.ts", import.meta.url),
  workerData: {},
  memoryLimit: 100_000_000
}

/** A pool whose jobs answer the number of the thread that ran them. */
const pool = (overrides: Partial<WorkerPool.PoolOptions> = {}) => WorkerPool.make<PoolRequest, number>({ ...options, ...overrides })

/** Starts a job that never ends, and waits until it is in its loop. */
const spin = (workers: WorkerPool.WorkerPool<PoolRequest, number>) =>
  Effect.gen(function*() {
    const started = new SharedArrayBuffer(4)
    const fiber = yield* Effect.forkScoped(workers.run({ do: "spin", started }))
    while (Atomics.load(new Int32Array(started), 0) === 0) yield* Effect.sleep("5 millis")
    return fiber
  })

const isLost = (error: { readonly _tag: string; readonly message: string }, reason: RegExp) => {
  assert.strictEqual(error._tag, "WorkerLost")
  assert.match(error.message, reason)
}

describe("WorkerPool", () => {
  it.live("answers, and reports progress before the answer", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const { run } = yield* pool()
      yield* run({ do: "answer" }, (fraction, stage) => Effect.sync(() => heard.push(`${fraction} ${stage}`)))
      assert.deepStrictEqual(heard, ["0.5 half"])
    }))

  it.live("serves jobs first come, first served", () =>
    Effect.gen(function*() {
      const { run } = yield* pool()
      const log = new SharedArrayBuffer(4 * 9)
      const jobs = [1, 2, 3, 4, 5, 6, 7, 8]
      yield* Effect.forEach(jobs, (entry) => run({ do: "answerLater", milliseconds: 5, log, entry }), { concurrency: "unbounded" })
      assert.deepStrictEqual([...new Int32Array(log)].slice(1), jobs)
    }))

  it.live("runs as many jobs at once as it has workers, and no more", () =>
    Effect.gen(function*() {
      const started = yield* startedWorkers
      const workers = yield* pool({ size: 2 })
      // Neither ends, so both run.
      const first = yield* spin(workers)
      yield* spin(workers)
      const third = yield* Effect.forkScoped(workers.run({ do: "answer" }))
      yield* Effect.sleep("100 millis")
      assert.isUndefined(third.pollUnsafe())
      yield* Fiber.interrupt(first)
      yield* Fiber.join(third)
      assert.lengthOf(started, 3)
    }))

  it.live("OC-4: interrupting a job that spins kills its thread at once; the next job gets a new one", () =>
    Effect.gen(function*() {
      const started = yield* startedWorkers
      const workers = yield* pool()
      const running = yield* spin(workers)
      const [took] = yield* Effect.timed(Effect.andThen(Fiber.interrupt(running), exited(started[0]!)))
      assert.isBelow(Duration.toMillis(took), 2_000)
      yield* workers.run({ do: "answer" })
      assert.lengthOf(started, 2)
    }))

  it.live("interrupting a job that waits takes it out of the queue and leaves the running one alone", () =>
    Effect.gen(function*() {
      const { run } = yield* pool()
      const log = new SharedArrayBuffer(16)
      const first = yield* Effect.forkScoped(run({ do: "answerLater", milliseconds: 200, log, entry: 1 }))
      const second = yield* Effect.forkScoped(run({ do: "answerLater", milliseconds: 0, log, entry: 2 }))
      const third = yield* Effect.forkScoped(run({ do: "answerLater", milliseconds: 0, log, entry: 3 }))
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(second)
      assert.strictEqual(yield* Fiber.join(first), yield* Fiber.join(third))
      assert.deepStrictEqual([...new Int32Array(log)], [2, 1, 3, 0])
    }))

  it.live("a thread that crashes or exits fails its own job and no other", () =>
    Effect.gen(function*() {
      const { run } = yield* pool({ size: 2 })
      const log = new SharedArrayBuffer(8)
      const beside = yield* Effect.forkScoped(run({ do: "answerLater", milliseconds: 300, log, entry: 1 }))
      yield* Effect.sleep("20 millis")
      isLost(yield* Effect.flip(run({ do: "crash" })), /crashed on purpose/)
      isLost(yield* Effect.flip(run({ do: "exit" })), /code 3/)
      yield* Fiber.join(beside)
      yield* run({ do: "answer" })
    }))

  it.live("a thread that uses up its heap fails its own job, not the process", () =>
    Effect.gen(function*() {
      const { run } = yield* pool({ memoryLimit: 30_000_000 })
      isLost(yield* Effect.flip(run({ do: "fillHeap" })), /memory/)
      yield* run({ do: "answer" })
    }))

  it.live("a refused job fails for good, and its worker goes on", () =>
    Effect.gen(function*() {
      const { run } = yield* pool()
      const thread = yield* run({ do: "answer" })
      const error = yield* Effect.flip(run({ do: "refuse" }))
      assert.strictEqual(error._tag, "JobRefused")
      assert.strictEqual(yield* run({ do: "answer" }), thread)
    }))

  it.live("a thread above its memory limit is replaced once its job is done", () =>
    Effect.gen(function*() {
      const { run } = yield* pool()
      const thread = yield* run({ do: "answer" })
      assert.strictEqual(yield* run({ do: "exhaust" }), thread)
      assert.notStrictEqual(yield* run({ do: "answer" }), thread)
    }))

  it.live("a thread that dies while idle costs no job", () =>
    Effect.gen(function*() {
      const started = yield* startedWorkers
      const { run } = yield* pool()
      const thread = yield* run({ do: "dieIdle" })
      yield* exited(started[0]!)
      assert.notStrictEqual(yield* run({ do: "answer" }), thread)
    }))

  it.live("workers that cannot start fail the pool with the reason", () =>
    Effect.gen(function*() {
      isLost(yield* Effect.flip(pool({ workerData: { broken: true } })), /broken on purpose/)
    }))

  it.live("closing ends running and waiting jobs and every thread", () =>
    Effect.gen(function*() {
      const started = yield* startedWorkers
      const scope = yield* Scope.make()
      const workers = yield* pool().pipe(Scope.provide(scope))
      const running = yield* spin(workers)
      const waiting = yield* Effect.forkScoped(workers.run({ do: "answer" }))
      yield* Effect.sleep("20 millis")
      yield* Scope.close(scope, Exit.void)
      isLost(yield* Effect.flip(Fiber.join(running)), /closed/)
      isLost(yield* Effect.flip(Fiber.join(waiting)), /closed/)
      isLost(yield* Effect.flip(workers.run({ do: "answer" })), /closed/)
      assert.deepStrictEqual(started.map(({ threadId }) => threadId), [-1])
    }))
})
