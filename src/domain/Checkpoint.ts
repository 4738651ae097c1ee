/**
 * L1 checkpoints: what consensus, the black box, outputs to the registry (CP-1, CP-2).
 */
import { Schema } from "effect"
import { encodeAbiParameters, keccak256, stringToHex } from "viem/utils"
import { BlockNumber } from "./Amount.ts"
import { BlockRef } from "./Block.ts"
import { type Address, BlockHash, type Bytes32, CheckpointId, HexBytes, StateRoot } from "./Hash.ts"

/** A block's hash and state commitment, chained to the checkpoint before. */
export class Checkpoint extends Schema.Class<Checkpoint>("lignum/Checkpoint")({
  parent: CheckpointId,
  number: BlockNumber,
  blockHash: BlockHash,
  stateRoot: StateRoot
}) {
  /** The registry's key: keccak256(abi.encode(parent, number, blockHash, stateRoot)). */
  get id(): CheckpointId {
    return CheckpointId.make(keccak256(encodeAbiParameters(
      [{ type: "bytes32" }, { type: "uint64" }, { type: "bytes32" }, { type: "bytes32" }],
      [this.parent, BigInt(this.number), this.blockHash, this.stateRoot]
    )))
  }

  get block(): BlockRef {
    return new BlockRef({ number: this.number, hash: this.blockHash })
  }
}

/** A BLS aggregate over a checkpoint's digest and who signed. */
export class QuorumCertificate extends Schema.Class<QuorumCertificate>("lignum/QuorumCertificate")({
  /** G1 point in EIP-2537 encoding, 128 bytes. */
  signature: HexBytes,
  /** Bit i stands for validator i of the set in force. */
  signers: Schema.BigIntFromString
}) {}

/** A checkpoint as consensus hands it to L1. */
export class CertifiedCheckpoint extends Schema.Class<CertifiedCheckpoint>("lignum/CertifiedCheckpoint")({
  checkpoint: Checkpoint,
  certificate: QuorumCertificate
}) {}

/** Where a certificate is valid: its digest is separated by chain, registry and validator set (CP-2). */
export interface CertificateDomain {
  readonly chainId: bigint
  readonly registry: Address
  /** Epoch of the validator set; a hand-over (CP-3) moves it on by one. */
  readonly epoch: bigint
}

const checkpointTag = keccak256(stringToHex("lignum.checkpoint.v1"))

/** The 32 bytes that validators sign for a checkpoint (CP-2). */
export const checkpointDigest = (domain: CertificateDomain, id: CheckpointId): Bytes32 =>
  keccak256(encodeAbiParameters(
    [{ type: "bytes32" }, { type: "uint256" }, { type: "address" }, { type: "uint64" }, { type: "bytes32" }],
    [checkpointTag, domain.chainId, domain.registry, domain.epoch, id]
  ))

/** The checkpoint of the genesis block, the root of every registry. */
export const genesisCheckpoint = (block: BlockRef, stateRoot: StateRoot): Checkpoint =>
  new Checkpoint({
    parent: CheckpointId.make(`0x${"0".repeat(64)}`),
    number: block.number,
    blockHash: block.hash,
    stateRoot
  })
