import { assert, describe, it, vi } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { holds, machine, type Measurements, median, toJson, toTable } from "../../bench/Report.ts"

// Processes of their own, on a machine that may do other things as well.
vi.setConfig({ testTimeout: 240_000 })

const measurements: Measurements = {
  bars: [
    { id: "speed", value: 1.2, unit: "x", atLeast: 1 },
    { id: "delay", value: 12, unit: "ms", atMost: 10 },
    { id: "free", value: 3, unit: "MB" }
  ],
  details: { blocks: 8 }
}

describe("reports of benches", () => {
  it("take the middle of an odd number of runs, and the mean of the two middle ones of an even number", () => {
    assert.strictEqual(median([3, 1, 2]), 2)
    assert.strictEqual(median([4, 1, 2, 3]), 2.5)
    assert.strictEqual(median([7]), 7)
  })

  it("judge a bar by its value: bounds included, nothing measured never holds", () => {
    assert.isTrue(holds({ id: "a", value: 1, unit: "x", atLeast: 1 }))
    assert.isFalse(holds({ id: "a", value: 0.999, unit: "x", atLeast: 1 }))
    assert.isTrue(holds({ id: "a", value: 10, unit: "ms", atMost: 10 }))
    assert.isFalse(holds({ id: "a", value: 10.1, unit: "ms", atMost: 10 }))
    assert.isFalse(holds({ id: "a", value: Number.NaN, unit: "ms", atMost: 10 }))
  })

  it("are one line of JSON for scripts and a table for people", () => {
    const line = toJson("sample", machine(), { seed: 7, runs: 3 }, measurements)
    assert.notInclude(line, "\n")
    const report = JSON.parse(line)
    assert.deepStrictEqual([report.bench, report.seed, report.runs, report.blocks], ["sample", 7, 3, 8])
    assert.deepStrictEqual(report.bars.map((bar: { readonly holds: boolean }) => bar.holds), [true, false, true])
    const table = toTable("sample", machine(), { seed: 7, runs: 3 }, measurements)
    assert.match(table, /speed +1\.200 x +at least 1 +holds/)
    assert.match(table, /delay +12 ms +at most 10 +FAILS/)
  })

  it("are asked for by name; a wrong call lists the benches and ends with 2", () => {
    const call = (...args: ReadonlyArray<string>) =>
      spawnSync(process.execPath, [fileURLToPath(new URL("../../bench/main.ts", import.meta.url)), ...args], { encoding: "utf8" })
    for (const [args, complaint] of [
      [[], /which bench/],
      [["nothing"], /no bench "nothing"/],
      [["proofs", "more"], /one bench at a time/],
      [["proofs", "--runs", "0"], /--runs takes a whole number from 1 on/],
      [["proofs", "--what"], /--what/]
    ] as const) {
      const { status, stderr, stdout } = call(...args)
      assert.strictEqual(status, 2)
      assert.match(stderr, complaint)
      assert.match(stderr, /\n {2}proofs +\S/)
      assert.strictEqual(stdout, "")
    }
  })
})
