import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { ProverPrice } from "../../src/domain/Amount.ts"
import { flagIn, type FlagPolicy, type LowMargin, marginAt, nextLowMargin, wantsFlag } from "../../src/domain/FlagPolicy.ts"

const policy: FlagPolicy = { costPerGas: 700n, minMargin: 50n, leafShare: 7_500, flagAfter: 60n }
const header = (price: bigint, timestamp: bigint) => ({ proverPrice: ProverPrice.make(price), timestamp })
const standing = { epoch: 9n, multiplier: 1_000_000n, flagged: false, reputation: 1n, updates: 3n, minUpdates: 3n }
const between = (minimum: bigint, maximum: bigint) => Schema.BigInt.check(Schema.isBetweenBigInt({ minimum, maximum }))

/** The row after some headers, 6 seconds apart. */
const after = (...prices: ReadonlyArray<bigint>) =>
  prices.reduce<LowMargin | undefined>((low, price, i) => nextLowMargin(low, header(price, BigInt(6 * i)), policy), undefined)

describe("FM-3: when an operator flags", () => {
  it("the margin is the leaf share of the price less the cost, and may be negative", () => {
    assert.strictEqual(marginAt(ProverPrice.make(1_000n), policy), 50n)
    assert.strictEqual(marginAt(ProverPrice.make(999n), policy), 49n)
    assert.strictEqual(marginAt(ProverPrice.make(0n), policy), -700n)
  })

  it("a price at the floor is enough, one below it begins a row, and the row ends with the next good price", () => {
    assert.isUndefined(after(1_000n))
    assert.deepStrictEqual(after(1_000n, 999n), { since: 6n, until: 6n, margin: 49n })
    assert.deepStrictEqual(after(1_000n, 999n, 900n), { since: 6n, until: 12n, margin: -25n })
    assert.isUndefined(after(999n, 900n, 1_000n))
    assert.deepStrictEqual(after(999n, 1_000n, 999n), { since: 12n, until: 12n, margin: 49n })
  })

  it("a dip is no reason: the row must last, by the headers' own time", () => {
    const lasting = (seconds: bigint) => wantsFlag({ since: 100n, until: 100n + seconds, margin: -1n }, policy)
    assert.isTrue(Result.isFailure(lasting(59n)))
    assert.isTrue(Result.isSuccess(lasting(60n)))
    const early = lasting(12n)
    assert.match(Result.isFailure(early) ? early.failure.message : "", /leaves -1 wei per prover gas, below 50, for 12 of 60 s/)
    const none = wantsFlag(undefined, policy)
    assert.match(Result.isFailure(none) ? none.failure.message : "", /leaves at least 50 wei/)
  })

  it("the signal must take it: once per epoch, by a prover that is active", () => {
    assert.deepStrictEqual(flagIn(standing), Result.succeed(9n))
    const reason = (change: Partial<typeof standing>) => {
      const answer = flagIn({ ...standing, ...change })
      return Result.isFailure(answer) ? answer.failure.reason : "it would flag"
    }
    assert.match(reason({ flagged: true }), /epoch 9 already/)
    assert.match(reason({ updates: 2n }), /in 2 updates, and it takes 3/)
    assert.match(reason({ reputation: 0n }), /faded/)
  })

  it.prop("a row is exactly the newest headers that all leave too little", [Schema.Array(between(900n, 1_100n)).check(Schema.isMinLength(1), Schema.isMaxLength(30))], ([prices]) => {
    const low = after(...prices)
    const first = prices.findLastIndex((price) => marginAt(ProverPrice.make(price), policy) >= policy.minMargin) + 1
    if (first === prices.length) return assert.isUndefined(low)
    assert.deepStrictEqual(low, {
      since: BigInt(6 * first),
      until: BigInt(6 * (prices.length - 1)),
      margin: marginAt(ProverPrice.make(prices[prices.length - 1]!), policy)
    })
  })
})
