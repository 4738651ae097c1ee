/**
 * What a devnet can be told. Everything has a default that fits two cores.
 */
import { Duration, type Redacted, Schema } from "effect"
import { ProverPrice, Wei } from "../domain/Amount.ts"
import type { Header } from "../domain/Block.ts"
import { defaultParameters, ProtocolParameters, scaleTime } from "../domain/ProtocolParameters.ts"
import type { SettlementGas } from "../domain/Quote.ts"
import { DevnetLedgerConfig } from "../ledger/DevnetLedgerConfig.ts"
import { devnetKeysDirectory } from "../proofs/CircuitManifest.ts"

/** What the operator of a prover node decides. */
export interface OperatorPolicy {
  /** When it brings updates to L1: whenever it can, or in its own turns only, after the race (ST-5, ST-6). */
  readonly settling: "race" | "turns"
  /** Whether it brings a redundant proof where it holds the turn for one (RW-4). */
  readonly redundancy: boolean
  /** Whether it exchanges proofs with the others that do; else it proves every block itself. */
  readonly exchangesProofs: boolean
  /** Wei per prover gas that proving must bring; what brings less is passed over (OC-3). */
  readonly reservationPrice: ProverPrice
  /** What proving costs it, in wei per prover gas: where prices leave less, it flags on L1 (FM-3). None: it never does. */
  readonly provingCost: bigint | undefined
  /** How long prices must have left too little before it flags. */
  readonly flagAfter: Duration.Duration
}

export interface DevnetConfig {
  /** Folder of everything that must survive; none makes a temporary one that goes with the run. */
  readonly data: string | undefined
  readonly ledger: DevnetLedgerConfig
  /** The prover operators: each is a whole node in a process of its own, with an L1 account and a store. */
  readonly operators: ReadonlyArray<OperatorPolicy>
  /** Hosts of the first operator: one is a lone node, more share a Postgres. */
  readonly hosts: number
  /** The database that these hosts share; none runs one in the data folder. */
  readonly postgres: Redacted.Redacted<string> | undefined
  /** Proofs at once of each host; none shares the machine's cores out, at least one to each. */
  readonly workers: number | undefined
  /** Blocks that an update covers, or a multiple of it. */
  readonly blocksPerUpdate: number
  /** A rest too small for an update is settled after so long. */
  readonly patience: Duration.Duration
  /** What the contracts are deployed with. */
  readonly parameters: ProtocolParameters
  /** What the rollup pays into the protocol reserve when it starts: bounties and bonuses come from there (ST-6, RW-6). */
  readonly endowment: Wei
  /** Port of the L1 chain on loopback; 0 picks a free one. */
  readonly l1Port: number
  /** Port of the first operator's RPC on loopback; 0 picks a free one, none opens none. */
  readonly rpcPort: number | undefined
  /** Folder of the proving keys. */
  readonly keys: string
  /** A program with rapidsnark's command line that takes the proving step. */
  readonly proverCommand: string | undefined
  /** What consensus makes of a block's header before it is hashed; scenarios make blocks with it that nobody can prove. */
  readonly tamper?: (header: Header) => Header
}

/** Chain id of the devnet's L1: anvil's own. */
export const l1ChainId = 31_337

/** Operators of one devnet at most: anvil has ten accounts with money, and two of them are the rollup's. */
export const maxOperators = 8

/** Hosts of one operator at most. */
export const maxHosts = 16

/** How much faster the devnet's protocol clock runs: five idle hours are 30 seconds. */
const timeScale = 600

/** How fast blocks are made and settled. */
export interface Pace {
  readonly blocksPerUpdate: number
  readonly ledger: Pick<DevnetLedgerConfig, "blockTime" | "checkpointInterval">
}

/** Twice what a healthy node takes for an update, in seconds: it waits for its blocks and for the checkpoint that continues them. */
export const healthyLag = ({ blocksPerUpdate, ledger }: Pace): number =>
  Math.ceil(Duration.toSeconds(Duration.times(ledger.blockTime, 2 * (blocksPerUpdate + ledger.checkpointInterval))))

/**
 * The protocol's parameters on the devnet's clock. Blocks keep their own pace, so that what a healthy node takes may exceed a scaled
 * duration: neither a bonus nor a turn comes before that. A machine may be stopped and started, or too slow for its blocks, for longer
 * than a scaled day: the proof deadline is ten times as long as the race at least.
 */
export const devnetParameters = (pace: Pace): ProtocolParameters => {
  const scaled = scaleTime(defaultParameters, timeScale)
  const lag = healthyLag(pace)
  const targetLag = Math.max(scaled.targetLag, lag)
  const idleFallback = Math.max(scaled.idleFallback, 2 * lag)
  return new ProtocolParameters({
    ...scaled,
    targetLag,
    idleFallback,
    proofDeadline: Math.max(scaled.proofDeadline, 10 * idleFallback, targetLag + scaled.bonusRamp)
  })
}

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

/** An operator that takes part in everything, for any pay. */
export const defaultPolicy: OperatorPolicy = {
  settling: "race",
  redundancy: true,
  exchangesProofs: true,
  reservationPrice: ProverPrice.make(0n),
  provingCost: undefined,
  flagAfter: Duration.minutes(1)
}

const defaultPace = { blocksPerUpdate: 3, ledger: new DevnetLedgerConfig({}) }

export const defaultDevnet: DevnetConfig = {
  ...defaultPace,
  data: undefined,
  operators: [defaultPolicy, defaultPolicy, defaultPolicy],
  hosts: 1,
  postgres: undefined,
  workers: undefined,
  patience: Duration.minutes(2),
  parameters: devnetParameters(defaultPace),
  endowment: Wei.make(10n ** 18n),
  l1Port: 0,
  rpcPort: undefined,
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
