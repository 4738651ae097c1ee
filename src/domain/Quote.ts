/**
 * What a user pays, and what to sign so that it stays enough for some blocks (FM-5).
 *
 * Pure: the fee controller and whoever wants to check it compute the same answer from the same header.
 */
import { Schema } from "effect"
import { BlockNumber, ProverGas, ProverPrice, Wei } from "./Amount.ts"
import { type Header, signalOne } from "./Block.ts"
import type { ProtocolParameters } from "./ProtocolParameters.ts"
import { highestPrice, largestExcess, nextExcess, priceAt, type PriceRule, proverFee, snapshotPrice } from "./ProverPrice.ts"

/** L1 gas that settling takes, by what it is paid for; measured, see `npm run -s bench -- gas`. */
export interface SettlementGas {
  /** Gas of a state update beside that of its blocks. */
  readonly update: bigint
  /** Gas that one more block adds to an update. */
  readonly block: bigint
  /** Gas of registering a checkpoint. */
  readonly checkpoint: bigint
  readonly blocksPerUpdate: number
  readonly blocksPerCheckpoint: number
}

const roundedUp = (numerator: bigint, denominator: bigint) => (numerator + denominator - 1n) / denominator

/** L1 gas that one block's settlement takes, with its share of the update and of the checkpoint. */
export const settlementGasPerBlock = (gas: SettlementGas): bigint =>
  gas.block + roundedUp(gas.update, BigInt(gas.blocksPerUpdate)) + roundedUp(gas.checkpoint, BigInt(gas.blocksPerCheckpoint))

/** A transaction's part in what settling its block costs on L1. */
export class SettlementShare extends Schema.Class<SettlementShare>("lignum/SettlementShare")({
  /** L1 gas per block, from {@link SettlementGas}. */
  gasPerBlock: Schema.BigIntFromString,
  /** Wei per L1 gas. */
  l1GasPrice: Schema.BigIntFromString,
  /** Wei; a block at the target divides its cost among its transactions by their prover gas. Rounded up. */
  share: Schema.BigIntFromString
}) {}

/** What a transaction pays for its execution. */
export class ExecutionPart extends Schema.Class<ExecutionPart>("lignum/ExecutionPart")({
  /** The rollup's own execution gas of the transaction. */
  gas: Schema.BigIntFromString,
  /** Wei per execution gas. */
  price: Schema.BigIntFromString,
  /** Wei. */
  fee: Schema.BigIntFromString
}) {}

/** What a quote is made of. */
export class QuoteParts extends Schema.Class<QuoteParts>("lignum/QuoteParts")({
  /** Execution gas · execution price. None where the rollup charges nothing for execution, as the devnet does. */
  execution: Schema.NullOr(ExecutionPart),
  /** Wei per prover gas by the rule alone (FM-2). */
  rulePrice: ProverPrice,
  /** Multiplier of the L1 signal in the newest block, in millionths (FM-3). */
  signalMultiplier: Schema.BigIntFromString,
  /** Wei: prover gas · rule's price · multiplier. This is what `maxProverFee` caps. */
  proverFee: Wei,
  /** The transaction's part in what settling costs. None when L1's gas price is not known. */
  settlement: Schema.NullOr(SettlementShare)
}) {}

/** What a transaction pays now, and the cap that keeps it valid for some blocks (FM-5). */
export class Quote extends Schema.Class<Quote>("lignum/Quote")({
  block: BlockNumber,
  proverGas: ProverGas,
  /** Wei per prover gas in the newest block. */
  price: ProverPrice,
  /** Wei that the transaction would have paid for proving in the newest block; {@link QuoteParts.proverFee}. */
  fee: Wei,
  /** Wei: execution, proving and settlement together, as far as they are known now. */
  total: Schema.BigIntFromString,
  /** Wei per prover gas that the price cannot exceed within the asked number of blocks, however full they are and however late proofs. */
  priceBound: ProverPrice,
  /** Wei: the `maxProverFee` to sign; less is charged when the price is lower, never more. */
  maxProverFee: Wei,
  parts: QuoteParts
}) {}

/** How far the price may come. */
export interface BoundOptions {
  readonly rule: PriceRule
  /** Prover gas of a full block. */
  readonly blockGas: ProverGas
  /** Blocks from the newest on, at least 1. */
  readonly blocks: number
  /** The most prover gas that will be overdue meanwhile; without it any backlog is reckoned with. */
  readonly overdue?: ProverGas
  /** The highest multiplier of the L1 signal meanwhile, in millionths; without it the newest block's. */
  readonly highestSignal?: bigint
}

