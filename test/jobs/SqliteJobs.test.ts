import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, FileSystem, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import { Database } from "../../src/store/Database.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import { bytesOf, can, chain, conformance, openJobs, type Place } from "./conformance.ts"

/** One file, open once: processes that share it are parts of one process here. */
const place: Place = Effect.gen(function*() {
  const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
  const outer = yield* Effect.scope
  const open = Effect.gen(function*() {
    const scope = yield* Scope.fork(outer)
    const built = yield* Layer.buildWithScope(SqliteDatabase.layer.pipe(Layer.provide(layerSqlite(join(folder, "node.db")))), scope)
    return { scope, database: Layer.succeed(Database, Context.get(built, Database)) }
  })
  let opened = yield* open
  return {
    open: () => opened.database,
    restart: Effect.gen(function*() {
      yield* Scope.close(opened.scope, Exit.void)
      opened = yield* open
    }).pipe(Effect.orDie)
  }
}).pipe(Effect.provide(NodeServices.layer), Effect.orDie)

conformance("jobs on SQLite", place)

describe("under a clock that stands still", () => {
  it.effect("F6: no timer is needed from a submission to the last outcome", () =>
    Effect.gen(function*() {
      const jobs = yield* openJobs((yield* place).open())
      const host = yield* jobs.host({ name: "a", can })
      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(host.take(2), (leases) => Effect.forEach(leases, (lease) => host.done(lease, bytesOf("output"))))))
      const specs = chain(20)
      yield* jobs.submit(specs)
      for (const { id } of specs) assert.strictEqual((yield* jobs.outcome(id))._tag, "Done")
    }))

  it.effect("hearts beat seldom, and only while something runs", () =>
    Effect.gen(function*() {
      const opened = (yield* place).open()
      const database = Context.get(yield* Layer.build(opened), Database)
      let commits = 0
      const counting = Database.of({ ...database, commit: (work) => Effect.andThen(Effect.sync(() => void commits++), database.commit(work)) })
      const jobs = yield* openJobs(Layer.succeed(Database, counting))
      const host = yield* jobs.host({ name: "a", can })
      yield* TestClock.adjust("1 hour")
      commits = 0
      yield* TestClock.adjust("10 hours")
      assert.strictEqual(commits, 0)
      yield* jobs.submit(chain(1))
      const [lease] = yield* host.take(1)
      commits = 0
      yield* TestClock.adjust("1 hour")
      assert.isAtMost(commits, 2 * 121, "a heartbeat and a look at the others, every 30 seconds")
      assert.isTrue(yield* host.done(lease!, bytesOf("output")))
    }))
})
