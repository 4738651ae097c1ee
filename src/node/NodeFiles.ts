/**
 * What is in a node's data folder.
 */
import { Schema } from "effect"
import { Address as SocketAddress } from "../rpc/SecureSocket.ts"

/** The database in a node's data folder. */
export const storeFile = "node.db"

/** Where, in its data folder, a node says at which address its roles can be asked, for as long as it runs. */
export const rpcFile = "rpc.json"

/** Its form. */
export const RpcFile = Schema.fromJsonString(Schema.Struct({ ...SocketAddress.fields, pid: Schema.Int }))
