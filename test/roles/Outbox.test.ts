/**
 * The outbox under several processes and over crashes: whatever is offered is done once, or not at all (ND-3).
 */
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Ref } from "effect"
import { L1 } from "../../src/l1/L1.ts"
import { type Intent, Outbox, OutboxOptions } from "../../src/roles/Outbox.ts"
import { Store } from "../../src/store/Store.ts"
import { gwei, Knobs, modelPorts, modelSettling } from "./model.ts"
import { pass, virtual } from "../simulation/virtual.ts"

const flag = (key: string): Intent => ({
  call: { kind: "flag" },
  key,
  subject: `the flag ${key}`,
  block: null,
  worth: null,
  expiresAt: null,
  expected: []
})

/** The outbox of another process on the same store. */
const anotherOutbox = Effect.map(
  Layer.build(Layer.fresh(Outbox.layer).pipe(Layer.provide(Layer.succeed(OutboxOptions, modelSettling)))),
  (built) => Context.get(built, Outbox)
)

const quietly = { waits: () => Effect.void, ended: () => Effect.void }
/** Steps and virtual time, until nothing is on its way. */
const bringForward = Effect.fnUntraced(function*(outbox: Outbox["Service"]) {
  for (let step = 0; step < 60; step++) {
    const fiber = yield* Effect.forkChild(outbox.advance(quietly, false))
    yield* pass("6 seconds")
    yield* Fiber.join(fiber)
    if ((yield* Effect.flatMap(Store, (store) => store.inFlight))._tag === "None") return
  }
  assert.fail("it is still on its way")
})

const included = Effect.flatMap(Knobs, ({ events }) => Effect.map(events, (all) => all.filter(({ _tag }) => _tag === "Flagged").length))

/** This node may flag, as often as it likes. */
const mayFlag = Effect.flatMap(Knobs, ({ standing }) => standing(1_000_000n, 3))

describe("ND-3: the one way out", () => {
  virtual("of two processes that offer the same at once, one is taken, and it is done once", () =>
    Effect.gen(function*() {
      yield* mayFlag
      const [a, b] = [yield* anotherOutbox, yield* anotherOutbox]
      const exits = yield* Effect.all([a, b, a, b].map((outbox) => Effect.exit(outbox.offer(flag("1")))), { concurrency: "unbounded" })
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
      assert.strictEqual((yield* (yield* Store).allOutgoing).length, 1)
      // Both bring it forward, at once.
      yield* Effect.all([bringForward(a), bringForward(b)], { concurrency: "unbounded" })
      assert.strictEqual(yield* included, 1)
      assert.strictEqual(yield* (yield* L1).nextNonce, 1)
      const [done] = yield* (yield* Store).allOutgoing
      assert.strictEqual(done!.state, "confirmed")
      // What is done is not done again.
      const again = yield* Effect.flip(a.offer(flag("1")))
      assert.strictEqual(again._tag, "OutboxBusy")
      assert.match(again.message, /the flag 1 waits: the flag 1 is done/)
    }).pipe(Effect.scoped, Effect.provide(modelPorts)))

  virtual("whatever is on its way holds everything else back, and its offer survives the process", () =>
    Effect.gen(function*() {
      yield* mayFlag
      const { holdBack } = yield* Knobs
      yield* Ref.set(holdBack, true)
      yield* (yield* anotherOutbox).offer(flag("1"))
      const after = yield* anotherOutbox
      const refused = yield* Effect.flip(after.offer(flag("2")))
      assert.match(refused.message, /^the flag 2 waits: the flag 1 is on its way/)
      yield* Ref.set(holdBack, false)
      yield* bringForward(after)
      assert.strictEqual(yield* included, 1)
    }).pipe(Effect.scoped, Effect.provide(modelPorts)))

  virtual("what costs more than it is worth is not signed, and says what it is worth", () =>
    Effect.gen(function*() {
      yield* mayFlag
      const { gasPrice } = yield* Knobs
      yield* Ref.set(gasPrice, 2n * gwei)
      const outbox = yield* anotherOutbox
      // A flag uses 60,000 gas.
      const dear = yield* Effect.flip(outbox.offer({ ...flag("1"), worth: 60_000n * gwei }))
      assert.match(dear.message, /^waits for cheaper gas: 2 gwei is above the 1 gwei at which its 60000 gas cost the 60000000000000 wei that it is worth/)
      assert.deepStrictEqual(yield* (yield* Store).allOutgoing, [])
      yield* Ref.set(gasPrice, gwei)
      yield* outbox.offer({ ...flag("1"), worth: 60_000n * gwei })
      const [kept] = yield* (yield* Store).allOutgoing
      assert.strictEqual((yield* L1).feesOf(kept!.newest).maxFeePerGas, gwei, "no more than that is ever offered")
    }).pipe(Effect.scoped, Effect.provide(modelPorts)))
})
