/**
 * Two hosts that both take themselves for the one that has a role: whatever the moment of the takeover, the earlier one writes nothing more.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import { Database } from "../../src/store/Database.ts"
import { Fence, FencedOff } from "../../src/store/Fence.ts"
import { type RoleLease, RoleLeases } from "../../src/store/RoleLeases.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { Store } from "../../src/store/Store.ts"
import { databases, type TestDatabase } from "./databases.ts"
import { credit, first, second, variant } from "./outgoing.ts"

const address = (port: number) => ({ host: "10.0.0.1", port })

/** The role leases, the store and the database of so many hosts. */
const hostsOf = Effect.fnUntraced(function*({ hosts }: TestDatabase, count: number) {
  return yield* Effect.forEach(yield* hosts(count), Effect.fnUntraced(function*(host) {
    const built = yield* Layer.build(Layer.fresh(Layer.merge(SqlStore.layer, RoleLeases.layer)).pipe(Layer.provide(Layer.succeedContext(host))))
    return { database: Context.get(host, Database), leases: Context.get(built, RoleLeases), store: Context.get(built, Store) }
  }))
})

const under = <A, E>(fence: RoleLease["fence"], write: Effect.Effect<A, E>) => Effect.provideService(write, Fence, fence)

const assertFencedOff = (exit: Exit.Exit<unknown, unknown>, { epoch, role }: RoleLease) => {
  assert.isTrue(Exit.isFailure(exit))
  assert.deepStrictEqual(Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined, new FencedOff({ role, epoch }))
}

/** A fence that lets a write through, and stops it in the middle of its transaction until the gate is open. */
const stoppedWithin = Effect.fnUntraced(function*({ check }: RoleLease["fence"]) {
  const [reached, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
  return { reached, gate, fence: { check: Effect.andThen(check, Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(gate))) } }
})

const [sqlite, postgres] = databases()

describe("ND-3: a host that is stopped in the middle of a write", () => {
  it.live("holds whoever takes its role up for a moment only, and nothing of the write is kept", () =>
    Effect.gen(function*() {
      const [a, b] = yield* hostsOf(postgres, 2)
      const former = yield* a!.leases.take("settler", "a", address(1))
      const { fence, gate, reached } = yield* stoppedWithin(former.fence)
      const writing = yield* Effect.forkChild(Effect.exit(under(fence, a!.store.putOutgoing(first, []))))
      yield* Deferred.await(reached)
      const present = yield* b!.leases.take("settler", "b", address(2))
      yield* Deferred.succeed(gate, undefined)
      assertFencedOff(yield* Fiber.join(writing), former)
      assert.isTrue(yield* under(present.fence, b!.store.putOutgoing(second, [])))
      assert.deepStrictEqual(yield* b!.store.allOutgoing, [second])
    }).pipe(Effect.scoped))
})

