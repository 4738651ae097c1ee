/** Redundancy turns with whole nodes (RW-4): when the holder's proof counts, and for which blocks. */
import { assert, describe } from "@effect/vitest"
import { Context, Duration, Effect, Ref } from "effect"
import { defaultParameters } from "../../src/domain/ProtocolParameters.ts"
import { redundancyReserve } from "../../src/domain/settlement/Vault.ts"
import { TreePlanner } from "../../src/roles/TreePlanner.ts"
import { ModelChain } from "../../src/simulation/ModelChain.ts"
import { sendAs } from "../../src/simulation/ModelConsensus.ts"
import { blockIn, headerIn, ModelLedger } from "../../src/simulation/ModelLedger.ts"
import { modelBlockProof } from "../../src/simulation/ModelProofs.ts"
import { makeOperator, simulatedAccount } from "../../src/simulation/Simulation.ts"
import { pass, virtual } from "./virtual.ts"
import { assertSound, creditsOf, deedsOf, hour, minute, redundancyOf, said, until, worldOf } from "./world.ts"

const { redundancyWindow } = defaultParameters
const [alice, bob] = [simulatedAccount(1), simulatedAccount(2)]
/** Gas is so cheap that a second proof pays. */
const options = { ledger: { length: 2 }, provers: [alice, bob], chain: { gasPrice: 10_000_000n } }

/** Alice settles both blocks at once; the turn is Bob's, who only has to be faster than the window. */
const settled = Effect.gen(function*() {
  const first = yield* makeOperator({ name: "alice", account: alice, settling: { blocksPerUpdate: 2 } })
  const second = yield* makeOperator({ name: "bob", account: bob, settling: { blocksPerUpdate: 2 }, proofs: { blockTime: () => Duration.minutes(30) } })
  yield* first.start
  yield* second.start
  yield* until("the update", Effect.map(said("StateUpdated"), (all) => all.length === 1))
  const [opened] = yield* said("RedundancyOpened")
  assert.strictEqual(opened!.holder, bob)
  return { first, second, opened: opened! }
})

const waitsUntil = (second: number) =>
  Effect.flatMap(Effect.clockWith((clock) => clock.currentTimeMillis), (now) => Effect.sleep(Duration.millis(second * 1_000 - now)))

