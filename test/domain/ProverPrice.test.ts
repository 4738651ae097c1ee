import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { ProverGas, ProverPrice } from "../../src/domain/Amount.ts"
import { epochOf, flag, hasFlaggedIn, multiplierIn, quietSignal } from "../../src/domain/FeeSignal.ts"
import { defaultParameters } from "../../src/domain/ProtocolParameters.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { prover } from "./builders.ts"
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

describe("FM-2, FM-3: demand, backlog and signal together", () => {
  const transfer = 16_000n
  /** One flag stands for those of a quorum. */
  const signals = { ...defaultParameters, signalEpoch: 12, signalCap: 10_000 }

  /**
   * A rollup in which proving costs some multiple of the floor. Users send a transfer per block while the price is below what it is
   * worth to them. Provers prove a block when the price in its header pays them, oldest first, two per block time; while theirs is
   * below their cost, a quorum of them flags in every epoch. Checkpoints come every two blocks. With an age bonus (RW-6), what a
   * block pays grows by up to twice the floor from when it is overdue.
   */
  const run = (cost: bigint, worth: bigint, blocks: number, flags: boolean, bonus = false) => {
    let [excess, signal, multiplier] = [0n, quietSignal, 1_000_000n]
    const unproven: Array<{ readonly price: bigint; readonly at: number; readonly gas: bigint }> = []
    const prices: Array<bigint> = []
    let proven = 0
    for (let block = 0; block < blocks; block++) {
      const epoch = epochOf(signals, BigInt(6 * block))
      if (block % 2 === 0) multiplier = multiplierIn(signals, signal, epoch)
      const price = snapshotPrice(rule, excess, multiplier)
      prices.push(price)
      const used = price <= worth ? transfer : 0n
      unproven.push({ price, at: block, gas: used })
      const pays = ({ at, price }: { readonly at: number; readonly price: bigint }) =>
        price + (bonus ? rule.floor * BigInt(Math.min(Math.max(0, block - at - 10), 40)) / 20n : 0n)
      for (let worker = 0; worker < 2 && unproven.length > 0 && (pays(unproven[0]!) >= cost || unproven[0]!.gas === 0n); worker++, proven++) unproven.shift()
      if (flags && price < cost && !hasFlaggedIn(signal, prover(1), epoch)) {
        signal = Result.getOrThrow(flag(signals, signal, { prover: prover(1), reputation: 10n, updates: 3, totalReputation: 10n }, epoch)).signal
      }
      const overdue = unproven.filter(({ at }) => block - at > 10).reduce((sum, { gas }) => sum + gas, 0n)
      excess = nextExcess(rule, excess, gas(used), gas(overdue))
    }
    return { prices, proven, waiting: unproven.length, multiplier }
  }
  const firstAt = (prices: ReadonlyArray<bigint>, price: bigint) => prices.findIndex((each) => each >= price)

  it("a cost of five times the floor is reached by the backlog alone, and sooner with the signal", () => {
    const cost = 5n * rule.floor
    const alone = run(cost, 100n * rule.floor, 120, false)
    const signalled = run(cost, 100n * rule.floor, 120, true)
    const [slow, fast] = [firstAt(alone.prices, cost), firstAt(signalled.prices, cost)]
    assert.strictEqual(slow, 30)
    assert.isTrue(fast > 0 && fast < slow, `${fast} of ${slow}`)
  })

  it("what nobody would pay is never asked by the backlog: the price stands where users stop", () => {
    const worth = 3n * rule.floor
    const { prices } = run(50n * rule.floor, worth, 400, false)
    const step = priceAt(rule, rule.backlogStep)
    assert.isTrue(prices.every((price) => price <= worth * step / rule.floor), "at most one step beyond")
  })

  it("the signal lifts it beyond that, to its highest and no more", () => {
    const worth = 3n * rule.floor
    const { prices } = run(1_000n * rule.floor, worth, 400, true)
    const step = priceAt(rule, rule.backlogStep)
    const highest = prices.reduce((most, price) => price > most ? price : most, 0n)
    assert.isTrue(highest > worth * step / rule.floor && highest <= 8n * worth * step / rule.floor)
  })

  it("RW-6: without a bonus for age, one block whose price was fixed too low keeps the backlog up; with it, the price comes to rest and the signal is gone", () => {
    const cost = 2n * rule.floor
    const stuck = run(cost, 1_000_000n * rule.floor, 300, true)
    assert.strictEqual(stuck.proven, 0, "the oldest block pays too little for ever")
    const { multiplier, prices, proven, waiting } = run(cost, 1_000_000n * rule.floor, 300, true, true)
    const highest = prices.reduce((most, price) => price > most ? price : most, 0n)
    assert.isTrue(highest >= cost && highest < stuck.prices[299]!)
    assert.strictEqual(multiplier, 1_000_000n)
    assert.strictEqual(prices[299], prices[250], "at the target it stands")
    assert.strictEqual(proven + waiting, 300)
    assert.isAtMost(waiting, 2, "all is proven")
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
