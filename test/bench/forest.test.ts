import { assert, describe, it } from "@effect/vitest"
import { measureForest } from "../../bench/forest.ts"

interface Family {
  readonly tree: { readonly reach: number; readonly pieces: number; readonly atoms: number }
  readonly tip: { readonly blocks: number }
}

describe("the bench of the forest, in small", () => {
  const size = { blocks: 600, proofs: 1_800 }
  const measure = (seed: number) => {
    const lines: Array<string> = []
    const { bars, details } = measureForest(size, { seed, runs: 2, progress: (line) => void lines.push(line) })
    return { bars, families: details.families as Readonly<Record<string, ReadonlyArray<Family>>>, lines }
  }

  it("OC-2: has a tree over all of the chain in every family, and moves the tip along it", () => {
    const { families, lines } = measure(3)
    assert.deepStrictEqual(Object.keys(families), ["short", "long", "mixed", "merges"])
    for (const [name, runs] of Object.entries(families)) {
      assert.strictEqual(runs.length, 2)
      for (const { tip, tree } of runs) {
        assert.isAbove(tree.reach, 0.9 * size.blocks, name)
        assert.isAbove(tip.blocks, 0, name)
      }
    }
    // Every merge of 64, and what 600 leaves beside them.
    assert.strictEqual(families.merges![0]!.tree.pieces, 9 + 2)
    assert.isAbove(families.short![0]!.tree.pieces, families.long![0]!.tree.pieces)
    assert.strictEqual(lines.length, 8)
  })

  it("judges the delay of every family, and memory", () => {
    const { bars } = measure(4)
    assert.deepStrictEqual(bars.map(({ atMost, id }) => [id, atMost]), [
      ["add-and-ask-short-p99", 1],
      ["add-and-ask-long-p99", 1],
      ["add-and-ask-mixed-p99", 1],
      ["add-and-ask-merges-p99", 1],
      ["peak-memory", 512]
    ])
    assert.isTrue(bars.every(({ value }) => value > 0))
  })

  it("has the same proofs for the same seed", () => {
    const trees = (seed: number) => Object.values(measure(seed).families).map((runs) => runs.map(({ tree }) => tree))
    assert.deepStrictEqual(trees(5), trees(5))
    assert.notDeepEqual(trees(5), trees(6))
  })
})
