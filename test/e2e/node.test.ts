/** `lignum node` as a process: how it starts, what it refuses, and how it ends. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { toHex } from "viem"
import { devnetParameters } from "../../src/devnet/DevnetConfig.ts"
import { DevnetLedgerConfig } from "../../src/ledger/DevnetLedgerConfig.ts"
import { NodeConfig, NodeConfigJson } from "../../src/node/NodeConfig.ts"
import { devnetKeysDirectory, loadVerifyingKeys } from "../../src/proofs/CircuitKeys.ts"
import { verifyingKeysHash } from "../../src/proofs/VerifierKeys.ts"
import { lignum } from "./lignum.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))
const ledger = new DevnetLedgerConfig({})
const nobody = { host: "127.0.0.1", port: 9 }
const address = (digit: string) => `0x${digit.repeat(40)}`

/** A folder with everything that a node needs, but neither an L1 nor a ledger that answers. */
const inFolder = async (use: (folder: string, config: string) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), "lignum-node-"))
  const config = join(folder, "node.json")
  try {
    writeFileSync(join(folder, "l1.key"), toHex(1n, { size: 32 }), { mode: 0o600 })
    for (const name of ["ledger", "rpc"]) writeFileSync(join(folder, `${name}.secret`), "5".repeat(64), { mode: 0o600 })
    writeFileSync(join(folder, "addresses.json"), JSON.stringify({
      chainId: 31_337,
      block: 1,
      ...Object.fromEntries(["registry", "provers", "stateUpdate", "vault", "feeSignal", "groth16"].map((name, i) => [name, address(String(i + 1))])),
      genesis: toHex(1n, { size: 32 }),
      verifyingKeys: verifyingKeysHash(await Effect.runPromise(loadVerifyingKeys()))
    }))
    writeFileSync(config, Schema.encodeSync(NodeConfigJson)(new NodeConfig({
      data: "data",
      rollup: {
        parameters: devnetParameters({ blocksPerUpdate: 3, ledger }),
        price: ledger.price,
        slots: 2,
        blockTime: Duration.seconds(6),
        checkpointInterval: 2,
        settlementGas: { update: 340_000n, block: 57_000n, checkpoint: 196_000n, blocksPerUpdate: 3, blocksPerCheckpoint: 2 }
      },
      l1: { url: "http://127.0.0.1:9", addressesFile: "addresses.json", keyFile: "l1.key" },
      ledger: { ...nobody, secretFile: "ledger.secret" },
      proving: { keys: devnetKeysDirectory, workers: 1 },
      settling: { blocksPerUpdate: 3, maxBlocks: 16, patience: Duration.minutes(2), maxFeePerGas: 1n },
      rpc: { ...nobody, port: 0, secretFile: "rpc.secret" }
    })))
    await use(folder, config)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Starts a node and waits until it runs. */
const running = async (config: string, ...flags: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [main, "node", "--config", config, "--json", ...flags], { stdio: ["pipe", "pipe", "inherit"] })
  const lines: Array<{ readonly level: string; readonly message: string }> = []
  const ended = once(child, "close") as Promise<[code: number | null, signal: NodeJS.Signals | null]>
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const said = JSON.parse(line) as (typeof lines)[number]
      lines.push(said)
      if (/^prover 0x[0-9a-fA-F]{40} runs$/.test(said.message)) resolve()
    })
    void ended.then(([code]) => reject(new Error(`it ended with ${code} before it ran: ${JSON.stringify(lines)}`)))
  })
  return { child, ended, lines }
}

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
