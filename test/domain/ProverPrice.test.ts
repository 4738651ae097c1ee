import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { ProverGas, ProverPrice } from "../../src/domain/Amount.ts"
import { highestPrice, nextExcess, priceAt, PriceRule, proverFee, snapshotPrice } from "../../src/domain/ProverPrice.ts"

const rule = new PriceRule({
  floor: ProverPrice.make(10n ** 9n),
  target: ProverGas.make(16_000n),
  fraction: ProverGas.make(136_000n),
  backlogWeight: 2n
})
const Excess = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 3_000_000n }))
const Anything = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 2n ** 128n }))

describe("FM-2: price = floor · e^(excess / fraction)", () => {
  it.prop("is the exponential, to the integer's precision, and never above it", [Excess], ([excess]) => {
    const exact = 1e9 * Math.exp(Number(excess) / 136_000)
    const price = Number(priceAt(rule, excess))
    assert.isAtMost(price, exact * (1 + 1e-12))
    assert.isAtLeast(price, exact * (1 - 1e-9) - 1)
  })

  it.prop("never falls as the excess rises, and fits a header at any excess", [Anything, Anything], ([a, b]) => {
    const [low, high] = a < b ? [a, b] : [b, a]
    assert.isTrue(priceAt(rule, low) <= priceAt(rule, high))
    assert.isTrue(priceAt(rule, high) <= highestPrice)
    assert.isTrue(snapshotPrice(rule, high, 8_000_000n) <= highestPrice)
  })

  it("starts at the floor and ends at the highest price that fits", () => {
    assert.strictEqual(priceAt(rule, 0n), rule.floor)
    assert.strictEqual(priceAt(rule, 2n ** 200n), highestPrice)
    assert.strictEqual(priceAt(new PriceRule({ ...rule, floor: ProverPrice.make(0n) }), 2n ** 200n), 0n)
    assert.strictEqual(priceAt(new PriceRule({ ...rule, floor: ProverPrice.make(1n) }), 45n * rule.fraction), highestPrice)
  })

  it.prop("the excess depends on the gas used, not on its order", [Schema.Array(Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 16_000n, maximum: 32_000n })))], ([used]) => {
    const run = (gas: ReadonlyArray<bigint>) => gas.reduce((excess, each) => nextExcess(rule, excess, ProverGas.make(each), ProverGas.make(0n)), 0n)
    assert.strictEqual(run(used), run([...used].reverse()))
  })

  it("the backlog adds to the excess with its weight; the excess is never negative", () => {
    assert.strictEqual(nextExcess(rule, 5n, ProverGas.make(16_000n), ProverGas.make(10n)), 25n)
    assert.strictEqual(nextExcess(rule, 5n, ProverGas.make(0n), ProverGas.make(0n)), 0n)
  })

  it("a rule without a fraction is refused", () => {
    assert.throws(() => new PriceRule({ ...rule, fraction: ProverGas.make(0n) }))
  })
})

it("FM-4: a header's price is the rule's times the L1 signal", () => {
  assert.strictEqual(snapshotPrice(rule, 0n, 1_000_000n), rule.floor)
  assert.strictEqual(snapshotPrice(rule, 0n, 1_250_000n), 1_250_000_000n)
})

it("FM-6: a fee is gas times price and fits a balance at the highest price", () => {
  assert.strictEqual(proverFee(ProverGas.make(16_000n), ProverPrice.make(3n)), 48_000n)
  assert.strictEqual(proverFee(ProverGas.make(2n ** 32n), highestPrice), 2n ** 32n * highestPrice)
})
