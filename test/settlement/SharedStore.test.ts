/**
 * What is done on a real chain from a store that several hosts share, or that a node has for itself.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option, Ref, Stream } from "effect"
import type { Checkpoint } from "../../src/domain/Checkpoint.ts"
import { L1 } from "../../src/l1/L1.ts"
import { type Intent, Outbox, OutboxOptions } from "../../src/roles/Outbox.ts"
import { RewardAuditor } from "../../src/roles/RewardAuditor.ts"
import type { Database } from "../../src/store/Database.ts"
import { Fence, FencedOff } from "../../src/store/Fence.ts"
import { RoleLeases } from "../../src/store/RoleLeases.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { Store } from "../../src/store/Store.ts"
import { connectionsTo } from "../store/connections.ts"
import { databases } from "../store/databases.ts"
import { eventually } from "./realNode.ts"
import { allEvents, gwei, prover, proofBy, registerCheckpoint, rivalSettles, setAutomine, setBaseFee, settlerWorld, startNode, warp } from "./settlerWorld.ts"

type World = Effect.Success<ReturnType<typeof settlerWorld>>

const maxFeePerGas = 20n * gwei

/** A settler's way out, on one of the hosts of a database. */
const settlerOn = Effect.fnUntraced(function*(host: Context.Context<Database>, { l1 }: World) {
  const built = yield* Layer.build(Layer.fresh(Outbox.layer).pipe(
    Layer.provideMerge(Layer.fresh(Layer.merge(SqlStore.layer, RoleLeases.layer))),
    Layer.provide([
      Layer.succeedContext(host),
      Layer.succeed(L1, l1),
      Layer.succeed(OutboxOptions, { maxFeePerGas, profitableOnly: true, replaceAfter: "200 millis", confirmations: 1 })
    ])
  ))
  const waits = yield* Ref.make("")
  const outbox = Context.get(built, Outbox)
  return {
    offer: outbox.offer,
    advance: outbox.advance({ waits: (_, activity) => Ref.set(waits, activity), ended: () => Effect.void }, false),
    waits: Ref.get(waits),
    leases: Context.get(built, RoleLeases),
    store: Context.get(built, Store)
  }
})

/** The update by one block that this prover proved. */
const updateBy = (number: number, checkpoint: Checkpoint): Intent => {
  const { bytes, statement } = proofBy(prover, number)
  return {
    call: { kind: "update", update: { statement, system: "groth16", mergers: [], checkpoints: [checkpoint], ancestry: [], proof: bytes } },
    key: `to ${number}`,
    subject: `the update to block ${number}`,
    block: statement.to.number,
    worth: 10n ** 18n,
    expiresAt: null,
    expected: []
  }
}

const updatesOf = (world: World) => Effect.map(allEvents(world), (events) => events.filter(({ _tag }) => _tag === "StateUpdated").length)

const isFencedOff = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof FencedOff

