import { assert, describe, it } from "@effect/vitest"
import { Checkpoint } from "../../../src/domain/Checkpoint.ts"
import { ValidatorKey } from "../../../src/domain/QuorumCertificate.ts"
import { prover } from "../builders.ts"
import { begin, bystander, checkpointAt, ether, hour, leaves, Scenario, signed, unknownId } from "./scenario.ts"

const key = (n: number) => ValidatorKey.make(`0x${n.toString(16).padStart(512, "0")}`)
const validators = (...numbers: ReadonlyArray<number>) => numbers.map((n) => ({ key: key(n), possessionHolds: true }))

/** The block that consensus builds at a height after a revert. */
const forked = (number: number) => leaves(number, number, prover(1), ether, 16_000n, 1)

const register = (checkpoint: Checkpoint, certificate = signed()) => ({ _tag: "RegisterCheckpoint" as const, checkpoint, ...certificate })

describe("CP-1: one chain of checkpoints", () => {
  it("CP-1: begins at genesis and is appended to at its head", () => {
    const scenario = new Scenario()
    const { checkpoints, headId } = scenario.observed()
    assert.strictEqual(headId, scenario.genesis.id)
    assert.deepEqual(checkpoints, [
      { id: headId, number: 0 as never, registeredAt: begin - 10n, continuedAt: 0n, continuedAmong: 0, depth: 0, generation: 0, live: true }
    ])
    scenario.provers(prover(1), prover(2))
    scenario.wait(5n)
    const first = checkpointAt(scenario.genesis, 1)
    assert.deepEqual(scenario.call(register(first, signed(7n))), [{
      _tag: "CheckpointRegistered",
      id: first.id,
      parentId: headId,
      number: first.number,
      blockHash: first.blockHash,
      stateRoot: first.stateRoot,
      signers: 7n,
      signature: "0x"
    }])
    const [root, next] = scenario.observed().checkpoints
    assert.deepEqual([root!.continuedAt, root!.continuedAmong], [scenario.at, 2])
    assert.deepEqual(next, { id: first.id, number: first.number, registeredAt: scenario.at, continuedAt: 0n, continuedAmong: 0, depth: 1, generation: 0, live: true })
  })

  it("CP-1: the parent is the head, and the number above the head's", () => {
    const scenario = new Scenario()
    const first = scenario.checkpoint(3)
    assert.deepEqual(scenario.refused(register(checkpointAt(scenario.genesis, 4))), ["CP1_ParentIsNotHead", scenario.genesis.id, first.id])
    assert.deepEqual(scenario.refused(register(checkpointAt(first, 3, 1))), ["CP1_NumberNotAboveHead", 3n, 3n])
    scenario.call(register(checkpointAt(first, 4)))
  })
})

describe("CP-2: certificates", () => {
  it("CP-2: more than two thirds of the set sign, nobody else, and the signature holds", () => {
    const scenario = new Scenario()
    const next = checkpointAt(scenario.genesis, 1)
    assert.deepEqual(scenario.refused(register(next, signed(16n))), ["CP2_UnknownSigner", 16n, 4n])
    assert.deepEqual(scenario.refused(register(next, signed(0n))), ["CP2_QuorumNotReached", 0n, 3n])
    assert.deepEqual(scenario.refused(register(next, signed(3n))), ["CP2_QuorumNotReached", 2n, 3n])
    assert.deepEqual(scenario.refused(register(next, signed(13n, false))), ["CP2_SignatureInvalid"])
    scenario.call(register(next, signed(13n)))
  })

  it("CP-2: what stands before the certificate is refused first", () => {
    const scenario = new Scenario()
    assert.strictEqual(scenario.refused(register(checkpointAt(scenario.genesis, 0), signed(16n)))[0], "CP1_NumberNotAboveHead")
    assert.strictEqual(
      scenario.refused(register(new Checkpoint({ ...checkpointAt(scenario.genesis, 0), parent: unknownId }), signed(16n)))[0],
      "CP1_ParentIsNotHead"
    )
  })
})

