import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Wei } from "../../src/domain/Amount.ts"
import { defaultShares, RewardShares, splitPot } from "../../src/domain/Rewards.ts"

const Amount = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 2n ** 96n - 1n }))
const Cuts = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 }))).check(Schema.isMinLength(4), Schema.isMaxLength(4))

describe("RW-2: a pot's split", () => {
  it.prop("RW-5: the parts sum to the pot, for every split", [Amount, Cuts, Schema.Boolean], ([pot, cuts, mergeWork]) => {
    const [a, b, c, d] = [...cuts].sort((x, y) => x - y) as [number, number, number, number]
    const shares = new RewardShares({ leaf: a, merge: b - a, submission: c - b, redundancy: d - c, reserve: 10_000 - d })
    const parts = splitPot(Wei.make(pot), shares, mergeWork)
    assert.strictEqual(Object.values(parts).reduce((sum: bigint, part) => sum + part, 0n), pot)
    assert.isTrue(Object.values(parts).every((part) => part >= 0n))
  })

  it("is 60 / 15 / 10 / 10 / 5 per cent by default; without merge work the leaf takes that share", () => {
    const pot = Wei.make(10_000n)
    assert.deepEqual({ ...splitPot(pot, defaultShares, true) } as object, { leaf: 6000n, merge: 1500n, submission: 1000n, redundancy: 1000n, reserve: 500n })
    assert.deepEqual({ ...splitPot(pot, defaultShares, false) } as object, { leaf: 7500n, merge: 0n, submission: 1000n, redundancy: 1000n, reserve: 500n })
  })

  it("what division leaves over goes to the reserve", () => {
    assert.strictEqual(splitPot(Wei.make(9n), defaultShares, true).reserve, 9n - 5n - 1n)
  })

  it("shares that do not sum to the whole are refused", () => {
    assert.throws(() => new RewardShares({ ...defaultShares, reserve: 501 }))
    assert.throws(() => new RewardShares({ ...defaultShares, reserve: -1, leaf: 6501 }))
  })
})
