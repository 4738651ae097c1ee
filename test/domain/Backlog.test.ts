import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { BlockNumber, ProverGas } from "../../src/domain/Amount.ts"
import { GasTotals, overdueGas, overdueUpTo, type SettlementView } from "../../src/domain/Backlog.ts"

const n = (number: number) => BlockNumber.make(number)
const gas = (amount: number) => ProverGas.make(BigInt(amount))

/** Blocks 0 to 12, of which block i used i gas; a checkpoint every two blocks, registered at ten times its number. */
const totals = () => {
  const all = new GasTotals()
  for (let i = 0; i <= 12; i++) all.record(n(i), gas(i))
  return all
}
const view = (tip: number, upTo = 12): SettlementView => ({
  tip: n(tip),
  checkpoints: Array.from({ length: upTo / 2 }, (_, i) => ({ number: n(2 * i + 2), registeredAt: BigInt(20 * i + 20) }))
})

describe("FM-2: prover gas checkpointed but unproven beyond the target lag", () => {
  it("counts the blocks of checkpoints older than the lag, and not one second earlier", () => {
    assert.strictEqual(overdueGas(totals(), view(0), 50n, 30n), gas(0), "30 s old is not beyond 30 s")
    assert.strictEqual(overdueGas(totals(), view(0), 51n, 30n), gas(1 + 2))
    assert.strictEqual(overdueGas(totals(), view(0), 71n, 30n), gas(1 + 2 + 3 + 4))
  })

  it("counts nothing that is proven, also where the tip lies between checkpoints", () => {
    assert.strictEqual(overdueGas(totals(), view(3), 71n, 30n), gas(4))
    assert.strictEqual(overdueGas(totals(), view(4), 71n, 30n), gas(0))
    assert.strictEqual(overdueUpTo(view(9), 71n, 30n), 9, "an old checkpoint behind the tip does not move it back")
  })

  it("counts nothing that is not checkpointed, however old it is", () => {
    assert.strictEqual(overdueGas(totals(), view(0, 4), 1_000_000n, 30n), gas(1 + 2 + 3 + 4))
    assert.strictEqual(overdueGas(totals(), { tip: n(0), checkpoints: [] }, 1_000_000n, 30n), gas(0))
  })

  it("counts what is known while headers are still being read, and takes replaced blocks for what they are now", () => {
    const some = new GasTotals()
    assert.strictEqual(overdueGas(some, view(3), 1_000_000n, 30n), gas(0))
    for (let i = 0; i <= 5; i++) some.record(n(i), gas(i))
    assert.strictEqual(overdueGas(some, view(3), 1_000_000n, 30n), gas(4 + 5))
    some.record(n(4), gas(100))
    assert.strictEqual(some.next, 5)
    assert.strictEqual(overdueGas(some, view(3), 1_000_000n, 30n), gas(100))
    assert.throws(() => some.record(n(7), gas(1)), /does not follow/)
  })

  const Moment = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 200n }))
  const Tip = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 12 }))
  it.prop("grows with time and shrinks with the tip", [Moment, Moment, Tip, Tip], ([a, b, c, d]) => {
    const [early, late] = a < b ? [a, b] : [b, a]
    const [low, high] = c < d ? [c, d] : [d, c]
    assert.isTrue(overdueGas(totals(), view(low), early, 30n) <= overdueGas(totals(), view(low), late, 30n))
    assert.isTrue(overdueGas(totals(), view(high), late, 30n) <= overdueGas(totals(), view(low), late, 30n))
  })
})
