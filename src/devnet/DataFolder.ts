/**
 * Where a devnet keeps what must survive it.
 */
import { Effect, FileSystem, type Scope } from "effect"
import { resolve } from "node:path"
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
