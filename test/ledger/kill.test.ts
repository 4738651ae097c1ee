import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { openLedgerFile } from "../../src/ledger/LedgerFile.ts"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import { assertCertified, hasty, ledgerFile, n, registered, withLedger } from "./devnet.ts"
import { replay } from "./replay.ts"

type Line = { readonly block: number; readonly hash: string } | { readonly checkpoint: number; readonly id: string }

/** Runs a ledger until its readers saw so many lines that no run saw before, then kills it without warning. */
const runAndKill = (filename: string, known: ReadonlySet<string>, fresh: number, ...words: ReadonlyArray<string>) =>
  Effect.callback<ReadonlyArray<string>, Error>((resume) => {
    const child = spawn(process.execPath, ["--no-warnings", new URL("runLedger.ts", import.meta.url).pathname, filename, ...words], { stdio: ["ignore", "pipe", "inherit"] })
    const lines: Array<string> = []
    const reader = createInterface(child.stdout)
    reader.on("line", (line) => {
      lines.push(line)
      if (lines.filter((each) => !known.has(each)).length === fresh) child.kill("SIGKILL")
    })
    reader.on("close", () => {
      resume(lines.length > 0 ? Effect.succeed(lines) : Effect.fail(new Error("the ledger process printed nothing")))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe("kill -9", () => {
  it.live("whatever a reader saw is in the file, and the chain goes on without gap or fork", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    const seen = new Set<string>()
    for (const fresh of [7, 12, 9]) {
      const lines = yield* runAndKill(filename, seen, fresh)
      const before = seen.size
      for (const line of lines) seen.add(line)
      assert.isAtLeast(seen.size - before, fresh)
    }
    yield* withLedger(Effect.gen(function*() {
      const source = yield* LedgerSource
      const told = [...seen].map((line): Line => JSON.parse(line))
      const numbers = told.flatMap((line) => "block" in line ? [line.block] : [])
      const heights = told.flatMap((line) => "checkpoint" in line ? [line.checkpoint] : [])
      assert.deepStrictEqual(numbers, [...new Set(numbers)], "no height was told with two hashes")
      assert.deepStrictEqual([...numbers].sort((a, b) => a - b), Array.from({ length: numbers.length }, (_, i) => i))
      assert.isAbove(heights.length, 3)
      const blocks = yield* source.blocks(n(0)).pipe(Stream.take(numbers.length), Stream.runCollect)
      const checkpoints = yield* source.checkpoints(n(0)).pipe(Stream.take(heights.length), Stream.runCollect)
      for (const line of told) {
        if ("block" in line) assert.strictEqual(blocks[line.block]?.header.hash, line.hash)
        else assert.strictEqual(checkpoints.find(({ checkpoint }) => checkpoint.number === line.checkpoint)?.checkpoint.id, line.id)
      }
      for (const block of blocks.slice(1)) {
        const witness = yield* source.witness(block.number)
        assert.strictEqual(witness.parent.hash, blocks[block.number - 1]?.header.hash)
        replay(witness, hasty)
      }
      checkpoints.forEach((certified) => assertCertified(certified, undefined, hasty))
    }), { filename, config: hasty, ...registered })
  }), 60_000)

  it.live("CP-4: in the middle of rebuilds, the file holds one chain, and every transfer is executed in it once or waits", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    let rebuilds = 0
    for (const fresh of [26, 19, 31]) {
      const lines = yield* runAndKill(filename, new Set(), fresh, "rebuild")
      rebuilds += lines.filter((line) => line.includes("rebuilt")).length
    }
    assert.isAbove(rebuilds, 1)
    const state = yield* Effect.flatMap(openLedgerFile(hasty), ({ load }) => load).pipe(Effect.provide(layerSqlite(filename)))
    assert.isAtLeast(state.rebuilds.length, rebuilds)
    // What waits continues its senders' nonces without a gap: nothing was executed and waits as well, nothing was lost between.
    const next = new Map([...state.tree.accounts()].map(([index, { nonce }]) => [index, nonce as bigint]))
    for (const { signed: { transfer } } of state.mempool) {
      assert.strictEqual(transfer.nonce, next.get(transfer.from))
      next.set(transfer.from, transfer.nonce + 1n)
    }
    yield* withLedger(Effect.gen(function*() {
      const source = yield* LedgerSource
      const newest = state.header.number
      const blocks = yield* source.blocks(n(0)).pipe(Stream.take(newest + 1), Stream.runCollect)
      for (const block of blocks.slice(1)) {
        const witness = yield* source.witness(block.number)
        assert.strictEqual(witness.parent.hash, blocks[block.number - 1]?.header.hash)
        replay(witness, hasty)
      }
      const checkpoints = yield* source.checkpoints(n(0)).pipe(Stream.take(Math.floor(newest / hasty.checkpointInterval)), Stream.runCollect)
      checkpoints.forEach((certified, i) => {
        assertCertified(certified, undefined, hasty)
        assert.strictEqual(certified.checkpoint.blockHash, blocks[certified.checkpoint.number]?.header.hash)
        if (i > 0) assert.strictEqual(certified.checkpoint.parent, checkpoints[i - 1]!.checkpoint.id)
      })
    }), { filename, config: hasty, ...registered })
  }), 120_000)
})
