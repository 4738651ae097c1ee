import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { addWork, decayed, forfeit, forfeited, noReputation, reputationAt, takeLoss, type TotalReputation, totalAt, work } from "../../src/domain/Reputation.ts"

const week = 7n * 86_400n
const now = 1_800_000_000n
const between = (minimum: bigint, maximum: bigint) => Schema.BigInt.check(Schema.isBetweenBigInt({ minimum, maximum }))
const Amount = between(0n, (1n << 80n) - 1n)
const Elapsed = between(0n, 100n * week)

describe("FM-3: reputation decays", () => {
  it("FM-3: to a half in each half-life, to the unit", () => {
    assert.deepEqual([0n, 1n, 2n, 10n, 79n, 80n, 95n, 96n].map((n) => decayed((1n << 90n) + 12_345n, n * week, week)), [
      (1n << 90n) + 12_345n,
      (1n << 89n) + 6_172n,
      (1n << 88n) + 3_086n,
      (1n << 80n) + 12n,
      1n << 11n,
      1n << 10n,
      0n,
      0n
    ])
  })

  it("FM-3: between, by e^-x in integers that Solidity has too", () => {
    // Half a half-life, one second less than a whole one, and one second. Computed apart from this code.
    assert.strictEqual(decayed(1_000_000_007n, week / 2n, week), 707_106_786n)
    assert.strictEqual(decayed(1_000_000_007n, week - 1n, week), 500_000_576n)
    assert.strictEqual(decayed(1_000_000_007n, 1n, week), 999_998_860n)
    assert.strictEqual(decayed(1_000_000_007n, 3n * week + 86_400n, week), 113_215_458n)
    assert.strictEqual(decayed(0n, 5n, week), 0n)
  })

  it.prop("FM-3: never up with time, never down with the amount", [Amount, Amount, Elapsed, Elapsed], ([a, b, s, t]) => {
    const [few, many] = a < b ? [a, b] : [b, a]
    const [soon, late] = s < t ? [s, t] : [t, s]
    assert.isTrue(decayed(few, soon, week) <= decayed(many, soon, week))
    assert.isTrue(decayed(many, late, week) <= decayed(many, soon, week))
    assert.isTrue(decayed(many, soon, week) <= many)
  })

  it.prop("FM-3: within the precision of a double of 2^-t", [between(1n << 60n, (1n << 80n) - 1n), between(0n, 8n * week)], ([amount, elapsed]) => {
    const exact = Number(amount) * 2 ** (-Number(elapsed) / Number(week))
    assert.isBelow(Math.abs(Number(decayed(amount, elapsed, week)) / exact - 1), 1e-11)
  })
})

