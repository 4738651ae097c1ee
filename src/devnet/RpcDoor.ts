/**
 * The devnet node's door, and where it is.
 */
import { Effect, FileSystem } from "effect"
import { join } from "node:path"
import { FeeController, FeeControllerRpcs } from "../roles/FeeController.ts"
import { openDoor } from "../rpc/HttpDoor.ts"

/**
 * Answers quotes on a port of loopback until the scope closes. The address stands in `rpc.json` in the data folder meanwhile; after
 * `kill -9` the file stays, and the next start replaces it.
 */
export const openRpcDoor = Effect.fnUntraced(function*(port: number, folder: string) {
  const fs = yield* FileSystem.FileSystem
  const file = join(folder, "rpc.json")
  const url = yield* openDoor(FeeControllerRpcs, FeeController, port)
  const temporary = `${file}.tmp`
  yield* fs.writeFileString(temporary, `${JSON.stringify({ url })}\n`)
  yield* fs.rename(temporary, file)
  yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(file)))
  yield* Effect.logInfo(`the node answers quotes at ${url}`)
})
