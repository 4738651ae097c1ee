/**
 * Who may prove an update again, and what it brings (RW-4).
 */
import { type Address, type CheckpointId, zeroAddress } from "../Hash.ts"
import type { StatedTransition } from "../Redundancy.ts"
import { proverAt, type Provers } from "./Provers.ts"
import type { Registry } from "./Registry.ts"

/** A turn-holder's proof of an earlier transition. */
export interface Redundancy {
  readonly transition: StatedTransition
  readonly system: number
  /** The leaf provers of this proof, one for each block. */
  readonly provers: ReadonlyArray<Address>
  readonly mergers: ReadonlyArray<Address>
}

/**
 * Who may prove an update again: the first checkpoint that continues it draws one of the provers of its registration, and the next in
 * order stands in for whoever submitted the update; the zero address where that is nobody else.
 */
export const redundancyHolder = (registry: Registry, provers: Provers, checkpoint: CheckpointId, submitter: Address): Address => {
  const { depth, provers: among } = registry.records.get(checkpoint)!
  const first = proverAt(provers, BigInt(depth), among)
  const holder = first === submitter ? proverAt(provers, BigInt(depth) + 1n, among) : first
  return holder === submitter ? zeroAddress : holder
}
