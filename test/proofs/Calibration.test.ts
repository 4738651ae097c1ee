import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readProverGasTable } from "../../src/cli/prover-gas/tableFile.ts"
import { loadKeys } from "../../src/proofs/CircuitKeys.ts"
import { lastLine, lignum } from "../cli/lignum.ts"

describe("FM-1: lignum prover-gas calibrate", () => {
  it("counts the devnet's circuit, times its blocks, and writes a schedule that loads", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lignum-table-"))
    const file = join(folder, "table.json")
    try {
      const ended = await lignum(["prover-gas", "calibrate", "--runs", "1", "--json", "--write", file]).ended
      assert.strictEqual(ended.code, 0, ended.stderr)
      const answer = lastLine(ended) as Record<string, any>
      assert.deepStrictEqual(answer["enforced"], { transfer: "16000" })
      assert.isAtLeast(answer["deviationBasisPoints"], 0, "the enforced schedule covers what a transfer in a full block takes")
      assert.isAtMost(answer["deviationBasisPoints"], 1_000, "and is no more than a tenth above it")

      assert.deepStrictEqual(readdirSync(folder), ["table.json"])
      const table = await Effect.runPromise(readProverGasTable(file).pipe(Effect.provide(NodeServices.layer)))
      const { manifest } = await Effect.runPromise(loadKeys())
      assert.strictEqual(table.measured.circuit.r1csSha256, manifest.circuits.block.r1csSha256)
      assert.strictEqual(table.transfer * 2n + table.block, BigInt(manifest.circuits.block.constraints))
      assert.deepStrictEqual(table.measured.medians.map(({ transfers }) => transfers), [0, 1, 2])
      const [empty, , full] = table.measured.medians
      // A slot is proven whether it is filled or not: an idle block is no cheaper by much.
      assert.isAbove(empty!.milliseconds / full!.milliseconds, 0.5)

      const missing = await Effect.runPromise(Effect.flip(readProverGasTable(join(folder, "none.json"))).pipe(Effect.provide(NodeServices.layer)))
      assert.match(missing.message, /none\.json cannot be used/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
