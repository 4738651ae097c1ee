/**
 * A real EVM chain on this machine: anvil as a child process that ends when this process ends, however it ends.
 */
import { Effect, FileSystem, Schema, type Scope } from "effect"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import { createTestClient, http } from "viem"
import { runWatched } from "../process/Watched.ts"

/** A program that lignum runs is not where it is looked for. Install it, or name it by the variable. */
export class BinaryMissing extends Schema.TaggedError<BinaryMissing>()("BinaryMissing", {
  binary: Schema.String,
  variable: Schema.String
}) {
  override get message() {
    return `${this.binary} was not found: run \`npm ci\` without --omit=optional on Linux x64, or set ${this.variable} to its path`
  }
}

/** anvil ended before it listened; the message carries what it said. */
export class AnvilFailed extends Schema.TaggedError<AnvilFailed>()("AnvilFailed", {
  port: Schema.Int,
  output: Schema.String
}) {
  override get message() {
    if (/address already in use/i.test(this.output)) {
      return `port ${this.port} is taken: stop what listens there, or choose another with --l1-port (0 picks a free one)`
    }
    const said = this.output.split("\n").map((line) => line.trim()).filter((line) => line !== "")
    if (said.some((line) => line.includes("--load-state"))) {
      return `the saved chain is damaged (${said[0]}): restore the file, or start anew with another data folder`
    }
    return `anvil did not start: ${said.slice(-3).join(" ") || "it said nothing"}`
  }
}

/** A running chain. */
export interface Anvil {
  readonly url: string
}

const packageRoot = fileURLToPath(new URL("../..", import.meta.url))

/** Where a program is: the environment variable, then this package's binaries, then PATH. */
export const findBinary = (binary: string, variable: string): Effect.Effect<string, BinaryMissing> =>
  Effect.suspend(() => {
    const named = process.env[variable]
    const candidates = named === undefined
      ? [join(packageRoot, "node_modules", ".bin", binary), ...(process.env.PATH ?? "").split(delimiter).map((dir) => join(dir, binary))]
      : [named]
    const found = candidates.find((path) => existsSync(path))
    return found === undefined ? Effect.fail(new BinaryMissing({ binary, variable })) : Effect.succeed(found)
  })

/**
 * Starts a chain and stops it when the scope closes.
 *
 * @param options.port 0 picks a free one
 * @param options.state a file written by {@link saveState}; where it exists, the chain goes on from it
 */
export const start = Effect.fnUntraced(function*(options: {
  readonly port: number
  readonly chainId: number
  readonly state?: string
}): Effect.fn.Return<Anvil, BinaryMissing | AnvilFailed, Scope.Scope> {
  const binary = yield* findBinary("anvil", "LIGNUM_ANVIL")
  const flags = ["--host", "127.0.0.1", "--port", `${options.port}`, "--chain-id", `${options.chainId}`, "--hardfork", "osaka", "--enable-tx-gas-limit"]
  if (options.state !== undefined && existsSync(options.state)) flags.push("--load-state", options.state)
  const child = yield* runWatched([binary, ...flags])
  const url = yield* Effect.callback<string, AnvilFailed>((resume) => {
    let output = ""
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      const listening = /Listening on ([\d.]+:\d+)/.exec(output)
      if (listening !== null) {
        child.stdout.removeAllListeners("data").resume()
        child.stderr.removeAllListeners("data").resume()
        resume(Effect.succeed(`http://${listening[1]}`))
      }
    }
    child.stdout.on("data", read)
    child.stderr.on("data", read)
    child.once("exit", () => resume(Effect.fail(new AnvilFailed({ port: options.port, output }))))
  })
  return { url }
})

/**
 * Saves a running chain, whole or not at all, so that {@link start} can go on from it: blocks, transactions, receipts and state.
 */
export const saveState = Effect.fnUntraced(function*(url: string, path: string) {
  const fs = yield* FileSystem.FileSystem
  const client = createTestClient({ mode: "anvil", transport: http(url) })
  const dump = yield* Effect.promise(() => client.dumpState())
  const temporary = `${path}.tmp`
  yield* fs.writeFile(temporary, gunzipSync(Buffer.from(dump.slice(2), "hex")))
  yield* fs.rename(temporary, path)
})
