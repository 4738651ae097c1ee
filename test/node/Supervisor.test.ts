import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Ref, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { type Child, RestartLimitReached, supervise, type SupervisorOptions } from "../../src/node/Supervisor.ts"

const options: SupervisorOptions = {
  strategy: "one-for-one",
  backoff: "1 second",
  maxBackoff: "4 seconds",
  restartLimit: { times: 3, within: "1 minute" }
}

/** A child that notes when it starts and stops, and fails so many times before it stays. */
const noted = (name: string, notes: Ref.Ref<ReadonlyArray<string>>, failures = 0): Child => {
  let left = failures
  const note = (text: string) => Ref.update(notes, (all) => [...all, `${text} ${name}`])
  return {
    name,
    start: Effect.gen(function*() {
      yield* Effect.acquireRelease(note("start"), () => note("stop"))
      return left-- > 0 ? Effect.andThen(Effect.sleep("100 millis"), Effect.die(new Error(`${name} broke`))) : Effect.never
    })
  }
}

const started = (notes: ReadonlyArray<string>, name: string) => notes.filter((note) => note === `start ${name}`).length

describe("ND-1: the supervisor", () => {
  it.effect("starts in order and stops in reverse order", () =>
    Effect.gen(function*() {
      const notes = yield* Ref.make<ReadonlyArray<string>>([])
      yield* Effect.scoped(Effect.andThen(supervise([noted("a", notes), noted("b", notes)], options), TestClock.adjust("1 second")))
      assert.deepStrictEqual(yield* Ref.get(notes), ["start a", "start b", "stop b", "stop a"])
    }))

  it.effect("one-for-one restarts the failed child alone, with backoff", () =>
    Effect.gen(function*() {
      const notes = yield* Ref.make<ReadonlyArray<string>>([])
      const supervisor = yield* supervise([noted("a", notes, 2), noted("b", notes)], options)
      yield* TestClock.adjust("150 millis")
      assert.deepStrictEqual((yield* supervisor.status).map(({ state }) => state), ["waiting", "running"])
      assert.strictEqual(started(yield* Ref.get(notes), "a"), 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(started(yield* Ref.get(notes), "a"), 2)
      // The second delay is twice the first.
      yield* TestClock.adjust("1 second")
      assert.strictEqual(started(yield* Ref.get(notes), "a"), 2)
      yield* TestClock.adjust("1100 millis")
      assert.strictEqual(started(yield* Ref.get(notes), "a"), 3)
      assert.strictEqual(started(yield* Ref.get(notes), "b"), 1)
      assert.deepStrictEqual(yield* supervisor.status, [
        { name: "a", state: "running", restarts: 2, lastFailure: "a broke" },
        { name: "b", state: "running", restarts: 0, lastFailure: null }
      ])
    }))

  it.effect("rest-for-one restarts what was started after the failed child, in order", () =>
    Effect.gen(function*() {
      const notes = yield* Ref.make<ReadonlyArray<string>>([])
      yield* supervise([noted("a", notes), noted("b", notes, 1), noted("c", notes)], { ...options, strategy: "rest-for-one" })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Ref.get(notes), [
        "start a",
        "start b",
        "start c",
        "stop c",
        "stop b",
        "start b",
        "start c"
      ])
    }))

  it.effect("gives up at the restart limit, stops everything, and says why", () =>
    Effect.gen(function*() {
      const notes = yield* Ref.make<ReadonlyArray<string>>([])
      const supervisor = yield* supervise([noted("a", notes), noted("b", notes, 99)], options)
      const run = yield* Effect.forkChild(Effect.exit(supervisor.run))
      yield* TestClock.adjust("30 seconds")
      const exit = yield* Fiber.join(run)
      assert.deepStrictEqual(exit, Exit.fail(new RestartLimitReached({ child: "b", restarts: 3, failure: "b broke" })))
      assert.strictEqual(started(yield* Ref.get(notes), "b"), 4)
      assert.deepStrictEqual((yield* supervisor.status).map(({ state }) => state), ["stopped", "stopped"])
    }))

  it.effect("forgets failures that are older than the limit's window", () =>
    Effect.gen(function*() {
      const starts = yield* Ref.make(0)
      const child: Child = {
        name: "slow",
        start: Effect.as(Ref.update(starts, (n) => n + 1), Effect.andThen(Effect.sleep("50 seconds"), Effect.die(new Error("again"))))
      }
      const supervisor = yield* supervise([child], options)
      yield* TestClock.adjust("20 minutes")
      assert.isAbove(yield* Ref.get(starts), 15)
      assert.strictEqual((yield* supervisor.status)[0]!.state === "stopped", false)
    }))

  it.effect("restarts a child that fails while it starts, and reports every change", () =>
    Effect.gen(function*() {
      let tries = 0
      const child: Child = {
        name: "late",
        start: Effect.suspend((): Effect.Effect<Effect.Effect<never>, Error, Scope.Scope> =>
          ++tries < 2 ? Effect.fail(new Error("not yet")) : Effect.succeed(Effect.never)
        )
      }
      const supervisor = yield* supervise([child], options)
      const states = yield* supervisor.changes.pipe(
        Stream.map(([one]) => one!.state),
        Stream.takeUntil((state) => state === "running"),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual((yield* Fiber.join(states)).at(-1), "running")
      assert.strictEqual(tries, 2)
      assert.strictEqual((yield* supervisor.status)[0]!.lastFailure, "not yet")
    }))
})