describe("CP-3: hand-over", () => {
  it("CP-3: the set in force appoints the next, which certifies from then on", () => {
    const scenario = new Scenario()
    assert.deepEqual(scenario.call({ _tag: "HandOver", validators: validators(1), ...signed() }), [
      { _tag: "ValidatorSetChanged", epoch: 1n, validators: 1, keys: [key(1)] }
    ])
    assert.deepEqual(scenario.observed().validators, { epoch: 1n, count: 1 })
    assert.deepEqual(scenario.refused(register(checkpointAt(scenario.genesis, 1), signed(3n))), ["CP2_UnknownSigner", 3n, 1n])
    scenario.call(register(checkpointAt(scenario.genesis, 1), signed(1n)))
  })

  it("CP-3: a set has 1 to 64 different keys, all possessed, and the certificate is looked at first", () => {
    const scenario = new Scenario()
    const handOver = (given: ReturnType<typeof validators>, certificate = signed()) =>
      scenario.refused({ _tag: "HandOver", validators: given, ...certificate })
    assert.deepEqual(handOver([]), ["CP3_ValidatorCount", 0n, 64n])
    assert.deepEqual(handOver(validators(...Array(65).keys())), ["CP3_ValidatorCount", 65n, 64n])
    assert.deepEqual(handOver(validators(1, 2, 1, 2)), ["CP3_DuplicateKey", 0n, 2n])
    assert.deepEqual(handOver([...validators(1), { key: key(2), possessionHolds: false }]), ["CP3_PossessionInvalid", 1n])
    assert.deepEqual(handOver([], signed(1n)), ["CP2_QuorumNotReached", 1n, 3n])
    scenario.call({ _tag: "HandOver", validators: validators(...Array(64).keys()), ...signed() })
  })
})

