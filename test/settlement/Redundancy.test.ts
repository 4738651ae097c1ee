/**
 * Redundancy turns on a real chain with real proofs (RW-4).
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { createPublicClient, http } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { fullBlocks } from "../../bench/Blocks.ts"
import { freshWorld, joinTurns, registerChain, send, settle } from "../../bench/L1World.ts"
import { l1Accounts } from "../../src/devnet/Chain.ts"
import { toAddress } from "../../src/domain/Hash.ts"
import type { Proof } from "../../src/domain/Proof.ts"
import { redundantEarnings, Transition, transitionClaim } from "../../src/domain/Redundancy.ts"
import { rewardVaultAbi, stateUpdateAbi } from "../../src/l1/abi.ts"
import { encodeRedundant } from "../../src/l1/Calls.ts"
import type { RedundancyOpened, RedundancyProven } from "../../src/l1/Events.ts"
import { loadKeys } from "../../src/proofs/CircuitKeys.ts"
import * as Groth16 from "../../src/proofs/Groth16.ts"
import { ProofSystem } from "../../src/proofs/ProofSystem.ts"

const prover = toAddress(privateKeyToAddress(Redacted.value(l1Accounts.proverKey)))
const holder = toAddress(l1Accounts.sequencer.address)
const { blocks, genesis } = fullBlocks("redundancy", 2)
const headers = blocks.map(({ block }) => block.header)

const services = Layer.unwrap(Effect.map(loadKeys(), (keys) => Groth16.layer({ keys }))).pipe(Layer.provideMerge(NodeServices.layer))

layer(services, { excludeTestServices: true, timeout: "5 minutes" })("redundancy on a real chain", (it) => {
  it.effect("RW-4: what L1 commits to is the transition that its events tell", () =>
    Effect.gen(function*() {
      const system = yield* ProofSystem
      const world = yield* freshWorld("redundancy", genesis, 4)
      const { l1 } = world
      assert.deepStrictEqual(yield* l1.turn, { inFallback: false, index: 0, holder: Option.none(), endsAt: Option.none() })
      yield* joinTurns(world)
      const { checkpoints } = yield* registerChain(world, genesis, [headers[1]!])
      const [a, b] = yield* Effect.all(blocks.map(({ witness }) => system.proveBlock(witness, prover, () => Effect.void)), { concurrency: "unbounded" })
      const proof = yield* system.merge(a!, b!)
      const { statement } = proof
      yield* send(world, { address: world.deployment.vault, abi: rewardVaultAbi, functionName: "fund", value: statement.proverFees })
      const registeredAt = (yield* l1.latest).timestamp
      const race = yield* l1.turn
      assert.isFalse(race.inFallback)
      assert.isTrue(Option.getOrThrow(race.endsAt) >= registeredAt, "the race runs from the checkpoint on")

      yield* settle(world, { statement, system: proof.system, mergers: [], checkpoints, ancestry: [], proof: system.encodeForL1(proof, undefined) })
      const { number, timestamp } = yield* l1.latest
      const events = yield* l1.events(number, number)
      const opened = events.find((event): event is RedundancyOpened => event._tag === "RedundancyOpened")!
      assert.strictEqual(opened.holder, holder)
      assert.strictEqual(opened.closesAt, timestamp + 3_600n)
      const transition = new Transition({
        from: statement.from,
        leaves: statement.leaves,
        shares: opened.shares,
        holder: opened.holder,
        settledAt: timestamp
      })
      assert.strictEqual(yield* l1.redundancyClaim(statement.to.hash), transitionClaim(transition))
      assert.strictEqual(yield* l1.redundancyClaim(statement.from.hash), 0n)
      assert.deepStrictEqual(yield* l1.reputationOf(prover), { reputation: statement.proverGas, updates: 1n })
      assert.strictEqual(yield* l1.totalReputation, statement.proverGas)

      // The holder proves the first block itself, and has the second from the winner.
      const own = yield* system.merge(yield* system.proveBlock(blocks[0]!.witness, holder, () => Effect.void), b!)
      const redundant = (each: Proof) => ({
        transition,
        system: each.system,
        provers: each.statement.leaves.map((leaf) => leaf.prover),
        mergers: [],
        proof: system.encodeForL1(each, undefined)
      })
      assert.match((yield* Effect.flip(l1.dryRun({ kind: "redundant", redundant: redundant(own) }))).message, /RW4_NotYourTurn/)
      const request = { address: world.deployment.stateUpdate, abi: stateUpdateAbi, functionName: "submitRedundant" } as const
      const copied = Effect.tryPromise({
        try: () =>
          createPublicClient({ transport: http(world.url) }).simulateContract({ ...request, args: [encodeRedundant(redundant(proof))], account: holder }),
        catch: String
      })
      assert.match(yield* Effect.flip(copied), /RW4_NothingEarned/)
      yield* send(world, { ...request, args: [encodeRedundant(redundant(own))] })
      const latest = (yield* l1.latest).number
      const proven = (yield* l1.events(latest, latest)).find((event): event is RedundancyProven => event._tag === "RedundancyProven")!
      const { proverGas, shares, total } = redundantEarnings(transition, redundant(own).provers)
      assert.deepStrictEqual([shares[0], shares[1], total], [opened.shares[0]! as bigint, 0n, opened.shares[0]! as bigint])
      assert.strictEqual(proven.earned, total)
      assert.strictEqual(yield* l1.creditOf(holder), total)
      assert.strictEqual((yield* l1.reputationOf(holder)).reputation, proverGas)
      assert.strictEqual(yield* l1.redundancyClaim(statement.to.hash), 0n, "it is taken once")
    }).pipe(Effect.scoped))
})