/** How the L1 signal can rise while blocks are made. */
export interface SignalCourse extends Pick<ProtocolParameters, "signalEpoch" | "signalStep" | "signalMax"> {
  /** Seconds from block to block, when none is late. */
  readonly blockTime: number
  /** Blocks from one reading of the multiplier to the next (FM-4). */
  readonly checkpointInterval: number
}

/**
 * The highest multiplier that headers can carry within so many blocks, in millionths: a quorum in every epoch that begins or ends
 * between the newest block's reading and the last block (FM-3). Blocks that come later than they should may see more.
 */
export const highestSignalWithin = (multiplier: bigint, blocks: number, { blockTime, checkpointInterval, signalEpoch, signalMax, signalStep }: SignalCourse): bigint => {
  const epochs = Math.ceil((blocks + checkpointInterval) * blockTime / signalEpoch) + 1
  const most = BigInt(signalMax)
  let now = multiplier
  for (let epoch = 0; epoch < epochs && now < most; epoch++) now = (now * BigInt(signalStep)) / signalOne
  return now < most ? now : most
}

/** The part of a header that a quote rests on. */
export type PricedHeader = Pick<Header, "number" | "proverPrice" | "signalMultiplier">

/** The largest excess that leads to no higher price than a header's; headers do not carry the excess itself. */
export const excessBehind = (rule: PriceRule, { proverPrice, signalMultiplier }: PricedHeader): bigint => {
  let low = 0n
  let high = largestExcess(rule)
  while (low < high) {
    const middle = (low + high + 1n) / 2n
    if (snapshotPrice(rule, middle, signalMultiplier) <= proverPrice) low = middle
    else high = middle - 1n
  }
  return low
}

const anyBacklog = ProverGas.make((1n << 64n) - 1n)

/**
 * The highest price that a block may have among the next `blocks` after a header: the rule followed through blocks that are all
 * full, with the largest backlog all the time (FM-2 is monotone in both). Exact but for the excess, which the header's price
 * gives to within one step of its rounding.
 */
export const priceBound = (header: PricedHeader, { blockGas, blocks, highestSignal, overdue, rule }: BoundOptions): ProverPrice => {
  const signal = highestSignal !== undefined && highestSignal > header.signalMultiplier ? highestSignal : header.signalMultiplier
  const used = blockGas > rule.target ? blockGas : rule.target
  let excess = excessBehind(rule, header)
  for (let block = 0; block < blocks; block++) excess = nextExcess(rule, excess, used, overdue ?? anyBacklog)
  const bound = snapshotPrice(rule, excess, signal)
  return bound > header.proverPrice ? bound : header.proverPrice
}

/** What a user pays beside proving, as far as it is known. */
export interface OtherParts {
  readonly execution?: { readonly gas: bigint; readonly price: bigint }
  readonly settlement?: { readonly gas: SettlementGas; readonly l1GasPrice: bigint }
}

/** The quote for a transaction of `proverGas`, below 2^32 (so that at the highest price its fee is still an amount). */
export const quote = (header: PricedHeader, proverGas: ProverGas, options: BoundOptions, { execution, settlement }: OtherParts = {}): Quote => {
  const bound = priceBound(header, options)
  const fee = proverFee(proverGas, header.proverPrice)
  const gasPerBlock = settlement === undefined ? 0n : settlementGasPerBlock(settlement.gas)
  const executionFee = execution === undefined ? 0n : execution.gas * execution.price
  const share = settlement === undefined ? 0n : roundedUp(gasPerBlock * settlement.l1GasPrice * proverGas, options.rule.target)
  return new Quote({
    block: header.number,
    proverGas,
    price: header.proverPrice,
    fee,
    total: executionFee + fee + share,
    priceBound: bound,
    maxProverFee: proverFee(proverGas, bound),
    parts: new QuoteParts({
      execution: execution === undefined ? null : new ExecutionPart({ ...execution, fee: executionFee }),
      rulePrice: header.proverPrice === highestPrice ? highestPrice : priceAt(options.rule, excessBehind(options.rule, header)),
      signalMultiplier: header.signalMultiplier,
      proverFee: fee,
      settlement: settlement === undefined ? null : new SettlementShare({ gasPerBlock, l1GasPrice: settlement.l1GasPrice, share })
    })
  })
}
