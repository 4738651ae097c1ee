import { assert, describe, it } from "@effect/vitest"
import { Wei } from "../../../src/domain/Amount.ts"
import { prover } from "../builders.ts"
import { begin, bystander, ether, hour, leaves, minute, only, Scenario } from "./scenario.ts"

const rich = (parameters: ConstructorParameters<typeof Scenario>[0] = {}) => {
  const scenario = new Scenario({ bonusCap: Wei.make(0n), ...parameters })
  scenario.call({ _tag: "Fund", amount: 100n * ether })
  return scenario
}

describe("RW-1: pots", () => {
  it("RW-1, RW-7: money that comes in is for pots, or for the protocol reserve", () => {
    const scenario = new Scenario()
    assert.deepEqual(scenario.call({ _tag: "Fund", amount: 7n }), [{ _tag: "Funded", by: bystander, amount: 7n }])
    assert.deepEqual(scenario.call({ _tag: "Endow", amount: 5n }), [
      { _tag: "Funded", by: bystander, amount: 5n },
      { _tag: "Reserved", reserve: "protocol", firstNumber: 0 as never, lastNumber: 0 as never, amount: 5n }
    ])
    const { balance, protocolReserve, unallocated } = scenario.observed()
    assert.deepEqual([unallocated, protocolReserve, balance], [7n, 5n, 12n])
  })

  it("RW-5: no more than 2^80 - 1 wei at a time, credits apart", () => {
    for (const first of ["Fund", "Endow"] as const) {
      for (const second of ["Fund", "Endow"] as const) {
        const scenario = new Scenario()
        scenario.call({ _tag: first, amount: 3n })
        const room = (1n << 80n) - 4n
        assert.deepEqual(scenario.refused({ _tag: second, amount: room + 1n }), ["RW5_FundTooLarge", room + 1n])
        scenario.call({ _tag: second, amount: room })
        assert.deepEqual(scenario.refused({ _tag: second, amount: 1n }), ["RW5_FundTooLarge", 1n])
        scenario.call({ _tag: second, amount: 0n })
      }
    }
  })

  it("RW-1: a pot is what is there, block by block, and the rest is not owed later", () => {
    const scenario = new Scenario({ bonusCap: Wei.make(0n) })
    scenario.call({ _tag: "Fund", amount: 15_000n })
    scenario.checkpoint(3)
    const emitted = scenario.submit(scenario.updateTo(3, undefined, { leaves: leaves(1, 3, prover(1), 10_000n) }))
    assert.deepEqual(only(emitted, "PotShort"), [
      { _tag: "PotShort", number: 2 as never, proverFees: 10_000n, pot: 5_000n },
      { _tag: "PotShort", number: 3 as never, proverFees: 10_000n, pot: 0n }
    ])
    assert.deepEqual(only(emitted, "Credited").filter(({ kind }) => kind === "leaf").map(({ amount }) => amount), [7_500n, 3_750n])
    assert.strictEqual(scenario.state.vault.unallocated, 0n)
  })

  it("RW-1: a pot that is just enough is not short", () => {
    const scenario = new Scenario()
    scenario.call({ _tag: "Fund", amount: 20_000n })
    scenario.checkpoint(2)
    assert.deepEqual(only(scenario.submit(scenario.updateTo(2, undefined, { leaves: leaves(1, 2, prover(1), 10_000n) })), "PotShort"), [])
  })
})

