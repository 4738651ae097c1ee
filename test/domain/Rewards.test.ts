import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Wei } from "../../src/domain/Amount.ts"
import { ageBonus, defaultShares, RewardShares, splitPot } from "../../src/domain/Rewards.ts"

const Amount = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 2n ** 96n - 1n }))
const Cuts = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 }))).check(Schema.isMinLength(4), Schema.isMaxLength(4))

describe("RW-2: a pot's split", () => {
  it.prop("RW-5: the parts sum to fees and bonus, for every split", [Amount, Amount, Cuts, Schema.Boolean], ([some, more, cuts, mergeWork]) => {
    const [fees, bonus] = [some / 2n, more / 2n]
    const [a, b, c, d] = [...cuts].sort((x, y) => x - y) as [number, number, number, number]
    const shares = new RewardShares({ leaf: a, merge: b - a, submission: c - b, redundancy: d - c, reserve: 10_000 - d })
    const parts = splitPot(Wei.make(fees), shares, mergeWork, Wei.make(bonus))
    assert.strictEqual(Object.values(parts).reduce((sum: bigint, part) => sum + part, 0n), fees + bonus)
    assert.isTrue(Object.values(parts).every((part) => part >= 0n))
    // The bonus changes nobody's share of the fees.
    assert.strictEqual(parts.leaf, splitPot(Wei.make(fees), shares, mergeWork).leaf)
  })

  it("is 60 / 15 / 10 / 10 / 5 per cent by default; without merge work the leaf takes that share", () => {
    const pot = Wei.make(10_000n)
    assert.deepEqual({ ...splitPot(pot, defaultShares, true) } as object, { leaf: 6000n, bonus: 0n, merge: 1500n, submission: 1000n, redundancy: 1000n, reserve: 500n })
    assert.deepEqual({ ...splitPot(pot, defaultShares, false) } as object, { leaf: 7500n, bonus: 0n, merge: 0n, submission: 1000n, redundancy: 1000n, reserve: 500n })
  })

  it("what division leaves over goes to the reserve", () => {
    assert.strictEqual(splitPot(Wei.make(9n), defaultShares, true).reserve, 9n - 5n - 1n)
  })

  it("shares that do not sum to the whole are refused", () => {
    assert.throws(() => new RewardShares({ ...defaultShares, reserve: 501 }))
    assert.throws(() => new RewardShares({ ...defaultShares, reserve: -1, leaf: 6501 }))
  })
})

describe("RW-6: the age bonus", () => {
  const rule = { targetLag: 1800, bonusRamp: 43_200, bonusCap: Wei.make(1_000_007n) }

  it("is nothing up to the target lag, grows by the second, and stands at its cap", () => {
    assert.deepEqual([0n, 1800n, 1801n, 23_400n, 44_999n, 45_000n, 45_001n, 86_400n].map((age) => ageBonus(rule, age)), [
      0n,
      0n,
      1_000_007n / 43_200n,
      500_003n,
      (1_000_007n * 43_199n) / 43_200n,
      1_000_007n,
      1_000_007n,
      1_000_007n
    ])
  })

  it("is split like the fees, and the leaf's part is told apart", () => {
    assert.deepEqual({ ...splitPot(Wei.make(10_000n), defaultShares, false, Wei.make(1_000n)) } as object, {
      leaf: 7500n,
      bonus: 750n,
      merge: 0n,
      submission: 1100n,
      redundancy: 1100n,
      reserve: 550n
    })
  })
})
