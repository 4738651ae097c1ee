import { NodeServices } from "@effect/platform-node"
import { Context, Effect, Exit, FileSystem, Layer, Scope } from "effect"
import { join } from "node:path"
import { Database } from "../../src/store/Database.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import { conformance, type Place } from "./conformance.ts"

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
