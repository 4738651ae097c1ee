import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect } from "effect"
import { DevnetLedger } from "../../src/ledger/DevnetLedger.ts"
import type { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { blocks, withLedger } from "./devnet.ts"

/** A clock that jumps: whoever sleeps wakes after the jump, not at its own time, as when a machine was suspended. */
const makeJumpingClock = () => {
  let now = 600_000
  let sleepers: Array<{ readonly until: number; readonly wake: Deferred.Deferred<void> }> = []
  const nanos = () => BigInt(now) * 1_000_000n
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.suspend(() => {
        const wake = Deferred.makeUnsafe<void>()
        sleepers.push({ until: now + Duration.toMillis(duration), wake })
        return Deferred.await(wake)
      })
  }
  /** Moves the clock, waking whoever's time has come or comes within `early` milliseconds; answers the ledger's height. */
  const jump = (by: number, early = 0) =>
    Effect.gen(function*() {
      now += by
      const due = sleepers.filter(({ until }) => until - early <= now)
      sleepers = sleepers.filter((sleeper) => !due.includes(sleeper))
      for (const { wake } of due) yield* Deferred.succeed(wake, undefined)
      for (let turns = 0; turns < 50; turns++) yield* Effect.yieldNow
      return Number((yield* DevnetLedger.use((ledger) => ledger.status)).tip.number)
    })
  return { clock, jump }
}

const under = <A, E>(scenario: (jump: ReturnType<typeof makeJumpingClock>["jump"]) => Effect.Effect<A, E, DevnetLedger | LedgerSource>) => {
  const { clock, jump } = makeJumpingClock()
  return withLedger(jump(0).pipe(Effect.andThen(scenario(jump)))).pipe(Effect.provideService(Clock.Clock, clock))
}

describe("pace", { timeout: 30_000 }, () => {
  it.effect("after an hour's suspension one block is made, not six hundred, and the grid is kept", () =>
    under((jump) => Effect.gen(function*() {
      assert.strictEqual(yield* jump(6_000), 1)
      assert.strictEqual(yield* jump(3_600_000 + 2_000), 2)
      assert.strictEqual(yield* jump(3_999), 2)
      assert.strictEqual(yield* jump(1), 3)
    })))

  it.effect("a late timer does not shift the following blocks", () =>
    under((jump) => Effect.gen(function*() {
      assert.strictEqual(yield* jump(6_900), 1)
      assert.strictEqual(yield* jump(5_099), 1)
      assert.strictEqual(yield* jump(1), 2)
    })))

  it.effect("a timer that fires early makes no block early, and none twice", () =>
    under((jump) => Effect.gen(function*() {
      assert.strictEqual(yield* jump(5_999, 1), 0)
      assert.strictEqual(yield* jump(1), 1)
      assert.strictEqual(yield* jump(5_999, 1), 1)
      assert.strictEqual(yield* jump(1), 2)
    })))

  it.effect("a clock set back holds nothing up and makes no block older than its parent", () =>
    under((jump) => Effect.gen(function*() {
      assert.strictEqual(yield* jump(6_000), 1)
      assert.strictEqual(yield* jump(-300_000, 306_000), 2)
      assert.strictEqual(yield* jump(6_000), 3)
      assert.deepStrictEqual((yield* blocks(1, 3)).map((block) => Number(block.header.timestamp)), [606, 606, 606])
    })))
})