describe("RW-2, RW-3: the split", () => {
  it("RW-2, RW-3: leaf, submission, redundancy, reserve; without mergers the merge share is the leaf's", () => {
    const scenario = rich()
    scenario.provers(prover(8))
    scenario.checkpoint(2)
    const emitted = scenario.submit(scenario.updateTo(2, undefined, { leaves: leaves(1, 2, prover(1), 10_007n) }))
    assert.deepEqual(only(emitted, "Credited", "Reserved"), [
      { _tag: "Credited", number: 1 as never, account: prover(1), kind: "leaf", amount: 7_505n },
      { _tag: "Credited", number: 1 as never, account: bystander, kind: "submission", amount: 1_000n },
      { _tag: "Credited", number: 2 as never, account: prover(1), kind: "leaf", amount: 7_505n },
      { _tag: "Credited", number: 2 as never, account: bystander, kind: "submission", amount: 1_000n },
      { _tag: "Reserved", reserve: "redundancy", firstNumber: 1 as never, lastNumber: 2 as never, amount: 2_000n },
      { _tag: "Reserved", reserve: "protocol", firstNumber: 1 as never, lastNumber: 2 as never, amount: 1_004n }
    ])
  })

  it("RW-3: every merge earns the same, and what is left over joins the reserve", () => {
    const scenario = rich()
    scenario.checkpoint(2)
    const mergers = [prover(5), prover(6), prover(5), prover(7), prover(7), prover(7), prover(7)]
    const emitted = scenario.submit(scenario.updateTo(2, undefined, { system: 2, mergers, leaves: leaves(1, 2, prover(1), 10_001n) }))
    const merged = only(emitted, "Credited").filter(({ kind }) => kind === "merge")
    // 2 · 1500 in seven parts.
    assert.deepEqual(merged.map(({ account, amount, number }) => [number as number, account, amount]), mergers.map((merger) => [2, merger, 428n]))
    assert.strictEqual(scenario.credit(prover(5)), 856n)
    assert.deepEqual(only(emitted, "Reserved").at(-1)!.amount, 2n * 501n + 3_000n - 7n * 428n)
    assert.strictEqual(scenario.credit(prover(1)), 12_000n)
  })

  it("RW-3: a merge share that is too small to divide is the reserve's", () => {
    const scenario = rich()
    scenario.checkpoint(1)
    const emitted = scenario.submit(scenario.updateTo(1, undefined, { system: 2, mergers: Array(16).fill(prover(5)), leaves: leaves(1, 1, prover(1), 100n) }))
    assert.deepEqual(only(emitted, "Credited").map(({ kind }) => kind), ["leaf", "submission"])
    assert.strictEqual(scenario.state.vault.protocolReserve, 20n)
  })

  it("RW-7: no event without an amount", () => {
    const scenario = rich()
    scenario.checkpoint(1)
    const emitted = scenario.submit(scenario.updateTo(1, undefined, { system: 2, mergers: [prover(5)], leaves: leaves(1, 1, prover(1), 0n) }))
    assert.deepEqual(emitted.map(({ _tag }) => _tag), ["StateUpdated"])
  })
})

describe("RW-5: credits", () => {
  it("RW-5: are drawn whole, by anyone, to the account itself", () => {
    const scenario = rich()
    scenario.checkpoint(1)
    scenario.submit(scenario.updateTo(1))
    const owed = scenario.credit(prover(1))
    assert.deepEqual(scenario.refused({ _tag: "Claim", account: prover(1), refused: true }), ["RW5_PaymentRefused", prover(1)])
    assert.strictEqual(scenario.credit(prover(1)), owed)
    assert.deepEqual(scenario.call({ _tag: "Claim", account: prover(1), refused: false }), [{ _tag: "Claimed", account: prover(1), amount: owed }])
    assert.strictEqual(scenario.state.vault.balance, 100n * ether - owed)
    // Whether an account takes money is not asked where none is owed.
    assert.deepEqual(scenario.refused({ _tag: "Claim", account: prover(1), refused: true }), ["RW5_NothingToClaim", prover(1)])
    assert.strictEqual(scenario.observed(prover(1)).accounts[0]!.updates, 1, "and reputation stays")
  })
})