describe("RW-4: the holder's redundant proof", () => {
  virtual("earns the reserve that the update set aside for it", () =>
    Effect.gen(function*() {
      const { first, opened, second } = yield* settled
      yield* pass(redundancyWindow)
      const [proven] = yield* said("RedundancyProven")
      assert.strictEqual(proven!.earned, opened.shares[0]! + opened.shares[1]!)
      assert.isAtMost(proven!.time, opened.time + 40 * minute)
      assert.deepStrictEqual(yield* creditsOf(bob), { redundancy: proven!.earned })
      assert.deepStrictEqual(yield* deedsOf(bob), ["redundant to 2"])
      yield* assertSound(first)
      yield* assertSound(second)
    }).pipe(Effect.provide(worldOf("redundant", options))))

  /** Bob's line to L1 breaks down, and it gets what he signed at a second of the window. */
  const arrivesAt = (seconds: number) =>
    Effect.gen(function*() {
      const both = yield* settled
      const { opened, second } = both
      yield* Ref.set(second.line.loses, true)
      const stored = Effect.map(second.store.allOutgoing, ([outgoing]) => outgoing?.newest)
      yield* until("it is signed", Effect.map(stored, (found) => found !== undefined))
      const chain = yield* ModelChain
      // Half a second before the block.
      yield* waitsUntil(opened.time + seconds - 0.5)
      yield* chain.send((yield* stored)!.raw)
      yield* pass(5 * minute)
      return both
    })

  virtual("counts at 59 min 59 s", () =>
    Effect.gen(function*() {
      const { first, opened, second } = yield* arrivesAt(59 * minute + 59)
      const [proven] = yield* said("RedundancyProven")
      assert.strictEqual(proven!.time - opened.time, 59 * minute + 59)
      assert.deepStrictEqual(yield* creditsOf(bob), { redundancy: opened.shares[0]! + opened.shares[1]! })
      yield* assertSound(first)
      yield* assertSound(second)
    }).pipe(Effect.provide(worldOf("59:59", options))))

  virtual("earns nothing at 60 min 1 s", () =>
    Effect.gen(function*() {
      const { first, opened, second } = yield* arrivesAt(60 * minute + 1)
      assert.deepStrictEqual(yield* said("RedundancyProven"), [])
      assert.deepStrictEqual(yield* creditsOf(bob), {})
      assert.deepStrictEqual(yield* deedsOf(bob), [`redundant to 2: RW4_WindowClosed(${opened.closesAt})`])
      yield* assertSound(first)
      yield* assertSound(second)
    }).pipe(Effect.provide(worldOf("60:01", options))))

  virtual("is not sent any more at 60 min 1 s, and its share lapses to the protocol reserve", () =>
    Effect.gen(function*() {
      const { first, opened, second } = yield* settled
      yield* Ref.set(second.line.loses, true)
      yield* waitsUntil(opened.time + redundancyWindow + 1)
      yield* Ref.set(second.line.loses, false)
      yield* pass(10 * minute)
      assert.deepStrictEqual(yield* deedsOf(bob), [])
      assert.match((yield* redundancyOf(second)) ?? "", /its time is over/)
      assert.deepStrictEqual(yield* said("RedundancyProven"), [])
      yield* pass(hour)
      yield* sendAs(simulatedAccount(9), { kind: "lapse" })
      yield* pass(10 * minute)
      assert.deepStrictEqual((yield* said("Lapsed")).map(({ amount }) => amount), [opened.shares[0]! + opened.shares[1]!])
      yield* assertSound(first)
      yield* assertSound(second)
    }).pipe(Effect.provide(worldOf("over", options))))

  virtual("earns only the blocks that others were paid for, where some of the leaves were the holder's", () =>
    Effect.gen(function*() {
      // Block 1 takes Alice an hour; Bob's proof of it reaches her before.
      const first = yield* makeOperator({
        name: "alice",
        account: alice,
        settling: { blocksPerUpdate: 2 },
        proofs: { blockTime: ({ block }) => block.number === 1 ? Duration.hours(1) : Duration.seconds(4) }
      })
      const second = yield* makeOperator({ name: "bob", account: bob, settling: { blocksPerUpdate: 2 }, proofs: { blockTime: () => Duration.minutes(30) } })
      yield* first.start
      yield* second.start
      yield* pass(15 * minute)
      const rollup = yield* (yield* ModelLedger).rollup
      const planner = Context.get(first.roles, TreePlanner)
      assert.isTrue(yield* planner.offer({ proof: modelBlockProof(blockIn(rollup, 0)!, headerIn(rollup, 1)!, bob) }))
      yield* until("the update", Effect.map(said("StateUpdated"), (all) => all.length === 1))
      const [opened] = yield* said("RedundancyOpened")
      assert.deepStrictEqual(opened!.provers, [bob, alice])
      assert.strictEqual(opened!.holder, bob)

      yield* pass(hour)
      const [proven] = yield* said("RedundancyProven")
      assert.strictEqual(proven!.earned, opened!.shares[1]!)
      const redundant = (yield* said("Credited")).filter(({ kind }) => kind === "redundancy")
      assert.deepStrictEqual(redundant.map(({ account, amount, block }) => ({ account, amount, block: Number(block) })), [
        { account: bob, amount: opened!.shares[1]!, block: 2 }
      ])
      const { state: { vault } } = yield* (yield* ModelChain).head
      assert.strictEqual(redundancyReserve(vault), opened!.shares[0]!, "nobody can earn the share of block 1, and in time it lapses")
      yield* assertSound(first)
      yield* assertSound(second)
    }).pipe(Effect.provide(worldOf("partly", options))))
})
