import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Layer, Ref, Stream } from "effect"
import { Jobs, JobState } from "../../src/jobs/Jobs.ts"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { CheckpointWatcher } from "../../src/roles/CheckpointWatcher.ts"
import { FeeController } from "../../src/roles/FeeController.ts"
import { ProverPool } from "../../src/roles/ProverPool.ts"
import { RewardAuditor } from "../../src/roles/RewardAuditor.ts"
import { Settler } from "../../src/roles/Settler.ts"
import { TreePlanner } from "../../src/roles/TreePlanner.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { Store } from "../../src/store/Store.ts"
import { headerOf, Knobs, modelPorts, refIn, refOf, strangersProof } from "./model.ts"
import { pass, virtual } from "../simulation/virtual.ts"

const world = connectRoles.pipe(
  Layer.provideMerge(Layer.mergeAll(modelPorts, MemoryTransport.layer, Layer.succeed(L1PollInterval, "250 millis")))
)

const now = <A, E>(stream: Stream.Stream<A, E>) => Effect.flatMap(Stream.runHead(stream), Effect.fromOption)
const reached = Effect.flatMap(Knobs, ({ events }) =>
  Effect.map(events, (all) => all.flatMap((event) => (event._tag === "StateUpdated" ? [Number(event.to.number)] : []))))
/** Of every job that is not forgotten. */
const attempts = Effect.flatMap(Jobs, (jobs) =>
  Effect.map(jobs.list({ states: JobState.literals, most: 1_000 }), (all) => all.flatMap(({ attempts, id }) => attempts.map((one) => ({ job: id, ...one })))))

