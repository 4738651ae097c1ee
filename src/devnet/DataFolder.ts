/**
 * Where a devnet keeps what must survive it.
 */
import { Effect, FileSystem, type Scope } from "effect"
import { join, resolve } from "node:path"
import { DataFolderUnusable } from "./DevnetConfig.ts"

/** The folder's path: the given one, made if need be, or a temporary one that goes with the scope. */
export const openDataFolder = Effect.fnUntraced(function*(
  data: string | undefined
): Effect.fn.Return<string, DataFolderUnusable, FileSystem.FileSystem | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const path = data === undefined ? "the system's temporary folder" : resolve(data)
  const unusable = (reason: string) => () => new DataFolderUnusable({ path, reason })
  if (data === undefined) {
    return yield* Effect.mapError(fs.makeTempDirectoryScoped({ prefix: "lignum-" }), unusable("no folder can be made there"))
  }
  yield* Effect.mapError(fs.makeDirectory(path, { recursive: true }), unusable("it is no folder and none can be made"))
  yield* Effect.mapError(fs.access(path, { readable: true, writable: true }), unusable("it cannot be read and written"))
  return path
})

/** A scenario needs a rollup with its own parameters from the start: a folder that has one is refused. */
export const requireFresh = Effect.fnUntraced(function*(
  data: string | undefined,
  scenario: string
): Effect.fn.Return<void, DataFolderUnusable, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  if (data === undefined || !(yield* Effect.orElseSucceed(fs.exists(join(data, "ledger.db")), () => false))) return
  return yield* new DataFolderUnusable({ path: resolve(data), reason: `it has a devnet already, and the scenario ${scenario} starts its own` })
})
