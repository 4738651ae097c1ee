import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import fs from "node:fs/promises"
import os from "node:os"
import path from "node:path"
import { buildContracts, compilerSettings, contractNames, ContractsDoNotCompile } from "../../src/l1/ContractBuild.ts"

const temporary = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "lignum-contracts-"))),
  (directory) => Effect.promise(() => fs.rm(directory, { recursive: true, force: true }))
)

describe("contract build", () => {
  it.live("replaces a damaged file, keeps what it compiled, and leaves the event loop alive", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const expected = yield* buildContracts()
      const file = path.join(directory, `${expected.hash}.json`)
      yield* Effect.promise(() => fs.writeFile(file, "{ half a fi"))

      let compiled = 0
      let longestPause = 0
      let last = performance.now()
      const ticks = setInterval(() => {
        longestPause = Math.max(longestPause, performance.now() - last)
        last = performance.now()
      }, 10)
      const onCompile = Effect.sync(() => void compiled++)
      const built = yield* buildContracts({ directory, onCompile })
      clearInterval(ticks)

      assert.strictEqual(compiled, 1)
      assert.deepStrictEqual(built, expected)
      assert.isBelow(longestPause, 1_000)
      assert.deepStrictEqual(yield* buildContracts({ directory, onCompile }), expected)
      assert.strictEqual(compiled, 1)
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(directory)), [path.basename(file)])
    }))

  it.live("says what is wrong when it cannot keep a build", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const occupied = path.join(directory, "file")
      yield* Effect.promise(() => fs.writeFile(occupied, ""))
      const failure = yield* Effect.flip(buildContracts({ directory: occupied }))
      assert.instanceOf(failure, ContractsDoNotCompile)
      assert.match(failure.message, /ENOTDIR|EEXIST/)
    }))

  it.live("compiles as foundry.toml says, so that what is tested is what is deployed", () =>
    Effect.gen(function*() {
      const toml = yield* Effect.promise(() => fs.readFile("foundry.toml", "utf8"))
      const value = (key: string) => new RegExp(`^${key} = (.*)$`, "m").exec(toml)?.[1]
      assert.strictEqual(value("evm_version"), JSON.stringify(compilerSettings.evmVersion))
      assert.strictEqual(value("via_ir"), String(compilerSettings.viaIR))
      assert.strictEqual(value("optimizer"), String(compilerSettings.optimizer.enabled))
      assert.strictEqual(value("optimizer_runs"), String(compilerSettings.optimizer.runs))
      assert.strictEqual(value("bytecode_hash"), JSON.stringify(compilerSettings.metadata.bytecodeHash))
      assert.strictEqual(value("cbor_metadata"), String(compilerSettings.metadata.appendCBOR))
      // Tests, which are compiled otherwise, must not bring a contract with them.
      assert.include(toml, `{ paths = "contracts/src/{${contractNames.join(",")}}.sol", via_ir = true }`)
    }))
})
