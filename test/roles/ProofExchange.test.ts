/** Whole nodes that exchange proofs over a network in memory, in virtual time. */
import { assert, describe } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted, Ref, Stream } from "effect"
import { pad } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { BlockNumber } from "../../src/domain/Amount.ts"
import { type Address, toAddress } from "../../src/domain/Hash.ts"
import { HintSigner, makeHintSigner } from "../../src/gossip/HintSignature.ts"
import { layerNetwork, MemoryNetwork, type MemoryNetworkOptions } from "../../src/gossip/MemoryGossip.ts"
import { messageCodec, proofMessage } from "../../src/gossip/Messages.ts"
import { ProofGossip } from "../../src/gossip/ProofGossip.ts"
import type { StrategyName } from "../../src/domain/planning/Strategy.ts"
import { PlannerOptions } from "../../src/roles/TreePlanner.ts"
import { ProofExchange } from "../../src/roles/ProofExchange.ts"
import { layer, makeOperator, type Operator } from "../../src/simulation/Simulation.ts"
import { ModelLedger } from "../../src/simulation/ModelLedger.ts"
import { flipBit, withBytes } from "../proofs/fixture.ts"
import { pass, virtual } from "../simulation/virtual.ts"

const domain = { chainId: 1n, stateUpdate: toAddress(pad("0x77", { size: 20 })) }
const keys = (["0x01", "0x02", "0x03", "0x04"] as const).map((key) => pad(key, { size: 32 }))
const accounts: ReadonlyArray<Address> = keys.map((key) => toAddress(privateKeyToAddress(key)))
const [fast, slow] = [Duration.seconds(4), Duration.hours(1)]

/** A block every ten seconds, and the first two operators registered. */
const world = (network: Partial<MemoryNetworkOptions> = {}) =>
  Layer.merge(
    layer({
      seed: "exchange",
      provers: accounts.slice(0, 2),
      ledger: { blockTime: Duration.seconds(10), checkpointInterval: 2, length: 60 },
      chain: { slot: Duration.seconds(1), emptyBlocks: Duration.seconds(30) }
    }),
    layerNetwork(network)
  )

/** An operator with its place in the network; it is started. */
const start = Effect.fnUntraced(function*(number: number, provingTime: Duration.Duration, strategy: StrategyName = "greedy") {
  const { join } = yield* MemoryNetwork
  const name = `operator-${number}`
  const operator = yield* makeOperator({
    name,
    account: accounts[number - 1]!,
    proofs: { blockTime: () => provingTime },
    settling: { blocksPerUpdate: 100, patience: "1 day", races: false },
    l1Poll: "1 second"
  })
  const gossip = yield* join(name)
  yield* operator.start.pipe(
    Effect.provideService(ProofGossip, gossip),
    Effect.provideService(HintSigner, makeHintSigner(domain, Redacted.make(keys[number - 1]!))),
    Effect.updateService(PlannerOptions, (options) => ({ ...options, strategy }))
  )
  return { ...operator, gossip }
})

const viewOf = ({ roles }: Pick<Operator, "roles">) =>
  Effect.orDie(Effect.flatMap(Stream.runHead(Context.get(roles, ProofExchange).changes()), Effect.fromOption))

const blocksOf = ({ store }: Pick<Operator, "store">) =>
  Effect.map(store.proofsBeyond(BlockNumber.make(0)), (proofs) => [...new Set(proofs.map(({ statement }) => statement.to.number as number))])

/** The honest rule: nobody keeps what it has not verified, unless it made it. */
const assertVerified = Effect.fnUntraced(function*({ account, prover, store }: Operator) {
  const verified = new Set(yield* Ref.get(prover.verified))
  for (const { id, statement } of yield* store.proofsBeyond(BlockNumber.make(0))) {
    assert.isTrue(verified.has(id) || statement.leaves.every((leaf) => leaf.prover === account), `block ${statement.to.number}`)
  }
})

