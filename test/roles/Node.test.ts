import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Layer, Ref, Stream } from "effect"
import { BlockNumber } from "../../src/domain/Amount.ts"
import { BlockRef } from "../../src/domain/Block.ts"
import { Proof, Statement } from "../../src/domain/Proof.ts"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { L1 } from "../../src/l1/L1.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { SettlementShare } from "../../src/domain/Quote.ts"
import { FeeController } from "../../src/roles/FeeController.ts"
import { ProverPool } from "../../src/roles/ProverPool.ts"
import { RewardAuditor } from "../../src/roles/RewardAuditor.ts"
import { Settler } from "../../src/roles/Settler.ts"
import { TreePlanner } from "../../src/roles/TreePlanner.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { Outgoing, Store, Variant } from "../../src/store/Store.ts"
import { account, Knobs, modelPorts, refOf, strangersProof } from "./model.ts"
import { pass, virtual } from "../simulation/virtual.ts"

const world = connectRoles.pipe(
  Layer.provideMerge(Layer.mergeAll(modelPorts, MemoryTransport.layer, Layer.succeed(L1PollInterval, "250 millis")))
)

const now = <A, E>(stream: Stream.Stream<A, E>) => Effect.flatMap(Stream.runHead(stream), Effect.fromOption)

const updates = Effect.flatMap(Knobs, ({ events }) => Effect.map(events, (all) => all.filter((event) => event._tag === "StateUpdated")))
const reached = Effect.map(updates, (all) => all.map(({ to }) => to.number as number))