describe("FM-3: the total of all reputations", () => {
  /** An update every so many seconds, one prover's work in each, in turn; then the total and its parts. */
  const afterUpdates = (updates: number, provers: number, every: bigint, gas: bigint, halfLife: bigint) => {
    let total: TotalReputation = { amount: 0n, at: 0n }
    const parts = Array.from({ length: provers }, () => noReputation)
    let exact = 0
    for (let i = 0; i < updates; i++) {
      const at = now + BigInt(i) * every
      total = addWork(total, gas, at, halfLife)
      parts[i % provers] = work(parts[i % provers]!, gas, at, halfLife)
      exact = exact * 2 ** (-Number(every) / Number(halfLife)) + Number(gas)
    }
    const end = now + BigInt(updates - 1) * every
    return { total: totalAt(total, end, halfLife), sum: parts.reduce((sum, part) => sum + reputationAt(part, end, halfLife), 0n), exact }
  }

  it("FM-3: a week of updates, one every 12 seconds, decays it as fast as its parts: within a ten-thousandth", () => {
    const updates = Number(week / 12n)
    for (const provers of [1, 5, 50]) {
      for (const gas of [16_000n, 128_000n, 1n << 40n]) {
        const { exact, sum, total } = afterUpdates(updates, provers, 12n, gas, week)
        // A unit for each update, and the last digits of the exponent.
        assert.isTrue(total >= sum && total - sum <= BigInt(updates) + sum / 10_000_000n, `${total} against ${sum}`)
        assert.isBelow(Math.abs(Number(total) / exact - 1), 1e-4)
        assert.isBelow(Math.abs(Number(sum) / exact - 1), 1e-4)
      }
    }
  })

  it("FM-3: the same at a devnet's pace", () => {
    const { exact, total } = afterUpdates(500, 3, 18n, 32_000n, 1008n)
    assert.isBelow(Math.abs(Number(total) / exact - 1), 1e-4)
  })

  it.prop("FM-3: its parts never exceed it, whenever and however much who works", [
    Schema.Array(Schema.Tuple([between(0n, 3n * week), between(1n, 1n << 40n), Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 })), Schema.Boolean])).check(
      Schema.isMaxLength(40)
    )
  ], ([works]) => {
    let at = now
    let total: TotalReputation = { amount: 0n, at: 0n }
    const parts = Array.from({ length: 4 }, () => noReputation)
    for (const [pause, gas, who, misses] of works) {
      at += pause
      const part = parts[who]!
      total = misses ? takeLoss(total, forfeited(part, at, week), at, week) : addWork(total, gas, at, week)
      parts[who] = misses ? forfeit(part) : work(part, gas, at, week)
      assert.isTrue(parts.reduce((sum, each) => sum + reputationAt(each, at, week), 0n) <= totalAt(total, at, week))
    }
  })
})

describe("FM-3: reputation grows by work", () => {
  it("FM-3: all work within a second is one update", () => {
    const once = work(noReputation, 100n, now, week)
    const twice = work(once, 50n, now, week)
    assert.deepEqual(twice, { amount: 150n, workedAt: now, updates: 1 })
    assert.strictEqual(work(twice, 1n, now + 1n, week).updates, 2)
  })

  it("FM-3: what is left decays before it grows", () => {
    const first = work(noReputation, 1000n, now, week)
    assert.deepEqual(work(first, 7n, now + week, week), { amount: 507n, workedAt: now + week, updates: 2 })
    assert.deepEqual(addWork(addWork({ amount: 0n, at: 0n }, 1000n, now, week), 7n, now + week, week), { amount: 507n, at: now + week })
  })

  it("FM-3: stands at the width that L1 has for it", () => {
    const most = (1n << 80n) - 1n
    assert.strictEqual(work(noReputation, most, now, week).amount, most)
    assert.strictEqual(work(noReputation, most + 1n, now, week).amount, most)
    assert.strictEqual(addWork({ amount: 0n, at: now }, 1n << 96n, now, week).amount, (1n << 96n) - 1n)
  })
})

describe("ST-6: reputation is lost by a missed turn", () => {
  it("ST-6: half of what it is now, and what decays further is the other half", () => {
    const earned = work(noReputation, 1001n, now, week)
    assert.strictEqual(forfeited(earned, now, week), 500n)
    assert.deepEqual(forfeit(earned), { amount: 501n, workedAt: now, updates: 1 })
    assert.strictEqual(forfeited(earned, now + week, week), 250n)
    assert.strictEqual(reputationAt(forfeit(earned), now + week, week), 250n)
  })

  it("ST-6: a forfeit is no work: work in the same second as before still counts as that second's", () => {
    const earned = work(noReputation, 1000n, now, week)
    assert.strictEqual(work(forfeit(earned), 1n, now, week).updates, 1)
    assert.strictEqual(work(forfeit(earned), 1n, now + 1n, week).updates, 2)
    assert.strictEqual(forfeit(noReputation).amount, 0n)
  })

  it("ST-6: the total loses the same, and is never below nothing", () => {
    assert.deepEqual(takeLoss({ amount: 1000n, at: now - week }, 100n, now, week), { amount: 400n, at: now })
    assert.deepEqual(takeLoss({ amount: 1000n, at: now - week }, 501n, now, week), { amount: 0n, at: now })
    assert.strictEqual(totalAt({ amount: 0n, at: 0n }, now, week), 0n)
  })
})
