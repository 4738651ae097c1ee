import { assert, describe, it, vi } from "@effect/vitest"
import { necessaryRanges, race, type RaceOptions } from "../../bench/RaceModel.ts"

vi.setConfig({ testTimeout: 120_000 })

const run = (options: Partial<RaceOptions>) =>
  race({ seed: "test", strategy: "rendezvous", capacities: Array.from({ length: 10 }, () => 1), blocks: 100, mergeUpTo: 0, ...options })

describe("OC-3: the race of provers that do not talk first", () => {
  it("needs every block, and every merge of aligned pairs", () => {
    assert.strictEqual(necessaryRanges(100, 0).length, 100)
    assert.strictEqual(necessaryRanges(100, 16).length, 100 + 50 + 25 + 12 + 6)
  })

  it("by rendezvous wastes nothing where all know each other, and takes no longer than it must", () => {
    for (const seed of ["a", "b", "c"]) {
      const { ratio, shares, waste } = run({ seed })
      assert.deepStrictEqual([ratio, waste], [1, 0])
      assert.deepStrictEqual(shares, Array.from({ length: 10 }, () => 10))
    }
    assert.deepStrictEqual([run({ capacities: [1] }).ratio, run({ capacities: [1], mergeUpTo: 16 }).waste], [1, 0])
  })

  it("the naive race wastes what all but one do", () => {
    const { ratio, waste } = run({ strategy: "greedy", blocks: 20 })
    assert.deepStrictEqual([ratio, waste], [10, 0.9])
  })

  it("merges fit together", () => {
    const { ratio, waste } = run({ mergeUpTo: 16, blocks: 160 })
    assert.isAtMost(waste, 0.02)
    assert.isAtMost(ratio, 1.15)
  })

  it("lost messages, unequal provers, deaths and liars cost time and a little work, and never the end", () => {
    const faults: ReadonlyArray<Partial<RaceOptions>> = [
      { loss: 50 },
      { capacities: [1, 2, 3, 4, 1, 2, 3, 4], blocks: 200 },
      { deaths: { count: 3, at: 35_000 } },
      { liars: 2 },
      { loss: 50, deaths: { count: 1, at: 15_000 }, liars: 1, mergeUpTo: 8 }
    ]
    for (const fault of faults) {
      const { ratio, waste } = run(fault)
      assert.isAtMost(waste, 0.1)
      assert.isAtMost(ratio, 2.5)
    }
  })

  it("is the same for the same seed", () => {
    const options = { seed: "same", loss: 100, liars: 1, blocks: 60 }
    assert.deepStrictEqual(run(options), run(options))
  })
})