describe("a node under a virtual clock", () => {
  virtual("proves every block once, settles in threes, and is paid what it expects", () =>
    Effect.gen(function*() {
      const supervisor = yield* startRoles()
      yield* pass(90)
      const ends = yield* reached
      assert.isAtLeast(ends.length, 3)
      assert.deepStrictEqual(ends.slice(0, 3), [3, 6, 9])
      const { begun } = yield* Knobs
      const blocks = yield* Ref.get(begun)
      assert.strictEqual(new Set(blocks).size, blocks.length, "no block was begun twice")
      const audit = yield* now((yield* RewardAuditor).changes())
      assert.deepStrictEqual(audit.alarms, [])
      assert.isAtLeast(audit.checkedBlocks, 9)
      assert.deepStrictEqual(audit.accounts.map((one) => one.account), [account])
      assert.isTrue((yield* supervisor.status).every(({ restarts, state }) => restarts === 0 && state === "running"))
    }).pipe(Effect.provide(world)))

  virtual("ND-1: roles that fail are restarted, take up what they had, and settle on", () =>
    Effect.gen(function*() {
      const supervisor = yield* startRoles()
      const { begun, ledgerBreaks } = yield* Knobs
      for (let crash = 0; crash < 5; crash++) {
        yield* pass(9 + crash)
        // The planner and the fee controller each follow the ledger.
        yield* Ref.set(ledgerBreaks, 2)
      }
      yield* pass(30)
      const restarts = (yield* supervisor.status).filter((role) => role.restarts > 0)
      assert.deepStrictEqual(restarts.map(({ name }) => name), ["tree-planner", "fee-controller"])
      assert.isTrue(restarts.every(({ lastFailure, state }) => state === "running" && /the connection broke/.test(lastFailure ?? "")))
      const ends = yield* reached
      assert.deepStrictEqual(ends.slice(0, 3), [3, 6, 9])
      assert.deepStrictEqual((yield* now((yield* RewardAuditor).changes())).alarms, [])
      const blocks = yield* Ref.get(begun)
      assert.isAbove(blocks.length, 9)
      assert.strictEqual(new Set(blocks).size, blocks.length, "what a planner asked for goes on when it fails, and nothing was proven twice")
    }).pipe(Effect.provide(world)))

  virtual("OC-4: stops work that somebody else's update made superfluous", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { begun, interrupted, provingTime, settleForeign } = yield* Knobs
      yield* Ref.set(provingTime, Duration.minutes(2))
      yield* pass(30)
      assert.deepStrictEqual(yield* Ref.get(begun), [1, 2])
      yield* settleForeign(4)
      yield* pass(2)
      assert.deepStrictEqual([...yield* Ref.get(interrupted)].sort(), [1, 2])
      assert.deepStrictEqual((yield* Ref.get(begun)).slice(2), [5])
      assert.strictEqual((yield* now((yield* TreePlanner).changes())).tip.number, 4)
    }).pipe(Effect.provide(world)))

  virtual("OC-3: takes the oldest blocks without a proof, as many as there are workers", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { begun, provingTime } = yield* Knobs
      yield* Ref.set(provingTime, Duration.seconds(20))
      yield* pass(40)
      assert.deepStrictEqual(yield* Ref.get(begun), [1, 2, 3, 4])
    }).pipe(Effect.provide(world)))

  virtual("OC-1, OC-4: a stranger's proof takes the place of work in progress, and its false block number is found out", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { interrupted, provingTime } = yield* Knobs
      yield* Ref.set(provingTime, Duration.minutes(2))
      yield* pass(20)
      const planner = yield* TreePlanner
      const theirs = strangersProof(1)
      const elsewhere = new Proof({
        ...theirs,
        statement: new Statement({ ...theirs.statement, from: new BlockRef({ ...theirs.statement.from, number: BlockNumber.make(1) }) })
      })
      assert.match((yield* Effect.flip(planner.offer({ proof: elsewhere }))).message, /not over this ledger's blocks/)
      assert.isTrue(yield* planner.offer({ proof: theirs }))
      assert.isFalse(yield* planner.offer({ proof: theirs }), "known already")
      yield* pass(1)
      assert.deepStrictEqual(yield* Ref.get(interrupted), [1])
      assert.deepStrictEqual((yield* now(planner.changes())).heaviest.map(({ id }) => id), [theirs.id])
    }).pipe(Effect.provide(world)))

  virtual("OC-5: a proof that comes too late is no error", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { settleForeign } = yield* Knobs
      yield* pass(30)
      yield* settleForeign(4)
      yield* pass(2)
      assert.isFalse(yield* (yield* TreePlanner).offer({ proof: strangersProof(2) }))
    }).pipe(Effect.provide(world)))

  virtual("ND-5: whoever is idle says why", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* pass(2)
      assert.match((yield* now((yield* ProverPool).changes())).idle ?? "", /no block waits for a proof/)
      assert.match((yield* now((yield* Settler).changes())).activity, /no checkpoint beyond block 0/)
      yield* pass(16)
      assert.match((yield* now((yield* Settler).changes())).activity, /2 of 3 blocks for an update|1 of 3 blocks for an update/)
    }).pipe(Effect.provide(world)))

  virtual("ND-4: inputs that cannot succeed are quarantined and told, and nothing spins on them", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { begun, failure } = yield* Knobs
      yield* Ref.set(failure, (block) =>
        block === 2 ? new ProvingFailed({ subject: "block 2", reason: "the witness does not satisfy the circuit", retry: false }) : undefined)
      yield* pass(60)
      const view = yield* now((yield* TreePlanner).changes())
      assert.deepStrictEqual<ReadonlyArray<number>>(view.quarantined, [2])
      assert.strictEqual(view.provenTo.number, 1)
      assert.strictEqual((yield* Ref.get(begun)).filter((block) => block === 2).length, 1)
      assert.deepStrictEqual(yield* reached, [], "an update without block 2 proves nothing beyond block 1, and one block is no update")
    }).pipe(Effect.provide(world)))

  virtual("ND-4: a worker that is lost again and again is not tried for ever", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { begun, failure } = yield* Knobs
      yield* Ref.set(failure, (block) => block === 1 ? new ProvingFailed({ subject: "block 1", reason: "the worker died", retry: true }) : undefined)
      yield* pass(120)
      assert.strictEqual((yield* Ref.get(begun)).filter((block) => block === 1).length, 7, "five times while other blocks are proven")
      assert.deepStrictEqual<ReadonlyArray<number>>((yield* now((yield* TreePlanner).changes())).quarantined, [1])
    }).pipe(Effect.provide(world)))

  virtual("ND-4: a broken prover is asked less and less often, and no block is blamed for it", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { begun, failure } = yield* Knobs
      yield* Ref.set(failure, (block) => new ProvingFailed({ subject: `block ${block}`, reason: "the prover is broken", retry: true }))
      yield* pass(180)
      assert.isAtMost((yield* Ref.get(begun)).length, 16)
      assert.deepStrictEqual((yield* now((yield* TreePlanner).changes())).quarantined, [])
      yield* Ref.set(failure, () => undefined)
      yield* pass(180)
      assert.isNotEmpty(yield* reached, "and when it is mended, it goes on")
    }).pipe(Effect.provide(world)))

  virtual("ND-3: a crash between sending and the receipt sends the same transaction again, and none beside it", () =>
    Effect.gen(function*() {
      const { holdBack, sent } = yield* Knobs
      yield* Ref.set(holdBack, true)
      yield* Effect.scoped(Effect.andThen(startRoles(), pass(40)))
      assert.strictEqual((yield* Ref.get(sent)).length >= 1, true)
      yield* Ref.set(holdBack, false)
      yield* startRoles()
      yield* pass(40)
      assert.strictEqual(new Set((yield* Ref.get(sent)).slice(0, 2)).size, 1)
      const ends = yield* reached
      assert.strictEqual(ends[0], 3)
      assert.strictEqual(new Set(ends).size, ends.length)
    }).pipe(Effect.provide(world)))

  virtual("ND-3: an update that was included while the node was down is concluded, and the next one follows", () =>
    Effect.gen(function*() {
      const { settleForeign, updateTo } = yield* Knobs
      const store = yield* Store
      // Somebody else was faster; our transaction is still pending when the node starts.
      yield* pass(30)
      const { hash, nonce, raw } = yield* (yield* L1).sign(yield* updateTo(3), 500_000n, { maxFeePerGas: 2n, maxPriorityFeePerGas: 1n })
      yield* settleForeign(3)
      yield* store.putOutgoing(
        new Outgoing({
          kind: "update",
          key: `${refOf(0).hash}..${refOf(3).hash}`,
          subject: "the update to block 3",
          block: BlockNumber.make(3),
          nonce,
          state: "pending",
          worth: 0n,
          expiresAt: null,
          variants: [new Variant({ raw, hash, cancels: false })]
        }),
        []
      )
      const supervisor = yield* startRoles()
      yield* pass(60)
      assert.deepStrictEqual((yield* reached).slice(0, 2), [3, 6])
      assert.isTrue((yield* supervisor.status).every(({ restarts }) => restarts === 0))
      assert.isTrue((yield* store.allOutgoing).every(({ id }) => id !== hash), "it is abandoned")
    }).pipe(Effect.provide(world)))

  virtual("ST-2: a rest too small for an update is settled once patience runs out", () =>
    Effect.gen(function*() {
      const { failure } = yield* Knobs
      yield* Ref.set(failure, (block) => block > 4 ? new ProvingFailed({ subject: `block ${block}`, reason: "never", retry: false }) : undefined)
      yield* startRoles()
      yield* pass(120)
      assert.deepStrictEqual(yield* reached, [3])
      assert.match((yield* now((yield* Settler).changes())).activity, /1 of 3 blocks/)
      yield* pass(300)
      assert.deepStrictEqual(yield* reached, [3, 4])
    }).pipe(Effect.provide(world)))

  virtual("ST-2: patience begins with something to settle, however long nothing was provable", () =>
    Effect.gen(function*() {
      const { provingTime } = yield* Knobs
      const settler = yield* Settler
      yield* startRoles()
      yield* pass(20)
      yield* Ref.set(provingTime, Duration.minutes(10))
      yield* pass(600)
      const [first] = yield* reached
      assert.strictEqual(first, 3)
      yield* pass(60)
      assert.match((yield* now(settler.changes())).activity, /[12] of 3 blocks/)
      assert.deepStrictEqual(yield* reached, [3], "what was proven a minute ago has not waited for eleven")
      yield* pass(300)
      assert.match((yield* now(settler.changes())).activity, /assembling blocks 4 to 5/)
    }).pipe(Effect.provide(world)))

  virtual("FM-5: a quote's cap covers the dearest course of the next blocks", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* pass(30)
      const fees = yield* FeeController
      const now1 = yield* fees.quote({ proverGas: 16_000n as never, blocks: 1 })
      const later = yield* fees.quote({ proverGas: 16_000n as never, blocks: 1_000 })
      assert.strictEqual(now1.fee, now1.price * 16_000n)
      assert.strictEqual(now1.parts.proverFee, now1.fee)
      assert.deepStrictEqual(now1.parts.settlement, new SettlementShare({ gasPerBlock: 260_000n, l1GasPrice: 7n, share: 7n * 260_000n }))
      const inTime = yield* fees.quote({ proverGas: 16_000n as never, blocks: 10, overdue: 0n as never })
      const late = yield* fees.quote({ proverGas: 16_000n as never, blocks: 10 })
      assert.isTrue(inTime.maxProverFee < late.maxProverFee, "a backlog that is ruled out needs no room in the cap")
      assert.isTrue(now1.maxProverFee > now1.fee && later.maxProverFee > now1.maxProverFee)
      assert.strictEqual(later.priceBound, (1n << 64n) - 1n, "the price has an end, and so has the bound")
    }).pipe(Effect.provide(world)))
})
