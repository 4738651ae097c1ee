/**
 * Several writers of one store at once, and one that dies: there is one transaction on its way, and one for each deed (ND-3).
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { spawn } from "node:child_process"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { Store } from "../../src/store/Store.ts"
import { connectionsTo } from "./connections.ts"
import { databases, type TestDatabase } from "./databases.ts"
import { credit, expectedOf, first, outgoing, second, variant } from "./outgoing.ts"

/** The stores of so many hosts; all make the tables at once. */
const storesOf = ({ hosts }: TestDatabase, count: number) =>
  Effect.flatMap(hosts(count), (all) =>
    Effect.forEach(all, (host) => Effect.map(Layer.build(Layer.fresh(SqlStore.layer).pipe(Layer.provide(Layer.succeedContext(host)))), (built) => Context.get(built, Store)), {
      concurrency: "unbounded"
    }))

/** What several answer who do something at the same time. */
const atOnce = <A, B>(all: ReadonlyArray<A>, each: (one: A, index: number) => Effect.Effect<B>) => Effect.forEach(all, each, { concurrency: "unbounded" })

const rounds = Array.from({ length: 10 }, (_, i) => i)

/** Puts a transaction on record in a process of its own, and is killed before that sends it. */
const putAndDie = (database: string) =>
  Effect.callback<string>((resume) => {
    const child = spawn(process.execPath, ["--no-warnings", new URL("putAndWait.ts", import.meta.url).pathname, database], { stdio: ["ignore", "pipe", "inherit"] })
    let said = ""
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes("\n")) child.kill("SIGKILL")
    })
    child.once("exit", () => resume(Effect.succeed(said.trim())))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

for (const database of databases()) {
  describe(`ND-3: several writers (${database.name})`, () => {
    it.live("of different deeds at once, one is taken", () =>
      Effect.gen(function*() {
        const stores = yield* storesOf(database, 4)
        for (const round of rounds) {
          const offers = stores.map((_, i) => outgoing("update", `${round}..${i}`, round))
          const taken = yield* atOnce(stores, (store, i) => store.putOutgoing(offers[i]!, [credit]))
          assert.deepStrictEqual(taken.filter((each) => each), [true])
          const standing = Option.getOrThrow(yield* stores[0]!.inFlight)
          assert.strictEqual(standing.id, offers[taken.indexOf(true)]!.id)
          yield* stores[1]!.settleOutgoing(standing.id, "confirmed")
        }
        assert.strictEqual((yield* stores[2]!.allOutgoing).length, rounds.length)
        assert.strictEqual((yield* stores[2]!.expectedCredits).length, rounds.length, "of those that were not taken, nothing is kept")
      }).pipe(Effect.scoped))

    it.live("of one deed, given up and taken up again at once by the same bytes and by others: it is done once", () =>
      Effect.gen(function*() {
        const stores = yield* storesOf(database, 4)
        for (const round of rounds) {
          const offers = stores.map((_, i) => outgoing("claim", `deed ${round}`, i % 2))
          yield* Effect.forEach(offers, (offer) => Effect.andThen(stores[0]!.putOutgoing(offer, []), stores[0]!.settleOutgoing(offer.id, "abandoned")))
          yield* atOnce(stores, (store, i) => store.putOutgoing(offers[i]!, []))
          const kept = (yield* stores[0]!.allOutgoing).filter(({ key }) => key === `deed ${round}`)
          assert.strictEqual(kept.length, 1)
          yield* stores[0]!.settleOutgoing(kept[0]!.id, "confirmed")
          assert.deepStrictEqual(yield* atOnce(stores, (store, i) => store.putOutgoing(offers[i]!, [])), [false, false, false, false])
        }
      }).pipe(Effect.scoped))

    it.live("of replacements at once: all are kept, each once, in one order for everybody", () =>
      Effect.gen(function*() {
        const stores = yield* storesOf(database, 4)
        yield* stores[0]!.putOutgoing(first, [])
        yield* atOnce([...stores, ...stores], (store, i) => store.putVariant(first.id, variant(i % 6)))
        const orders = yield* Effect.forEach(stores, (store) => Effect.map(store.inFlight, (kept) => Option.getOrThrow(kept).variants.map(({ hash }) => hash)))
        assert.strictEqual(new Set(orders[0]).size, 7)
        assert.strictEqual(orders[0]!.length, 7)
        assert.strictEqual(orders[0]![0], first.id)
        for (const order of orders) assert.deepStrictEqual(order, orders[0])
      }).pipe(Effect.scoped))
  })

  describe(`ND-1, ND-3: kill -9 between storing and sending (${database.name})`, () => {
    it.live("what was stored is what is on its way, with its credits, and nothing else can be", () =>
      Effect.gen(function*() {
        const name = yield* database.fresh
        assert.strictEqual(yield* putAndDie(name), first.id)
        yield* Effect.provide(
          Effect.gen(function*() {
            const store = yield* Store
            assert.deepStrictEqual(yield* store.inFlight, Option.some(first))
            assert.deepStrictEqual(yield* store.expectedCredits, [expectedOf(first.id)])
            assert.isFalse(yield* store.putOutgoing(second, []))
          }),
          SqlStore.layer.pipe(Layer.provide(connectionsTo(name)))
        )
      }).pipe(Effect.scoped), 60_000)
  })
}
