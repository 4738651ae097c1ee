import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Fiber, Random } from "effect"
import { quiet, runVirtual, VirtualDeadlock } from "../../src/simulation/VirtualTime.ts"

const run = <A, E>(program: Effect.Effect<A, E>, seed = "seed") => runVirtual(program, { seed })
const success = async <A, E>(program: Effect.Effect<A, E>, seed?: string) => {
  const exit = await run(program, seed)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return exit.value
}

describe("virtual time", () => {
  it("jumps from sleep to sleep, in their order, and takes no time itself", async () => {
    const woken = await success(Effect.gen(function*() {
      const woken: Array<string> = []
      const sleeper = (name: string, time: Duration.Input) =>
        Effect.sleep(time).pipe(Effect.andThen(Clock.currentTimeMillis), Effect.map((now) => woken.push(`${name} ${now}`)))
      const fibers = yield* Effect.forEach(
        [sleeper("last", "30 days"), sleeper("first", "1 second"), sleeper("second", "1 minute"), sleeper("with it", "1 minute")],
        (each) => Effect.forkChild(each)
      )
      yield* Effect.forEach(fibers, Fiber.join)
      return woken
    }))
    assert.deepStrictEqual(woken, ["first 1000", "second 60000", "with it 60000", `last ${30 * 86_400_000}`])
  })

  it("does all that a moment brings before the next one", async () => {
    const seen = await success(Effect.gen(function*() {
      let hops = 0
      const hop: Effect.Effect<void> = Effect.suspend(() => ++hops < 1_000 ? Effect.andThen(Effect.yieldNow, hop) : Effect.void)
      yield* Effect.forkChild(Effect.andThen(Effect.sleep("1 second"), hop))
      yield* Effect.sleep("1001 millis")
      return hops
    }))
    assert.strictEqual(seen, 1_000)
  })

  it("an interrupted sleep wakes nobody, and a timeout is on time", async () => {
    const at = await success(Effect.never.pipe(Effect.timeoutOption("5 hours"), Effect.andThen(Clock.currentTimeMillis)))
    assert.strictEqual(at, 5 * 3_600_000)
  })

  it("`quiet` waits for those whose sleep ends at the same moment", async () => {
    const done = await success(Effect.gen(function*() {
      let done = false
      yield* Effect.sleep("1 second")
      yield* Effect.forkChild(Effect.gen(function*() {
        yield* Effect.sleep(0)
        yield* Effect.yieldNow
        done = true
      }))
      yield* quiet
      return [done, yield* Clock.currentTimeMillis]
    }))
    assert.deepStrictEqual(done, [true, 1_000])
  })

  it("says when it waits for what never comes, and releases what it holds", async () => {
    let released = false
    const program = Effect.flatMap(Deferred.make<void>(), Deferred.await).pipe(Effect.ensuring(Effect.sync(() => {
      released = true
    })))
    const exit = await run(Effect.andThen(Effect.sleep("2 seconds"), program))
    assert.isTrue(Exit.isFailure(exit))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.isTrue(error instanceof VirtualDeadlock)
    assert.strictEqual((error as VirtualDeadlock).at, 2_000)
    assert.isTrue(released)
  })

  it("draws by its seed", async () => {
    const draws = Effect.all([Random.nextInt, Random.next, Random.nextInt])
    assert.deepStrictEqual(await success(draws), await success(draws))
    assert.notDeepEqual(await success(draws), await success(draws, "another"))
  })
})
