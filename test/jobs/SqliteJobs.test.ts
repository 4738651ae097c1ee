import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Layer } from "effect"
import { join } from "node:path"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import { conformance } from "./conformance.ts"

conformance("jobs on SQLite", Effect.gen(function*() {
  const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
  return { open: () => SqliteDatabase.layer.pipe(Layer.provide(layerSqlite(join(folder, "node.db")))) }
}).pipe(Effect.provide(NodeServices.layer), Effect.orDie))
