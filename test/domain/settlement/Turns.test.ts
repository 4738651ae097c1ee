import { assert, describe, it } from "@effect/vitest"
import { Wei } from "../../../src/domain/Amount.ts"
import { zeroAddress } from "../../../src/domain/Hash.ts"
import type { ProtocolParameters } from "../../../src/domain/ProtocolParameters.ts"
import { prover } from "../builders.ts"
import { begin, bystander, ether, hour, leaves, minute, only, Scenario } from "./scenario.ts"

const fallback = 5n * hour
const turn = 30n * minute
const everyone = [prover(1), prover(2), prover(3)]

/** No bonus and no lapse: turns alone move money. */
const plain = { bonusCap: Wei.make(0n), redundancyWindow: 2 ** 32 - 1 }

/** Three provers, money in the vault, and everything up to block 9 checkpointed; the tip at block 1, updated when the scenario begins. */
const idle = (parameters: Partial<ProtocolParameters> = {}, provers = everyone) => {
  const scenario = new Scenario({ ...plain, ...parameters })
  scenario.provers(...provers)
  scenario.call({ _tag: "Fund", amount: 100n * ether })
  const last = scenario.checkpoint(9)
  scenario.submit(scenario.updateTo(1, [last], { leaves: leaves(1, 1, prover(4)) }))
  return scenario
}

const next = (scenario: Scenario) => scenario.updateTo(scenario.state.tip.number + 1)

describe("ST-4: the idle clock", () => {
  it("ST-4: nothing provable, nothing idle", () => {
    const scenario = new Scenario().wait(100n * 24n * hour)
    assert.strictEqual(scenario.observed().idleSince, 0n)
    assert.deepEqual(scenario.observed().turn, { inFallback: false, index: 0, holder: zeroAddress, endsAt: 0n })
  })

  it("ST-4: the oldest checkpoint beyond the tip starts it, an update starts it anew", () => {
    const scenario = new Scenario()
    const first = scenario.wait(hour).checkpoint(2)
    const registeredAt = scenario.at
    const second = scenario.wait(hour).checkpoint(4)
    assert.strictEqual(scenario.observed().idleSince, registeredAt)
    scenario.wait(hour).submit(scenario.updateTo(2, [first]))
    assert.strictEqual(scenario.observed().idleSince, scenario.at)
    scenario.wait(hour).submit(scenario.updateTo(4, [second]))
    assert.strictEqual(scenario.observed().idleSince, 0n)
    scenario.wait(hour).checkpoint(5)
    assert.strictEqual(scenario.observed().idleSince, scenario.at)
    // Its own child does not move it.
    scenario.wait(hour).checkpoint(6)
    assert.strictEqual(scenario.observed().idleSince, scenario.at - hour)
  })
})

describe("ST-5: the race", () => {
  it("ST-5: lasts to the second, and anyone earns the submission", () => {
    const scenario = idle().wait(fallback - 1n)
    assert.deepEqual(scenario.observed().turn, { inFallback: false, index: 0, holder: zeroAddress, endsAt: begin + fallback })
    assert.deepEqual(only(scenario.submit(next(scenario)), "UpdatedInTurn", "TurnMissed"), [])
    assert.strictEqual(scenario.credit(bystander), ether / 5n)
  })
})

