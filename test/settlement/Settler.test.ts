/**
 * What the settler and the auditor do on a real chain beside racing: turns, redundancy, reverts, claims.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { joinTurns } from "../../bench/L1World.ts"
import { defaultParameters, ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { RewardShares, splitPot } from "../../src/domain/Rewards.ts"
import { Wei } from "../../src/domain/Amount.ts"
import type { Credited } from "../../src/l1/Events.ts"
import { eventually } from "./realNode.ts"
import {
  allEvents,
  booksHold,
  endow,
  eventOf,
  gwei,
  potOf,
  prover,
  proofBy,
  proverAccount,
  registerCheckpoint,
  rival,
  rivalSettles,
  says,
  setAutomine,
  setBaseFee,
  settlerWorld,
  startNode,
  statusOf,
  warp
} from "./settlerWorld.ts"

const hour = 3_600
/** A pot of which the second proof of a block earns almost a half. */
const redundancyPays = new ProtocolParameters({
  ...defaultParameters,
  shares: new RewardShares({ leaf: 4_000, merge: 0, submission: 1_000, redundancy: 4_500, reserve: 500 })
})

const creditsOf = Effect.fnUntraced(function*(world: Parameters<typeof allEvents>[0]) {
  return (yield* allEvents(world)).filter((event): event is Credited => event._tag === "Credited")
})

const sumOf = (credits: ReadonlyArray<Credited>, kind: string) =>
  credits.filter((credit) => credit.kind === kind).reduce((sum, { amount }) => sum + amount, 0n)

describe("redundancy turns", () => {
  it.live("RW-4: what others were paid for is proven once more, credited, checked and drawn", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld(redundancyPays)
      yield* joinTurns(world, proverAccount)
      yield* rivalSettles(world, yield* registerCheckpoint(world, 2))
      const node = yield* startNode(world)
      const proven = yield* eventOf(world, "RedundancyProven")
      const due = [1, 2].reduce((sum, number) => sum + splitPot(Wei.make(potOf(number)), redundancyPays.shares, false).redundancy, 0n)
      assert.deepStrictEqual([proven.holder, proven.earned as bigint], [prover, due])
      const said = Effect.flatMap(booksHold(world, node, 2), (report) =>
        /^\d+ wei to draw, 1000000000000000000 wei at least are claimed at once/.test(report.claiming) ? Effect.succeed(report) : Effect.fail(report.claiming))
      const { claimable, credited } = (yield* eventually(said)).accounts.find(({ account }) => account === prover)!
      assert.deepStrictEqual([claimable, credited], [due, due])
      assert.strictEqual((yield* world.l1.reputationOf(prover)).updates, 1n)
      yield* eventually(Effect.flatMap(statusOf(node), ({ redundancy }) => redundancy === null ? Effect.void : Effect.fail(redundancy)))
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)

  it.live("RW-5, ND-3: a credit that is worth its gas is drawn, once", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld(redundancyPays)
      yield* joinTurns(world, proverAccount)
      yield* rivalSettles(world, yield* registerCheckpoint(world, 2))
      const node = yield* startNode(world, { auditing: { claimAtLeast: 1n, claimGasShare: 1n } })
      const { earned } = yield* eventOf(world, "RedundancyProven")
      const claimed = yield* eventOf(world, "Claimed")
      assert.deepStrictEqual([claimed.account, claimed.amount], [prover, earned])
      assert.strictEqual(yield* world.l1.creditOf(prover), Wei.make(0n))
      // The registration, the redundant proof, the claim.
      assert.strictEqual(yield* world.l1.nextNonce, 3)
      const report = yield* booksHold(world, node, 2)
      const { claimable, claimed: drawn } = report.accounts.find(({ account }) => account === prover)!
      assert.deepStrictEqual([claimable, drawn], [0n, earned as bigint])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)

  it.live("RW-4: what costs more than it earns is not sent, and nothing after the window", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld(redundancyPays)
      yield* joinTurns(world, proverAccount)
      yield* rivalSettles(world, yield* registerCheckpoint(world, 2))
      yield* setBaseFee(world, 50n * gwei)
      const node = yield* startNode(world, { auditing: { claimAtLeast: 1n, claimGasShare: 1n } })
      yield* says(node, "redundancy", /^the redundant proof of blocks to 2 waits for cheaper gas: .* gwei is above the .* gwei at which its \d+ gas cost the \d+ wei that it is worth/)
      yield* warp(world, hour + 1)
      yield* setBaseFee(world, gwei)
      yield* says(node, "redundancy", /^no redundant proof of blocks to 2: its time is over/)
      yield* Effect.sleep("2 seconds")
      assert.strictEqual(yield* world.l1.nextNonce, 1, "the registration alone")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)
})

