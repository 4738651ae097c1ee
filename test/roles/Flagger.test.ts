/**
 * Flags under a virtual clock: when one is sent, that an epoch has one of this node at most, and that it and the settler's updates
 * never go beside each other.
 */
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Layer, Option, Ref, Stream } from "effect"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { L1 } from "../../src/l1/L1.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { FeeController, FeeOptions } from "../../src/roles/FeeController.ts"
import type { FlagOptions } from "../../src/roles/Flagger.ts"
import { Settler, SettlerOptions } from "../../src/roles/Settler.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { Store } from "../../src/store/Store.ts"
import { gwei, Knobs, modelPorts, modelSettling } from "./model.ts"
import { pass, virtual } from "../simulation/virtual.ts"

/** Proving costs twice what the floor pays: every block of the model leaves too little. */
const flags: FlagOptions = {
  costPerGas: 40_000_000_000n,
  minMargin: 0n,
  leafShare: 7_500,
  flagAfter: 12n
}

const worldWith = (flagging: Partial<FlagOptions>, settling: Partial<SettlerOptions> = {}) => {
  const options = Layer.effect(FeeOptions, Effect.map(FeeOptions, (given) => ({ ...given, flagging: { ...flags, ...flagging } })))
  return connectRoles.pipe(Layer.provideMerge(Layer.mergeAll(
    Layer.provideMerge(options, modelPorts),
    MemoryTransport.layer,
    Layer.succeed(L1PollInterval, "250 millis"),
    Layer.succeed(SettlerOptions, { ...modelSettling, ...settling })
  )))
}
const world = worldWith({})

const now = <A, E>(stream: Stream.Stream<A, E>) => Effect.flatMap(Stream.runHead(stream), Effect.fromOption)
const until = Effect.fnUntraced(function*<E, R>(what: string, condition: Effect.Effect<boolean, E, R>, seconds = 120) {
  for (let step = 0; step < 4 * seconds; step++) {
    if (yield* condition) return
    yield* pass("250 millis")
  }
  assert.fail(`not in time: ${what}`)
})

const onL1 = <Tag extends "Flagged" | "StateUpdated">(tag: Tag) =>
  Effect.flatMap(Knobs, ({ events }) => Effect.map(events, (all) => all.filter((event) => event._tag === tag)))
const flagged = Effect.map(onL1("Flagged"), (all) => all.map((event) => event._tag === "Flagged" ? Number(event.epoch) : -1))
const settledTo = Effect.map(onL1("StateUpdated"), (all) => all.map((event) => event._tag === "StateUpdated" ? Number(event.to.number) : -1))
const flagging = Effect.flatMap(FeeController, (fees) => Effect.map(now(fees.changes()), ({ flagging }) => flagging ?? ""))
const active = Effect.flatMap(Knobs, ({ standing }) => standing(1_000_000n, 3))
const epoch = Effect.flatMap(L1, ({ signal }) => Effect.map(signal, ({ epoch }) => epoch))
const flagIn = (epoch: bigint) =>
  Effect.flatMap(Effect.all([L1, Store]), ([{ feeSignal }, store]) => store.outgoing("flag", `${feeSignal}/${epoch}`))
const theFlag = Effect.flatMap(epoch, flagIn)
const distinctSent = Effect.flatMap(Knobs, ({ sent }) => Effect.map(Ref.get(sent), (all) => [...new Set(all)]))

/** No nonce is ever used for two things: whatever L1 has of this node came in the order in which it was signed. */
const assertNothingBesides = Effect.gen(function*() {
  const events = yield* (yield* Knobs).events
  const transactions = [...new Set(events.flatMap((event) => event._tag === "Flagged" || event._tag === "StateUpdated" ? [event.at.transaction] : []))]
  assert.strictEqual(transactions.length, yield* (yield* L1).nextNonce)
})