describe("CP-4: a node whose checkpoints are reverted", () => {
  virtual("drops the dead checkpoints, says the generation, and takes up those that continue the head", () =>
    Effect.gen(function*() {
      const { failure, ledger, revert, settleForeign } = yield* Knobs
      yield* Ref.set(failure, (block) => new ProvingFailed({ subject: `block ${block}`, reason: "never", retry: false }))
      yield* startRoles()
      const watcher = yield* CheckpointWatcher
      const numbers = Effect.map(now(watcher.changes()), ({ checkpoints }) => checkpoints.map(({ number }) => Number(number)))
      yield* pass(50)
      yield* settleForeign(3)
      yield* pass(1)
      assert.deepStrictEqual(yield* numbers, [4, 6, 8])
      yield* revert
      yield* pass(1)
      const reverted = yield* now(watcher.changes())
      assert.deepInclude({ ...reverted }, { checkpoints: [], generation: 1, reverts: 1, certified: 4, disbelieved: 0 } as never)
      assert.strictEqual(reverted.tip.number, 3)
      assert.match((yield* now((yield* Settler).changes())).activity, /no checkpoint beyond block 3/)
      yield* pass(18)
      assert.deepStrictEqual(yield* numbers, [4, 6])
      const seen = yield* now(watcher.changes())
      assert.strictEqual(seen.disbelieved, 0)
      assert.strictEqual(seen.checkpoints[0]!.blockHash, headerOf(yield* ledger, 4).hash)
    }).pipe(Effect.provide(world)))

  virtual("OC-4, F9: work on dropped blocks is cancelled and not failed, and the blocks in their place are proven", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { begun, interrupted, ledger, provingTime, revert } = yield* Knobs
      yield* Ref.set(provingTime, Duration.minutes(2))
      yield* pass(30)
      assert.deepStrictEqual(yield* Ref.get(begun), [1, 2])
      yield* revert
      yield* Ref.set(provingTime, Duration.seconds(4))
      yield* pass(7)
      assert.deepStrictEqual([...yield* Ref.get(interrupted)].sort(), [1, 2])
      assert.strictEqual((yield* Ref.get(begun))[2], 1)
      const ended = (yield* attempts).flatMap(({ outcome }) => outcome === "running" ? [] : [outcome])
      assert.deepStrictEqual(ended, ["cancelled", "cancelled"])
      yield* pass(60)
      const view = yield* now((yield* TreePlanner).changes())
      assert.deepStrictEqual(view.quarantined, [])
      assert.strictEqual(view.provenTo.hash, refIn(yield* ledger, view.provenTo.number).hash)
      assert.deepStrictEqual((yield* reached).slice(0, 2), [3, 6])
      assert.deepStrictEqual((yield* now((yield* RewardAuditor).changes())).alarms, [])
    }).pipe(Effect.provide(world)))

  virtual("OC-2: proofs over dropped blocks are in no heaviest tree, also after a restart of the planner", () =>
    Effect.gen(function*() {
      const { holdBack, ledger, ledgerBreaks, revert } = yield* Knobs
      yield* Ref.set(holdBack, true)
      const supervisor = yield* startRoles()
      yield* pass(50)
      const planner = yield* TreePlanner
      const leaves = Effect.map(now(planner.changes()), ({ heaviest }) =>
        heaviest.flatMap(({ statement }) => statement.leaves.map(({ blockHash }) => blockHash)))
      assert.isAtLeast((yield* leaves).length, 6)
      yield* revert
      yield* pass(13)
      const known = Effect.map(ledger, ({ blocks }) => new Set(blocks.map(({ block }) => block.header.hash)))
      const after = yield* leaves
      assert.isAtLeast(after.length, 1)
      const made = yield* known
      assert.isTrue(after.every((hash) => made.has(hash)), "two new blocks weigh less than eight old ones, and count alone")
      const before = yield* now(planner.changes())
      // Every proof that was ever made is in the store.
      assert.isAtLeast((yield* (yield* Store).proofsBeyond(0 as never)).length, 7)
      yield* Ref.set(ledgerBreaks, 2)
      yield* pass(20)
      assert.isTrue((yield* supervisor.status).some(({ name, restarts }) => name === "tree-planner" && restarts === 1))
      const again = yield* now(planner.changes())
      assert.isAtLeast(again.provenTo.number, before.provenTo.number)
      const remade = yield* known
      assert.isTrue((yield* leaves).every((hash) => remade.has(hash)))
      const done = (yield* attempts).filter(({ outcome }) => outcome === "done")
      assert.strictEqual(new Set(done.map(({ job }) => job)).size, done.length, "nothing was proven twice")
    }).pipe(Effect.provide(world)))

  virtual("OC-1: a stranger's proof of a dropped block is refused, one of the block in its place is taken", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { ledger, provingTime, revert } = yield* Knobs
      yield* Ref.set(provingTime, Duration.minutes(2))
      yield* pass(20)
      yield* revert
      yield* pass(7)
      const planner = yield* TreePlanner
      assert.match((yield* Effect.flip(planner.offer({ proof: strangersProof(1) }))).message, /not over this ledger's blocks/)
      const theirs = strangersProof(1, yield* ledger)
      assert.isTrue(yield* planner.offer({ proof: theirs }))
      yield* pass(1)
      assert.deepStrictEqual((yield* now(planner.changes())).heaviest.map(({ id }) => id), [theirs.id])
    }).pipe(Effect.provide(world)))

  virtual("ND-4: the quarantine of a dropped block is forgotten", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { failure, revert } = yield* Knobs
      yield* Ref.set(failure, (block) =>
        block === 2 ? new ProvingFailed({ subject: "block 2", reason: "the witness does not satisfy the circuit", retry: false }) : undefined)
      yield* pass(30)
      const planner = yield* TreePlanner
      assert.deepStrictEqual<ReadonlyArray<number>>((yield* now(planner.changes())).quarantined, [2])
      yield* Ref.set(failure, () => undefined)
      yield* revert
      yield* pass(40)
      assert.deepStrictEqual((yield* now(planner.changes())).quarantined, [])
      assert.strictEqual((yield* reached)[0], 3)
    }).pipe(Effect.provide(world)))

  virtual("the pool answers at once that a block, or the chain to a checkpoint, was replaced", () =>
    Effect.gen(function*() {
      const { provingTime, revert } = yield* Knobs
      yield* Ref.set(provingTime, Duration.minutes(2))
      yield* startRoles()
      yield* pass(20)
      const pool = yield* ProverPool
      yield* revert
      yield* pass(13)
      const replaced = yield* Effect.flip(pool.proveBlock({ block: refOf(2) }))
      assert.strictEqual(replaced._tag, "BlockReplaced")
      assert.match(replaced.message, /the ledger has replaced block 2/)
      assert.strictEqual((yield* Effect.flip(pool.proveAncestry({ end: refOf(1), checkpoint: refOf(2) })))._tag, "BlockReplaced")
      // It is not made yet, and was not waited for.
      assert.strictEqual((yield* Effect.flip(pool.proveAncestry({ end: refOf(3), checkpoint: refOf(40) })))._tag, "ProvingFailed")
      const ended = (yield* attempts).filter(({ job }) => job.includes(refOf(2).hash)).map(({ outcome }) => outcome)
      assert.isTrue(ended.every((outcome) => outcome === "cancelled"), ended.join())
    }).pipe(Effect.provide(world)))

  virtual("a transaction for dropped blocks is given up, and the next update settles those in their place", () =>
    Effect.gen(function*() {
      const { holdBack, revert } = yield* Knobs
      yield* Ref.set(holdBack, true)
      const supervisor = yield* startRoles()
      yield* pass(40)
      const pending = yield* Effect.flatMap((yield* Store).inFlight, Effect.fromOption)
      assert.strictEqual(pending.kind, "update")
      yield* Ref.set(holdBack, false)
      yield* revert
      yield* pass(70)
      assert.isTrue((yield* (yield* Store).allOutgoing).every(({ id }) => id !== pending.id), "it is abandoned")
      assert.deepStrictEqual((yield* reached).slice(0, 2), [3, 6])
      assert.isTrue((yield* supervisor.status).every(({ restarts }) => restarts === 0))
      assert.deepStrictEqual((yield* now((yield* RewardAuditor).changes())).alarms, [])
    }).pipe(Effect.provide(world)))

  virtual("FM-2, FM-5: the price is that of the newest block, and dropped blocks are no longer unproven", () =>
    Effect.gen(function*() {
      const { provingTime, revert } = yield* Knobs
      yield* Ref.set(provingTime, Duration.minutes(10))
      yield* startRoles()
      const fees = yield* FeeController
      yield* pass(60)
      const before = yield* now(fees.changes())
      assert.strictEqual(before.unproven, BigInt(before.block) * 32_000n)
      yield* revert
      yield* pass(13)
      const after = yield* now(fees.changes())
      assert.strictEqual(after.block, 2)
      assert.strictEqual(after.unproven, 64_000n)
    }).pipe(Effect.provide(world)))
})

describe("the model ledger", () => {
  virtual("CP-4: keeps the port's contract", () =>
    Effect.gen(function*() {
      const { revert, settleForeign } = yield* Knobs
      const source = yield* LedgerSource
      const seen: Array<number> = []
      yield* source.blocks(1 as never).pipe(Stream.runForEach(({ number }) => Effect.sync(() => seen.push(number))), Effect.forkScoped)
      yield* pass(37)
      yield* settleForeign(4)
      yield* revert
      yield* pass(13)
      assert.deepStrictEqual(seen, [1, 2, 3, 4, 5, 6, 5, 6])
      const blocks = yield* source.blocks(1 as never).pipe(Stream.take(6), Stream.runCollect)
      blocks.slice(1).forEach(({ header }, i) => assert.strictEqual(header.parentHash, blocks[i]!.header.hash))
    }).pipe(Effect.provide(world)))
})
