import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { ProverGas } from "../../src/domain/Amount.ts"
import { devnetSchedule } from "../../src/domain/ProverGasSchedule.ts"
import { decodeProverGasTable, deviationOf, encodeProverGasTable, scheduleOf, tableOf } from "../../src/domain/ProverGasTable.ts"

const circuit = { r1csSha256: "ab".repeat(32), constraints: 30_578, slots: 2, depth: 8 }
const machine = { cpu: "a processor", cores: 2, platform: "linux x64", node: "v24.0.0" }
const calibrated = (...times: ReadonlyArray<ReadonlyArray<number>>) =>
  tableOf({ at: 1, circuit, machine, slotConstraints: 14_596, times: times.map((milliseconds, transfers) => ({ transfers, milliseconds })) })
const table = calibrated([2_000, 9_000, 2_100], [2_150, 2_150, 2_150], [2_200, 2_300, 2_200])

describe("FM-1: a measured schedule", () => {
  it("is the circuit's constraints, with the medians beside them", () => {
    assert.strictEqual(table.transfer, 14_596n)
    assert.strictEqual(table.block, 1_386n)
    assert.strictEqual(table.measured.runs, 3)
    assert.deepStrictEqual(table.measured.medians.map(({ milliseconds }) => milliseconds), [2_100, 2_150, 2_200])
    assert.deepStrictEqual(table.measured.timed, { transfer: 695n, block: 29_188n } as never, "13.9 gas a millisecond")
  })

  it("does not take noise for a negative cost", () => {
    assert.strictEqual(calibrated([2_100], [2_000], [2_050]).measured.timed.transfer, 0n)
  })

  it("lets the transfers of a full block bear the block, and says how far an enforced schedule is off", () => {
    assert.strictEqual(scheduleOf(table).transfer, 15_289n)
    assert.strictEqual(deviationOf(devnetSchedule, table), 465)
    assert.strictEqual(deviationOf({ transfer: ProverGas.make(15_289n) }, table), 0)
    assert.isBelow(deviationOf({ transfer: ProverGas.make(14_000n) }, table), 0)
  })

  it("is read back as it was written", () => {
    assert.deepStrictEqual(Result.getOrThrow(decodeProverGasTable(encodeProverGasTable(table), "t.json")), table)
  })

  it("is refused, with the file and the way out, where it is none or does not add up", () => {
    const json = JSON.parse(encodeProverGasTable(table))
    for (const [text, reason] of [
      ["not JSON", /JSON/],
      [JSON.stringify({ ...json, version: 2 }), /version/],
      [JSON.stringify({ ...json, transfer: "-1" }), /transfer/],
      [JSON.stringify({ ...json, transfer: "16000" }), /add up to the circuit's 30578 constraints/],
      [JSON.stringify({ ...json, measured: { ...json.measured, medians: [] } }), /medians/]
    ] as const) {
      const refused = Result.getOrThrow(Result.flip(decodeProverGasTable(text, "t.json")))
      assert.strictEqual(refused._tag, "ProverGasTableUnusable")
      assert.match(refused.message, /^t\.json cannot be used.*lignum prover-gas calibrate --write FILE`$/)
      assert.match(refused.message, reason)
    }
  })
})
