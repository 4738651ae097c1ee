/**
 * The devnet node's door, and where it is.
 */
import { Effect } from "effect"
import { join } from "node:path"
import { FeeController, FeeControllerRpcs } from "../roles/FeeController.ts"
import { announceIn } from "../rpc/Announcement.ts"
import { openDoor } from "../rpc/HttpDoor.ts"

/** Listens on a port of loopback until the scope closes; 0 picks a free one. What is asked before the node runs, waits for it. */
export const openRpcDoor = (port: number) => openDoor(FeeControllerRpcs, FeeController, port)

/** Says where the door is, once somebody is at home: in the log, and in `rpc.json` in the data folder until the scope closes. */
export const announceRpcDoor = Effect.fnUntraced(function*(url: string, folder: string) {
  yield* announceIn(join(folder, "rpc.json"), `${JSON.stringify({ url })}\n`)
  yield* Effect.logInfo(`the node answers quotes at ${url}`)
})
