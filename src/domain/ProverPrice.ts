/**
 * The price rule (FM-2): price = floor · e^(excess / fraction), in integers from end to end.
 */
import { Schema } from "effect"
import { ProverGas, ProverPrice, Wei } from "./Amount.ts"
import { signalOne } from "./Block.ts"

/** Parameters of the price rule. */
export class PriceRule extends Schema.Class<PriceRule>("lignum/PriceRule")({
  /** Lowest price, in wei per prover gas. */
  floor: ProverPrice,
  /** Prover gas per block at which the excess stands still. */
  target: ProverGas,
  /** How much excess multiplies the price by e; above 0. */
  fraction: ProverGas.check(Schema.isGreaterThanBigInt(0n)),
  /** Weight k of prover gas that is checkpointed but unproven beyond the target lag. */
  backlogWeight: Schema.BigIntFromString
}) {}

/**
 * `factor · e^(numerator / denominator)` by the integer Taylor series of EIP-4844: terms are summed until one rounds to zero.
 * Monotone in `numerator`; never above the exact value.
 */
export const integerExponential = (factor: bigint, numerator: bigint, denominator: bigint): bigint => {
  let sum = 0n
  let term = factor * denominator
  for (let i = 1n; term > 0n; i++) {
    sum += term
    term = (term * numerator) / (denominator * i)
  }
  return sum / denominator
}

/** The highest price that a header can carry. */
export const highestPrice: ProverPrice = ProverPrice.make((1n << 64n) - 1n)

const capped = (price: bigint): ProverPrice => price < highestPrice ? ProverPrice.make(price) : highestPrice

// e^45 is beyond 2^64, so the cap on the price is reached before this one; it bounds the series' length and its terms.
const largestExponent = 45n

/** The price at an excess, at most {@link highestPrice}. */
export const priceAt = (rule: PriceRule, excess: bigint): ProverPrice => {
  const bound = largestExponent * rule.fraction
  return capped(integerExponential(rule.floor, excess < bound ? excess : bound, rule.fraction))
}

/** The price that a header snapshots: the rule's, times the L1 signal's multiplier in millionths (FM-3, FM-4). */
export const snapshotPrice = (rule: PriceRule, excess: bigint, signalMultiplier: bigint): ProverPrice =>
  capped((priceAt(rule, excess) * signalMultiplier) / signalOne)

/** The excess after a block that used `used` prover gas while `overdue` waited beyond the target lag. */
export const nextExcess = (rule: PriceRule, excess: bigint, used: ProverGas, overdue: ProverGas): bigint => {
  const next = excess + used - rule.target + rule.backlogWeight * overdue
  return next > 0n ? next : 0n
}

/** What a transaction of `gas` prover gas pays at `price` (FM-6). */
export const proverFee = (gas: ProverGas, price: ProverPrice): Wei => Wei.make(gas * price)
