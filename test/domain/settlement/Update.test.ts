import { assert, describe, it } from "@effect/vitest"
import { Checkpoint } from "../../../src/domain/Checkpoint.ts"
import { BlockNumber } from "../../../src/domain/Amount.ts"
import { prover, ref } from "../builders.ts"
import { bystander, checkpointAt, leaves, only, Scenario } from "./scenario.ts"

/** Checkpoints of blocks 2, 4 and 6, nothing proven. */
const three = () => {
  const scenario = new Scenario()
  return { scenario, two: scenario.checkpoint(2), four: scenario.checkpoint(4), six: scenario.checkpoint(6) }
}

describe("ST-1: where an update starts and ends", () => {
  it("ST-1: moves the tip from where it stood", () => {
    const { scenario, two } = three()
    const emitted = scenario.submit(scenario.updateTo(2, [two]))
    assert.deepEqual(only(emitted, "StateUpdated"), [{
      _tag: "StateUpdated",
      fromHash: ref(0).hash,
      toHash: ref(2).hash,
      fromNumber: BlockNumber.make(0),
      toNumber: BlockNumber.make(2),
      system: 1,
      submitter: bystander,
      checkpointId: two.id
    }])
    const { boundaries, tip } = scenario.observed()
    assert.deepEqual(tip, { hash: ref(2).hash, number: BlockNumber.make(2) })
    assert.deepEqual(boundaries.map(({ number }) => number as number), [0, 2])
  })

  it("ST-1: needs blocks, and a proven boundary to start at", () => {
    const { scenario, two } = three()
    assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(2, [two], { leaves: [] })), ["ST1_NoBlocks"])
    assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(2, [two], { from: ref(1).hash })), ["ST1_FromIsNotABoundary", ref(1).hash])
    // A block within an update is no boundary.
    scenario.submit(scenario.updateTo(2, [two]))
    assert.deepEqual(scenario.refusedUpdate({ ...scenario.updateTo(4), from: ref(1).hash }), ["ST1_FromIsNotABoundary", ref(1).hash])
  })

  it("ST-1: an overlap passes through the tip, and only what lies beyond is accepted and paid", () => {
    const { four, scenario, six, two } = three()
    scenario.call({ _tag: "Fund", amount: 10n ** 20n })
    scenario.submit(scenario.updateTo(2, [two]))
    const over = { ...scenario.updateTo(5, [four, six]), from: ref(0).hash, leaves: leaves(1, 5, prover(9)) }
    const aside = { ...over, leaves: over.leaves.with(1, leaves(2, 2, prover(9), 1n, 1n, 1)[0]!) }
    assert.deepEqual(scenario.refusedUpdate(aside), ["ST1_NotThroughTip", ref(2, 1).hash, ref(2).hash])
    const emitted = scenario.submit(over)
    assert.deepEqual(only(emitted, "Credited").filter(({ kind }) => kind === "leaf").map(({ number }) => number as number), [3, 4, 5])
    assert.deepEqual(only(emitted, "StateUpdated")[0]!.fromNumber as number, 2)
  })

  it("ST-1: what is entirely behind the tip changes nothing, whatever else is wrong with it", () => {
    const { scenario, six, two, four } = three()
    scenario.submit(scenario.updateTo(3, [two, four]))
    const before = scenario.state
    for (const last of [1, 3]) {
      const late = { system: 99, from: ref(0).hash, leaves: leaves(1, last, prover(3), 1n, 1n, 5), mergers: [], checkpoints: [] }
      assert.deepEqual(scenario.call({ _tag: "SubmitUpdate", update: late, proofHolds: false }), [
        { _tag: "AlreadyProven", submitter: bystander, toNumber: BlockNumber.make(last), tipNumber: BlockNumber.make(3) }
      ])
    }
    assert.strictEqual(scenario.state.tip, before.tip)
    assert.strictEqual(scenario.state.vault, before.vault)
    // One block more is an update again.
    assert.deepEqual(scenario.refusedUpdate({ system: 1, from: ref(0).hash, leaves: leaves(1, 4), mergers: [], checkpoints: [] }), ["ST2_NoCheckpoint"])
    scenario.submit({ system: 1, from: ref(0).hash, leaves: leaves(1, 4), mergers: [], checkpoints: [four, six] })
  })
})

