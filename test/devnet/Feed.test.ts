import { assert, describe, it } from "@effect/vitest"
import { emptyPicture, type News, paint, type Picture } from "../../src/devnet/Feed.ts"
import { plainLines } from "../../src/devnet/PlainView.ts"
import { liveCheckpoints } from "../../src/devnet/Report.ts"
import type { L1Event } from "../../src/l1/Events.ts"

const block = (number: number, fork = 0) =>
  ({ _tag: "Block", block: { number, header: { number, proverFees: 0n, fork }, transfers: [] } }) as never as News
const checkpoint = (number: number) =>
  ({ _tag: "Checkpoint", event: { _tag: "CheckpointRegistered", checkpoint: { number }, certificate: { signers: 7n } } }) as never as News
const revert = (headNumber: number) => ({ _tag: "Revert", event: { _tag: "CheckpointsReverted", headNumber, generation: 1 } }) as never as News

const painted = (news: ReadonlyArray<News>, from: Picture = emptyPicture([])) => news.reduce(paint, from)
const numbers = ({ blocks }: Picture) => blocks.map(({ number }) => Number(number))

describe("CP-4: the picture of a devnet", () => {
  const before = painted([1, 2, 3, 4, 5, 6].flatMap((number) => [block(number), ...(number % 2 === 0 ? [checkpoint(number)] : [])]))

  it("a revert takes the dead checkpoints out of it, and a replaced block those that it replaces", () => {
    const reverted = painted([revert(2)], before)
    assert.deepStrictEqual([...reverted.checkpoints], [2])
    assert.deepStrictEqual(numbers(reverted), [1, 2, 3, 4, 5, 6])
    const after = painted([block(4, 1), block(5, 1), checkpoint(4)], reverted)
    assert.deepStrictEqual(numbers(after), [1, 2, 3, 4, 5])
    assert.deepStrictEqual(after.blocks.map(({ header }) => (header as never as { readonly fork: number }).fork), [0, 0, 0, 1, 1])
    assert.deepStrictEqual([...after.checkpoints], [2, 4])
  })

  it("plain lines say what is dropped, and only then", () => {
    assert.deepStrictEqual(plainLines(before, block(4, 1)).slice(0, -1), ["blocks 4 to 6 are dropped: consensus goes on from block 3"])
    assert.strictEqual(plainLines(before, block(7)).length, 1)
    assert.deepStrictEqual(plainLines(before, revert(2)), ["the checkpoints after 2 are reverted: they were not proven in time"])
  })

  it("a report counts the checkpoints that are alive", () => {
    const events = [0, 2, 4, 6].map((number) => ({ _tag: "CheckpointRegistered", checkpoint: { number } }))
    const all = [...events, { _tag: "CheckpointsReverted", headNumber: 2 }, { _tag: "CheckpointRegistered", checkpoint: { number: 4 } }]
    assert.deepStrictEqual(liveCheckpoints(all as never as ReadonlyArray<L1Event>).map(({ number }) => Number(number)), [0, 2, 4])
  })
})
