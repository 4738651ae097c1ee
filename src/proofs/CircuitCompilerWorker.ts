/**
 * Runs circom, a WASI program that computes for seconds without a pause, on a thread of its own.
 */
import fs from "node:fs"
import { createRequire } from "node:module"
import { stripVTControlCharacters } from "node:util"
import { parentPort, workerData } from "node:worker_threads"

/** What the thread is started with. */
export interface CompilerTask {
  readonly arguments: ReadonlyArray<string>
  /** Directories that the program may see, by the names under which it sees them. */
  readonly directories: Readonly<Record<string, string>>
}

/** What the thread says: each line that circom prints, and at the end how it went. */
export type CompilerMessage = { readonly line: string } | { readonly succeeded: boolean }

interface CircomRunner {
  readonly execute: (program: Uint8Array) => Promise<unknown>
}
interface CircomPackage {
  readonly CircomRunner: new(options: object) => CircomRunner
  readonly bindings: object
}

const require = createRequire(import.meta.url)
const { CircomRunner, bindings } = require("circom2") as CircomPackage
const task = workerData as CompilerTask
const say = (message: CompilerMessage) => parentPort!.postMessage(message)

let pending = ""
const print = (text: string) => {
  const lines = (pending + text).split("\n")
  pending = lines.pop()!
  // A colour may be split between two writes, never between two lines.
  for (const line of lines) say({ line: stripVTControlCharacters(line) })
}

const writeSync = (fd: number, bytes: Uint8Array, offset = 0, length = bytes.byteLength - offset, position?: number): number => {
  if (fd !== 1 && fd !== 2) return fs.writeSync(fd, bytes, offset, length, position)
  print(Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).toString())
  return length
}

const circom = new CircomRunner({
  args: task.arguments,
  env: {},
  preopens: task.directories,
  bindings: { ...bindings, fs: { ...fs, writeSync } }
})

let succeeded = true
try {
  await circom.execute(fs.readFileSync(require.resolve("circom2/circom.wasm")))
} catch (error) {
  // circom ends by an exit call whatever the outcome; what it had to say about a fault is printed already.
  succeeded = false
  if (!(error instanceof Error && /WASI Exit/.test(error.message))) print(`\n${String(error)}\n`)
}
print("\n")
say({ succeeded })
