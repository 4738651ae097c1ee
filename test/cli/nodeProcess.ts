/** A node's folder, and the node as a process. */
import { Duration, Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { toHex } from "viem"
import { devnetParameters } from "../../src/devnet/DevnetConfig.ts"
import { DevnetLedgerConfig } from "../../src/ledger/DevnetLedgerConfig.ts"
import { NodeConfig, NodeConfigJson } from "../../src/node/NodeConfig.ts"
import { loadVerifyingKeys } from "../../src/proofs/CircuitKeys.ts"
import { devnetKeysDirectory } from "../../src/proofs/CircuitManifest.ts"
import { verifyingKeysHash } from "../../src/proofs/VerifierKeys.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))
const ledger = new DevnetLedgerConfig({})
const nobody = { host: "127.0.0.1", port: 9 }
const address = (digit: string) => `0x${digit.repeat(40)}`

/** A folder with everything that a node needs, but neither an L1 nor a ledger that answers. */
export const inFolder = async (use: (folder: string, config: string) => Promise<void>) => {
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
export const running = async (config: string, ...flags: ReadonlyArray<string>) => {
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