describe("OC-1: nodes that exchange proofs", () => {
  virtual("OC-1: what one proves, the other has, verified once", () =>
    Effect.gen(function*() {
      const prover = yield* start(1, fast)
      const reader = yield* start(2, slow)
      yield* pass(120)
      const blocks = yield* blocksOf(prover)
      assert.isAtLeast(blocks.length, 10)
      assert.deepStrictEqual((yield* blocksOf(reader)).slice(0, 10), blocks.slice(0, 10))
      yield* assertVerified(reader)
      const verified = yield* Ref.get(reader.prover.verified)
      assert.strictEqual(new Set(verified).size, verified.length, "none is verified twice")
      const own = (yield* prover.store.proofsBeyond(BlockNumber.make(0))).flatMap(({ id }) => [id, id])
      assert.deepStrictEqual(
        (yield* Ref.get(prover.prover.verified)).toSorted(),
        own.toSorted(),
        "its own are verified where they were made and where they are taken in, and nothing comes back"
      )
    }).pipe(Effect.provide(world())))

  virtual("OC-5: who joins late, or was cut off from the others, catches up", () =>
    Effect.gen(function*() {
      const { connect } = yield* MemoryNetwork
      const prover = yield* start(1, fast)
      yield* pass(60)
      const late = yield* start(2, slow)
      yield* pass(10)
      assert.deepStrictEqual(yield* blocksOf(late), yield* blocksOf(prover))
      assert.isAtLeast((yield* viewOf(late)).fetched, 4)
      yield* connect(() => false)
      yield* pass(60)
      assert.isBelow((yield* blocksOf(late)).length, (yield* blocksOf(prover)).length - 3)
      yield* connect(() => true)
      yield* pass(10)
      assert.deepStrictEqual(yield* blocksOf(late), yield* blocksOf(prover))
    }).pipe(Effect.provide(world())))

  virtual("OC-5: what gossip loses is found by asking", () =>
    Effect.gen(function*() {
      const prover = yield* start(1, fast)
      const reader = yield* start(2, slow)
      yield* pass(300)
      const [there, here] = [yield* blocksOf(prover), yield* blocksOf(reader)]
      assert.isAtLeast(there.length, 25)
      assert.isAtLeast(here.length, there.length - 7, "at most what came since the last round of questions")
      assert.isAbove((yield* viewOf(reader)).fetched, 0)
    }).pipe(Effect.provide(world({ loss: 500 }))))

  virtual("OC-3: hints of registered provers count, those of others do not", () =>
    Effect.gen(function*() {
      const prover = yield* start(1, fast)
      const reader = yield* start(2, slow)
      const stranger = yield* start(3, slow)
      yield* pass(60)
      const { gossip, registered } = yield* viewOf(reader)
      assert.deepStrictEqual(registered, accounts.slice(0, 2))
      const { accepted } = gossip.counters
      const proofs = (yield* blocksOf(reader)).length
      assert.isAtLeast(accepted, proofs + 5, "hints of what is begun, and that it is still so")
      assert.strictEqual(gossip.counters.useless, 0, "a node that is not registered gives no hints")
      assert.strictEqual((yield* viewOf(prover)).gossip.cutOff.length + (yield* viewOf(stranger)).gossip.cutOff.length, 0)
    }).pipe(Effect.provide(world())))

  virtual("OC-3: two that hear each other's hints share the work, and prove hardly anything twice", () =>
    Effect.gen(function*() {
      const both = [yield* start(1, Duration.seconds(15), "rendezvous"), yield* start(2, Duration.seconds(15), "rendezvous")]
      yield* pass(400)
      const blocks = new Set(yield* blocksOf(both[0]!))
      assert.isAtLeast(blocks.size, 35)
      // Whoever has nothing to do may begin what is another's, and stops as soon as it hears that it is being done.
      const finished = yield* Effect.forEach(both, ({ prover }) =>
        Effect.zipWith(Ref.get(prover.begun), Ref.get(prover.interrupted), (begun, interrupted) => begun.length - interrupted.length))
      assert.isAtMost(finished[0]! + finished[1]!, 1.1 * blocks.size + 2)
      for (const each of finished) assert.isAtLeast(each / blocks.size, 0.25)
    }).pipe(Effect.provide(world())))

  /** A node that proves, one that hardly does, a proof that both have, and a stranger's voice among them. */
  const proverAndReader = Effect.gen(function*() {
    const { shout } = yield* MemoryNetwork
    const prover = yield* start(1, fast)
    const reader = yield* start(2, slow)
    yield* pass(65)
    const [proof] = yield* prover.store.proofsBeyond(BlockNumber.make(0))
    return { proof: proof!, prover, reader, shout }
  })

  virtual("OC-1: false proofs are verified once, and three of them are the end", () =>
    Effect.gen(function*() {
      const { proof, prover, reader, shout } = yield* proverAndReader
      const { blocks } = yield* (yield* ModelLedger).rollup
      assert.isAtLeast(blocks.length, 6)
      const before = (yield* Ref.get(reader.prover.verified)).length
      // Of a prover that has no proof of it yet: else it would be known, whatever its bytes are.
      const stolen = { ...proof.statement, leaves: [{ ...proof.statement.leaves[0], prover: accounts[3]! }] }
      for (let bit = 0; bit < 20; bit++) {
        const bad = withBytes({ ...proof, statement: stolen } as never, flipBit(proof.bytes, bit))
        yield* shout("liar", messageCodec.encode(proofMessage(bad)))
      }
      yield* pass(5)
      const verified = (yield* Ref.get(reader.prover.verified)).length - before
      assert.isAtMost(verified, 4)
      assert.isAtLeast(verified, 3)
      assert.deepStrictEqual((yield* viewOf(reader)).gossip.cutOff.map(({ id }) => id as string), ["liar"])
      yield* assertVerified(reader)
      yield* pass(60)
      assert.deepStrictEqual((yield* blocksOf(reader)).slice(0, 10), (yield* blocksOf(prover)).slice(0, 10))
    }).pipe(Effect.provide(world())))

  virtual("OC-1: other bytes for what is known are not verified, and go no further", () =>
    Effect.gen(function*() {
      const { proof, reader, shout } = yield* proverAndReader
      const before = (yield* Ref.get(reader.prover.verified)).length
      for (let bit = 0; bit < 200; bit++) yield* shout("liar", messageCodec.encode(proofMessage(withBytes(proof, flipBit(proof.bytes, bit)))))
      yield* pass(5)
      assert.strictEqual((yield* Ref.get(reader.prover.verified)).length, before)
      const { gossip } = yield* viewOf(reader)
      assert.isAtMost(gossip.counters.useless, 55)
      assert.deepStrictEqual(gossip.cutOff.map(({ id }) => id as string), ["liar"])
    }).pipe(Effect.provide(world())))
})
