/** What a planner takes on: what pays, and what it does not leave to others (OC-3). */
import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Layer, Ref, Stream } from "effect"
import { ProverPrice, Wei } from "../../src/domain/Amount.ts"
import { defaultShares } from "../../src/domain/Rewards.ts"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { PlannerOptions, TreePlanner } from "../../src/roles/TreePlanner.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { firstRollup, headerOf, Knobs, modelPorts } from "./model.ts"
import { pass, virtual } from "../simulation/virtual.ts"

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
        leavesToOthers: () => Duration.zero,
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
      assert.match(idle!, /block 1 and 2 more do not pay: it brings \d+ wei, the reservation price asks \d+ wei/)
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

  virtual("OC-3: leaves blocks to others for a while, and proves them if nobody else does", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* pass(20)
      assert.deepStrictEqual(yield* begun, [2], "every other block is another prover's")
      assert.match((yield* view).idle!, /left to other provers for now/)
      yield* pass(20)
      assert.include(yield* begun, 1)
    }).pipe(Effect.provide(worldWith({ leavesToOthers: ({ number }) => Duration.seconds(number % 2 === 1 ? 30 : 0) }))))
})
