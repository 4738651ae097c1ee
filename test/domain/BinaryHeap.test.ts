import { assert, describe, it } from "@effect/vitest"
import { BinaryHeap } from "../../src/domain/BinaryHeap.ts"
import { seededRandom } from "../../src/ledger/SeededRandom.ts"

describe("BinaryHeap", () => {
  it("gives the items in order, whatever is added meanwhile", () => {
    const random = seededRandom("heap", "1")
    const heap = new BinaryHeap<number>((one, other) => one < other)
    let kept: Array<number> = []
    for (let step = 0; step < 5_000; step++) {
      if (random.integer(5) < 3) {
        const item = random.integer(200)
        heap.push(item)
        kept.push(item)
        continue
      }
      kept = kept.toSorted((one, other) => one - other)
      assert.strictEqual(heap.first, kept[0])
      assert.strictEqual(heap.pop(), kept.shift())
    }
    assert.isAbove(kept.length, 100)
  })
})
