/** The proof deadline with whole nodes (CP-4): what was in flight when it came, and what becomes of it. */
import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Ref } from "effect"
import { JobState } from "../../src/jobs/Jobs.ts"
import { defaultParameters } from "../../src/domain/ProtocolParameters.ts"
import { blockIn, ModelLedger } from "../../src/simulation/ModelLedger.ts"
import { makeOperator, simulatedAccount } from "../../src/simulation/Simulation.ts"
import { pass, virtual } from "./virtual.ts"
import { assertSound, deedsOf, hour, minute, said, until, worldOf } from "./world.ts"

const { proofDeadline } = defaultParameters
const [alice, bob] = [simulatedAccount(1), simulatedAccount(2)]
/** Consensus goes on for as long as blocks are made. */
const twoBlocks = { ledger: { length: 2 } }

const tipOf = Effect.flatMap(ModelLedger, (ledger) => ledger.rollup)
const registered = Effect.map(said("CheckpointRegistered"), (all) => all[1]!.time)

describe("CP-4: the proof deadline", () => {
  virtual("CP-4, OC-4: comes while a proof is in the making: the checkpoint is reverted, the work dropped, and the blocks in its place are settled", () =>
    Effect.gen(function*() {
      const node = yield* makeOperator({
        name: "alice",
        account: alice,
        // It leaves others so long to prove what is due.
        settling: { blocksPerUpdate: 2, patience: "10 minutes" },
        proofs: { blockTime: () => Duration.hours(25) },
        tick: "1 minute"
      })
      yield* node.start
      yield* pass(24 * hour)
      assert.deepStrictEqual((yield* Ref.get(node.prover.begun)).toSorted(), [1, 2])
      const before = yield* tipOf
      yield* Ref.set(node.prover.blockTime, () => Duration.seconds(4))
      yield* until("the revert", Effect.map(said("CheckpointsReverted"), (all) => all.length > 0), 10)
      const [revert] = yield* said("CheckpointsReverted")
      const due = (yield* registered) + proofDeadline
      assert.isAbove(revert!.time, due)
      assert.isAtMost(revert!.time, due + 16 * minute)

      yield* pass(hour)
      assert.deepStrictEqual((yield* Ref.get(node.prover.interrupted)).toSorted(), [1, 2], "nobody needs them any more")
      const after = yield* tipOf
      const [update, ...more] = yield* said("StateUpdated")
      assert.deepStrictEqual(more, [])
      assert.strictEqual(update!.to.hash, blockIn(after, 2)!.hash)
      assert.notStrictEqual(update!.to.hash, blockIn(before, 2)!.hash)
      assert.deepStrictEqual(yield* deedsOf(alice), ["revert", "update to 2"])
      assert.deepStrictEqual(yield* node.jobs.list({ states: JobState.literals, most: 100 }), [], "what is behind the tip is forgotten")
      yield* assertSound(node)
    }).pipe(Effect.provide(worldOf("making", twoBlocks))))

  virtual("CP-4, ND-3: comes while an update is on its way: it is given up, and nothing is paid for it", () =>
    Effect.gen(function*() {
      // Alice's proofs are ready just in time, but her line is down. Bob has no proofs at all.
      const first = yield* makeOperator({
        name: "alice",
        account: alice,
        settling: { blocksPerUpdate: 2, revertUnproven: false, patience: "100 days" },
        proofs: { blockTime: () => Duration.minutes(23 * 60 + 55) },
        tick: "1 minute"
      })
      const second = yield* makeOperator({
        name: "bob",
        account: bob,
        settling: { blocksPerUpdate: 2, patience: "10 minutes" },
        proofs: { blockTime: () => Duration.hours(100) },
        tick: "1 minute"
      })
      yield* Ref.set(first.line.loses, true)
      yield* first.start
      yield* second.start
      yield* until("the update is signed", Effect.map(first.store.allOutgoing, (all) => all.length > 0), 10)
      yield* Ref.set(first.prover.blockTime, () => Duration.seconds(4))
      yield* until("the revert", Effect.map(said("CheckpointsReverted"), (all) => all.length > 0), 10)
      yield* Ref.set(first.line.loses, false)
      yield* pass(hour)
      assert.deepStrictEqual(yield* deedsOf(bob), ["revert"])
      assert.deepStrictEqual(yield* deedsOf(alice), ["update to 2"])
      const [update] = yield* said("StateUpdated")
      assert.strictEqual(update!.to.hash, blockIn(yield* tipOf, 2)!.hash)
      yield* assertSound(first)
      yield* assertSound(second)
    }).pipe(Effect.provide(worldOf("sending", twoBlocks))))

  virtual("CP-4: does not come for who proves at the last minute", () =>
    Effect.gen(function*() {
      const node = yield* makeOperator({
        name: "alice",
        account: alice,
        settling: { blocksPerUpdate: 2, patience: "100 days" },
        // Block 2 and its checkpoint are 20 minutes old when the ledger starts to count.
        proofs: { blockTime: () => Duration.minutes(24 * 60 - 1) },
        tick: "20 seconds"
      })
      yield* node.start
      yield* pass(26 * hour)
      const [update] = yield* said("StateUpdated")
      assert.isAtMost(update!.time, (yield* registered) + proofDeadline)
      assert.isAtLeast(update!.time, (yield* registered) + proofDeadline - 2 * minute)
      assert.deepStrictEqual(yield* said("CheckpointsReverted"), [])
      yield* assertSound(node)
    }).pipe(Effect.provide(worldOf("minute", twoBlocks))))
})
