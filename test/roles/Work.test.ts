/** What a planner takes on: what pays, and what it does not leave to others (OC-3). */
import { assert, describe } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Ref, Stream } from "effect"
import { BlockNumber, ProverPrice, Wei } from "../../src/domain/Amount.ts"
import { blockAtom } from "../../src/domain/planning/Atom.ts"
import { defaultHintRules } from "../../src/domain/planning/Peers.ts"
import { Rendezvous } from "../../src/domain/planning/Rendezvous.ts"
import { defaultShares } from "../../src/domain/Rewards.ts"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { PlannerOptions, TreePlanner } from "../../src/roles/TreePlanner.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { prover } from "../domain/builders.ts"
import { account, firstRollup, headerOf, Knobs, modelPorts, strangersProof } from "./model.ts"
import { pass, virtual } from "../simulation/virtual.ts"

const peer = prover(2)
const { proverFees, proverGasUsed } = headerOf(firstRollup, 1)
/** Wei per prover gas that the leaf of the first block brings. */
const worth = (proverFees * 7_500n) / 10_000n / proverGasUsed

const worldWith = (options: Partial<PlannerOptions>) =>
  connectRoles.pipe(
    Layer.provideMerge(Layer.mergeAll(
      modelPorts,
      MemoryTransport.layer,
      Layer.succeed(L1PollInterval, "250 millis"),
      Layer.succeed(PlannerOptions, {
        reservationPrice: Effect.succeed(ProverPrice.make(0n)),
        shares: defaultShares,
        bonus: { targetLag: 600, bonusRamp: 600, bonusCap: Wei.make(0n) },
        strategy: "rendezvous",
        peers: [],
        hints: defaultHintRules,
        ...options
      })
    ))
  )

const begun = Effect.flatMap(Knobs, (knobs) => Ref.get(knobs.begun))
const view = Effect.flatMap(TreePlanner, (planner) => Effect.flatMap(Stream.runHead(planner.changes()), Effect.fromOption))

describe("what a planner takes on", () => {
  virtual("OC-3, ND-5: passes over what does not pay, says which blocks and why, and takes them when the price is met", () => {
    let reservationPrice = ProverPrice.make(2n * worth)
    return Effect.gen(function*() {
      yield* startRoles()
      yield* pass(20)
      assert.deepStrictEqual(yield* begun, [])
      const { idle, passedOver } = yield* view
      assert.deepStrictEqual(passedOver.map(({ number }) => Number(number)), [1, 2, 3])
      assert.deepStrictEqual(passedOver[0], {
        number: passedOver[0]!.number,
        pays: Wei.make((proverFees * 7_500n) / 10_000n),
        asked: Wei.make(2n * worth * proverGasUsed)
      })
      assert.match(idle!, /^block 1: it brings \d+ wei, the reservation price asks \d+ wei; 2 more are passed over, too$/)
      reservationPrice = ProverPrice.make(worth / 2n)
      yield* pass(6)
      assert.include(yield* begun, 1)
    }).pipe(Effect.provide(worldWith({ reservationPrice: Effect.sync(() => reservationPrice) })))
  })

  virtual("RW-6, OC-3: the age bonus makes up for a price that was too low", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* pass(30)
      assert.deepStrictEqual(yield* begun, [])
      yield* pass(40)
      assert.include(yield* begun, 1)
    }).pipe(Effect.provide(worldWith({
      reservationPrice: Effect.succeed(ProverPrice.make(2n * worth)),
      bonus: { targetLag: 10, bonusRamp: 60, bonusCap: Wei.make(2n * proverFees) }
    }))))

  virtual("OC-3, ND-5: leaves to a peer what is the peer's, says so, and proves it when the peer is not heard of", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* pass(20)
      const { idle, next, provers, running } = yield* view
      const shared = new Rendezvous(provers)
      const holders = [1, 2, 3].map((number) => shared.holder(blockAtom(number)))
      assert.strictEqual(provers.length, 2)
      assert.sameMembers([...new Set(holders)], [account, peer], "of neighbours, each prover has one")
      for (const { reason, to } of next) {
        if (reason._tag === "LeftTo") assert.strictEqual(shared.holder(blockAtom(to)), reason.holder)
      }
      assert.isTrue(idle === null || /is left to|works on it/.test(idle) || running.length > 0)
      yield* pass(40)
      assert.includeMembers([...(yield* begun)], [1, 2, 3])
      assert.deepStrictEqual((yield* view).provers, [{ prover: account, capacity: 2 }])
    }).pipe(Effect.provide(worldWith({ peers: [{ prover: peer, capacity: 1 }] }))))

  virtual("OC-3: a hint keeps this node from what a peer works on, until it expires", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const planner = yield* TreePlanner
      yield* pass(5)
      const issuedAt = yield* Clock.currentTimeMillis
      // The peer's ledger showed it the block a little earlier.
      const atoms = [{ from: BlockNumber.make(0), to: BlockNumber.make(1) }]
      yield* planner.hint({ hint: { prover: peer, capacity: 1, atoms, issuedAt, expiresAt: issuedAt + 20_000 } })
      yield* pass(15)
      assert.notInclude(yield* begun, 1)
      assert.strictEqual((yield* view).next.find(({ to }) => to === 1)?.reason._tag, "InFlight")
      yield* pass(10)
      assert.include(yield* begun, 1)
    }).pipe(Effect.provide(worldWith({}))))

  virtual("OC-3: the naive racer takes the oldest, whatever peers say", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* pass(20)
      assert.deepStrictEqual(yield* begun, [1, 2, 3])
      assert.isTrue((yield* view).running.every(({ reason }) => reason._tag === "Oldest"))
    }).pipe(Effect.provide(worldWith({ strategy: "greedy", peers: [{ prover: peer, capacity: 1 }] }))))

  virtual("OC-1: tells of every proof that is newly kept, and which are its own", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const planner = yield* TreePlanner
      const kept = yield* Effect.forkChild(Stream.runCollect(Stream.take(planner.kept(), 2)))
      yield* pass(7)
      const theirs = strangersProof(1)
      yield* planner.offer({ proof: theirs })
      yield* planner.offer({ proof: theirs })
      yield* pass(20)
      assert.deepStrictEqual((yield* Fiber.join(kept)).map(({ own, proof }) => [own, Number(proof.statement.to.number)]), [[false, 1], [true, 2]])
    }).pipe(Effect.provide(worldWith({}))))
})