describe("FM-3: flagging by policy", () => {
  virtual("flags once per epoch while the margin is too low, and settles on in between", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* active
      yield* pass(300)
      assert.deepStrictEqual(yield* flagged, [0, 1, 2])
      assert.isAtLeast((yield* settledTo).length, 8)
      assert.match(yield* flagging, /flagged in epoch 2 already/)
      yield* assertNothingBesides
    }).pipe(Effect.provide(world)))

  virtual("waits until the margin has been too low for long enough, and says so", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* active
      yield* pass(40)
      assert.match(yield* flagging, /^no flag yet: the price leaves -\d+ wei per prover gas, below 0, for (24|30) of 60 s/)
      assert.deepStrictEqual(yield* flagged, [])
      yield* until("the flag", Effect.map(flagged, (all) => all.length > 0), 60)
    }).pipe(Effect.provide(worldWith({ flagAfter: 60n }))))

  virtual("does not flag before this node is active, nor with faded reputation, and says why", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const { failure, standing } = yield* Knobs
      yield* pass(30)
      assert.match(yield* flagging, /this node's work was in [01] updates, and it takes 3/)
      // Nothing that it proves from here on may mend its reputation.
      yield* Ref.set(failure, (block) => new ProvingFailed({ subject: `block ${block}`, reason: "never", retry: true }))
      yield* pass(10)
      yield* standing(0n, 3)
      yield* pass(10)
      assert.match(yield* flagging, /faded/)
      assert.deepStrictEqual(yield* flagged, [])
    }).pipe(Effect.provide(world)))

  virtual("is silent where proving pays", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* active
      yield* pass(60)
      assert.match(yield* flagging, /leaves at least 0 wei/)
      assert.deepStrictEqual(yield* flagged, [])
    }).pipe(Effect.provide(worldWith({ costPerGas: 1n }))))

  virtual("waits for cheaper gas, and says so", () =>
    Effect.gen(function*() {
      yield* startRoles()
      yield* active
      yield* Ref.set((yield* Knobs).gasPrice, 11n * gwei)
      yield* pass(60)
      assert.match(yield* flagging, /11 gwei is above the operator's stop-loss of 10 gwei/)
      assert.deepStrictEqual(yield* distinctSent, [])
    }).pipe(Effect.provide(world)))
})