describe("ST-6: turns", () => {
  it("ST-6: go round from where the head's hash says, each to the second", () => {
    const scenario = idle()
    const place = BigInt.asUintN(128, BigInt(scenario.state.registry.headId))
    for (let k = 0n; k < 7n; k++) {
      for (const at of [fallback + k * turn, fallback + (k + 1n) * turn - 1n]) {
        scenario.at = begin + at
        assert.deepEqual(scenario.observed().turn, {
          inFallback: true,
          index: Number(k),
          holder: everyone[Number((place + k) % 3n)]!,
          endsAt: begin + fallback + (k + 1n) * turn
        })
      }
    }
  })

  it("ST-6: neither a further checkpoint nor a further registration moves a running turn; a leaver's place goes to the last", () => {
    const scenario = idle().wait(fallback)
    const { holder } = scenario.observed().turn
    scenario.checkpoint(12)
    scenario.provers(prover(7), prover(8))
    assert.strictEqual(scenario.observed().turn.holder, holder)
    scenario.call({ _tag: "Deregister", sender: holder })
    assert.strictEqual(scenario.observed().turn.holder, prover(8))
  })

  it("ST-6: the first turns are of those that were there when the first checkpoint came, those after a complete update too", () => {
    const scenario = new Scenario()
    scenario.provers(...everyone.slice(0, 2))
    const place = () => BigInt.asUintN(128, BigInt(scenario.state.tip.headThen))
    scenario.checkpoint(2)
    scenario.provers(prover(3))
    scenario.wait(fallback)
    assert.strictEqual(scenario.observed().turn.holder, everyone[Number(place() % 2n)])
    scenario.submit(scenario.updateTo(2))
    scenario.provers(prover(4))
    scenario.checkpoint(4)
    scenario.provers(prover(5))
    scenario.wait(fallback)
    assert.strictEqual(scenario.observed().turn.holder, [...everyone, prover(4)][Number(place() % 4n)])
  })

  it("ST-6: where nobody was there when the clock started, the race goes on until its next start", () => {
    const scenario = new Scenario(plain)
    scenario.call({ _tag: "Fund", amount: 100n * ether })
    scenario.checkpoint(9)
    scenario.provers(prover(1))
    scenario.wait(fallback + turn)
    assert.deepEqual([scenario.observed().turn.inFallback, scenario.observed().turn.holder], [true, zeroAddress])
    const emitted = scenario.submit(next(scenario))
    assert.deepEqual(only(emitted, "TurnMissed"), [])
    assert.deepEqual(only(emitted, "Credited").map(({ kind }) => kind), ["leaf", "submission"])
    assert.strictEqual(scenario.wait(fallback).observed().turn.holder, prover(1))
  })

  it("ST-6: places that became empty count modulo those that are left", () => {
    const scenario = idle().wait(fallback)
    for (const sender of everyone.slice(0, 2)) scenario.call({ _tag: "Deregister", sender })
    for (let k = 0n; k < 3n; k++) {
      assert.strictEqual(scenario.observed().turn.holder, everyone[2])
      scenario.wait(turn)
    }
    scenario.call({ _tag: "Deregister", sender: everyone[2]! })
    assert.strictEqual(scenario.observed().turn.holder, zeroAddress)
  })

  it("ST-6: the holder earns submission and bounty", () => {
    const scenario = idle()
    scenario.call({ _tag: "Endow", amount: ether })
    const { fallbackBounty } = scenario.state.parameters
    const { holder } = scenario.wait(fallback).observed().turn
    const emitted = scenario.submit(next(scenario), holder)
    assert.deepEqual(only(emitted, "UpdatedInTurn"), [{ _tag: "UpdatedInTurn", toNumber: 2 as never, turn: 0, holder, submitter: holder }])
    assert.deepEqual(only(emitted, "Credited").slice(1).map(({ account, amount, kind }) => [account, kind, amount]), [
      [holder, "submission", ether / 10n],
      [holder, "bounty", fallbackBounty]
    ])
    assert.deepEqual(only(emitted, "Released").at(-1), { _tag: "Released", reserve: "protocol", firstNumber: 2 as never, lastNumber: 2 as never, amount: fallbackBounty })
  })

  it("ST-6: anybody else's proof is accepted, and the reserve has the submission", () => {
    const scenario = idle().wait(fallback)
    const before = scenario.state.vault.protocolReserve
    const emitted = scenario.submit(next(scenario))
    assert.strictEqual(scenario.credit(bystander), ether / 10n, "from the update before")
    assert.deepEqual(only(emitted, "Credited").filter(({ kind }) => kind === "submission" || kind === "bounty"), [])
    assert.strictEqual(scenario.state.vault.protocolReserve, before + ether / 10n + ether / 20n)
  })

  it("ST-6: the bounty is what the reserve holds after the pots are split, if that is less", () => {
    const scenario = idle({ fallbackBounty: Wei.make(ether * 1000n) }).wait(fallback)
    const { holder } = scenario.observed().turn
    const emitted = scenario.submit(next(scenario), holder)
    assert.strictEqual(only(emitted, "Credited").at(-1)!.kind, "bounty")
    assert.strictEqual(scenario.state.vault.protocolReserve, 0n)
  })

  it("ST-6: with no prover registered the race goes on, without a bounty", () => {
    const scenario = idle({}, []).wait(fallback + 3n * turn)
    const emitted = scenario.submit(next(scenario))
    assert.deepEqual(only(emitted, "UpdatedInTurn")[0]!.holder, zeroAddress)
    assert.deepEqual(only(emitted, "TurnMissed"), [])
    assert.deepEqual(only(emitted, "Credited").map(({ kind }) => kind), ["leaf", "submission"])
  })

  it("ST-6: under open designation whoever submits earns the bounty, and nobody misses a turn", () => {
    const scenario = idle({ designation: "open" }).wait(fallback + 3n * turn)
    const emitted = scenario.submit(next(scenario))
    assert.deepEqual(only(emitted, "UpdatedInTurn")[0], { _tag: "UpdatedInTurn", toNumber: 2 as never, turn: 3, holder: zeroAddress, submitter: bystander })
    assert.deepEqual(only(emitted, "TurnMissed"), [])
    assert.strictEqual(only(emitted, "Credited").at(-1)!.kind, "bounty")
  })

  it("ST-6: under exclusive designation others are refused in a turn, and nothing happens to anybody", () => {
    const scenario = idle({ designation: "exclusive" }).wait(fallback + turn)
    const { holder } = scenario.observed().turn
    const before = scenario.state
    assert.deepEqual(scenario.refusedUpdate(next(scenario)), ["ST6_NotYourTurn", holder])
    assert.strictEqual(scenario.state, before)
    assert.strictEqual(only(scenario.submit(next(scenario), holder), "TurnMissed").length, 1)
  })
})