describe("CP-4: revert", () => {
  const deadline = 24n * hour

  /** Checkpoints of blocks 2, 4 and 6, an hour apart, and the tip at block 3. */
  const pending = () => {
    const scenario = new Scenario()
    const two = scenario.checkpoint(2)
    const four = scenario.wait(hour).checkpoint(4)
    const six = scenario.wait(hour).checkpoint(6)
    scenario.submit(scenario.updateTo(3, [two, four]))
    return { scenario, two, four, six }
  }

  it("CP-4: only once the oldest unproven checkpoint is older than the deadline", () => {
    const { four, scenario, two } = pending()
    const dueAt = begin + hour + deadline
    scenario.at = dueAt
    assert.deepEqual(scenario.refused({ _tag: "RevertUnproven", fallback: two, oldest: four }), ["CP4_NotDue", dueAt])
    scenario.wait(1n)
    assert.deepEqual(scenario.call({ _tag: "RevertUnproven", fallback: two, oldest: four }), [
      { _tag: "CheckpointsReverted", generation: 1, headId: two.id, headNumber: two.number, tipNumber: 3 as never }
    ])
  })

  it("CP-4: the two checkpoints are linked, live, and around the tip", () => {
    const { four, scenario, six, two } = pending()
    scenario.wait(3n * deadline)
    const refused = (fallback: Checkpoint, oldest: Checkpoint) => scenario.refused({ _tag: "RevertUnproven", fallback, oldest })
    assert.deepEqual(refused(two, six), ["CP4_NotLinked"])
    const stranger = checkpointAt(two, 5)
    assert.deepEqual(refused(two, stranger), ["CP4_NotLive", stranger.id])
    assert.deepEqual(refused(four, six), ["CP4_NotOldest", 3n])
    assert.deepEqual(refused(scenario.genesis, two), ["CP4_NotOldest", 3n])
    scenario.call({ _tag: "RevertUnproven", fallback: two, oldest: four })
    assert.deepEqual(refused(two, four), ["CP4_NotLive", four.id])
  })

  it("CP-4: what was reverted can be neither proven, continued nor registered again; the rest stays", () => {
    const { four, scenario, six, two } = pending()
    scenario.wait(2n * deadline).call({ _tag: "RevertUnproven", fallback: two, oldest: four })
    assert.deepEqual(scenario.observed().checkpoints.map(({ live }) => live), [true, true, false, false])
    assert.deepEqual(scenario.refusedUpdate(scenario.updateTo(4, [four])), ["ST2_CheckpointUnknown", four.id])
    assert.deepEqual(scenario.refused(register(checkpointAt(six, 8))), ["CP1_ParentIsNotHead", six.id, two.id])
    assert.deepEqual(scenario.refused(register(four)), ["CP4_Reverted", four.id])
    // A certificate is not even looked at.
    assert.deepEqual(scenario.refused(register(four, signed(0n))), ["CP4_Reverted", four.id])
  })

  it("CP-4: consensus goes on from the tip, and from nothing at or behind it", () => {
    const { four, scenario, two } = pending()
    scenario.wait(2n * deadline).call({ _tag: "RevertUnproven", fallback: two, oldest: four })
    assert.deepEqual(scenario.refused(register(checkpointAt(two, 3, 1))), ["CP1_NumberNotAboveHead", 3n, 3n])
    const next = checkpointAt(two, 4, 1)
    scenario.call(register(next))
    const { checkpoints, floor, generation } = scenario.observed()
    assert.deepEqual([generation, floor as number], [1, 3])
    const record = checkpoints.find(({ id }) => id === next.id)!
    assert.deepEqual([record.depth, record.generation, record.live], [2, 1, true])
    scenario.submit(scenario.updateTo(4, [next], { leaves: forked(4) }))
    assert.strictEqual(scenario.state.tip.number as number, 4)
  })

  it("CP-4: the first revert after a registration decides, however many follow", () => {
    const { four, scenario, two } = pending()
    scenario.wait(2n * deadline).call({ _tag: "RevertUnproven", fallback: two, oldest: four })
    const next = checkpointAt(two, 5, 1)
    scenario.call(register(next))
    const after = checkpointAt(next, 7, 1)
    scenario.call(register(after))
    scenario.submit(scenario.updateTo(5, [next], { leaves: [...leaves(4, 4), ...forked(5)] }))
    scenario.wait(2n * deadline).call({ _tag: "RevertUnproven", fallback: next, oldest: after })
    const live = new Map(scenario.observed().checkpoints.map((each) => [each.id, each.live]))
    assert.deepEqual([two, next, four, after].map(({ id }) => live.get(id)), [true, true, false, false])
    assert.strictEqual(scenario.observed().generation, 2)
  })

  it("CP-4, ST-4: the idle clock waits for the fallback's next child; the tip stays", () => {
    const { four, scenario, two } = pending()
    scenario.wait(2n * deadline)
    assert.isTrue(scenario.observed().turn.inFallback)
    const { tip } = scenario.state
    scenario.call({ _tag: "RevertUnproven", fallback: two, oldest: four })
    assert.deepEqual(scenario.state.tip, { ...tip, headThen: two.id })
    assert.strictEqual(scenario.observed().idleSince, 0n)
    assert.strictEqual(scenario.observed().turn.endsAt, 0n)
    scenario.wait(7n).call(register(checkpointAt(two, 9, 1)))
    assert.strictEqual(scenario.observed().idleSince, scenario.at)
    assert.strictEqual(scenario.observed().turn.endsAt, scenario.at + 5n * hour)
  })

  it("CP-4: anyone may revert, from the genesis block too", () => {
    const scenario = new Scenario()
    const first = scenario.checkpoint(2)
    scenario.wait(deadline + 1n).call({ _tag: "RevertUnproven", sender: bystander, fallback: scenario.genesis, oldest: first })
    assert.strictEqual(scenario.observed().headId, scenario.genesis.id)
  })
})
