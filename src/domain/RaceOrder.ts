/**
 * Who goes first in a race for a state update. L1 takes whichever comes first (ST-5), and whoever comes later has paid for its proofs'
 * bytes all the same. So nodes draw an order among themselves, for each tip anew, and let those before them go first for a moment.
 *
 * It is a norm between nodes, as rendezvous is for proving (OC-3): nothing that L1 knows of, and who does not wait loses nothing by it
 * but the others' patience.
 */
import { concat, keccak256 } from "viem/utils"
import type { Address, BlockHash } from "./Hash.ts"

const draw = (tip: BlockHash, prover: Address) => keccak256(concat([tip, prover]))

/** Nobody waits for more than so many others: most of them are there, and one is enough. */
const mostBefore = 4

/**
 * How many of the registered provers a prover lets go first from a tip: none of them, up to four. One that is not registered lets all
 * of them go first.
 */
export const startsBehind = (prover: Address, tip: BlockHash, registered: ReadonlySet<Address>): number => {
  const own = draw(tip, prover)
  const before = registered.has(prover) ? [...registered].filter((other) => draw(tip, other) < own).length : registered.size
  return Math.min(before, mostBefore)
}
