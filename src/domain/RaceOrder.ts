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

/**
 * How many head starts a prover waits from when it could bring an update from a tip: log2(1 + n) where n registered provers are drawn
 * before it, and all of them where it is not registered itself. So the second waits for one head start and the fourth for two; and of
 * hundreds that are registered, any few that race at all are as far apart as if they were alone.
 */
export const startsBehind = (prover: Address, tip: BlockHash, registered: ReadonlySet<Address>): number => {
  const own = draw(tip, prover)
  const before = registered.has(prover) ? [...registered].filter((other) => draw(tip, other) < own).length : registered.size
  return Math.log2(1 + before)
}
