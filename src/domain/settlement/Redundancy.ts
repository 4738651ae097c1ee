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
 *
 * @param parent of that checkpoint
 */
export const redundancyHolder = (registry: Registry, provers: Provers, parent: CheckpointId, submitter: Address): Address => {
  const { continuedAmong, depth } = registry.records.get(parent)!
  const at = (position: number) => proverAt(provers, BigInt(position), continuedAmong).prover
  const first = at(depth + 1)
  const holder = first === submitter ? at(depth + 2) : first
  return holder === submitter ? zeroAddress : holder
}
