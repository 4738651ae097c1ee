/**
 * Transactions of the model's L1: what is called, by whom, at which fees, as bytes that say all of it.
 *
 * There is no signature: `raw` is the transaction's JSON, and whoever has the bytes can send them, as with signed ones. So a node
 * that crashed goes on from what its store kept.
 */
import { Schema } from "effect"
import { hexToString, keccak256, stringToHex } from "viem/utils"
import { Wei } from "../domain/Amount.ts"
import { Checkpoint, QuorumCertificate } from "../domain/Checkpoint.ts"
import { Address, BlockHash, HexBytes, TransactionHash } from "../domain/Hash.ts"
import { ProofSystemId, Statement } from "../domain/Proof.ts"
import { Transition } from "../domain/Redundancy.ts"

const Update = Schema.Struct({
  statement: Statement,
  system: ProofSystemId,
  mergers: Schema.Array(Address),
  checkpoints: Schema.Array(Checkpoint),
  ancestry: Schema.Array(BlockHash),
  proof: HexBytes
})

const RedundantProof = Schema.Struct({
  transition: Transition,
  system: ProofSystemId,
  provers: Schema.Array(Address),
  mergers: Schema.Array(Address),
  proof: HexBytes
})

/** What can be called: all that a node calls, and what consensus, operators and users do beside. */
export const ModelCall = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("update"), update: Update }),
  Schema.Struct({ kind: Schema.Literal("redundant"), redundant: RedundantProof }),
  Schema.Struct({ kind: Schema.Literal("revert"), fallback: Checkpoint, oldest: Checkpoint }),
  Schema.Struct({ kind: Schema.Literal("claim"), account: Address }),
  Schema.Struct({ kind: Schema.Literal("flag") }),
  /** A checkpoint with its certificate (CP-1, CP-2). */
  Schema.Struct({ kind: Schema.Literal("checkpoint"), checkpoint: Checkpoint, certificate: QuorumCertificate }),
  /** Joins the order of turns, for the bond (ST-6). */
  Schema.Struct({ kind: Schema.Literal("join") }),
  Schema.Struct({ kind: Schema.Literal("leave") }),
  /** Pays for future pots (RW-1). */
  Schema.Struct({ kind: Schema.Literal("fund"), amount: Wei }),
  /** Pays for bonuses and bounties (RW-6, ST-6). */
  Schema.Struct({ kind: Schema.Literal("endow"), amount: Wei }),
  /** Moves redundancy shares whose time is over to the protocol reserve (RW-4). */
  Schema.Struct({ kind: Schema.Literal("lapse") }),
  /** Nothing: it uses its nonce. */
  Schema.Struct({ kind: Schema.Literal("nothing") })
])
export type ModelCall = typeof ModelCall.Type

export class ModelTransaction extends Schema.Class<ModelTransaction>("lignum/simulation/ModelTransaction")({
  sender: Address,
  nonce: Schema.Int,
  /** The most that it may use. */
  gas: Schema.BigIntFromString,
  /** Wei per gas, as in EIP-1559. */
  maxFeePerGas: Schema.BigIntFromString,
  maxPriorityFeePerGas: Schema.BigIntFromString,
  call: ModelCall
}) {}

const Raw = Schema.fromJsonString(Schema.toCodecJson(ModelTransaction))
const decodeRaw = Schema.decodeUnknownSync(Raw)
const encodeRaw = Schema.encodeSync(Raw)

/** A transaction as bytes. */
export const rawOf = (transaction: ModelTransaction): HexBytes => HexBytes.make(stringToHex(encodeRaw(transaction)))

/** The name that L1 gives to bytes. */
export const hashOf = (raw: HexBytes): TransactionHash => TransactionHash.make(keccak256(raw))

/** Bytes as a transaction; throws on any other bytes, which no node of the model sends. */
export const transactionOf = (raw: HexBytes): ModelTransaction => decodeRaw(hexToString(raw))

/** Gas that each call uses, about as measured with the contracts (see `bench/`). */
export const modelGas = (call: ModelCall): bigint => {
  switch (call.kind) {
    case "update":
      return 250_000n + 70_000n * BigInt(call.update.statement.leaves.length)
    case "redundant":
      return 200_000n + 40_000n * BigInt(call.redundant.provers.length)
    case "checkpoint":
      return 200_000n
    case "revert":
      return 120_000n
    case "join":
    case "leave":
      return 100_000n
    case "claim":
    case "flag":
    case "fund":
    case "endow":
    case "lapse":
      return 60_000n
    case "nothing":
      return 21_000n
  }
}
