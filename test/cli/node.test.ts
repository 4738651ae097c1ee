/** `lignum node` as a process: how it starts, what it refuses, and how it ends. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "viem"
import { lignum } from "./lignum.ts"
import { inFolder, running } from "./nodeProcess.ts"

describe("lignum node", () => {
  it("runs without L1 and ledger, says where it can be asked, and stops in order at SIGTERM", () =>
    inFolder(async (folder, config) => {
      const { child, ended } = await running(config)
      const file = join(folder, "data", "rpc.json")
      assert.strictEqual((JSON.parse(readFileSync(file, "utf8")) as { readonly pid: number }).pid, child.pid)
      child.kill("SIGTERM")
      assert.deepStrictEqual(await ended, [0, null])
      assert.isFalse(existsSync(file), "where nobody listens, no address stands")
    }))

  it("ND-1: stops when whoever started it is gone, and its store is free for the next", () =>
    inFolder(async (_, config) => {
      const { child, ended } = await running(config, "--attached")
      child.stdin.destroy()
      assert.deepStrictEqual(await ended, [0, null])
      const next = await running(config, "--attached")
      next.child.kill("SIGKILL")
      assert.deepStrictEqual(await next.ended, [null, "SIGKILL"])
    }))

  it("wrong use ends with exit code 2 and one sentence with the way out", () =>
    inFolder(async (folder, config) => {
      const refused = async (...words: ReadonlyArray<RegExp>) => {
        const { code, stderr, stdout } = await lignum(["node", "--config", config]).ended
        assert.strictEqual(code, 2, stderr)
        assert.strictEqual(stdout, "")
        assert.strictEqual(stderr.trim().split("\n").length, 1, stderr)
        for (const word of words) assert.match(stderr, word)
      }
      const key = join(folder, "l1.key")
      rmSync(key)
      await refused(/l1\.key/, /no such file/)
      writeFileSync(key, toHex(1n, { size: 32 }), { mode: 0o644 })
      await refused(/l1\.key/, /others may read/, /chmod 600/)
      rmSync(key)
      writeFileSync(key, "0x1", { mode: 0o600 })
      await refused(/l1\.key/, /64 hexadecimal digits/)
      rmSync(key)
      writeFileSync(key, toHex(1n, { size: 32 }), { mode: 0o600 })
      const addresses = join(folder, "addresses.json")
      writeFileSync(addresses, JSON.stringify({ ...JSON.parse(readFileSync(addresses, "utf8")) as object, verifyingKeys: toHex(2n, { size: 32 }) }))
      await refused(/addresses\.json/, /verify with other keys/)
      writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, "utf8")) as object, colour: "red" }))
      await refused(/node\.json/, /colour/)
    }))
})
