import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { followReverts } from "../../src/devnet/RevertFollower.ts"
import type { BlockRef } from "../../src/domain/Block.ts"
import type { CheckpointId } from "../../src/domain/Hash.ts"
import type { L1Event } from "../../src/l1/Events.ts"
import { L1, type L1Block } from "../../src/l1/L1.ts"
import { DevnetLedger } from "../../src/ledger/DevnetLedger.ts"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { ref } from "../domain/builders.ts"
import { blocks, checkpoints, n, produce, registered, withLedger } from "../ledger/devnet.ts"

/** L1 as a list of blocks with events. */
const makeChain = () => {
  let fork = 0
  let chain: Array<ReadonlyArray<unknown>> = [[]]
  const block = (number: number): L1Block => ({ number, hash: `0x${fork}${number}` as never, timestamp: 0n })
  const l1 = {
    deployedAt: 0,
    latest: Effect.sync(() => block(chain.length - 1)),
    block: (number: number) => Effect.sync(() => number < chain.length ? Option.some(block(number)) : Option.none()),
    events: (from: number, to: number) => Effect.sync(() => chain.slice(from, to + 1).flat() as ReadonlyArray<L1Event>)
  } as never as typeof L1.Service
  return {
    l1,
    add: (...events: ReadonlyArray<object>) => chain.push(events.map((event) => ({ ...event, at: { block: chain.length, blockHash: block(chain.length).hash } }))),
    replaceFrom: (number: number) => {
      fork++
      chain = chain.slice(0, number)
    }
  }
}

const revert = (generation: number, head: { readonly id: CheckpointId; readonly number: number }, tip: BlockRef) => ({
  _tag: "CheckpointsReverted",
  generation,
  head: head.id,
  headNumber: head.number,
  tip: tip.number
})

/** A ledger with eight blocks and four checkpoints, and an L1 where block 5 is proven. */
const scene = Effect.gen(function*() {
  yield* produce(8)
  const made = yield* blocks(0, 9)
  const [, second, third] = yield* checkpoints(0, 4)
  const chain = makeChain()
  chain.add({ _tag: "CheckpointRegistered", checkpoint: { number: 0, block: made[0]!.ref } })
  chain.add({ _tag: "StateUpdated", to: made[5]!.ref })
  const height = DevnetLedger.use((ledger) => Effect.map(ledger.status, ({ tip }) => Number(tip.number)))
  return { chain, made, height, head: second!.checkpoint, dead: third!.checkpoint }
})

const following = (chain: ReturnType<typeof makeChain>, confirmations: number) =>
  followReverts({ confirmations }).pipe(Effect.provideService(L1, chain.l1), Effect.forkScoped)

describe("CP-4: consensus and reverts on L1", { timeout: 30_000 }, () => {
  it.effect("rebuilds from the proven tip once a revert is as deep as wanted, and once only", () => withLedger(Effect.gen(function*() {
    const { chain, head, height, made } = yield* scene
    yield* following(chain, 3)
    chain.add(revert(1, head, made[5]!.ref))
    chain.add()
    yield* TestClock.adjust("2500 millis")
    assert.strictEqual(yield* height, 8)
    chain.add()
    yield* TestClock.adjust("2500 millis")
    assert.strictEqual(yield* height, 5)
    yield* produce(2)
    chain.add()
    yield* TestClock.adjust("2500 millis")
    assert.isAtLeast(yield* height, 7)
    const [next] = yield* checkpoints(4, 1)
    assert.strictEqual(next!.checkpoint.parent, head.id)
  }), registered))

  it.effect("a revert that L1 takes back before that changes nothing", () => withLedger(Effect.gen(function*() {
    const { chain, head, height, made } = yield* scene
    yield* following(chain, 3)
    chain.add(revert(1, head, made[5]!.ref))
    yield* TestClock.adjust("2500 millis")
    chain.replaceFrom(3)
    for (let i = 0; i < 5; i++) chain.add()
    yield* TestClock.adjust("3 seconds")
    assert.isAtLeast(yield* height, 8)
    assert.strictEqual((yield* blocks(8, 1))[0]!.header.hash, made[8]!.header.hash)
  }), registered))

  it.effect("a restart reads all reverts again and repeats none", () => withLedger(Effect.gen(function*() {
    const { chain, head, height, made } = yield* scene
    chain.add(revert(1, head, made[5]!.ref))
    yield* Effect.scoped(Effect.andThen(following(chain, 1), TestClock.adjust("2 seconds")))
    assert.strictEqual(yield* height, 5)
    yield* produce(3)
    const rebuilt = yield* blocks(6, 3)
    yield* following(chain, 1)
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual((yield* blocks(6, 3)).map(({ header }) => header.hash), rebuilt.map(({ header }) => header.hash))
  }), registered))

  it.effect("one that the ledger cannot follow is passed over, and the next one is followed", () => withLedger(Effect.gen(function*() {
    const { chain, dead, head, height, made } = yield* scene
    chain.replaceFrom(2)
    chain.add({ _tag: "StateUpdated", to: ref(5, 1) })
    chain.add(revert(1, head, ref(5, 1)))
    yield* following(chain, 1)
    yield* TestClock.adjust("2 seconds")
    assert.strictEqual(yield* height, 8)
    chain.add({ _tag: "StateUpdated", to: made[7]!.ref })
    chain.add(revert(2, dead, made[7]!.ref))
    yield* TestClock.adjust("2 seconds")
    assert.strictEqual(yield* height, 7)
    const source = yield* LedgerSource
    assert.strictEqual((yield* Effect.fromOption(yield* Stream.runHead(source.blocks(n(7))))).header.hash, made[7]!.header.hash)
  }), registered))
})
