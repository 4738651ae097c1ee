import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { TestClock } from "effect/testing"
import { makeSignalReader } from "../../src/devnet/SignalReader.ts"
import { epochOf, multiplierIn, quietSignal } from "../../src/domain/FeeSignal.ts"
import { defaultParameters, ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { L1 } from "../../src/l1/L1.ts"
import { makeBlockList } from "./blockList.ts"

const rule = new ProtocolParameters({ ...defaultParameters, signalEpoch: 10 })

const makeChain = () => makeBlockList(0, "latest")

const raised = (epoch: bigint, multiplier: bigint) => ({ _tag: "MultiplierRaised", epoch, multiplier })
const flagged = (epoch: bigint) => ({ _tag: "Flagged", epoch })

const reading = (chain: ReturnType<typeof makeChain>) =>
  Effect.gen(function*() {
    const reader = makeSignalReader(rule)
    assert.deepStrictEqual(yield* reader.multiplier(0n), Option.none(), "nothing is known before anything is read")
    yield* reader.follow.pipe(Effect.provideService(L1, chain.l1), Effect.forkScoped)
    yield* TestClock.adjust("3 seconds")
    return (timestamp: bigint) => Effect.map(reader.multiplier(timestamp), Option.getOrUndefined)
  })

describe("FM-4: what the sequencers read of the L1 signal", () => {
  it.effect("is 1 until a quorum, stands in the epoch after one, and falls back with time alone", () => Effect.gen(function*() {
    const chain = makeChain()
    const multiplier = yield* reading(chain)
    assert.strictEqual(yield* multiplier(1_000n), 1_000_000n)
    chain.add(flagged(100n), raised(100n, 1_250_000n))
    yield* TestClock.adjust("3 seconds")
    assert.deepStrictEqual(
      yield* Effect.forEach([1_000n, 1_009n, 1_010n, 1_019n, 1_020n, 1_030n, 1_040n, 9_999n], multiplier),
      [1_250_000n, 1_250_000n, 1_250_000n, 1_250_000n, 1_125_000n, 1_012_500n, 1_000_000n, 1_000_000n]
    )
    assert.strictEqual(yield* multiplier(999n), 1_250_000n, "a sequencer's clock may be behind L1's")
  }))

  it.effect("a newer quorum takes the place of an older one, and flags below a quorum change nothing", () => Effect.gen(function*() {
    const chain = makeChain()
    chain.add(raised(100n, 1_250_000n))
    chain.add(raised(101n, 1_562_500n))
    chain.add(flagged(103n))
    const multiplier = yield* reading(chain)
    assert.deepStrictEqual(yield* Effect.forEach([1_010n, 1_020n, 1_030n, 1_040n], multiplier), [1_562_500n, 1_562_500n, 1_406_250n, 1_265_625n])
    // The contract stores the decayed multiplier at such a flag, and decays it from there on: the same, because each step rounds by itself.
    const afterFlag = { ...quietSignal, epoch: 103n, multiplier: multiplierIn(rule, { ...quietSignal, epoch: 101n, raised: true, multiplier: 1_562_500n }, 103n) }
    assert.strictEqual(yield* multiplier(1_059n), multiplierIn(rule, afterFlag, epochOf(rule, 1_059n)))
  }))

  it.effect("a quorum that L1 takes back never was; while L1 does not answer, what was read last counts", () => Effect.gen(function*() {
    const chain = makeChain()
    chain.add()
    chain.add(raised(100n, 1_250_000n))
    const multiplier = yield* reading(chain)
    assert.strictEqual(yield* multiplier(1_000n), 1_250_000n)
    chain.setAnswers(false)
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* multiplier(1_000n), 1_250_000n)
    chain.setAnswers(true)
    chain.replaceFrom(2)
    chain.add()
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* multiplier(1_000n), 1_000_000n)
  }))
})
