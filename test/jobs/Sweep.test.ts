/** Who takes silent hosts for dead, and when not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Ref } from "effect"
import { TestClock } from "effect/testing"
import { hostViews, register, sweep } from "../../src/jobs/Sessions.ts"
import * as SqlJobs from "../../src/jobs/SqlJobs.ts"
import { Database } from "../../src/store/Database.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import { can, outputCheck } from "./conformance.ts"

const world = Layer.provideMerge(SqlJobs.layer, Layer.merge(SqliteDatabase.layer.pipe(Layer.provide(layerSqlite(":memory:"))), outputCheck))

describe("ND-3: silence of hosts", () => {
  it.effect("a look that took so long that its own permission ran out takes nobody for dead; the next one does", () =>
    Effect.gen(function*() {
      const database = yield* Database
      yield* register(database, { can, draining: false, expiry: 1_000, name: "a", session: "s" })
      yield* TestClock.adjust("2 seconds")
      const names = Effect.map(hostViews(database), (views) => views.map(({ view }) => view.name))
      const answers = yield* Ref.make([true, false])
      const once = Ref.modify(answers, ([first, ...rest]) => [Option.getOrThrow(Option.fromNullishOr(first)), rest])
      yield* sweep(database, once)
      assert.deepStrictEqual(yield* names, ["a"])
      assert.deepStrictEqual(yield* Ref.get(answers), [])
      yield* sweep(database, Effect.succeed(false))
      assert.deepStrictEqual(yield* names, ["a"])
      yield* sweep(database, Effect.succeed(true))
      assert.deepStrictEqual(yield* names, [])
    }).pipe(Effect.provide(world)))
})
