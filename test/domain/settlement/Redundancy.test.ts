import { assert, describe, it } from "@effect/vitest"
import { encodeAbiParameters, keccak256, parseAbiParameters } from "viem"
import { BlockNumber, Wei } from "../../../src/domain/Amount.ts"
import { BlockRef } from "../../../src/domain/Block.ts"
import { type Address, toHex32 } from "../../../src/domain/Hash.ts"
import { Leaf } from "../../../src/domain/Proof.ts"
import { transitionClaim } from "../../../src/domain/Redundancy.ts"
import type { Redundancy } from "../../../src/domain/settlement/Redundancy.ts"
import { prover, ref } from "../builders.ts"
import { bystander, ether, hour, leaves, only, Scenario, transitionOf } from "./scenario.ts"

const share = ether / 10n
const [first, second, third] = [prover(0x11), prover(0x12), prover(0x13)]

/** An update of blocks 1 to 3, by default prover 1's work, which opened a redundancy turn. */
const opened = (paid: ReadonlyArray<Leaf> = leaves(1, 3)) => {
  const scenario = new Scenario({ bonusCap: Wei.make(0n) })
  scenario.provers(first, second, third)
  scenario.call({ _tag: "Fund", amount: 100n * ether })
  scenario.checkpoint(3)
  const before = scenario.state
  const update = scenario.updateTo(3, undefined, { leaves: paid })
  const emitted = scenario.submit(update)
  const transition = transitionOf(before, update, emitted, scenario.at)
  const { holder } = transition
  const redundancy = (change: Partial<Redundancy> = {}): Redundancy => ({ transition, system: 1, provers: [holder, holder, holder], mergers: [], ...change })
  return {
    scenario,
    transition,
    emitted,
    holder,
    redundancy,
    submit: (change: Partial<Redundancy> = {}) =>
      scenario.call({ _tag: "SubmitRedundant", sender: holder, redundancy: redundancy(change), proofHolds: true }),
    refused: (change: Partial<Redundancy> = {}, sender: Address = holder, proofHolds = true) =>
      scenario.refused({ _tag: "SubmitRedundant", sender, redundancy: redundancy(change), proofHolds })
  }
}

/** Who holds the redundancy turn of an update; none where no turn is opened. */
const holderFor = (depth: number, submitter: Address, provers: ReadonlyArray<Address>, later: ReadonlyArray<Address> = []) => {
  const scenario = new Scenario()
  scenario.provers(...provers)
  const checkpoints = Array.from({ length: depth }, (_, i) => scenario.checkpoint(i + 1))
  scenario.provers(...later)
  return only(scenario.submit(scenario.updateTo(depth, checkpoints), submitter), "RedundancyOpened")[0]?.holder
}

describe("RW-4: who holds the redundancy turn", () => {
  it("RW-4: goes round the provers of the checkpoint's registration, by its depth", () => {
    assert.deepEqual([1, 2, 3, 4].map((depth) => holderFor(depth, bystander, [first, second, third])), [second, third, first, second])
    assert.deepEqual([1, 2].map((depth) => holderFor(depth, bystander, [first, second], [third])), [second, first])
  })

  it("RW-4: naming later checkpoints than END needs chooses nobody else", () => {
    const scenario = new Scenario()
    scenario.provers(first, second, third)
    const checkpoints = [1, 2, 3].map((number) => scenario.checkpoint(number))
    // The last one named is of depth 3, whose turn would be the first's.
    const [opened] = only(scenario.submit(scenario.updateTo(2, checkpoints)), "RedundancyOpened")
    assert.strictEqual(opened!.holder, third)
    // Nor does naming earlier ones: depth 3.
    assert.strictEqual(only(scenario.submit(scenario.updateTo(3, checkpoints)), "RedundancyOpened")[0]!.holder, first)
  })

  it("RW-4: the next in order stands in for the submitter, and nobody where that is the submitter too", () => {
    assert.strictEqual(holderFor(1, second, [first, second, third]), third)
    assert.strictEqual(holderFor(2, third, [first, second, third]), first)
    assert.strictEqual(holderFor(1, first, [first]), undefined)
    assert.strictEqual(holderFor(1, bystander, []), undefined)
  })

  it("RW-4: with no prover at the registration, nobody holds it: who joins later has no part in it", () => {
    assert.isUndefined(holderFor(1, bystander, [], [first, second]))
  })

  it("RW-4: the update says who, until when, whose work was paid, and what proving it again earns", () => {
    const { emitted, holder, scenario } = opened()
    assert.deepEqual(emitted.at(-1), {
      _tag: "RedundancyOpened",
      toHash: ref(3).hash,
      holder,
      closesAt: scenario.at + hour,
      provers: [prover(1), prover(1), prover(1)],
      shares: [share, share, share]
    })
    assert.strictEqual(scenario.observed().redundancyReserve, 3n * share)
  })

  it("RW-4: nobody's turn leaves no claim", () => {
    const scenario = new Scenario()
    scenario.checkpoint(1)
    scenario.submit(scenario.updateTo(1))
    assert.deepEqual(scenario.observed().boundaries.map(({ claim }) => claim), [0n, 0n])
  })
})