describe("RW-6: the age bonus", () => {
  const cap = 43_200n * 1_000n
  const aged = (age: bigint, endowed = ether) => {
    const scenario = new Scenario({ bonusCap: Wei.make(cap) })
    scenario.call({ _tag: "Endow", amount: endowed })
    scenario.checkpoint(4)
    scenario.wait(age)
    return scenario
  }

  it("RW-6: nothing up to the target lag, then by the second up to the cap, out of the protocol reserve", () => {
    for (const [age, bonus] of [[1800n, 0n], [1801n, 1_000n], [45_000n - 1n, cap - 1_000n], [45_000n, cap], [45_001n, cap]] as const) {
      const scenario = aged(age)
      const emitted = scenario.submit(scenario.updateTo(2, undefined, { leaves: leaves(1, 2, prover(1), 0n) }))
      assert.deepEqual(
        only(emitted, "Released"),
        bonus === 0n ? [] : [{ _tag: "Released", reserve: "protocol", firstNumber: 1 as never, lastNumber: 2 as never, amount: 2n * bonus }]
      )
      assert.deepEqual(only(emitted, "Credited").filter(({ kind }) => kind === "bonus").map(({ amount }) => amount), bonus === 0n ? [] : [bonus * 3n / 4n, bonus * 3n / 4n])
      const [redundancy] = only(emitted, "Reserved")
      assert.strictEqual(redundancy?.amount, bonus === 0n ? undefined : bonus / 5n)
    }
  })

  it("RW-6: each block's age is that of the first checkpoint at or beyond it", () => {
    const scenario = aged(0n)
    const [four] = [scenario.head]
    const six = scenario.wait(hour).checkpoint(6)
    scenario.checkpoint(8)
    scenario.wait(hour)
    const emitted = scenario.submit(scenario.updateTo(7, [four, six, scenario.head], { leaves: leaves(1, 7, prover(1), 0n) }))
    const late = (age: bigint) => (age - 1800n) * 1_000n * 3n / 4n
    assert.deepEqual(
      only(emitted, "Credited").filter(({ kind }) => kind === "bonus").map(({ amount, number }) => [number as number, amount]),
      [1, 2, 3, 4, 5, 6, 7].map((number) => [number, late(number <= 4 ? 2n * hour : hour)])
    )
  })

  it("RW-6: a poor reserve pays what it holds, oldest block first", () => {
    const scenario = aged(45_000n, cap + cap / 2n)
    const emitted = scenario.submit(scenario.updateTo(3, undefined, { leaves: leaves(1, 3, prover(1), 0n) }))
    assert.deepEqual(only(emitted, "Credited").filter(({ kind }) => kind === "bonus").map(({ amount }) => amount), [cap * 3n / 4n, cap * 3n / 8n])
    const parts = [cap, cap / 2n].map((bonus) => bonus - bonus * 3n / 4n - bonus / 10n - bonus / 10n)
    assert.strictEqual(scenario.state.vault.protocolReserve, parts[0]! + parts[1]!)
  })

  it("RW-6: what a short pot lacks, the bonus does not fill", () => {
    const scenario = aged(45_000n)
    const emitted = scenario.submit(scenario.updateTo(1, undefined, { leaves: leaves(1, 1, prover(1), ether) }))
    assert.deepEqual(only(emitted, "PotShort").map(({ pot }) => pot), [0n])
    assert.deepEqual(only(emitted, "Credited").map(({ kind }) => kind), ["bonus", "submission"])
  })
})

describe("RW-4: lapse", () => {
  const window = hour
  /** An update in the last second of a window, whose redundancy share is a tenth of an ether. */
  const shared = () => {
    const scenario = rich()
    scenario.checkpoint(4)
    scenario.at = (begin / window + 1n) * window - 1n
    scenario.submit(scenario.updateTo(1))
    return scenario
  }

  it("RW-4: a share lies in the present window, then in the one before, then it is the protocol's", () => {
    const scenario = shared()
    const share = ether / 10n
    const { protocolReserve } = scenario.state.vault
    for (const [seconds, young, old, lapsed] of [[0n, share, 0n, 0n], [1n, 0n, share, 0n], [window - 1n, 0n, share, 0n], [1n, 0n, 0n, share]] as const) {
      scenario.wait(seconds)
      assert.deepEqual(scenario.call({ _tag: "Lapse" }), lapsed === 0n ? [] : [{ _tag: "Lapsed", amount: lapsed }])
      const { vault } = scenario.state
      assert.deepEqual([vault.young, vault.old, vault.protocolReserve - protocolReserve], [young, old, lapsed])
    }
  })

  it("RW-4: after a long silence all of it lapses at once", () => {
    const scenario = shared().wait(1n)
    scenario.submit(scenario.updateTo(2))
    assert.deepEqual([scenario.state.vault.young, scenario.state.vault.old], [ether / 10n, ether / 10n])
    scenario.wait(2n * window)
    assert.strictEqual(scenario.observed().redundancyReserve, ether / 5n, "as stored")
    assert.deepEqual(scenario.call({ _tag: "Lapse" }), [{ _tag: "Lapsed", amount: ether / 5n }])
  })

  it("RW-4: the next update moves it on, before anything else", () => {
    const scenario = shared().wait(30n * minute + 2n * window)
    const emitted = scenario.submit(scenario.updateTo(2))
    assert.deepEqual(emitted.map(({ _tag }) => _tag).slice(0, 3), ["StateUpdated", "Lapsed", "Credited"])
    assert.strictEqual(scenario.observed().redundancyReserve, ether / 10n)
  })
})