for (const database of databases()) {
  describe(`a settler on a store in ${database.name}`, () => {
    it.live("ND-3: that lives twice sends one transaction, and the one that lost its role ends nothing and begins nothing", () =>
      Effect.gen(function*() {
        const world = yield* settlerWorld()
        const checkpoint = yield* registerCheckpoint(world, 2)
        const [a, b] = yield* Effect.forEach(yield* database.hosts(2), (host) => settlerOn(host, world))
        const former = yield* a!.leases.take("settler", "a", { host: "10.0.0.1", port: 1 })
        const asFormer = Effect.provideService(Fence, former.fence)
        yield* setAutomine(world, false)
        yield* Effect.all([a!, b!, a!, b!].map(({ offer }) => Effect.exit(offer(updateBy(1, checkpoint)))), { concurrency: "unbounded" })
        assert.strictEqual((yield* b!.store.allOutgoing).length, 1)
        yield* asFormer(a!.advance)

        const present = yield* b!.leases.take("settler", "b", { host: "10.0.0.1", port: 2 })
        const asPresent = Effect.provideService(Fence, present.fence)
        const [zombie] = yield* Effect.all([Effect.exit(asFormer(a!.advance)), asPresent(b!.advance)], { concurrency: "unbounded" })
        assert.isTrue(isFencedOff(zombie), "it may not replace what it sent")
        yield* setAutomine(world, true)
        yield* warp(world, 1)
        const [late] = yield* Effect.all([
          Effect.exit(asFormer(a!.advance)),
          asPresent(b!.advance).pipe(Effect.repeat({ while: (more) => more }))
        ], { concurrency: "unbounded" })
        // It looked before or after the other one was done; it changed nothing.
        assert.isTrue(isFencedOff(late) || (Exit.isSuccess(late) && !late.value))
        const [done, ...others] = yield* b!.store.allOutgoing
        assert.deepStrictEqual([done!.state, others], ["confirmed", []])
        assert.isTrue(isFencedOff(yield* Effect.exit(asFormer(a!.offer(updateBy(2, checkpoint))))))
        assert.deepStrictEqual([yield* b!.store.inFlight, yield* world.l1.nextNonce], [Option.none(), 1])
        yield* asPresent(b!.offer(updateBy(2, checkpoint)))
        yield* asPresent(b!.advance).pipe(Effect.repeat({ while: (more) => more }))
        assert.deepStrictEqual([yield* updatesOf(world), yield* world.l1.nextNonce], [2, 2])
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)

    it.live("F11: follows gas up to the stop-loss with one nonce, pays no more, and is stuck by nothing, not by a faster rival either", () =>
      Effect.gen(function*() {
        const world = yield* settlerWorld()
        const { l1 } = world
        const checkpoint = yield* registerCheckpoint(world, 2)
        const [host] = yield* database.hosts(1)
        const { advance, offer, store, waits } = yield* settlerOn(host!, world)
        const priceOfAll = Effect.map(store.inFlight, (kept) => {
          const { nonce, variants } = Option.getOrThrow(kept)
          return variants.map((variant) => l1.feesOf({ ...variant, nonce }).maxFeePerGas)
        })
        yield* setAutomine(world, false)
        yield* setBaseFee(world, gwei)
        yield* offer(updateBy(1, checkpoint))
        yield* setBaseFee(world, 4n * gwei)
        yield* advance
        yield* setBaseFee(world, 100n * gwei)
        yield* eventually(Effect.andThen(advance, Effect.flatMap(waits, (said) => /dearer transaction waits for cheaper gas: .* stop-loss of 20 gwei/.test(said) ? Effect.void : Effect.fail(said))))
        const prices = yield* priceOfAll
        assert.isAtLeast(prices.length, 2)
        assert.isTrue(prices.every((price, i) => price <= maxFeePerGas && (i === 0 || 8n * price >= 9n * prices[i - 1]!)), `${prices}`)
        assert.strictEqual((yield* Effect.flip(offer(updateBy(2, checkpoint))))._tag, "OutboxBusy")
        yield* setBaseFee(world, gwei)
        yield* setAutomine(world, true)
        yield* advance.pipe(Effect.repeat({ while: (more) => more }))
        assert.deepStrictEqual([yield* updatesOf(world), yield* l1.nextNonce], [1, 1])

        // Stored and not sent yet when the rival proves the same: the dry run refuses it, and it costs nothing.
        yield* setBaseFee(world, gwei)
        yield* offer(updateBy(2, checkpoint))
        yield* rivalSettles(world, checkpoint)
        yield* advance
        assert.deepStrictEqual([yield* store.inFlight, yield* l1.nextNonce], [Option.none(), 1])
        assert.strictEqual((yield* Effect.flip(offer(updateBy(2, checkpoint))))._tag, "CallRefused")
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)
  })

  describe(`an auditor on a store in ${database.name}`, () => {
    it.live("F12: says what is expected of a transaction on its way, then credited, claimable and claimed, to the wei", () =>
      Effect.gen(function*() {
        const world = yield* settlerWorld()
        yield* registerCheckpoint(world, 2)
        yield* setBaseFee(world, gwei)
        yield* setAutomine(world, false)
        const { node } = yield* startNode(world, { auditing: { claimAtLeast: 1n, claimGasShare: 1n }, database: connectionsTo(yield* database.fresh) })
        const lineOnce = (holds: (line: { readonly expected: bigint; readonly credited: bigint; readonly claimable: bigint; readonly claimed: bigint }) => boolean) =>
          eventually(Effect.gen(function*() {
            const report = yield* Effect.flatMap(Stream.runHead(Context.get(node, RewardAuditor).changes()), Effect.fromOption)
            assert.deepStrictEqual(report.alarms, [])
            const line = report.accounts.find(({ account }) => account === prover)
            return line !== undefined && holds(line) ? line : yield* Effect.fail(report)
          }))
        const update = yield* eventually(Effect.flatMap(Context.get(node, Store).inFlight, Effect.fromOption))
        yield* eventually(Effect.flatMap(world.l1.knows(update.id), (known) => known ? Effect.void : Effect.fail("it is not sent")))
        // A block that it offers too little for.
        yield* setBaseFee(world, 100n * gwei)
        const before = yield* lineOnce(({ expected }) => expected > 0n)
        assert.deepStrictEqual([before.credited, before.claimable, before.claimed], [0n, 0n, 0n])
        yield* setBaseFee(world, gwei)
        yield* setAutomine(world, true)
        const earned = yield* lineOnce(({ credited }) => credited > 0n)
        assert.deepStrictEqual([earned.expected, earned.credited, earned.claimable + earned.claimed], [0n, before.expected, before.expected])
        const drawn = yield* lineOnce(({ claimed }) => claimed > 0n)
        assert.deepStrictEqual([drawn.expected, drawn.credited, drawn.claimable, drawn.claimed], [0n, before.expected, 0n, before.expected])
        assert.strictEqual(yield* world.l1.nextNonce, 2, "the update and the claim")
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 300_000)
  })
}
