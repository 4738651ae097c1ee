import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { signalOne } from "../../src/domain/Block.ts"
import { type Event, observe, type State, step } from "../../src/domain/Settlement.ts"
import type { Emission } from "../../src/domain/settlement/Emission.ts"
import { everybody } from "../differential/Draws.ts"
import { drawHistory } from "../differential/History.ts"
import { parameterSets } from "../differential/Parameters.ts"
import { deployed, genesis, pairs } from "../differential/Setting.ts"

const begin = 1_800_000_123n

interface Stepped {
  readonly before: State
  readonly event: Event
  readonly after: State
  readonly effects: ReadonlyArray<Emission>
}

/** Every call of some random histories under every set of parameters, with what came of it. */
const histories = (each: number): ReadonlyArray<ReadonlyArray<Stepped>> =>
  parameterSets.flatMap((parameters, set) =>
    Array.from({ length: each }, (_, i) => {
      let state = deployed(parameters, begin - 10n, begin)
      return drawHistory({ seed: `rules/${set}/${i}`, state, genesis, at: begin, pairs }, 60).map(({ event }) => {
        const before = state
        const stepped = step(before, event)
        if (Result.isFailure(stepped)) return { before, event, after: before, effects: [] }
        state = stepped.success.state
        return { before, event, after: state, effects: stepped.success.effects }
      })
    })
  )

const all = histories(40)
const calls = all.flat()

const credits = ({ vault }: State) => [...vault.accounts.values()].reduce((sum, { credit }) => sum + credit, 0n)
const reserves = ({ vault }: State) => vault.protocolReserve + vault.young + vault.old

const sum = (effects: ReadonlyArray<Emission>, tag: "Credited" | "Reserved" | "Released" | "Claimed" | "Funded", reserve?: string) =>
  effects.reduce((total, effect) => effect._tag === tag && (reserve === undefined || ("reserve" in effect && effect.reserve === reserve)) ? total + effect.amount : total, 0n)

describe("RW-5: conservation over random histories", () => {
  it("RW-5: every wei is in exactly one place, and the vault holds it", () => {
    for (const { after } of calls) {
      const { balance, unallocated } = after.vault
      assert.strictEqual(balance, unallocated + reserves(after) + credits(after))
      assert.isTrue(unallocated >= 0n && after.vault.protocolReserve >= 0n && after.vault.young >= 0n && after.vault.old >= 0n)
      assert.isTrue(unallocated + reserves(after) < 1n << 80n)
    }
  })

  it("RW-5, RW-7: the books can be rebuilt from events alone", () => {
    for (const history of all) {
      const effects = history.flatMap((call) => call.effects)
      const { after } = history.at(-1)!
      const lapsed = effects.reduce((total, effect) => effect._tag === "Lapsed" ? total + effect.amount : total, 0n)
      assert.strictEqual(credits(after), sum(effects, "Credited") - sum(effects, "Claimed"))
      assert.strictEqual(after.vault.young + after.vault.old, sum(effects, "Reserved", "redundancy") - sum(effects, "Released", "redundancy") - lapsed)
      assert.strictEqual(after.vault.protocolReserve, sum(effects, "Reserved", "protocol") - sum(effects, "Released", "protocol") + lapsed)
      assert.strictEqual(after.vault.balance, sum(effects, "Funded") - sum(effects, "Claimed"))
    }
  })

  it("RW-1, RW-3: an update pays no more than its pots, and each block once", () => {
    const paid = all.map((history) => history.flatMap(({ effects }) => effects).filter((effect) => effect._tag === "Credited" && effect.kind === "leaf"))
    for (const leaves of paid) {
      const numbers = leaves.map((effect) => effect._tag === "Credited" ? effect.number : 0)
      assert.strictEqual(new Set(numbers).size, numbers.length)
      assert.deepEqual([...numbers].sort((a, b) => a - b), numbers)
    }
    assert.isAbove(paid.flat().length, 500)
  })
})

