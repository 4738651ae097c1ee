/**
 * Files that say where something can be reached, for as long as it can be.
 */
import { Effect, FileSystem, type PlatformError, type Scope } from "effect"

/** Writes a file, whole or not at all, and removes it when the scope closes. After `kill -9` it stays, and the next start replaces it. */
export const announceIn = Effect.fnUntraced(function*(
  file: string,
  text: string
): Effect.fn.Return<void, PlatformError.PlatformError, FileSystem.FileSystem | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const temporary = `${file}.tmp`
  yield* fs.writeFileString(temporary, text)
  yield* fs.rename(temporary, file)
  yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(file)))
})
