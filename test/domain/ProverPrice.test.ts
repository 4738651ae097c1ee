import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { ProverGas, ProverPrice } from "../../src/domain/Amount.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { highestPrice, nextExcess, priceAt, PriceRule, proverFee, snapshotPrice } from "../../src/domain/ProverPrice.ts"

const rule = new PriceRule({
  floor: ProverPrice.make(10n ** 9n),
  target: ProverGas.make(16_000n),
  fraction: ProverGas.make(136_000n),
  backlogWeight: { numerator: ProverGas.make(1n), denominator: ProverGas.make(10n) },
  backlogStep: ProverGas.make(16_000n),
  backlogCeiling: ProverGas.make(1_088_000n)
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
    assert.strictEqual(nextExcess(rule, 5n, ProverGas.make(16_000n), ProverGas.make(29n)), 7n)
    assert.strictEqual(nextExcess(rule, 5n, ProverGas.make(0n), ProverGas.make(0n)), 0n)
  })

  it("a rule that could not be followed is refused", () => {
    const zero = ProverGas.make(0n)
    assert.throws(() => new PriceRule({ ...rule, fraction: zero }))
    assert.throws(() => new PriceRule({ ...rule, fraction: ProverGas.make(1n << 56n) }))
    assert.throws(() => new PriceRule({ ...rule, target: zero }))
    assert.throws(() => new PriceRule({ ...rule, backlogWeight: { numerator: zero, denominator: zero } }))
  })
})

const Gas = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 2n ** 63n }))
const Weight = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 1n, maximum: 10_000n }))
const gas = (value: bigint) => ProverGas.make(value)

describe("FM-2: the backlog", () => {
  it.prop("moves the excess monotonically, by its step per block at most, and not beyond its ceiling", [Excess, Gas, Gas, Gas, Weight, Weight], ([excess, used, a, b, numerator, denominator]) => {
    const weighted = new PriceRule({ ...rule, backlogWeight: { numerator: gas(numerator), denominator: gas(denominator) } })
    const [less, more] = a < b ? [a, b] : [b, a]
    const after = (overdue: bigint) => nextExcess(weighted, excess, gas(used), gas(overdue))
    assert.isTrue(after(less) <= after(more), "monotone in overdue")
    assert.isTrue(after(more) - after(0n) <= rule.backlogStep, "bounded per block")
    const demand = after(0n)
    assert.isTrue(after(more) <= (demand > rule.backlogCeiling ? demand : rule.backlogCeiling), "no backlog lifts beyond the ceiling")
    assert.isTrue(nextExcess(weighted, excess + 1n, gas(used), gas(more)) >= after(more), "monotone in the excess")
    assert.isTrue(nextExcess(weighted, excess, gas(used + 1n), gas(more)) >= after(more), "monotone in demand")
  })

  it.prop("whatever the backlog was, its price is gone within ceiling / target blocks without demand", [Schema.Array(Gas)], ([backlogs]) => {
    let excess = backlogs.reduce((now, overdue) => nextExcess(rule, now, gas(0n), gas(overdue)), 0n)
    excess = backlogs.concat(Array.from({ length: 200 }, () => 2n ** 63n)).reduce((now, overdue) => nextExcess(rule, now, rule.target, gas(overdue)), excess)
    assert.strictEqual(excess, rule.backlogCeiling, "it gets there")
    const blocks = Number(rule.backlogCeiling / rule.target)
    assert.strictEqual(blocks, 68)
    for (let block = 0; block < blocks; block++) excess = nextExcess(rule, excess, gas(0n), gas(0n))
    assert.strictEqual(priceAt(rule, excess), rule.floor)
  })

  it("where proving stops, the devnet's price is five times the floor 19 blocks after the first one is overdue", () => {
    let excess = 0n
    let blocks = 0
    for (; priceAt(devnetPriceRule, excess) < 5n * devnetPriceRule.floor; blocks++) {
      excess = nextExcess(devnetPriceRule, excess, devnetPriceRule.target, gas(BigInt(blocks + 1) * devnetPriceRule.target))
    }
    assert.strictEqual(blocks, 19)
  })

  it("a large backlog lifts the price while anybody pays it, and lets it stand when nobody does", () => {
    const huge = gas(2n ** 63n)
    assert.strictEqual(nextExcess(rule, 200_000n, gas(0n), huge), 200_000n)
    assert.strictEqual(nextExcess(rule, 200_000n, gas(1n), huge), 200_001n)
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
