/**
 * What a devnet can be told. Everything has a default that fits two cores.
 */
import { Duration, Schema } from "effect"
import type { FlagPolicy } from "../domain/FlagPolicy.ts"
import type { SettlementGas } from "../domain/Quote.ts"
import { defaultShares } from "../domain/Rewards.ts"
import { DevnetLedgerConfig } from "../ledger/DevnetLedgerConfig.ts"
import { devnetKeysDirectory } from "../proofs/CircuitKeys.ts"

export interface DevnetConfig {
  /** Folder of everything that must survive; none makes a temporary one that goes with the run. */
  readonly data: string | undefined
  readonly ledger: DevnetLedgerConfig
  /** Proofs at once. */
  readonly workers: number
  /** Blocks that an update covers, or a multiple of it. */
  readonly blocksPerUpdate: number
  /** A rest too small for an update is settled after so long. */
  readonly patience: Duration.Duration
  /** Port of the L1 chain on loopback; 0 picks a free one. */
  readonly l1Port: number
  /** Port of the node's RPC on loopback; 0 picks a free one, none opens none. */
  readonly rpcPort: number | undefined
  /** What proving costs the node's operator, in wei per prover gas; below it the node flags on L1 (FM-3). None: it never does. */
  readonly provingCost: bigint | undefined
  /** Folder of the proving keys. */
  readonly keys: string
  /** A program with rapidsnark's command line that takes the proving step. */
  readonly proverCommand: string | undefined
}

/** Chain id of the devnet's L1: anvil's own. */
export const l1ChainId = 31_337

/**
 * How long a checkpoint may wait before the price rises (FM-2): twice what a healthy node takes, which waits for the blocks of an
 * update and for the checkpoint that continues them. A minute by default, where the protocol's default is 30.
 */
export const targetLagOf = ({ blocksPerUpdate, ledger }: DevnetConfig): Duration.Duration =>
  Duration.times(ledger.blockTime, 2 * (blocksPerUpdate + ledger.checkpointInterval))

/** When the node flags (FM-3): once its leaf share, which has the merge share in it with Groth16, has been below the cost for a target lag. */
export const flaggingOf = (config: DevnetConfig, costPerGas: bigint): FlagPolicy => ({
  costPerGas,
  minMargin: 0n,
  leafShare: defaultShares.leaf + defaultShares.merge,
  flagAfter: BigInt(Math.ceil(Duration.toSeconds(targetLagOf(config))))
})

/** L1 gas of settling this devnet's blocks (FM-5), as whole transactions of four validators and eight blocks were measured. */
export const settlementGasOf = ({ blocksPerUpdate, ledger }: DevnetConfig): SettlementGas => ({
  update: 340_000n,
  block: 57_000n,
  checkpoint: 196_000n,
  blocksPerUpdate,
  blocksPerCheckpoint: ledger.checkpointInterval
})

/** The most blocks that one update of the devnet covers. */
export const maxBlocksPerUpdate = 16

export const defaultDevnet: DevnetConfig = {
  data: undefined,
  ledger: new DevnetLedgerConfig({}),
  workers: 2,
  blocksPerUpdate: 3,
  patience: Duration.minutes(2),
  l1Port: 0,
  rpcPort: undefined,
  provingCost: undefined,
  keys: devnetKeysDirectory,
  proverCommand: undefined
}

/** The devnet's data folder cannot be used. Nothing in it was changed. */
export class DataFolderUnusable extends Schema.TaggedError<DataFolderUnusable>()("DataFolderUnusable", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `cannot use the data folder ${this.path}: ${this.reason}; check that this user may read and write it, or choose another with --data`
  }
}
