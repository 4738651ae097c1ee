/**
 * The price rule (FM-2): price = floor · e^(excess / fraction), in integers from end to end.
 *
 * Excess moves by two forces. Demand is that of EIP-4844: prover gas used above the target. The backlog is what demand alone
 * never shows: prover gas that L1 waits for beyond the target lag tells that proving is paid too little, whatever the reason.
 */
import { Schema } from "effect"
import { ProverGas, ProverPrice, Wei } from "./Amount.ts"
import { signalOne } from "./Block.ts"

/** A factor of the price rule as a fraction, because the useful ones lie well below 1. */
export const Ratio = Schema.Struct({
  numerator: ProverGas,
  denominator: ProverGas.check(Schema.isGreaterThanBigInt(0n))
})
export type Ratio = typeof Ratio.Type

/** Parameters of the price rule. */
export class PriceRule extends Schema.Class<PriceRule>("lignum/PriceRule")({
  /** Lowest price, in wei per prover gas. */
  floor: ProverPrice,
  /** Prover gas per block at which the excess stands still; above 0, or no price would ever fall. */
  target: ProverGas.check(Schema.isGreaterThanBigInt(0n)),
  /** How much excess, in prover gas, multiplies the price by e; above 0, and below 2^56 so that a contract can follow in 256 bits. */
  fraction: ProverGas.check(Schema.isBetweenBigInt({ minimum: 1n, maximum: (1n << 56n) - 1n })),
  /**
   * Weight k of overdue prover gas: so much of it joins the excess in every block.
   *
   * Choose block time / target lag. The backlog that one more target lag of blocks at the target leaves then moves the price as
   * fast as a full block does, so that the price answers within some target lags: slower than provers can react to a price, yet
   * long before the proof deadline (48 target lags). At k = 1 the ten blocks that a devnet makes in one target lag would raise the
   * price a hundred thousandfold in a single block.
   */
  backlogWeight: Ratio,
  /**
   * Prover gas that the backlog adds to the excess in one block at most, however large it is. Choose the target: a large backlog
   * then makes up for missing demand and no more, so that the price rises for as long as anybody pays it and stands when nobody
   * does, and it moves no price faster than a full block of twice the target does.
   */
  backlogStep: ProverGas,
  /**
   * Excess, in prover gas, up to which the backlog can lift it; demand alone may lift it further. It bounds how long a backlog is
   * felt: once it is gone, an excess that it made falls to 0 within ceiling / target blocks without demand.
   */
  backlogCeiling: ProverGas
}) {}

/**
 * `factor · e^(numerator / denominator)`, rounded down, by the integer Taylor series of EIP-4844 (`fake_exponential`):
 *
 *     i := 1; sum := 0; term := factor · denominator
 *     while term > 0:
 *       sum := sum + term
 *       term := ⌊term · numerator / (denominator · i)⌋        one division, after the multiplication
 *       i := i + 1
 *     answer ⌊sum / denominator⌋
 *
 * Every division rounds down, so the result is never above the exact value. A unit lost in one term is worth at most e^x units
 * of the sum (x = numerator / denominator), so over n terms the result is less than 1 + n · e^x / denominator below the exact
 * value. It is monotone in `factor` and in `numerator`, because every step of the loop is.
 *
 * With factor < 2^64, denominator < 2^56 and x ≤ 45, no intermediate value reaches 2^250: Solidity computes the same, bit for
 * bit, in `uint256`. `test/vectors/exponential.json` holds results to compare with.
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

/** The excess from which on every floor above 0 has reached {@link highestPrice}. */
export const largestExcess = (rule: PriceRule): bigint => largestExponent * rule.fraction

/** The price at an excess, at most {@link highestPrice}. */
export const priceAt = (rule: PriceRule, excess: bigint): ProverPrice => {
  const bound = largestExcess(rule)
  return capped(integerExponential(rule.floor, excess < bound ? excess : bound, rule.fraction))
}

/** The price that a header snapshots: the rule's, times the L1 signal's multiplier in millionths (FM-3, FM-4). */
export const snapshotPrice = (rule: PriceRule, excess: bigint, signalMultiplier: bigint): ProverPrice =>
  capped((priceAt(rule, excess) * signalMultiplier) / signalOne)

/**
 * The excess after a block that used `used` prover gas while `overdue` waited beyond the target lag:
 *
 *     demand  = excess + used − target
 *     backlog = min(⌊k · overdue⌋, backlogStep)
 *     excess' = max(0, demand, min(demand + backlog, backlogCeiling))
 *
 * Monotone in all three arguments. The backlog adds at most `backlogStep`, and nothing from `backlogCeiling` on.
 */
export const nextExcess = (rule: PriceRule, excess: bigint, used: ProverGas, overdue: ProverGas): bigint => {
  const demand = excess + used - rule.target
  const weighted = (overdue * rule.backlogWeight.numerator) / rule.backlogWeight.denominator
  const lifted = demand + (weighted < rule.backlogStep ? weighted : rule.backlogStep)
  const limited = lifted < rule.backlogCeiling ? lifted : rule.backlogCeiling
  const next = demand > limited ? demand : limited
  return next > 0n ? next : 0n
}

/** What a transaction of `gas` prover gas pays at `price` (FM-6). */
export const proverFee = (gas: ProverGas, price: ProverPrice): Wei => Wei.make(gas * price)