describe("turns", () => {
  it.live("ST-6, RW-6: in its turn the node settles whatever is provable at any price, and earns bounty and age bonus to the wei", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld()
      yield* joinTurns(world, proverAccount)
      yield* endow(world, 10n ** 18n)
      yield* registerCheckpoint(world, 2)
      const node = yield* startNode(world, { settling: { blocksPerUpdate: 3 } })
      yield* says(node, "activity", /^2 of 3 blocks for an update/)
      yield* setBaseFee(world, 100n * gwei)
      yield* warp(world, 5 * hour + 60)
      const { holder, submitter, turn } = yield* eventOf(world, "UpdatedInTurn")
      assert.deepStrictEqual([turn, holder, submitter], [0, prover, prover])
      yield* booksHold(world, node, 2)
      const credits = yield* creditsOf(world)
      assert.strictEqual(sumOf(credits, "bounty"), defaultParameters.fallbackBounty as bigint)
      const bonus = sumOf(credits, "bonus")
      // Of two blocks, 75 % of what four and a half of twelve hours make of the cap.
      assert.isTrue(bonus > (2n * 75n * defaultParameters.bonusCap * 45n) / 12_000n && bonus < (2n * 75n * defaultParameters.bonusCap * 46n) / 12_000n, `${bonus}`)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)

  it.live("ST-6: in another prover's turn the submission is not counted on, nor paid", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld()
      yield* joinTurns(world)
      yield* registerCheckpoint(world, 2)
      yield* setBaseFee(world, 100n * gwei)
      yield* warp(world, 5 * hour + 60)
      const node = yield* startNode(world)
      const leaves = [1, 2].reduce((sum, number) => sum + splitPot(Wei.make(potOf(number)), defaultParameters.shares, false).leaf, 0n)
      yield* says(node, "activity", new RegExp(`^waits for cheaper gas: .* cost the ${leaves} wei that it earns`))
      assert.strictEqual(yield* world.l1.nextNonce, 0)
      yield* setBaseFee(world, gwei)
      const { holder, submitter } = yield* eventOf(world, "UpdatedInTurn")
      assert.deepStrictEqual([holder, submitter], [rival, prover])
      yield* booksHold(world, node, 2)
      const credits = yield* creditsOf(world)
      assert.deepStrictEqual([sumOf(credits, "leaf"), sumOf(credits, "submission"), sumOf(credits, "bounty")], [leaves, 0n, 0n])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)

  it.live("ST-6: under exclusive designation nothing is sent in another prover's turn", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld(new ProtocolParameters({ ...defaultParameters, designation: "exclusive" }))
      yield* joinTurns(world)
      yield* registerCheckpoint(world, 2)
      yield* warp(world, 5 * hour + 60)
      const node = yield* startNode(world)
      yield* says(node, "activity", new RegExp(`^only ${rival} may submit in its turn`))
      yield* Effect.sleep("2 seconds")
      assert.strictEqual(yield* world.l1.nextNonce, 0)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)
})

describe("reverts", () => {
  it.live("CP-4: what nobody proves in time is reverted, once", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld()
      const first = yield* registerCheckpoint(world, 2)
      yield* registerCheckpoint(world, 4, first)
      const node = yield* startNode(world, { unprovable: () => true, settling: { patience: "3 seconds" } })
      yield* says(node, "activity", /^no proof continues block 0/)
      yield* warp(world, 24 * hour + 1)
      yield* says(node, "activity", /^no proof continues block 0; checkpoint 2 is reverted unless it is proven soon/)
      const { head, tip } = yield* eventOf(world, "CheckpointsReverted")
      assert.deepStrictEqual([head, tip as number], [world.deployment.genesis, 0])
      yield* says(node, "activity", /^no checkpoint beyond block 0/)
      yield* Effect.sleep("2 seconds")
      assert.strictEqual(yield* world.l1.nextNonce, 1)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)

  it.live("CP-4: where the node can still prove, it does", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld()
      yield* registerCheckpoint(world, 2)
      yield* setBaseFee(world, 100n * gwei)
      yield* warp(world, 24 * hour + 1)
      yield* startNode(world, { settling: { blocksPerUpdate: 3 } })
      yield* eventOf(world, "StateUpdated")
      yield* Effect.sleep("1 second")
      assert.isFalse((yield* allEvents(world)).some(({ _tag }) => _tag === "CheckpointsReverted"))
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)

  it.live("CP-4: an operator may leave it to others", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld()
      yield* registerCheckpoint(world, 2)
      yield* warp(world, 24 * hour + 1)
      const node = yield* startNode(world, { unprovable: () => true, settling: { patience: "1 second", revertUnproven: false } })
      yield* says(node, "activity", /^no proof continues block 0$/)
      yield* Effect.sleep("4 seconds")
      assert.strictEqual(yield* world.l1.nextNonce, 0)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)
})

describe("undoing", () => {
  it.live("ND-3: of two transactions with one nonce, the dearer one that does nothing is included, for 21,000 gas", () =>
    Effect.gen(function*() {
      const world = yield* settlerWorld()
      const { l1 } = world
      const checkpoint = yield* registerCheckpoint(world, 2)
      const { bytes, statement } = proofBy(prover, 1)
      const update = { statement, system: "groth16", mergers: [], checkpoints: [checkpoint], ancestry: [], proof: bytes } as const
      const call = { kind: "update", update } as const
      const fees = (price: bigint) => ({ maxFeePerGas: price * gwei, maxPriorityFeePerGas: price * gwei })
      yield* setAutomine(world, false)
      const signed = yield* l1.sign(call, yield* l1.dryRun(call), fees(10n))
      assert.isFalse(yield* l1.knows(signed.hash))
      yield* l1.send(signed)
      assert.isTrue(yield* l1.knows(signed.hash))
      const nothing = yield* l1.cancel(signed, fees(12n))
      yield* l1.send(nothing)
      yield* setAutomine(world, true)
      yield* warp(world, 1)
      const receipt = yield* eventually(Effect.flatMap(l1.receipt(nothing.hash), Effect.fromOption))
      assert.deepStrictEqual([receipt.succeeded, receipt.gasUsed], [true, 21_000n])
      assert.isTrue(Option.isNone(yield* l1.receipt(signed.hash)))
      // Whoever proves nothing new is refused, though the contract would take it without an error.
      yield* rivalSettles(world, checkpoint)
      assert.match((yield* Effect.flip(l1.dryRun(call))).message, /AlreadyProven\(1, 2\)/)
      assert.match((yield* Effect.flip(l1.dryRunSigned(signed))).message, /AlreadyProven\(1, 2\)/)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)
})