describe("ST-6: missed turns", () => {
  /** The same, and every prover has a reputation of 2^20 that no time takes away. */
  const reputed = () => {
    const scenario = new Scenario({ reputationHalfLife: 2 ** 32 - 1 })
    scenario.provers(...everyone)
    const last = scenario.checkpoint(20)
    const work = everyone.map((by, i) => leaves(i + 1, i + 1, by, 0n, 1n << 20n)[0]!)
    scenario.submit(scenario.updateTo(3, [last], { leaves: work }))
    return scenario
  }

  it("ST-6: the holders of the turns before lose half of their reputation each, oldest first", () => {
    const scenario = reputed()
    scenario.wait(fallback)
    const holders = [0, 1, 2, 3].map((k) => {
      scenario.at = begin + fallback + BigInt(k) * turn
      return scenario.observed().turn.holder
    })
    const before = scenario.observed(...everyone)
    const emitted = scenario.submit(scenario.updateTo(4, undefined, { leaves: leaves(4, 4, prover(9), 0n, 0n) }))
    const missed = only(emitted, "TurnMissed")
    assert.deepEqual(missed.map(({ holder, turn }) => [turn, holder]), [0, 1, 2].map((k) => [k, holders[k]]))
    const after = scenario.observed(...everyone)
    for (const [i, { reputation }] of before.accounts.entries()) {
      assert.isTrue(after.accounts[i]!.reputation <= reputation / 2n + 1n && after.accounts[i]!.reputation >= reputation / 2n - 1n)
      assert.strictEqual(after.accounts[i]!.updates, 1)
    }
    assert.strictEqual(after.totalReputation, before.totalReputation - missed.reduce((sum, { lost }) => sum + lost, 0n))
  })

  it("ST-6: in the first turn nobody has missed any", () => {
    const scenario = reputed().wait(fallback + turn - 1n)
    assert.deepEqual(only(scenario.submit(next(scenario)), "TurnMissed"), [])
  })

  it("ST-6: of many, the last eight count", () => {
    for (const [index, first] of [[8n, 0], [9n, 1], [100n, 92]] as const) {
      const scenario = reputed().wait(fallback + index * turn)
      assert.deepEqual(only(scenario.submit(next(scenario)), "TurnMissed").map(({ turn }) => turn), Array.from({ length: 8 }, (_, i) => first + i))
    }
  })

  it("ST-6: a turn whose place changed hands after it began is nobody's miss; the next that begins there is", () => {
    for (const late of [0n, 1n]) {
      const scenario = reputed()
      scenario.provers(prover(4))
      scenario.wait(fallback)
      const [leaver, second, third] = [0n, 1n, 2n].map((k) => {
        scenario.at = begin + fallback + k * turn
        return scenario.observed().turn.holder
      })
      scenario.at = begin + fallback + late
      scenario.call({ _tag: "Deregister", sender: leaver! })
      assert.strictEqual(scenario.observed().turn.holder, prover(4))
      scenario.at = begin + fallback + 4n * turn
      assert.deepEqual(only(scenario.submit(next(scenario)), "TurnMissed").map(({ holder, turn }) => [turn, holder]), [
        ...(late === 0n ? [[0, prover(4)]] : []),
        [1, second],
        [2, third],
        [3, prover(4)]
      ])
    }
  })

  it("ST-6: a place that became empty is its new holder's miss from the next turn there on", () => {
    const scenario = reputed()
    const third = (5n - BigInt.asUintN(128, BigInt(scenario.state.registry.headId)) % 3n) % 3n
    scenario.at = begin + fallback + third * turn + 1n
    scenario.call({ _tag: "Deregister", sender: everyone[2]! })
    assert.strictEqual(scenario.observed().turn.holder, everyone[0])
    scenario.at = begin + fallback + (third + 4n) * turn
    const missed = only(scenario.submit(next(scenario)), "TurnMissed")
    const turns = Array.from({ length: Number(third) + 4 }, (_, k) => k)
    assert.deepEqual(missed.map(({ turn }) => turn), turns.filter((k) => k !== Number(third)))
    assert.strictEqual(missed.at(-1)!.holder, everyone[0])
  })

  it("CP-4, ST-6: the turns before a revert are missed as those before an update, once, and said first", () => {
    const deadline = 24n * hour
    const [scenario, updated] = [reputed(), reputed()].map((each) => each.wait(deadline + 1n))
    const emitted = scenario!.call({ _tag: "RevertUnproven", fallback: scenario!.genesis, oldest: scenario!.head })
    assert.deepEqual(emitted.map(({ _tag }) => _tag), [...Array.from({ length: 8 }, () => "TurnMissed"), "CheckpointsReverted"])
    assert.deepEqual(only(emitted, "TurnMissed"), only(updated!.submit(next(updated!)), "TurnMissed"))
    assert.deepEqual(only(emitted, "TurnMissed").map(({ turn }) => turn), [30, 31, 32, 33, 34, 35, 36, 37])
    scenario!.head = scenario!.genesis
    scenario!.checkpoint(21)
    scenario!.wait(fallback + turn)
    assert.deepEqual(only(scenario!.submit(next(scenario!)), "TurnMissed").map(({ turn }) => turn), [0])
  })

  it("CP-4, ST-6: a revert in the race, in the first turn, or under open designation is nobody's miss", () => {
    const revertAfter = (after: bigint, parameters: Partial<ProtocolParameters> = {}) => {
      const scenario = idle(parameters)
      scenario.wait(48n * hour)
      scenario.submit(next(scenario))
      scenario.wait(after)
      return only(scenario.call({ _tag: "RevertUnproven", fallback: scenario.genesis, oldest: scenario.head }), "TurnMissed").map(({ turn }) => turn)
    }
    assert.deepEqual([0n, fallback - 1n, fallback + turn - 1n].map((after) => revertAfter(after)), [[], [], []])
    assert.deepEqual(revertAfter(fallback + 2n * turn), [0, 1])
    assert.deepEqual(revertAfter(fallback + 2n * turn, { designation: "open" }), [])
  })

  it("ST-6: bond and credit are never touched", () => {
    const scenario = reputed().wait(fallback + 9n * turn)
    const credits = everyone.map((each) => scenario.credit(each))
    scenario.submit(scenario.updateTo(4, undefined, { leaves: leaves(4, 4, prover(9), 0n) }))
    assert.deepEqual(everyone.map((each) => scenario.credit(each)), credits)
    assert.deepEqual(scenario.state.provers.order.map((place) => place.prover), everyone)
  })

  it("ST-6: the forfeit comes before the update's own work, and is said before the tip moves", () => {
    const scenario = reputed().wait(fallback + 3n * turn)
    const { holder } = scenario.observed().turn
    const emitted = scenario.submit(scenario.updateTo(4, undefined, { leaves: leaves(4, 4, holder, 0n, 1000n) }))
    assert.deepEqual(emitted.map(({ _tag }) => _tag).slice(0, 5), ["UpdatedInTurn", "TurnMissed", "TurnMissed", "TurnMissed", "StateUpdated"])
    const { reputation, updates } = scenario.observed(holder).accounts[0]!
    assert.strictEqual(updates, 2)
    const lost = only(emitted, "TurnMissed").find((each) => each.holder === holder)!.lost
    assert.isTrue(reputation >= lost + 999n && reputation <= lost + 1001n)
  })
})
