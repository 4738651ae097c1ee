/**
 * Statements about ranges of blocks, and proofs of them.
 */
import { Option, Schema } from "effect"
import { encodeAbiParameters, keccak256, stringToHex } from "viem/utils"
import { BlockNumber, ProverGas, sumWei, Wei } from "./Amount.ts"
import { BlockRef } from "./Block.ts"
import { Address, BlockHash, HexBytes, ProofId } from "./Hash.ts"

/** One block of a statement and who proved it: the prover's address is among the block proof's public inputs, so it cannot be stolen. */
export class Leaf extends Schema.Class<Leaf>("lignum/Leaf")({
  blockHash: BlockHash,
  prover: Address,
  proverFees: Wei,
  proverGas: ProverGas
}) {}

/** Leaves as contracts take them. */
export const leavesAbi = {
  type: "tuple[]",
  components: [
    { name: "blockHash", type: "bytes32" },
    { name: "prover", type: "address" },
    { name: "proverFees", type: "uint96" },
    { name: "proverGas", type: "uint64" }
  ]
} as const

/** "The chain of blocks after `from` is valid and these provers proved its blocks." Never empty. */
export class Statement extends Schema.Class<Statement>("lignum/Statement")({
  /** The block before the first leaf. */
  from: BlockRef,
  leaves: Schema.NonEmptyArray(Leaf)
}) {
  /** The last block of the range. */
  get to(): BlockRef {
    return new BlockRef({
      number: BlockNumber.make(this.from.number + this.leaves.length),
      hash: this.leaves[this.leaves.length - 1]!.blockHash
    })
  }

  /** Prover fees of all leaves: the pots that L1 splits (RW-1). */
  get proverFees(): Wei {
    return sumWei(this.leaves.map((leaf) => leaf.proverFees))
  }

  /** Prover gas of all leaves: the weight that the heaviest tree compares (OC-2). */
  get proverGas(): ProverGas {
    return ProverGas.make(this.leaves.reduce((sum, leaf) => sum + leaf.proverGas, 0n))
  }
}

/** Identifies a proof system on the wire and on L1 (ST-3, ST-7). */
export const ProofSystemId = Schema.Literals(["groth16"])
export type ProofSystemId = typeof ProofSystemId.Type

/** A proof of a statement, addressed by its content: job identity is the statement, never a lease (OC-5). */
export class Proof extends Schema.Class<Proof>("lignum/Proof")({
  statement: Statement,
  system: ProofSystemId,
  /** The system's own encoding; for Groth16 one 256-byte proof per leaf, in order. */
  bytes: HexBytes
}) {
  /** keccak256 over (statement, system, bytes). */
  get id(): ProofId {
    const { from, leaves } = this.statement
    return ProofId.make(keccak256(encodeAbiParameters(
      [{ type: "uint64" }, { type: "bytes32" }, leavesAbi, { type: "bytes32" }, { type: "bytes" }],
      [BigInt(from.number), from.hash, leaves, keccak256(stringToHex(this.system)), this.bytes]
    )))
  }
}

/** A proof that `end` is an ancestor of a checkpoint's block (ST-2), through one or more links of the header chain. */
export class AncestryProof extends Schema.Class<AncestryProof>("lignum/AncestryProof")({
  system: ProofSystemId,
  end: BlockHash,
  /** Block hashes at which one link ends and the next begins. */
  via: Schema.Array(BlockHash),
  checkpointBlock: BlockHash,
  /** One 256-byte proof per link, in order. */
  bytes: HexBytes
}) {}

/** The statement of two neighbouring ones; none when the second does not start where the first ends. */
export const concatStatements = (left: Statement, right: Statement): Option.Option<Statement> =>
  left.to.number === right.from.number && left.to.hash === right.from.hash
    ? Option.some(new Statement({ from: left.from, leaves: [...left.leaves, ...right.leaves] }))
    : Option.none()