describe("ST-2: what continues END", () => {
  it("ST-2: END is a checkpoint's own block, or lies before it", () => {
    const { four, scenario, two } = three()
    scenario.submit(scenario.updateTo(1, [two]))
    scenario.submit(scenario.updateTo(3, [two, four]))
    scenario.submit(scenario.updateTo(4, [four]))
    assert.strictEqual(scenario.state.tip.number as number, 4)
  })

  it("ST-2: the last checkpoint is registered", () => {
    const { scenario, six } = three()
    const next = checkpointAt(six, 8)
    assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(2, [next])), ["ST2_CheckpointUnknown", next.id])
  })

  it("ST-2: the checkpoints are linked, and begin at or behind the tip", () => {
    const { four, scenario, six, two } = three()
    const refused = (checkpoints: ReadonlyArray<Checkpoint>, to = 5) => scenario.refusedUpdate(scenario.updateTo(to, checkpoints))
    assert.deepEqual(refused([]), ["ST2_NoCheckpoint"])
    assert.deepEqual(refused([two, six]), ["ST2_CheckpointsNotLinked", 1n])
    assert.deepEqual(refused([two, four, two]), ["ST2_CheckpointsNotLinked", 2n])
    assert.deepEqual(refused([four, six]), ["ST2_CheckpointsMissing", 2n, 0n])
    scenario.submit(scenario.updateTo(1, [two]))
    assert.deepEqual(refused([four, six]), ["ST2_CheckpointsMissing", 2n, 1n])
    scenario.submit(scenario.updateTo(2, [two]))
    scenario.submit(scenario.updateTo(5, [four, six]))
  })

  it("ST-2: naming checkpoints that the tip passed is no harm", () => {
    const { four, scenario, six, two } = three()
    scenario.submit(scenario.updateTo(4, [two, four]))
    scenario.submit(scenario.updateTo(6, [two, four, six]))
  })

  it("ST-2: number and hash of END fit the checkpoint", () => {
    const { scenario, two } = three()
    const other = leaves(1, 2, prover(1), 1n, 1n, 1)
    assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(2, [two], { leaves: other })), ["ST2_NotContinued", 2n, 2n])
    assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(3, [two])), ["ST2_NotContinued", 3n, 2n])
    assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(1, [two], { leaves: leaves(2, 2) })), ["ST2_NotContinued", 1n, 2n])
  })
})

describe("ST-3, ST-7: proof systems", () => {
  it("ST-3: one of the allowed systems verifies", () => {
    const { scenario, two } = three()
    for (const system of [0, 3]) assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(2, [two], { system })), ["ST3_SystemUnknown", BigInt(system)])
    for (const system of [1, 2]) assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(2, [two], { system }), false), ["ST3_ProofInvalid"])
  })

  it("ST-3, RW-2: a system that merges nothing refuses mergers, whatever the proof", () => {
    const { scenario, two } = three()
    for (const proofHolds of [true, false]) {
      assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(2, [two], { mergers: [prover(5)] }), proofHolds), ["ST3_NothingMerged"])
    }
    scenario.submit(scenario.updateTo(2, [two], { system: 2, mergers: [prover(5)] }))
  })

  it("ST-3: what stands before the proof is refused first", () => {
    const { scenario, two } = three()
    assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(3, [two], { system: 9 }), false), ["ST2_NotContinued", 3n, 2n])
  })

  it("ST-7: the transition is the same whichever system proved it", () => {
    const states = [1, 2].map((system) => {
      const { scenario, two } = three()
      scenario.call({ _tag: "Fund", amount: 10n ** 20n })
      scenario.submit(scenario.updateTo(2, [two], { system }))
      return scenario.observed(prover(1), bystander)
    })
    assert.deepEqual(states[0], states[1])
  })
})
