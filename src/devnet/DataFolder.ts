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

/**
 * What an operator did on one host is in its own store, and on several in their database. Neither is carried over into the other: a
 * folder of the other kind is refused.
 */
export const requireHosts = Effect.fnUntraced(function*(
  folder: string,
  { lone, shared }: { readonly lone: string; readonly shared: string },
  hosts: number
): Effect.fn.Return<void, DataFolderUnusable, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const other = hosts === 1 ? shared : lone
  if (!(yield* Effect.orElseSucceed(fs.exists(other), () => false))) return
  return yield* new DataFolderUnusable({
    path: folder,
    reason: hosts === 1 ? "its first operator runs on several hosts: say how many with --hosts" : "its first operator runs on one host: leave --hosts out"
  })
})
