/**
 * What to offer L1 for a transaction, and when an update is not worth its gas. Pure: the settler acts on it.
 */
import { Result, Schema } from "effect"

/** What a transaction offers, in wei per gas. */
export interface Fees {
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/** What L1 takes at the moment, in wei per gas. */
export interface GasMarket {
  readonly baseFee: bigint
  /** What block builders want on top. */
  readonly priorityFee: bigint
}

/** What an operator is willing to pay. */
export interface GasPolicy {
  /** The stop-loss: no transaction ever offers more than so many wei per gas. */
  readonly maxFeePerGas: bigint
  /** Whether an update must earn this node what its gas costs, until patience runs out. */
  readonly profitableOnly: boolean
}

const gwei = (wei: bigint): string => {
  const [whole, part] = [wei / 10n ** 9n, wei % 10n ** 9n]
  return `${whole}${part === 0n ? "" : `.${`${part}`.padStart(9, "0").slice(0, 3)}`} gwei`
}

/** L1's gas is dearer than the transaction is worth to its sender; `reason` says which limit was met (ND-5). */
export class GasTooDear extends Schema.TaggedError<GasTooDear>()("GasTooDear", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** The highest price that is worth offering, and what sets it. */
export interface PriceLimit {
  readonly price: bigint
  readonly because: string
}

/**
 * The highest price of gas for an update: the stop-loss, or less where the update would cost more than it brings.
 *
 * @param earned what the update credits to this node: its submission share, and the shares of its own leaves, which it loses
 *   where somebody else's update has others' leaves in their place
 * @param gas what the update uses
 * @param overdue whether it has waited so long that it need not pay any more
 */
export const priceLimit = (policy: GasPolicy, earned: bigint, gas: bigint, overdue: boolean): PriceLimit => {
  const worth = earned / gas
  return policy.profitableOnly && !overdue && worth < policy.maxFeePerGas
    ? { price: worth, because: `the ${gwei(worth)} at which its ${gas} gas cost the ${earned} wei that it earns; it is sent all the same once patience runs out` }
    : stopLoss(policy.maxFeePerGas)
}

/** The highest price of gas for what may never cost more than so many wei: the stop-loss, or less. */
export const worthLimit = ({ maxFeePerGas }: Pick<GasPolicy, "maxFeePerGas">, worth: bigint, gas: bigint): PriceLimit => {
  const price = worth / gas
  return price < maxFeePerGas ? { price, because: `the ${gwei(price)} at which its ${gas} gas cost the ${worth} wei that it is worth` } : stopLoss(maxFeePerGas)
}

/** The highest price of gas for what is done whatever it costs below the stop-loss. */
export const stopLoss = (maxFeePerGas: bigint): PriceLimit => ({
  price: maxFeePerGas,
  because: `the operator's stop-loss of ${gwei(maxFeePerGas)} (maxFeePerGas)`
})

const tooDear = (price: bigint, { because }: PriceLimit) =>
  Result.fail(new GasTooDear({ reason: `waits for cheaper gas: ${gwei(price)} is above ${because}` }))

/** What is offered at first: room for the base fee to double, up to the limit. L1 takes only what the block costs. */
export const offer = ({ baseFee, priorityFee }: GasMarket, limit: PriceLimit): Result.Result<Fees, GasTooDear> => {
  const needed = baseFee + priorityFee
  if (needed > limit.price) return tooDear(needed, limit)
  const wanted = 2n * baseFee + priorityFee
  return Result.succeed({ maxFeePerGas: wanted < limit.price ? wanted : limit.price, maxPriorityFeePerGas: priorityFee })
}

/** An eighth more, rounded up: nodes refuse a replacement that offers less than a tenth more. */
const raised = (fee: bigint): bigint => (fee * 9n + 7n) / 8n || 1n

const larger = (a: bigint, b: bigint): bigint => a > b ? a : b

/** What a replacement offers: an eighth more than before in both parts, or what the market asks if that is more, up to the limit. */
export const replacementOffer = (before: Fees, market: GasMarket, limit: PriceLimit): Result.Result<Fees, GasTooDear> => {
  const least = raised(before.maxFeePerGas)
  if (least > limit.price) return tooDear(least, limit)
  const fresh = offer(market, limit)
  if (Result.isFailure(fresh)) return fresh
  const maxFeePerGas = larger(least, fresh.success.maxFeePerGas)
  const priority = larger(raised(before.maxPriorityFeePerGas), fresh.success.maxPriorityFeePerGas)
  return Result.succeed({ maxFeePerGas, maxPriorityFeePerGas: priority < maxFeePerGas ? priority : maxFeePerGas })
}
