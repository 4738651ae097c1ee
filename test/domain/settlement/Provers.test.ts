import { assert, describe, it } from "@effect/vitest"
import { zeroAddress } from "../../../src/domain/Hash.ts"
import { proverAt } from "../../../src/domain/settlement/Provers.ts"
import { prover } from "../builders.ts"
import { begin, hour, Scenario } from "./scenario.ts"

const bond = 10n ** 18n
const delay = 24n * hour
const join = (sender = prover(1), value = bond) => ({ _tag: "RegisterProver" as const, sender, value })
const leave = (sender = prover(1)) => ({ _tag: "Deregister" as const, sender })
const withdraw = (refused = false) => ({ _tag: "Withdraw" as const, prover: prover(1), refused })

describe("ST-6: who takes part in turns", () => {
  it("ST-6: registration costs exactly the bond, once", () => {
    const scenario = new Scenario()
    for (const value of [0n, bond - 1n, bond + 1n]) assert.deepEqual(scenario.refused(join(prover(1), value)), ["ST6_BondMismatch", value, bond])
    assert.deepEqual(scenario.call(join()), [{ _tag: "ProverRegistered", prover: prover(1), position: 0 }])
    assert.deepEqual(scenario.refused(join()), ["ST6_AlreadyRegistered", prover(1)])
    assert.deepEqual(scenario.call(join(prover(2))), [{ _tag: "ProverRegistered", prover: prover(2), position: 1 }])
  })

  it("ST-6: the last in the order takes the place of one that leaves", () => {
    const scenario = new Scenario()
    scenario.provers(prover(1), prover(2), prover(3))
    assert.deepEqual(scenario.refused(leave(prover(4))), ["ST6_NotRegistered", prover(4)])
    assert.deepEqual(scenario.call(leave()), [{ _tag: "ProverLeft", prover: prover(1), moved: prover(3), unlocksAt: begin + delay }])
    assert.deepEqual(scenario.observed().provers.map((place) => place.prover), [prover(3), prover(2)])
    assert.deepEqual(scenario.call(leave(prover(2))), [{ _tag: "ProverLeft", prover: prover(2), moved: zeroAddress, unlocksAt: begin + delay }])
    assert.deepEqual(scenario.observed().provers.map((place) => place.prover), [prover(3)])
  })

  it("ST-6: each stands at its place since it came there, and an empty place is another's since their number changed", () => {
    const scenario = new Scenario()
    scenario.provers(prover(1), prover(2), prover(3))
    const at = (position: bigint, among: number) => proverAt(scenario.state.provers, position, among)
    assert.deepEqual([0n, 2n].map((position) => at(position, 3)), [{ prover: prover(1), since: begin }, { prover: prover(3), since: begin }])
    scenario.wait(10n).call(leave())
    assert.deepEqual([0n, 1n, 2n].map((position) => at(position, 3)), [
      { prover: prover(3), since: begin + 10n },
      { prover: prover(2), since: begin },
      { prover: prover(3), since: begin + 10n }
    ])
    scenario.wait(10n).call(leave(prover(3)))
    assert.deepEqual(at(2n, 3), { prover: prover(2), since: begin + 20n })
    scenario.wait(10n).provers(prover(4))
    assert.deepEqual([0n, 1n, 2n].map((position) => at(position, 3)), [
      { prover: prover(2), since: begin + 20n },
      { prover: prover(4), since: begin + 30n },
      { prover: prover(2), since: begin + 30n }
    ])
  })

  it("ST-6: the bond follows after the delay, once, and then the prover may return", () => {
    const scenario = new Scenario()
    assert.deepEqual(scenario.refused(withdraw()), ["ST6_NothingToWithdraw", prover(1)])
    scenario.provers(prover(1))
    assert.deepEqual(scenario.refused(withdraw()), ["ST6_NothingToWithdraw", prover(1)])
    scenario.call(leave())
    scenario.wait(delay - 1n)
    assert.deepEqual(scenario.refused(withdraw()), ["ST6_BondLocked", begin + delay])
    assert.deepEqual(scenario.refused(join()), ["ST6_StillLeaving", prover(1), begin + delay])
    scenario.wait(1n)
    assert.deepEqual(scenario.refused(withdraw(true)), ["ST6_PaymentRefused", prover(1)])
    assert.strictEqual(scenario.observed(prover(1)).accounts[0]!.unlocksAt, begin + delay)
    assert.deepEqual(scenario.call(withdraw()), [{ _tag: "BondReturned", prover: prover(1), amount: bond }])
    assert.deepEqual(scenario.refused(withdraw()), ["ST6_NothingToWithdraw", prover(1)])
    scenario.call(join())
  })

  it("ST-6: the order goes round the first so many", () => {
    const scenario = new Scenario()
    assert.strictEqual(proverAt(scenario.state.provers, 7n, 3).prover, zeroAddress)
    const order = [prover(1), prover(2), prover(3)]
    scenario.provers(...order)
    const at = (position: bigint, among: number) => order.indexOf(proverAt(scenario.state.provers, position, among).prover)
    assert.deepEqual([0n, 1n, 2n, 3n].map((position) => at(position, 3)), [0, 1, 2, 0])
    assert.deepEqual([0n, 1n, 2n, 3n].map((position) => at(position, 2)), [0, 1, 0, 1])
    // Two left: places 3 and 4 of five count once more.
    assert.deepEqual([0n, 1n, 2n, 3n, 4n, 5n].map((position) => at(position, 5)), [0, 1, 2, 0, 1, 0])
    // Of none: none of them was there in time.
    assert.strictEqual(proverAt(scenario.state.provers, 0n, 0).prover, zeroAddress)
  })
})
