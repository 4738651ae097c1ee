import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { planUpdate, type UpdatePlan } from "../../src/domain/UpdatePlan.ts"
import { checkpoint, range, ref } from "./builders.ts"

const policy = { blocksPerUpdate: 3, maxBlocks: 8 }
const leaves = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => range(from + i, from + i + 1))
const plan = (tip: number, checkpoints: ReadonlyArray<number>, proven: number, overdue = false) =>
  planUpdate(ref(tip), checkpoints.map(checkpoint), leaves(tip, proven), policy, overdue)

const made = (result: ReturnType<typeof plan>): UpdatePlan => Result.getOrThrow(result)
const waits = (result: ReturnType<typeof plan>): string => {
  assert.isTrue(Result.isFailure(result))
  return Result.isFailure(result) ? result.failure.reason : ""
}

describe("ST-2: an update ends at a block that a registered checkpoint continues", () => {
  it("ends before the checkpoint's block, by ancestry", () => {
    const update = made(plan(0, [2, 4], 4))
    assert.strictEqual(update.end.number, 3)
    assert.strictEqual(update.continuedBy.number, 4)
    assert.isFalse(update.endIsCheckpoint)
    assert.deepStrictEqual(update.checkpoints.map(({ number }) => number), [2, 4])
    assert.strictEqual(update.pieces.length, 3)
  })

  it("ends at the checkpoint's own block", () => {
    const update = made(plan(3, [4, 6], 6))
    assert.strictEqual(update.end.number, 6)
    assert.isTrue(update.endIsCheckpoint)
  })

  it("names the first checkpoint that continues END, and all before it", () => {
    const update = made(plan(0, [2, 4, 6, 8], 5))
    assert.strictEqual(update.end.number, 3)
    assert.deepStrictEqual(update.checkpoints.map(({ number }) => number), [2, 4])
  })

  it("does not end where nobody continues", () => {
    assert.match(waits(plan(0, [], 6)), /no checkpoint beyond block 0/)
    assert.match(waits(plan(0, [2], 6)), /2 of 3 blocks/)
    assert.match(waits(planUpdate(ref(0), [checkpoint(2)], [range(0, 3)], policy, true)), /no checkpoint continues block 3/)
  })

  it("waits for proofs, and for the forest to see the tip", () => {
    assert.match(waits(plan(0, [2, 4], 0)), /no proof continues block 0/)
    assert.match(waits(planUpdate(ref(2), [checkpoint(4)], leaves(0, 4), policy, true)), /has not seen the new tip/)
  })
})

describe("the update policy", () => {
  it("takes whole multiples, as many as fit", () => {
    assert.strictEqual(made(plan(0, [8], 8)).end.number, 6)
    assert.strictEqual(made(plan(0, [20], 20)).end.number, 6)
  })

  it("takes a rest when it is overdue", () => {
    assert.match(waits(plan(6, [8], 8)), /2 of 3 blocks/)
    assert.strictEqual(made(plan(6, [8], 8, true)).end.number, 8)
  })

  it("never takes more than the maximum", () => {
    assert.match(waits(planUpdate(ref(0), [checkpoint(20)], [range(0, 9)], policy, true)), /more than 8 blocks/)
    assert.strictEqual(made(planUpdate(ref(0), [checkpoint(20)], [range(0, 7), range(7, 9)], policy, true)).end.number, 7)
  })
})
