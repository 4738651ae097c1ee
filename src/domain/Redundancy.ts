/**
 * What a redundant proof is held against (RW-4): the transition that an update made, as L1 committed to it.
 */
import { Schema } from "effect"
import { encodeAbiParameters, keccak256 } from "viem/utils"
import { BlockNumber, Wei } from "./Amount.ts"
import { BlockRef } from "./Block.ts"
import { Address } from "./Hash.ts"
import { Leaf, leavesAbi } from "./Proof.ts"

/** The newly proven blocks of an update, who was paid for them, and what a second proof of each earns. */
export class Transition extends Schema.Class<Transition>("lignum/Transition")({
  /** The tip before the update. */
  from: BlockRef,
  /** The blocks with the provers that were paid, oldest first. */
  leaves: Schema.NonEmptyArray(Leaf),
  /** What a redundant proof of each block earns. */
  shares: Schema.Array(Wei),
  /** The turn-holder, who alone may bring it. */
  holder: Address,
  /** L1 time of the update in seconds. */
  settledAt: Schema.BigIntFromString
}) {
  /** The last block. */
  get to(): BlockRef {
    return new BlockRef({ number: BlockNumber.make(this.from.number + this.leaves.length), hash: this.leaves[this.leaves.length - 1]!.blockHash })
  }
}

/** A transition as somebody states it: L1 finds out whether it is one. */
export interface StatedTransition {
  readonly from: BlockRef
  readonly leaves: ReadonlyArray<Leaf>
  /** In wei. */
  readonly shares: ReadonlyArray<bigint>
  readonly holder: Address
  readonly settledAt: bigint
}

const transitionAbi = [{
  type: "tuple",
  components: [
    { name: "from", type: "bytes32" },
    { name: "fromNumber", type: "uint64" },
    { name: "leaves", ...leavesAbi },
    { name: "shares", type: "uint256[]" },
    { name: "holder", type: "address" },
    { name: "settledAt", type: "uint64" }
  ]
}] as const

/** A transition as the contract takes it. */
export const encodeTransition = ({ from, holder, leaves, settledAt, shares }: StatedTransition) => ({
  from: from.hash,
  fromNumber: BigInt(from.number),
  leaves,
  shares,
  holder,
  settledAt
})

/** The lower 184 bits of keccak256(abi.encode(transition)): what L1 keeps of it, until a redundant proof is paid. */
export const transitionClaim = (transition: StatedTransition): bigint =>
  BigInt(keccak256(encodeAbiParameters(transitionAbi, [encodeTransition(transition)]))) & ((1n << 184n) - 1n)

/** What a redundant proof brings its holder. */
export interface RedundantEarnings {
  /** By block of the transition: its share where the holder proved it and another was paid, else zero. */
  readonly shares: ReadonlyArray<bigint>
  readonly total: bigint
  /** Prover gas of the blocks that it earns: reputation (FM-3). */
  readonly proverGas: bigint
}

/**
 * What a proof of a transition earns, by the provers that its leaves are bound to. Copied leaves earn nothing (RW-4).
 *
 * @param provers one for each block of the transition
 */
export const redundantEarnings = ({ holder, leaves, shares }: StatedTransition, provers: ReadonlyArray<Address>): RedundantEarnings => {
  const earned: ReadonlyArray<bigint> = leaves.map(({ prover }, i) => provers[i] === holder && prover !== holder ? shares[i] ?? 0n : 0n)
  return {
    shares: earned,
    total: earned.reduce((sum, share) => sum + share, 0n),
    proverGas: leaves.reduce((sum, { proverGas }, i) => earned[i] === 0n ? sum : sum + proverGas, 0n)
  }
}
