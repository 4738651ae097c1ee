import { assert, describe, it } from "@effect/vitest"
import { BlockNumber, ProverGas, ProverPrice, Wei } from "../../src/domain/Amount.ts"
import { leafPay, passesOver, type WorkPolicy } from "../../src/domain/ReservationPrice.ts"
import { defaultShares } from "../../src/domain/Rewards.ts"

const policy = (reservationPrice: bigint, mergeWork = false): WorkPolicy => ({
  reservationPrice: ProverPrice.make(reservationPrice),
  shares: defaultShares,
  mergeWork,
  bonus: { targetLag: 10, bonusRamp: 100, bonusCap: Wei.make(1_000_000n) }
})

const block = { number: BlockNumber.make(7), proverFees: Wei.make(1_000_000n), proverGas: ProverGas.make(100n) }

describe("OC-3: whether proving a block pays", () => {
  it("RW-2: the leaf's share counts, and the merge share where nothing is merged", () => {
    assert.strictEqual(leafPay(block, undefined, policy(0n)), 750_000n)
    assert.strictEqual(leafPay(block, undefined, policy(0n, true)), 600_000n)
  })

  it("RW-6: a checkpointed block pays more the longer it waits, up to the cap", () => {
    assert.deepStrictEqual([0n, 10n, 60n, 110n, 500n].map((age) => leafPay(block, age, policy(0n))), [750_000n, 750_000n, 1_125_000n, 1_500_000n, 1_500_000n])
  })

  it("what pays exactly the reservation price is taken, and a wei less is passed over with both amounts", () => {
    assert.isUndefined(passesOver(block, undefined, policy(7_500n)))
    assert.deepStrictEqual(passesOver(block, undefined, policy(7_501n)), { number: block.number, pays: Wei.make(750_000n), asked: Wei.make(750_100n) })
  })

  it("the bonus brings back what was too cheap", () => {
    assert.isDefined(passesOver(block, 59n, policy(11_250n)))
    assert.isUndefined(passesOver(block, 60n, policy(11_250n)))
  })

  it("an idle block costs no prover gas and is never passed over", () => {
    assert.isUndefined(passesOver({ number: block.number, proverFees: Wei.make(0n), proverGas: ProverGas.make(0n) }, undefined, policy(1n << 60n)))
  })
})
