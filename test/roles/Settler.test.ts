/**
 * The settler's transactions under a virtual clock: what they offer, when they are replaced, and that none is ever executed beside
 * another.
 */
import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Option, Ref, Stream } from "effect"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { L1 } from "../../src/l1/L1.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { AuditorOptions, RewardAuditor } from "../../src/roles/RewardAuditor.ts"
import { Settler, SettlerOptions } from "../../src/roles/Settler.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { Store } from "../../src/store/Store.ts"
import { gwei, Knobs, modelPorts, modelSettling } from "./model.ts"
import { pass, virtual } from "../simulation/virtual.ts"

const worldWith = (settling: Partial<SettlerOptions>) =>
  connectRoles.pipe(Layer.provideMerge(Layer.mergeAll(
    modelPorts,
    MemoryTransport.layer,
    Layer.succeed(L1PollInterval, "250 millis"),
    Layer.succeed(SettlerOptions, { ...modelSettling, ...settling })
  )))
const world = worldWith({})

/** Virtual time until something is so; a minute at most. */
const until = Effect.fnUntraced(function*<R>(what: string, condition: Effect.Effect<boolean, never, R>) {
  for (let step = 0; step < 240; step++) {
    if (yield* condition) return
    yield* pass("250 millis")
  }
  assert.fail(`not within a minute: ${what}`)
})

const activity = Effect.gen(function*() {
  return (yield* Effect.flatMap(Stream.runHead((yield* Settler).changes()), Effect.fromOption)).activity
})
const submissions = Effect.flatMap(Store, (store) => store.allOutgoing)
const updates = Effect.flatMap(Knobs, ({ events }) => Effect.map(events, (all) => all.filter((event) => event._tag === "StateUpdated")))
const reached = Effect.map(updates, (all) => all.map(({ to }) => to.number as number))
const distinctSent = Effect.flatMap(Knobs, ({ sent }) => Effect.map(Ref.get(sent), (all) => [...new Set(all)]))
const somethingSent = until("a transaction is sent", Effect.map(distinctSent, (all) => all.length > 0))
const settled = (end: number) => until(`block ${end} is settled`, Effect.map(reached, (ends) => ends.includes(end)))
const replacementStored = until("a replacement is stored", Effect.map(submissions, ([first]) => (first?.variants ?? []).length > 1))
const confirmed = (end: number) =>
  until(`the update to ${end} is confirmed`, Effect.map(submissions, (all) => all.some(({ block, kind, state }) => kind === "update" && block === end && state === "confirmed")))

/** A node that ends after it stored a dearer transaction, and before it sent it. L1 stays deaf. */
const crashBeforeReplacing = Effect.scoped(Effect.gen(function*() {
  const { deafen, gasPrice } = yield* Knobs
  yield* startRoles()
  yield* somethingSent
  yield* Ref.set(gasPrice, 2n * gwei)
  yield* deafen(true)
  yield* replacementStored
}))

const assertBooksHold = Effect.gen(function*() {
  yield* pass(2)
  const audit = yield* Effect.flatMap(Stream.runHead((yield* RewardAuditor).changes()), Effect.fromOption)
  assert.deepStrictEqual(audit.alarms, [])
  assert.isAtLeast(audit.checkedBlocks, 3, "its credits were held against what was expected")
})

