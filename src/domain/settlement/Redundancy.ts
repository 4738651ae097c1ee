/**
 * A second proof of what was proven before, and who may bring it (RW-4).
 */
import { encodeAbiParameters, keccak256 } from "viem"
import type { BlockNumber } from "../Amount.ts"
import { type Address, type BlockHash, type CheckpointId, zeroAddress } from "../Hash.ts"
import type { Leaf } from "../Proof.ts"
import { proverAt, type Provers } from "./Provers.ts"
import type { Registry } from "./Registry.ts"

/** What an update did, as a redundant proof is held against it. */
export interface Transition {
  /** The tip before the update. */
  readonly from: BlockHash
  readonly fromNumber: BlockNumber
  /** The newly proven blocks with the provers that were paid. */
  readonly leaves: ReadonlyArray<Leaf>
  /** What proving each block again earns, in wei. */
  readonly shares: ReadonlyArray<bigint>
  /** Who may; the zero address for nobody. */
  readonly holder: Address
  /** L1 time of the update in seconds. */
  readonly settledAt: bigint
}

/** A turn-holder's proof of an earlier transition. */
export interface Redundancy {
  readonly transition: Transition
  readonly system: number
  /** The leaf provers of this proof, one for each block. */
  readonly provers: ReadonlyArray<Address>
  readonly mergers: ReadonlyArray<Address>
}

const transitionAbi = [{
  type: "tuple",
  components: [
    { name: "from", type: "bytes32" },
    { name: "fromNumber", type: "uint64" },
    {
      name: "leaves",
      type: "tuple[]",
      components: [
        { name: "blockHash", type: "bytes32" },
        { name: "prover", type: "address" },
        { name: "proverFees", type: "uint96" },
        { name: "proverGas", type: "uint64" }
      ]
    },
    { name: "shares", type: "uint256[]" },
    { name: "holder", type: "address" },
    { name: "settledAt", type: "uint64" }
  ]
}] as const

/** What L1 keeps of a transition: the lower 184 bits of keccak256(abi.encode(transition)). */
export const claimOf = ({ fromNumber, ...transition }: Transition): bigint =>
  BigInt.asUintN(184, BigInt(keccak256(encodeAbiParameters(transitionAbi, [{ ...transition, fromNumber: BigInt(fromNumber) }]))))

/**
 * Who may prove an update again: the checkpoint that continues it draws one of the provers of its registration, and the next in
 * order stands in for whoever submitted the update; the zero address where that is nobody else.
 */
export const redundancyHolder = (registry: Registry, provers: Provers, checkpoint: CheckpointId, submitter: Address): Address => {
  const { depth, provers: among } = registry.records.get(checkpoint)!
  const first = proverAt(provers, BigInt(depth), among)
  const holder = first === submitter ? proverAt(provers, BigInt(depth) + 1n, among) : first
  return holder === submitter ? zeroAddress : holder
}
