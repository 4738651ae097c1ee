/**
 * Blocks to prove, made at once: every slot holds a transfer, so that no block is easier than another.
 */
import { DevnetLedgerConfig } from "../src/ledger/DevnetLedgerConfig.ts"
import { type SampleChain, sampleBlocks } from "../src/ledger/SampleBlocks.ts"

export type Chain = SampleChain

/** A chain of full blocks after a devnet's genesis; the same for the same seed. */
export const fullBlocks = (seed: string, count: number): Chain => {
  const config = new DevnetLedgerConfig({ seed })
  return sampleBlocks(config, Array.from({ length: count }, () => config.slots))
}