describe("ST-1, CP-4: what never goes back", () => {
  it("ST-1, CP-4: the tip moves forward only, reverts or not", () => {
    for (const { after, before } of calls) {
      assert.isTrue(after.tip.number >= before.tip.number)
      assert.isTrue(after.registry.floor >= before.registry.floor && after.registry.floor <= after.tip.number)
      assert.isTrue(after.tip.number === before.tip.number || after.tip.number > after.registry.floor)
    }
    assert.isAbove(calls.filter(({ effects }) => effects.some(({ _tag }) => _tag === "CheckpointsReverted")).length, 20)
  })

  it("CP-1, CP-4: live checkpoints are one chain from genesis to the head, numbers rising; the dead stay dead", () => {
    for (const { after, before, event: { at } } of calls) {
      const seen = observe(after, at, []).checkpoints
      const live = seen.filter((each) => each.live)
      assert.deepEqual(live.map(({ depth }) => depth), live.map((_, i) => i))
      assert.isTrue(live.every(({ number }, i) => i === 0 || number > live[i - 1]!.number))
      assert.strictEqual(live.at(-1)!.id, after.registry.headId)
      const dead = new Set(observe(before, at, []).checkpoints.filter((each) => !each.live).map(({ id }) => id))
      assert.isTrue(live.every(({ id }) => !dead.has(id)))
    }
  })

  it("ST-4: the idle clock never starts before the last update, and runs while something is provable", () => {
    for (const { after, event } of calls) {
      const { checkpoints, idleSince } = observe(after, event.at, [])
      const provable = checkpoints.filter(({ live, number }) => live && number > after.tip.number)
      const oldest = provable[0]?.registeredAt
      assert.strictEqual(idleSince, oldest === undefined ? 0n : oldest > after.tip.updatedAt ? oldest : after.tip.updatedAt)
    }
  })

  it("a refused call changes nothing, and a call changes no state but its own", () => {
    for (const { after, before, effects, event } of calls) {
      if (effects.length === 0 && event._tag !== "Lapse") assert.strictEqual(after, before)
    }
    const [history] = all
    const replayed = history!.reduce((state, { event }) => Result.match(step(state, event), { onFailure: () => state, onSuccess: (outcome) => outcome.state }), history![0]!.before)
    assert.deepEqual(replayed, history!.at(-1)!.after)
  })
})

describe("FM-3: reputation and signal over random histories", () => {
  it("FM-3: the total is the sum of its parts, but for what division drops", () => {
    let largest = 0n
    for (const history of all) {
      // A forfeit takes from total and part alike, but not what rounding put into a larger total before.
      let highest = 0n
      for (const { after, event } of history) {
        const { accounts, totalReputation } = observe(after, event.at, everybody)
        const parts = accounts.reduce((total, { reputation }) => total + reputation, 0n)
        if (parts > highest) highest = parts
        // Each of some sixty decays is off by the last digits of the exponential at most, and by a unit.
        assert.isTrue(totalReputation + totalReputation / 1_000_000_000n >= parts, `${parts} exceed ${totalReputation}`)
        assert.isTrue(totalReputation <= parts + highest / 1_000_000_000n + 200n, `${totalReputation} against ${parts}`)
      }
      if (highest > largest) largest = highest
    }
    assert.isTrue(largest > 1n << 60n)
  })

  it("FM-3: the multiplier stays between 1 and its highest", () => {
    for (const { after, event } of calls) {
      const { multiplier } = observe(after, event.at, []).signal
      assert.isTrue(multiplier >= signalOne && multiplier <= BigInt(after.parameters.signalMax))
    }
    assert.isAbove(calls.filter(({ effects }) => effects.some(({ _tag }) => _tag === "MultiplierRaised")).length, 50)
  })

  it("FM-3: a flag weighs no more than its part of the total, and nobody flags twice in an epoch", () => {
    const flags = all.map((history) => history.flatMap(({ after, effects }) => effects.flatMap((effect) => effect._tag === "Flagged" ? [{ ...effect, cap: after.parameters.signalCap }] : [])))
    for (const history of flags) {
      assert.isTrue(history.every(({ cap, total, weight }) => weight <= (total * BigInt(cap)) / 10_000n))
      assert.strictEqual(new Set(history.map(({ epoch, prover }) => `${epoch} ${prover}`)).size, history.length)
    }
    assert.isAbove(flags.flat().length, 100)
  })
})