describe("RW-4: a redundant proof", () => {
  it("RW-4: earns each block's share once, and reputation for the work", () => {
    const { holder, refused, scenario, submit } = opened()
    assert.deepEqual(submit(), [
      ...[1, 2, 3].map((number) => ({ _tag: "Credited" as const, number: number as never, account: holder, kind: "redundancy" as const, amount: share })),
      { _tag: "Released", reserve: "redundancy", firstNumber: 1 as never, lastNumber: 3 as never, amount: 3n * share },
      { _tag: "RedundancyProven", toHash: ref(3).hash, holder, system: 1, earned: 3n * share }
    ])
    assert.strictEqual(scenario.credit(holder), 3n * share)
    assert.strictEqual(scenario.observed().redundancyReserve, 0n)
    const { reputation, updates } = scenario.observed(holder).accounts[0]!
    assert.deepEqual([reputation, updates], [48_000n, 1])
    assert.deepEqual(refused(), ["RW4_TransitionUnknown", ref(3).hash])
  })

  it("RW-4: earns where the holder's own leaf stands and another's was paid; the rest stays for the protocol", () => {
    const mixed = [...leaves(1, 1, second), ...leaves(2, 3)]
    const { holder, scenario, submit } = opened(mixed)
    assert.strictEqual(holder, second)
    const emitted = submit({ provers: [holder, prover(1), holder] })
    assert.deepEqual(only(emitted, "Credited").map(({ amount, number }) => [number as number, amount]), [[3, share]])
    assert.deepEqual(only(emitted, "Released").map(({ amount }) => amount), [share])
    assert.strictEqual(scenario.observed().redundancyReserve, 2n * share)
    // 16,000 of the update's own leaf, and of block 3.
    assert.strictEqual(scenario.observed(holder).accounts[0]!.reputation, 32_000n)
    scenario.wait(2n * hour)
    assert.deepEqual(scenario.call({ _tag: "Lapse" }), [{ _tag: "Lapsed", amount: 2n * share }])
  })

  it("RW-4: copying the winner's leaves earns nothing, nor do own leaves that were paid", () => {
    const { refused } = opened()
    assert.deepEqual(refused({ provers: [prover(1), prover(1), prover(1)] }), ["RW4_NothingEarned"])
    assert.deepEqual(opened(leaves(1, 3, second)).refused(), ["RW4_NothingEarned"])
    // A block without a pot has no share.
    assert.deepEqual(opened(leaves(1, 3, prover(1), 0n)).refused(), ["RW4_NothingEarned"])
  })

  it("RW-4: only the holder, and only within the window", () => {
    const { holder, refused, scenario, submit } = opened()
    assert.deepEqual(refused({}, bystander), ["RW4_NotYourTurn", holder])
    const closesAt = scenario.at + hour
    scenario.at = closesAt + 1n
    assert.deepEqual(refused(), ["RW4_WindowClosed", closesAt])
    scenario.at = closesAt
    submit()
  })

  it("RW-4: pays from the share's own bucket on both sides of a window's end", () => {
    for (const late of [false, true]) {
      const { scenario, submit } = opened()
      if (late) scenario.at = (scenario.at / hour + 1n) * hour
      const { vault } = scenario.state
      assert.strictEqual(vault.window, (scenario.at - (late ? 1n : 0n)) / hour)
      submit()
      assert.deepEqual([scenario.state.vault.young, scenario.state.vault.old], [0n, 0n])
    }
  })

  it("RW-4: is of the same transition, and not a word of it can be changed", () => {
    const { holder, refused, transition } = opened()
    const unknown = ["RW4_TransitionUnknown", ref(3).hash]
    assert.deepEqual(refused({ transition: { ...transition, settledAt: transition.settledAt + 1n } }), unknown)
    assert.deepEqual(refused({ transition: { ...transition, shares: [share, share, share + 1n] } }), unknown)
    assert.deepEqual(refused({ transition: { ...transition, holder: bystander } }, bystander), unknown)
    assert.deepEqual(refused({ transition: { ...transition, from: new BlockRef({ ...transition.from, hash: ref(9).hash }) } }), unknown)
    assert.deepEqual(refused({ transition: { ...transition, from: new BlockRef({ ...transition.from, number: BlockNumber.make(1) }) } }), unknown)
    assert.deepEqual(refused({ transition: { ...transition, leaves: transition.leaves.map((leaf) => new Leaf({ ...leaf, prover: holder })) } }), unknown)
    assert.deepEqual(refused({ transition: { ...transition, leaves: transition.leaves.slice(0, 2), shares: [share, share] } }), ["RW4_TransitionUnknown", ref(2).hash])
    assert.deepEqual(refused({ transition: { ...transition, leaves: [], shares: [] } }), ["RW4_TransitionUnknown", toHex32(0n)])
  })

  it("RW-4, ST-3: one prover for each block, an allowed system, and a proof that holds", () => {
    const { holder, refused, submit } = opened()
    assert.deepEqual(refused({ provers: [holder, holder] }), ["RW4_LeafCount", 2n, 3n])
    assert.deepEqual(refused({ provers: [holder, holder, holder, holder] }), ["RW4_LeafCount", 4n, 3n])
    assert.deepEqual(refused({ system: 3 }), ["ST3_SystemUnknown", 3n])
    assert.deepEqual(refused({ mergers: [holder] }), ["ST3_NothingMerged"])
    assert.deepEqual(refused({}, holder, false), ["ST3_ProofInvalid"])
    submit({ system: 2, mergers: [holder] })
  })

  it("RW-4, CP-4: a revert takes nothing from what was proven", () => {
    const scenario = new Scenario()
    scenario.provers(first, second)
    scenario.call({ _tag: "Fund", amount: ether })
    const [three, nine] = [scenario.checkpoint(3), scenario.checkpoint(9)]
    scenario.wait(24n * hour + 1n)
    const before = scenario.state
    const update = scenario.updateTo(3, [three])
    const transition = transitionOf(before, update, scenario.submit(update), scenario.at)
    scenario.call({ _tag: "RevertUnproven", fallback: three, oldest: nine })
    const { holder } = transition
    scenario.call({ _tag: "SubmitRedundant", sender: holder, redundancy: { transition, system: 1, provers: [holder, holder, holder], mergers: [] }, proofHolds: true })
    assert.isTrue(scenario.credit(holder) > 0n)
  })

  it("RW-4: L1 keeps the lower 184 bits of keccak256(abi.encode(transition))", () => {
    const { scenario, transition } = opened()
    const encoded = encodeAbiParameters(
      parseAbiParameters([
        "Transition transition",
        "struct Transition { bytes32 from; uint64 fromNumber; Leaf[] leaves; uint256[] shares; address holder; uint64 settledAt; }",
        "struct Leaf { bytes32 blockHash; address prover; uint96 proverFees; uint64 proverGas; }"
      ]),
      [{ ...transition, from: transition.from.hash, fromNumber: 0n }]
    )
    assert.strictEqual(BigInt(encoded.slice(0, 66)), 0x20n)
    assert.strictEqual(transitionClaim(transition), BigInt(`0x${keccak256(encoded).slice(2 + 18)}`))
    assert.strictEqual(scenario.observed().boundaries.at(-1)!.claim, transitionClaim(transition))
  })
})
