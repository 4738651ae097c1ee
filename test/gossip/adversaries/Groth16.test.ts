/** What a false Groth16 proof costs an honest node: real proofs, real verification. */
import { assert, describe } from "@effect/vitest"
import { Clock, Effect, Ref, Stream } from "effect"
import { Leaf, Proof, Statement } from "../../../src/domain/Proof.ts"
import { messageCodec, proofMessage } from "../../../src/gossip/Messages.ts"
import { ProofSystem } from "../../../src/proofs/ProofSystem.ts"
import { makeProofJudge } from "../../../src/roles/ProofJudge.ts"
import { TreePlanner } from "../../../src/roles/TreePlanner.ts"
import { bob, flipBit, groth16, quiet, withBytes, witnesses, alice } from "../../proofs/fixture.ts"
import { statusOf } from "../conformance.ts"
import { barePeer, live, startGossip, until } from "../peers.ts"

describe("OC-1: false proofs of the real proof system", () => {
  live("OC-1: forged, stolen and damaged Groth16 proofs: three verifications, and what they cost", () =>
    Effect.gen(function*() {
      const proofs = yield* ProofSystem
      const proof = yield* proofs.proveBlock(witnesses[0]!, alice, quiet)
      const spent = yield* Ref.make<ReadonlyArray<number>>([])
      // A planner that keeps whatever verifies, as if the ledger had every block.
      const planner = TreePlanner.of({
        offer: ({ proof }) =>
          Effect.gen(function*() {
            const begun = yield* Clock.currentTimeMillis
            yield* proofs.verify(proof).pipe(
              Effect.ensuring(Effect.flatMap(Clock.currentTimeMillis, (now) => Ref.update(spent, (all) => [...all, now - begun])))
            )
            return true
          }),
        hint: () => Effect.void,
        proveAgain: () => Effect.never,
        kept: () => Stream.never,
        changes: () => Stream.never
      })
      const { judge } = yield* makeProofJudge(Effect.void).pipe(Effect.provideService(TreePlanner, planner))
      const node = yield* startGossip()
      yield* Effect.forkScoped(
        node.receive((message, from) => message.kind === "proof" ? judge(message.proof, from, false) : Effect.succeed("ignore")),
        { startImmediately: true }
      )
      const send = (liar: Effect.Success<typeof barePeer>, one: Proof) => liar.publish(messageCodec.encode(proofMessage(one)))

      const honest = yield* barePeer
      yield* honest.dial(node)
      yield* send(honest, proof)
      yield* until("the good one is accepted", Effect.map(statusOf(node), ({ counters }) => counters.accepted === 1))

      const { from, leaves: [leaf] } = proof.statement
      // What binds the prover is in the proof, so that another name beside it makes it false (RW-4).
      const stolen = new Proof({ ...proof, statement: new Statement({ from, leaves: [new Leaf({ ...leaf, prover: bob })] }) })
      const liar = yield* barePeer
      yield* liar.dial(node)
      const cpu = process.cpuUsage()
      for (let bit = 0; bit < 40; bit++) yield* send(liar, withBytes(stolen, flipBit(stolen.bytes, bit * 51)))
      yield* until("the liar is cut off", Effect.map(statusOf(node), ({ cutOff }) => cutOff.length === 1))
      const { system, user } = process.cpuUsage(cpu)
      const [cutOff] = (yield* statusOf(node)).cutOff
      const verifications = (yield* Ref.get(spent)).slice(1)
      console.log(
        `false Groth16 proofs: cut off after ${cutOff!.bytes} bytes and ${verifications.length} verifications of ${verifications.join(", ")} ms; ` +
          `${((system + user) / 1e6).toFixed(2)} s of CPU in all`
      )
      assert.isAtMost(cutOff!.bytes, 200_000)
      assert.isBelow((system + user) / 1e6, 15)
      assert.isAtMost(verifications.length, 4)
      assert.isAtMost(cutOff!.rejected, 3)
      assert.strictEqual((yield* statusOf(node)).counters.accepted, 1, "nothing false is kept or relayed")
    }).pipe(Effect.provide(groth16({ workers: 1 })), Effect.orDie))
})
