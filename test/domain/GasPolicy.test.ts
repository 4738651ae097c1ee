import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { offer, priceLimit, replacementOffer } from "../../src/domain/GasPolicy.ts"

const gwei = (n: number) => BigInt(n) * 10n ** 9n
const Price = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 10n ** 12n }))
const stopLoss = { price: gwei(50), because: "the stop-loss" }
const success = <A, E>(result: Result.Result<A, E>): A => {
  if (Result.isFailure(result)) throw new Error(String(result.failure))
  return result.success
}

describe("the price that an update is worth", () => {
  const policy = { maxFeePerGas: gwei(50), profitableOnly: true }
  const earned = 500_000n * gwei(3)

  it("is what it earns per gas, until patience runs out", () => {
    assert.strictEqual(priceLimit(policy, earned, 500_000n, false).price, gwei(3))
    assert.match(priceLimit(policy, earned, 500_000n, false).because, /3 gwei at which its 500000 gas cost the 1500000000000000 wei that it earns/)
    assert.strictEqual(priceLimit(policy, earned, 500_000n, true).price, gwei(50))
  })

  it("is never more than the stop-loss, and is the stop-loss where earnings do not count", () => {
    assert.strictEqual(priceLimit(policy, 1_000n * earned, 500_000n, false).price, gwei(50))
    assert.strictEqual(priceLimit({ ...policy, profitableOnly: false }, 0n, 500_000n, false).price, gwei(50))
    assert.match(priceLimit(policy, 0n, 500_000n, true).because, /stop-loss of 50 gwei/)
  })
})

describe("what is offered", () => {
  it.prop("never more than the limit, always enough for now, or nothing", [Price, Price, Price], ([baseFee, priorityFee, price]) => {
    const offered = offer({ baseFee, priorityFee }, { price, because: "the limit" })
    if (baseFee + priorityFee > price) return assert.isTrue(Result.isFailure(offered))
    const { maxFeePerGas, maxPriorityFeePerGas } = success(offered)
    assert.isTrue(maxFeePerGas <= price && maxFeePerGas >= baseFee + priorityFee && maxPriorityFeePerGas <= maxFeePerGas)
  })

  it.prop("a replacement is at least an eighth dearer in both parts, and never above the limit", [Price, Price, Price, Price, Price], ([max, tip, baseFee, priorityFee, price]) => {
    const before = { maxFeePerGas: max, maxPriorityFeePerGas: tip < max ? tip : max }
    const replaced = replacementOffer(before, { baseFee, priorityFee }, { price, because: "the limit" })
    if (Result.isFailure(replaced)) return
    const { maxFeePerGas, maxPriorityFeePerGas } = replaced.success
    assert.isTrue(maxFeePerGas <= price && maxPriorityFeePerGas <= maxFeePerGas)
    assert.isTrue(maxFeePerGas > before.maxFeePerGas && 8n * maxFeePerGas >= 9n * before.maxFeePerGas)
    assert.isTrue(8n * maxPriorityFeePerGas >= 9n * before.maxPriorityFeePerGas)
    assert.isTrue(maxFeePerGas >= baseFee + priorityFee)
  })

  it("says which limit was met", () => {
    const refused = offer({ baseFee: gwei(60), priorityFee: gwei(1) }, stopLoss)
    assert.match(Result.isFailure(refused) ? refused.failure.message : "", /waits for cheaper gas: 61 gwei is above the stop-loss/)
    const last = replacementOffer({ maxFeePerGas: gwei(45), maxPriorityFeePerGas: gwei(1) }, { baseFee: gwei(2), priorityFee: gwei(1) }, stopLoss)
    assert.match(Result.isFailure(last) ? last.failure.message : "", /50.625 gwei is above/)
  })
})
