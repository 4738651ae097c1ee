import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { makeBacklogReader } from "../../src/devnet/BacklogReader.ts"
import { L1 } from "../../src/l1/L1.ts"
import { LedgerSource, LedgerUnavailable } from "../../src/ledger/LedgerSource.ts"
import { makeBlockList } from "./blockList.ts"

/** Block i has the timestamp 10 · i. */
const makeChain = () => makeBlockList(10, "block")

const checkpoint = (number: number) => ({ _tag: "CheckpointRegistered", checkpoint: { number } })
const revert = (headNumber: number) => ({ _tag: "CheckpointsReverted", headNumber })
const update = (to: number) => ({ _tag: "StateUpdated", to: { number: to } })

/** Twenty blocks of 100 gas after genesis. */
const ledger = {
  blocks: (from: number) =>
    Stream.concat(
      Stream.fromIterable(Array.from({ length: 21 - from }, (_, i) => ({ header: { number: from + i, proverGasUsed: from + i === 0 ? 0n : 100n } }))),
      Stream.never
    )
} as never as typeof LedgerSource.Service

const reading = (chain: ReturnType<typeof makeChain>, source = ledger) =>
  Effect.gen(function*() {
    const reader = makeBacklogReader(Duration.seconds(30))
    assert.strictEqual(yield* reader.overdue(1_000n), 0n, "nothing is overdue before anything is read")
    yield* reader.follow.pipe(Effect.provideService(L1, chain.l1), Effect.provideService(LedgerSource, source), Effect.forkScoped)
    yield* TestClock.adjust("3 seconds")
    return reader
  })

describe("FM-2: what the sequencers read from L1", () => {
  it.effect("a checkpoint's blocks are overdue once L1 registered it longer ago than the target lag, until they are proven", () => Effect.gen(function*() {
    const chain = makeChain()
    chain.add(checkpoint(0))
    chain.add(checkpoint(2))
    chain.add(checkpoint(4))
    const { overdue } = yield* reading(chain)
    assert.deepStrictEqual(yield* Effect.forEach([50n, 51n, 60n, 61n], overdue), [0n, 200n, 200n, 400n] as never)
    chain.add(update(3))
    yield* TestClock.adjust("3 seconds")
    assert.strictEqual(yield* overdue(61n), 100n)
    chain.add(update(4))
    yield* TestClock.adjust("3 seconds")
    assert.strictEqual(yield* overdue(1_000n), 0n)
  }))

  it.effect("an update that L1 takes back leaves its blocks overdue again", () => Effect.gen(function*() {
    const chain = makeChain()
    chain.add(checkpoint(0))
    chain.add(checkpoint(2))
    chain.add(update(2))
    const { overdue } = yield* reading(chain)
    assert.strictEqual(yield* overdue(1_000n), 0n)
    chain.replaceFrom(3)
    chain.add()
    yield* TestClock.adjust("3 seconds")
    assert.strictEqual(yield* overdue(1_000n), 200n)
  }))

  it.effect("it answers from what it read last while L1 does not answer, and goes on when L1 does", () => Effect.gen(function*() {
    const chain = makeChain()
    chain.add(checkpoint(0))
    chain.add(checkpoint(2))
    const { overdue } = yield* reading(chain)
    chain.setAnswers(false)
    chain.add(checkpoint(4))
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* overdue(1_000n), 200n)
    chain.setAnswers(true)
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* overdue(1_000n), 400n)
  }))

  it.effect("CP-4: checkpoints that a revert removed leave nothing overdue, and those of the rebuilt blocks count by their own gas", () => Effect.gen(function*() {
    const chain = makeChain()
    chain.add(checkpoint(0))
    chain.add(checkpoint(2))
    chain.add(checkpoint(4))
    chain.add(update(3))
    const replaced = yield* Queue.unbounded<{ readonly header: { readonly number: number; readonly proverGasUsed: bigint } }>()
    const source = { blocks: (from: number) => Stream.concat(Stream.take(ledger.blocks(from as never), 9), Stream.fromQueue(replaced)) }
    const { overdue } = yield* reading(chain, source as never)
    assert.strictEqual(yield* overdue(1_000n), 100n)
    chain.add(revert(2))
    yield* TestClock.adjust("3 seconds")
    assert.strictEqual(yield* overdue(1_000n), 0n)
    yield* Queue.offerAll(replaced, [4, 5, 6].map((number) => ({ header: { number, proverGasUsed: 7n } })))
    chain.add(checkpoint(6))
    yield* TestClock.adjust("3 seconds")
    assert.deepStrictEqual(yield* Effect.forEach([90n, 91n], overdue), [0n, 21n] as never)
  }))

  it.effect("CP-4: a stream that broke off while blocks were replaced is read again from the tip", () => Effect.gen(function*() {
    const chain = makeChain()
    chain.add(checkpoint(0))
    chain.add(checkpoint(2))
    chain.add(update(2))
    const from: Array<number> = []
    const source = {
      blocks: (number: number) => {
        from.push(number)
        const gas = from.length === 1 ? 100n : 7n
        const made = Stream.fromIterable(Array.from({ length: 9 - number }, (_, i) => ({ header: { number: number + i, proverGasUsed: gas } })))
        const broken = Stream.fromEffect(Effect.fail(new LedgerUnavailable({ number: 9 as never, reason: "the connection broke" })).pipe(Effect.delay("8 seconds")))
        return Stream.concat(made, from.length === 1 ? broken : Stream.never)
      }
    }
    const { overdue } = yield* reading(chain, source as never)
    chain.add(checkpoint(4))
    yield* TestClock.adjust("3 seconds")
    assert.strictEqual(yield* overdue(1_000n), 200n)
    yield* TestClock.adjust("5 seconds")
    assert.deepStrictEqual(from, [0, 3])
    assert.strictEqual(yield* overdue(1_000n), 14n)
  }))
})