for (const database of [sqlite, postgres]) {
  describe(`ND-3: a role that another host has taken (${database.name})`, () => {
    it.live("writes nothing more: not a transaction, not a replacement, not an end", () =>
      Effect.gen(function*() {
        const [a, b] = yield* hostsOf(database, 2)
        const former = yield* a!.leases.take("settler", "a", address(1))
        assert.isTrue(yield* under(former.fence, a!.store.putOutgoing(first, [credit])))
        const present = yield* b!.leases.take("settler", "b", address(2))
        for (const write of [a!.store.putVariant(first.id, variant(1)), a!.store.settleOutgoing(first.id, "abandoned"), a!.store.putOutgoing(second, [credit])]) {
          assertFencedOff(yield* Effect.exit(under(former.fence, write)), former)
        }
        assert.deepStrictEqual(yield* b!.store.allOutgoing, [first])
        yield* under(present.fence, b!.store.settleOutgoing(first.id, "confirmed"))
        assertFencedOff(yield* Effect.exit(under(former.fence, a!.store.putOutgoing(second, [credit]))), former)
        assert.isTrue(yield* under(present.fence, b!.store.putOutgoing(second, [])))
        assert.deepStrictEqual((yield* b!.store.expectedCredits).map(({ transaction }) => transaction), [first.id])
      }).pipe(Effect.scoped))

    it.live("in the middle of its write: whoever takes it waits for the write, and finds it", () =>
      Effect.gen(function*() {
        const [a, b] = yield* hostsOf(database, 2)
        const former = yield* a!.leases.take("settler", "a", address(1))
        const { fence, gate, reached } = yield* stoppedWithin(former.fence)
        const writing = yield* Effect.forkChild(under(fence, a!.store.putOutgoing(first, [])))
        yield* Deferred.await(reached)
        const taking = yield* Effect.forkChild(Effect.andThen(b!.leases.take("settler", "b", address(2)), b!.store.inFlight), { startImmediately: true })
        assert.deepStrictEqual(yield* Effect.timeoutOption(Fiber.await(taking), "300 millis"), Option.none())
        yield* Deferred.succeed(gate, undefined)
        assert.isTrue(yield* Fiber.join(writing))
        assert.deepStrictEqual(yield* Fiber.join(taking), Option.some(first))
        assertFencedOff(yield* Effect.exit(under(former.fence, a!.store.settleOutgoing(first.id, "abandoned"))), former)
      }).pipe(Effect.scoped))

    it.live("while it is being taken: it waits, and then writes nothing", () =>
      Effect.gen(function*() {
        const [a, b] = yield* hostsOf(database, 2)
        const former = yield* a!.leases.take("settler", "a", address(1))
        const [taken, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const taking = yield* Effect.forkChild(b!.database.commit(Effect.gen(function*() {
          const lease = yield* b!.leases.take("settler", "b", address(2))
          yield* Deferred.succeed(taken, undefined)
          yield* Deferred.await(gate)
          return { result: lease, news: [] }
        })))
        yield* Deferred.await(taken)
        const writing = yield* Effect.forkChild(Effect.exit(under(former.fence, a!.store.putOutgoing(first, []))), { startImmediately: true })
        assert.deepStrictEqual(yield* Effect.timeoutOption(Fiber.await(writing), "300 millis"), Option.none())
        yield* Deferred.succeed(gate, undefined)
        assertFencedOff(yield* Fiber.join(writing), former)
        assert.deepStrictEqual(yield* b!.store.allOutgoing, [])
        assert.strictEqual((yield* Fiber.join(taking)).epoch, 2)
      }).pipe(Effect.scoped))

    it.live("is had by one of all who take it at once, and no epoch is given twice", () =>
      Effect.gen(function*() {
        const hosts = yield* hostsOf(database, 4)
        const leases = yield* Effect.forEach([...hosts, ...hosts], ({ leases }, i) => leases.take("settler", `host ${i}`, address(i)), { concurrency: "unbounded" })
        assert.deepStrictEqual(leases.map(({ epoch }) => epoch).sort((x, y) => x - y), [1, 2, 3, 4, 5, 6, 7, 8])
        const holding = yield* Effect.filter(leases, ({ fence }) => Effect.map(Effect.exit(fence.check), Exit.isSuccess))
        assert.deepStrictEqual(holding.map(({ epoch }) => epoch), [8])
        const holder = Option.getOrThrow(yield* hosts[0]!.leases.holder("settler"))
        const port = leases.findIndex(({ epoch }) => epoch === 8)
        assert.deepStrictEqual([holder.host, holder.epoch, holder.address], [`host ${port}`, 8, address(port)])
      }).pipe(Effect.scoped))

    it.live("is told to those who listen, on every host; what is released has nobody, and its epoch does not come again", () =>
      Effect.gen(function*() {
        const [a, b] = yield* hostsOf(database, 2)
        const heard = yield* b!.database.news("roles")
        const names = yield* Effect.forkChild(heard.pipe(Stream.filter((role) => role !== undefined), Stream.take(4), Stream.runCollect))
        const former = yield* a!.leases.take("settler", "a", address(1))
        yield* a!.leases.release(former)
        assert.deepStrictEqual(yield* b!.leases.holder("settler"), Option.none())
        assertFencedOff(yield* Effect.exit(under(former.fence, a!.store.putOutgoing(first, []))), former)
        const present = yield* b!.leases.take("settler", "b", address(2))
        assert.strictEqual(present.epoch, 2)
        yield* a!.leases.release(former)
        assert.strictEqual(Option.getOrThrow(yield* a!.leases.holder("settler")).host, "b", "it was not the former holder's to release")
        assert.deepStrictEqual(yield* Fiber.join(names), ["settler", "settler", "settler", "settler"])
        assert.deepStrictEqual(yield* a!.leases.holder("tree-planner"), Option.none())
      }).pipe(Effect.scoped))
  })
}
