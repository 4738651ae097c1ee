/**
 * Parameters of the devnet ledger, and what follows from them alone: rules, keys, genesis.
 */
import { Duration, Schema } from "effect"
import { Account, AccountIndex, Nonce, ownerOf } from "../domain/Account.ts"
import { ProverGas, ProverPrice, Wei } from "../domain/Amount.ts"
import { type Block, signalOne } from "../domain/Block.ts"
import { defaulting } from "../domain/Defaulting.ts"
import { type SpendingKey, spendingKeyFrom } from "../domain/EddsaPoseidon.ts"
import { devnetSchedule } from "../domain/ProverGasSchedule.ts"
import { maxValidators } from "../domain/QuorumCertificate.ts"
import { PriceRule, snapshotPrice } from "../domain/ProverPrice.ts"
import { type ExecutionRules, genesisBlock } from "./Execution.ts"
import { StateTree } from "./StateTree.ts"

const isPowerOfTwo = Schema.makeFilter((value: number) => Number.isInteger(Math.log2(value)) || "a power of two")

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Pace = Schema.DurationFromMillis.check(
  Schema.makeFilter((duration: Duration.Duration) =>
    Duration.isGreaterThanOrEqualTo(duration, Duration.millis(1)) || "at least a millisecond"
  )
)

/**
 * The price rule of the devnet: one transfer per block holds the price, each full block of two raises it by an eighth.
 *
 * Ten blocks are a devnet's target lag by default, hence the weight of 1/10: the backlog of ten overdue transfers raises the
 * price by an eighth per block too, and no backlog raises it faster. Where proving stops and a transfer per block goes on to be
 * paid, the price is five times the floor 19 blocks after the first one became overdue. A backlog can lift the price to e^8, some 3,000 times the floor, and that falls
 * back to the floor within 68 blocks without demand.
 */
export const devnetPriceRule = new PriceRule({
  floor: ProverPrice.make(20_000_000_000n),
  target: ProverGas.make(16_000n),
  fraction: ProverGas.make(136_000n),
  backlogWeight: { numerator: ProverGas.make(1n), denominator: ProverGas.make(10n) },
  backlogStep: ProverGas.make(16_000n),
  backlogCeiling: ProverGas.make(8n * 136_000n)
})

/** How a devnet ledger behaves. Two ledgers with equal parameters and clocks make the same chain. */
export class DevnetLedgerConfig extends Schema.Class<DevnetLedgerConfig>("lignum/DevnetLedgerConfig")(
  Schema.Struct({
    /** What all keys, traffic and quorums derive from. */
    seed: defaulting(Schema.String, "lignum"),
    /** Time from block to block, at least a millisecond. This, the traffic and the mempool's size may change for an existing ledger. */
    blockTime: defaulting(Pace, Duration.seconds(6)),
    /** Transfers that a block can hold, a power of two; a parameter of the block circuit. */
    slots: defaulting(between(1, 65_536).check(isPowerOfTwo), 2),
    /** Transfers that the users send for a busy block, at most {@link slots}; a quarter of the blocks is idle. 0 for no users. */
    transfersPerBlock: defaulting(between(0, 65_536), 2),
    /** Levels of the account tree; a parameter of the block circuit. */
    depth: defaulting(between(1, 32), 8),
    /** Chain id that transfers are signed for, below 2^64; a parameter of the block circuit. The default is "lgnm" in ASCII. */
    chainId: defaulting(
      Schema.BigIntFromString.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: (1n << 64n) - 1n })),
      1_818_717_805n
    ),
    /** Accounts at genesis, at the leaves from 0 on. */
    accounts: defaulting(between(1, 65_536), 16),
    /** What each of them has, in wei. */
    genesisBalance: defaulting(Wei, Wei.make(1_000n * 10n ** 18n)),
    /** Timestamp of the genesis block, in seconds since 1970. */
    genesisTime: defaulting(Schema.BigIntFromString.check(Schema.isGreaterThanOrEqualToBigInt(0n)), 0n),
    /** Blocks from checkpoint to checkpoint. */
    checkpointInterval: defaulting(between(1, 1_000_000), 2),
    /** Validators that certify checkpoints. */
    validators: defaulting(between(1, maxValidators), 4),
    /** The price rule (FM-2). */
    price: defaulting(PriceRule, devnetPriceRule),
    /** Transfers that may wait at a time. */
    mempoolSize: defaulting(between(1, 65_536), 64)
  }).check(
    Schema.makeFilter((config) => config.accounts <= 2 ** config.depth || "no more accounts than leaves"),
    Schema.makeFilter((config) => config.transfersPerBlock <= config.slots || "no more transfers per block than slots"),
    Schema.makeFilter((config) =>
      BigInt(config.accounts) * config.genesisBalance < 1n << 96n || "genesis balances that sum to less than 2^96 wei"
    ),
    Schema.makeFilter((config) => BigInt(config.slots) * devnetSchedule.transfer <= 1n << 32n || "slots of at most 2^32 prover gas")
  )
) {
  /** The rules that blocks are executed under. */
  get rules(): ExecutionRules {
    return { chainId: this.chainId, slots: this.slots, schedule: devnetSchedule }
  }
}

/** The key of the account at a leaf. On the devnet everybody can know it. */
export const devnetKey = (config: DevnetLedgerConfig, index: number): SpendingKey =>
  spendingKeyFrom(`${config.seed}/account/${index}`)

/** Block 0 and the state that it commits to; the same for the same config. */
export const devnetGenesis = (config: DevnetLedgerConfig): { readonly block: Block; readonly tree: StateTree } => {
  const tree = StateTree.of(config.depth, Array.from({ length: config.accounts }, (_, index) => [
    AccountIndex.make(index),
    new Account({ owner: ownerOf(devnetKey(config, index).publicKey), balance: config.genesisBalance, nonce: Nonce.make(0n) })
  ] as const))
  const block = genesisBlock(config.rules, tree, {
    proverPrice: snapshotPrice(config.price, 0n, signalOne),
    signalMultiplier: signalOne,
    timestamp: config.genesisTime
  })
  return { block, tree }
}