describe("ND-3: a transaction that L1 does not include", () => {
  virtual("is replaced by one with the same nonce and higher fees, and is settled once", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { gasPrice } = yield* Knobs
      const l1 = yield* L1
      yield* somethingSent
      yield* Ref.set(gasPrice, 2n * gwei)
      yield* pass(20)
      assert.deepStrictEqual(yield* reached, [], "it offers less than L1 wants")
      yield* settled(3)
      const [cheap, dear] = yield* distinctSent
      const [submission] = yield* submissions
      assert.deepStrictEqual(submission!.variants.map(({ hash }) => hash), [cheap!, dear!])
      const offers = submission!.variants.map((variant) => l1.feesOf({ ...variant, nonce: submission!.nonce }).maxFeePerGas)
      assert.isTrue(8n * offers[1]! >= 9n * offers[0]!)
      assert.strictEqual((yield* updates)[0]!.at.transaction, dear)
      yield* confirmed(3)
      yield* assertBooksHold
    }).pipe(Effect.provide(world)))

  virtual("is replaced again and again, but never above the stop-loss, and it says so", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { gasPrice, holdBack } = yield* Knobs
      const l1 = yield* L1
      yield* Ref.set(holdBack, true)
      yield* somethingSent
      yield* pass(900)
      assert.match(yield* activity, /^waiting for the receipt of the update to block 3; a dearer transaction waits for cheaper gas: .* is above the operator's stop-loss of 10 gwei/)
      const [submission, ...others] = yield* submissions
      assert.deepStrictEqual(others, [])
      const offers = submission!.variants.map((variant) => l1.feesOf({ ...variant, nonce: submission!.nonce }).maxFeePerGas)
      assert.isAtLeast(offers.length, 10)
      assert.isTrue(offers.every((offer, i) => offer <= 10n * gwei && (i === 0 || 8n * offer >= 9n * offers[i - 1]!)))
      // L1 takes transactions again: the dearest that there is goes once more, as it is.
      yield* Ref.set(holdBack, false)
      yield* Ref.set(gasPrice, 9n * gwei)
      yield* settled(3)
      assert.strictEqual((yield* updates)[0]!.at.transaction, submission!.newest.hash)
    }).pipe(Effect.provide(world)))

  virtual("a crash between storing and sending a replacement sends just that one", () =>
    Effect.gen(function*() {
      yield* crashBeforeReplacing
      assert.strictEqual((yield* distinctSent).length, 1)
      const stored = (yield* submissions)[0]!.newest.hash
      yield* (yield* Knobs).deafen(false)
      yield* startRoles()
      yield* settled(3)
      assert.strictEqual((yield* distinctSent)[1], stored)
      assert.strictEqual((yield* updates)[0]!.at.transaction, stored)
      assert.strictEqual((yield* submissions)[0]!.variants.length, 2)
      yield* assertBooksHold
    }).pipe(Effect.provide(world)))

  virtual("is concluded by whichever of its variants L1 included, while the node was down too", () =>
    Effect.gen(function*() {
      const { deafen, gasPrice } = yield* Knobs
      yield* crashBeforeReplacing
      yield* Ref.set(gasPrice, gwei)
      yield* pass(3)
      assert.deepStrictEqual(yield* reached, [3], "the first one was in the pool all the time")
      yield* deafen(false)
      yield* startRoles()
      yield* confirmed(3)
      assert.strictEqual((yield* updates)[0]!.at.transaction, (yield* submissions)[0]!.id)
      yield* settled(6)
      assert.isFalse((yield* distinctSent).includes((yield* submissions)[0]!.newest.hash), "its replacement was not sent any more")
      yield* assertBooksHold
    }).pipe(Effect.provide(world)))

  virtual("is given up when a stranger used its nonce, and the blocks are settled by another", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { holdBack, useNonce } = yield* Knobs
      yield* Ref.set(holdBack, true)
      yield* somethingSent
      const [first] = yield* distinctSent
      yield* useNonce
      yield* Ref.set(holdBack, false)
      yield* until("the blocks are settled", Effect.map(reached, (ends) => ends.length > 0))
      yield* confirmed((yield* reached)[0]!)
      assert.isTrue((yield* submissions).every(({ variants }) => variants.every(({ hash }) => hash !== first)))
      yield* assertBooksHold
    }).pipe(Effect.provide(world)))
})

describe("ND-3: a transaction that has become useless", () => {
  const undone = until("it is undone", Effect.map(submissions, ([first]) => first?.cancelled === true))

  virtual("because somebody was faster is undone by one that does nothing, and the next update follows", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { gasPrice, settleForeign } = yield* Knobs
      const l1 = yield* L1
      yield* somethingSent
      yield* Ref.set(gasPrice, 2n * gwei)
      yield* settleForeign(3)
      yield* undone
      const [useless] = yield* submissions
      assert.deepStrictEqual(useless!.variants.map(({ cancels }) => cancels), [false, true])
      yield* until("its nonce is used", Effect.map(Effect.orDie(l1.nextNonce), (nonce) => nonce === 1))
      yield* settled(6)
      assert.deepStrictEqual(yield* reached, [3, 6])
      assert.isTrue((yield* submissions).every(({ id }) => id !== useless!.id), "it is abandoned")
      assert.include(yield* distinctSent, useless!.newest.hash)
      yield* confirmed(6)
      yield* assertBooksHold
    }).pipe(Effect.provide(world)))

  virtual("is not undone above the stop-loss: it waits for its nonce to be used", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { gasPrice, settleForeign } = yield* Knobs
      yield* somethingSent
      yield* Ref.set(gasPrice, 11n * gwei)
      yield* settleForeign(3)
      yield* pass(20)
      assert.match(yield* activity, /^waiting for the receipt of the update to block 3; a dearer transaction waits for cheaper gas: .* stop-loss of 10 gwei/)
      assert.isFalse((yield* submissions)[0]!.cancelled)
      yield* Ref.set(gasPrice, gwei)
      yield* settled(6)
    }).pipe(Effect.provide(world)))

  virtual("because gas became too dear for a claim does not hold up the next update", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { gasPrice } = yield* Knobs
      const claim = Effect.map(submissions, (all) => all.find(({ kind }) => kind === "claim"))
      yield* until("a claim is stored", Effect.map(claim, (found) => found !== undefined))
      yield* Ref.set(gasPrice, 5n * gwei)
      yield* until("it is undone", Effect.map(claim, (found) => found?.cancelled === true))
      const before = (yield* reached).length
      yield* until("another update is settled", Effect.map(reached, (ends) => ends.length > before))
      assert.isFalse((yield* (yield* Knobs).events).some(({ _tag }) => _tag === "Claimed"))
      const auditor = yield* RewardAuditor
      yield* until("the auditor says why it draws nothing", Effect.map(Stream.runHead(auditor.changes()), (report) =>
        /wei to draw: waits for cheaper gas/.test(Option.getOrUndefined(report)?.claiming ?? "")))
    }).pipe(
      Effect.provideService(AuditorOptions, { claimAtLeast: 1n, claimGasShare: 30n }),
      Effect.provide(worldWith({ profitableOnly: false }))
    ))
})