describe("ND-3: a flag and the settler share one account", () => {
  virtual("the settler waits while a flag is on its way, and says so", () =>
    Effect.gen(function*() {
      const { holdBack } = yield* Knobs
      yield* startRoles()
      yield* Ref.set(holdBack, true)
      yield* active
      yield* until("a flag is stored", Effect.map(theFlag, Option.isSome))
      assert.deepStrictEqual(yield* settledTo, [])
      yield* pass(20)
      const pending = Option.getOrThrow(yield* (yield* Store).inFlight)
      assert.strictEqual(pending.kind, "flag")
      assert.match((yield* now((yield* Settler).changes())).activity, /^waiting for the receipt of the flag of epoch 0/)
      assert.strictEqual((yield* (yield* Store).allOutgoing).length, 1, "no update is signed")
      yield* Ref.set(holdBack, false)
      yield* until("an update", Effect.map(settledTo, (all) => all.length > 0))
      assert.strictEqual((yield* flagged).length, 1)
      yield* assertNothingBesides
    }).pipe(Effect.provide(worldWith({ flagAfter: 0n }))))

  virtual("a flag waits while an update is on its way, and says so", () =>
    Effect.gen(function*() {
      const { holdBack } = yield* Knobs
      yield* startRoles()
      yield* Ref.set(holdBack, true)
      yield* until("an update is stored", Effect.map(Effect.flatMap(Store, (store) => store.allOutgoing), (all) => all.length > 0))
      yield* active
      yield* pass(20)
      assert.match(yield* flagging, /^the flag of epoch 0 waits: the update to block 3 is on its way/)
      assert.isTrue(Option.isNone(yield* theFlag))
      yield* Ref.set(holdBack, false)
      yield* until("the flag", Effect.map(flagged, (all) => all.length > 0))
      yield* assertNothingBesides
    }).pipe(Effect.provide(world)))

  virtual("a crash between storing and sending sends the same bytes, and no second flag", () =>
    Effect.gen(function*() {
      const { deafen } = yield* Knobs
      yield* active
      yield* deafen(true)
      yield* Effect.scoped(Effect.andThen(startRoles(), until("a flag is stored", Effect.map(theFlag, Option.isSome))))
      const stored = Option.getOrThrow(yield* theFlag)
      assert.deepStrictEqual(yield* distinctSent, [], "L1 never got it")
      yield* deafen(false)
      yield* startRoles()
      yield* until("the flag", Effect.map(flagged, (all) => all.length > 0))
      assert.strictEqual((yield* onL1("Flagged"))[0]!.at.transaction, stored.id)
      assert.strictEqual((yield* flagged).length, 1)
    }).pipe(Effect.provide(worldWith({ flagAfter: 0n }))))

  virtual("two copies of the role flag once", () =>
    Effect.gen(function*() {
      yield* active
      const store = yield* Store
      const transports = yield* Effect.forEach([1, 2], () => Layer.build(MemoryTransport.layer))
      for (const transport of transports) yield* Effect.provideContext(startRoles(), Context.merge(yield* Effect.context<never>(), transport) as never)
      yield* pass(100)
      assert.strictEqual((yield* flagged).length, 1)
      assert.strictEqual(Option.getOrThrow(yield* theFlag).state, "confirmed")
      assert.isTrue(Option.isNone(yield* store.inFlight) || Option.getOrThrow(yield* store.inFlight).kind === "update")
    }).pipe(Effect.provide(world)))

  virtual("one that L1 does not include is replaced, with the same nonce", () =>
    Effect.gen(function*() {
      const { gasPrice } = yield* Knobs
      yield* active
      yield* startRoles()
      yield* until("a flag is sent", Effect.map(distinctSent, (all) => all.length > 0))
      const [cheap] = yield* distinctSent
      yield* Ref.set(gasPrice, 3n * gwei)
      yield* until("the flag", Effect.map(flagged, (all) => all.length > 0))
      const stored = Option.getOrThrow(yield* flagIn(0n))
      assert.strictEqual(stored.id, cheap)
      assert.strictEqual(stored.variants.length, 2)
      assert.strictEqual((yield* onL1("Flagged"))[0]!.at.transaction, stored.newest.hash)
      yield* assertNothingBesides
    }).pipe(Effect.provide(worldWith({ flagAfter: 0n }))))

  virtual("one that L1 took back is sent again as it is, while its epoch lasts; the settler's update follows", () =>
    Effect.gen(function*() {
      const { reorg } = yield* Knobs
      yield* active
      yield* startRoles()
      yield* until("the flag", Effect.map(flagged, (all) => all.length > 0))
      yield* until("it counts", Effect.map(theFlag, (flag) => Option.isSome(flag) && flag.value.state === "confirmed"))
      const [first] = yield* onL1("Flagged")
      yield* reorg((yield* (yield* L1).latest).number - first!.at.block + 1)
      assert.deepStrictEqual(yield* flagged, [])
      yield* until("the flag again", Effect.map(flagged, (all) => all.length > 0), 30)
      assert.strictEqual((yield* onL1("Flagged"))[0]!.at.transaction, first!.at.transaction)
      yield* until("an update", Effect.map(settledTo, (all) => all.length > 0))
      yield* assertNothingBesides
    }).pipe(Effect.provide(worldWith({ flagAfter: 0n }))))

  virtual("one whose nonce a stranger used is given up, and another one takes its place", () =>
    Effect.gen(function*() {
      const { holdBack, useNonce } = yield* Knobs
      yield* active
      yield* Ref.set(holdBack, true)
      yield* startRoles()
      yield* until("a flag is sent", Effect.map(distinctSent, (all) => all.length > 0))
      const [first] = yield* distinctSent
      yield* useNonce
      yield* Ref.set(holdBack, false)
      yield* until("the flag", Effect.map(flagged, (all) => all.length > 0))
      assert.deepStrictEqual(yield* flagged, [0])
      assert.notStrictEqual((yield* onL1("Flagged"))[0]!.at.transaction, first)
      assert.notStrictEqual(Option.getOrThrow(yield* flagIn(0n)).id, first)
    }).pipe(Effect.provide(worldWith({ flagAfter: 0n }))))
})
