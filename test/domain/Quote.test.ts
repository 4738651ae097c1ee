import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { BlockNumber, ProverGas, ProverPrice } from "../../src/domain/Amount.ts"
import { highestPrice, largestExcess, nextExcess, priceAt, PriceRule, snapshotPrice } from "../../src/domain/ProverPrice.ts"
import { excessBehind, highestSignalWithin, priceBound, quote, settlementGasPerBlock, type SignalCourse } from "../../src/domain/Quote.ts"
import { devnetPriceRule as rule } from "../../src/ledger/DevnetLedgerConfig.ts"

const between = (minimum: bigint, maximum: bigint) => Schema.BigInt.check(Schema.isBetweenBigInt({ minimum, maximum }))
const Excess = between(0n, 2_000_000n)
const Signal = between(1_000_000n, 8_000_000n)
const gas = (amount: bigint) => ProverGas.make(amount)
const blockGas = gas(32_000n)
const headerAt = (excess: bigint, signalMultiplier: bigint) => ({
  number: BlockNumber.make(7),
  proverPrice: snapshotPrice(rule, excess, signalMultiplier),
  signalMultiplier
})
const course = Schema.Array(Schema.Struct({ used: between(0n, 32_000n), overdue: between(0n, 400_000n) })).check(Schema.isMinLength(1), Schema.isMaxLength(40))

describe("FM-5: the bound of a quote", () => {
  it.prop("holds for every course of blocks, backlogs within the given one, and the signal's highest", [Excess, Signal, Signal, course], ([excess, signal, later, blocks]) => {
    const header = headerAt(excess, signal)
    const overdue = gas(blocks.reduce((most, block) => block.overdue > most ? block.overdue : most, 0n))
    const options = { rule, blockGas, blocks: blocks.length, highestSignal: later }
    const [bound, anyBacklog] = [priceBound(header, { ...options, overdue }), priceBound(header, options)]
    assert.isTrue(header.proverPrice <= bound && bound <= anyBacklog)
    let now = excess
    for (const block of blocks) {
      now = nextExcess(rule, now, gas(block.used), gas(block.overdue))
      assert.isTrue(snapshotPrice(rule, now, signal) <= bound)
      assert.isTrue(snapshotPrice(rule, now, later) <= bound)
    }
  })

  it.prop("is reached by full blocks with the largest backlog, to the rounding of the header's price", [Excess, Signal], ([excess, signal]) => {
    let now = excess
    for (let block = 0; block < 10; block++) now = nextExcess(rule, now, blockGas, gas(2n ** 63n))
    const reached = snapshotPrice(rule, now, signal)
    const bound = priceBound(headerAt(excess, signal), { rule, blockGas, blocks: 10 })
    assert.isTrue(reached <= bound && bound - reached <= bound / 1_000_000n)
  })

  it.prop("finds the largest excess behind a header", [Excess, Signal], ([excess, signal]) => {
    const header = headerAt(excess, signal)
    const found = excessBehind(rule, header)
    assert.isTrue(found >= excess)
    assert.strictEqual(snapshotPrice(rule, found, signal), header.proverPrice)
    assert.isTrue(snapshotPrice(rule, found + 1n, signal) > header.proverPrice)
  })

  it("has an end where the price has, and does not fall below the price now", () => {
    const top = { ...headerAt(0n, 1_000_000n), proverPrice: highestPrice }
    assert.strictEqual(excessBehind(rule, top), largestExcess(rule))
    assert.strictEqual(priceBound(top, { rule, blockGas, blocks: 1 }), highestPrice)
    assert.strictEqual(priceBound(headerAt(0n, 1_000_000n), { rule, blockGas, blocks: 1_000 }), highestPrice)
    const foreign = { ...headerAt(0n, 1_000_000n), proverPrice: ProverPrice.make(1n) }
    assert.strictEqual(excessBehind(rule, foreign), 0n, "a price below the floor comes from no excess")
    const dull = new PriceRule({ ...rule, backlogStep: gas(0n) })
    assert.strictEqual(priceBound(headerAt(500_000n, 1_000_000n), { rule: dull, blockGas: gas(1_000n), blocks: 9 }), priceAt(dull, excessBehind(dull, headerAt(500_000n, 1_000_000n))))
  })
})