describe("an update that is not worth its gas", () => {
  virtual("is not sent above the stop-loss, however long it waits, and the settler says why", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { gasPrice } = yield* Knobs
      yield* Ref.set(gasPrice, 11n * gwei)
      yield* pass(400)
      assert.deepStrictEqual(yield* distinctSent, [])
      assert.match(yield* activity, /^waits for cheaper gas: 11 gwei is above the operator's stop-loss of 10 gwei/)
      yield* Ref.set(gasPrice, gwei)
      yield* somethingSent
    }).pipe(Effect.provide(world)))

  virtual("waits for cheaper gas until patience runs out, and the settler says what it would earn", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { failure, gasPrice } = yield* Knobs
      // More blocks in one update would earn more for the same gas.
      yield* Ref.set(failure, (block) => block > 3 ? new ProvingFailed({ subject: `block ${block}`, reason: "never", retry: false }) : undefined)
      yield* Ref.set(gasPrice, 7n * gwei)
      yield* pass(240)
      assert.deepStrictEqual(yield* distinctSent, [])
      assert.match(yield* activity, /^waits for cheaper gas: 7 gwei is above the \d+\.\d+ gwei at which its 500000 gas cost the \d+ wei that it earns/)
      yield* pass(90)
      assert.deepStrictEqual(yield* reached, [3])
    }).pipe(Effect.provide(world)))

  virtual("is sent at once where earnings do not count, as on a devnet", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* Ref.set((yield* Knobs).gasPrice, 7n * gwei)
      yield* settled(3)
    }).pipe(Effect.provide(worldWith({ profitableOnly: false }))))
})

describe("ND-3: a reorganisation", () => {
  /** Takes back the newest blocks down to the first update. */
  const takeBack = Effect.gen(function*() {
    const { number } = yield* (yield* L1).latest
    yield* (yield* Knobs).reorg(number - (yield* updates)[0]!.at.block + 1)
  })

  virtual("of a confirmed update sends the same transaction again, and none beside it", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* confirmed(3)
      const before = yield* distinctSent
      yield* takeBack
      assert.deepStrictEqual(yield* reached, [])
      yield* settled(3)
      assert.deepStrictEqual((yield* distinctSent).slice(0, 1), before)
      assert.strictEqual((yield* updates)[0]!.at.transaction, before[0])
      yield* settled(6)
      assert.strictEqual((yield* distinctSent).length, 2)
      yield* assertBooksHold
    }).pipe(Effect.provide(world)))

  virtual("before an update is deep enough leaves it pending; it is confirmed once it is deep", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { mine } = yield* Knobs
      yield* settled(3)
      yield* pass(2)
      assert.match(yield* activity, /^the update to block 3 is [12] of 6 L1 blocks deep/)
      assert.strictEqual((yield* submissions)[0]!.state, "pending")
      yield* takeBack
      yield* settled(3)
      assert.strictEqual((yield* submissions)[0]!.state, "pending")
      for (let i = 0; i < 5; i++) yield* mine
      yield* confirmed(3)
      assert.strictEqual((yield* distinctSent).length, 1)
    }).pipe(Effect.provide(worldWith({ confirmations: 6 }))))
})
