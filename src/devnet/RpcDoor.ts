/**
 * The devnet node's door, and where it is.
 */
import { Effect, FileSystem } from "effect"
import { join } from "node:path"
import { FeeController, FeeControllerRpcs } from "../roles/FeeController.ts"
import { openDoor } from "../rpc/HttpDoor.ts"

/** Listens on a port of loopback until the scope closes; 0 picks a free one. What is asked before the node runs, waits for it. */
export const openRpcDoor = (port: number) => openDoor(FeeControllerRpcs, FeeController, port)

/**
 * Says where the door is, once somebody is at home: in the log, and in `rpc.json` in the data folder until the scope closes. After
 * `kill -9` the file stays, and the next start replaces it.
 */
export const announceRpcDoor = Effect.fnUntraced(function*(url: string, folder: string) {
  const fs = yield* FileSystem.FileSystem
  const file = join(folder, "rpc.json")
  const temporary = `${file}.tmp`
  yield* fs.writeFileString(temporary, `${JSON.stringify({ url })}\n`)
  yield* fs.rename(temporary, file)
  yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(file)))
  yield* Effect.logInfo(`the node answers quotes at ${url}`)
})