describe("FM-5: a quote", () => {
  const settlement = { gas: { update: 340_000n, block: 57_000n, checkpoint: 196_000n, blocksPerUpdate: 3, blocksPerCheckpoint: 2 }, l1GasPrice: 10n ** 9n }

  it("names its parts", () => {
    assert.strictEqual(settlementGasPerBlock(settlement.gas), 57_000n + 113_334n + 98_000n)
    const header = headerAt(136_000n, 1_250_000n)
    const answer = quote(header, gas(16_000n), { rule, blockGas, blocks: 1 }, { settlement })
    assert.strictEqual(answer.block, 7)
    assert.strictEqual(answer.fee, 16_000n * header.proverPrice)
    assert.strictEqual(answer.maxProverFee, 16_000n * answer.priceBound)
    assert.strictEqual(answer.parts.proverFee, answer.fee)
    assert.strictEqual(answer.parts.rulePrice * 1_250_000n / 1_000_000n, header.proverPrice)
    assert.strictEqual(answer.parts.settlement?.share, 268_334n * 10n ** 9n, "one transfer is a block at the target")
    assert.strictEqual(quote(header, gas(1n), { rule, blockGas, blocks: 1 }, { settlement }).parts.settlement?.share, (268_334n * 10n ** 9n + 15_999n) / 16_000n)
    assert.isNull(quote(header, gas(16_000n), { rule, blockGas, blocks: 1 }).parts.settlement)
  })

  it("the three parts make up the total; what is not known counts nothing", () => {
    const header = headerAt(136_000n, 1_250_000n)
    const options = { rule, blockGas, blocks: 3 }
    const execution = { gas: 21_000n, price: 7n }
    const whole = quote(header, gas(16_000n), options, { execution, settlement })
    assert.deepStrictEqual({ ...whole.parts.execution! } as object, { gas: 21_000n, price: 7n, fee: 147_000n })
    assert.strictEqual(whole.total, 147_000n + whole.parts.proverFee + whole.parts.settlement!.share)
    const proving = quote(header, gas(16_000n), options)
    assert.isNull(proving.parts.execution)
    assert.strictEqual(proving.total, proving.fee)
    assert.strictEqual(quote(header, gas(16_000n), options, { execution }).total, proving.fee + 147_000n)
    assert.strictEqual(whole.maxProverFee, proving.maxProverFee, "what is signed caps the price of proving alone")
  })
})

describe("FM-3, FM-5: how far the signal can come", () => {
  const course: SignalCourse = { signalEpoch: 3_600, signalStep: 1_250_000, signalMax: 8_000_000, blockTime: 6, checkpointInterval: 2 }

  it("one step for each epoch that the blocks can touch, and never above the highest", () => {
    assert.strictEqual(highestSignalWithin(1_000_000n, 10, course), 1_562_500n, "the epoch now, and one that begins")
    assert.strictEqual(highestSignalWithin(1_000_000n, 598, course), 1_562_500n)
    assert.strictEqual(highestSignalWithin(1_000_000n, 599, course), 1_953_125n)
    assert.strictEqual(highestSignalWithin(1_000_000n, 1_000, { ...course, signalEpoch: 6 }), 8_000_000n)
    assert.strictEqual(highestSignalWithin(8_000_000n, 1, course), 8_000_000n)
  })

  it.prop("no course of quorums within the blocks comes higher", [Signal, Schema.Array(Schema.Boolean).check(Schema.isMinLength(1), Schema.isMaxLength(200)), between(1n, 120n), between(1n, 50n)], ([signal, quorums, epoch, start]) => {
    const at: SignalCourse = { ...course, signalEpoch: Number(epoch) }
    let [now, last] = [signal, Math.floor(Number(start) / at.signalEpoch) - 1]
    // The reading before the newest block was at most an interval ago; then a block every six seconds, and a quorum in an epoch at most.
    for (const [block, quorum] of quorums.entries()) {
      const here = Math.floor((Number(start) + block * at.blockTime) / at.signalEpoch)
      if (quorum && here > last) [now, last] = [now * 1_250_000n / 1_000_000n, here]
    }
    const most = highestSignalWithin(signal, quorums.length, at)
    assert.isTrue((now < 8_000_000n ? now : 8_000_000n) <= most)
  })
})
