/**
 * Computes witnesses with the committed witness generators, and tells which line of circom refused one.
 */
import { Effect } from "effect"
import fs from "node:fs"
import path from "node:path"
import { type MemoryFile, wtns } from "snarkjs"
import { vi } from "vitest"
import { circuitsDirectory } from "../../src/proofs/CircuitCompiler.ts"
import { devnetKeysDirectory, readKeyFile, readManifest } from "../../src/proofs/CircuitManifest.ts"
import type { CircuitName } from "../../src/proofs/CircuitParameters.ts"
import type { CircuitInputs } from "./LedgerOracle.ts"

// A witness takes a fifth of a second, but the machine may have better things to do.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const generators = new Map<CircuitName, Promise<Uint8Array>>()
const generator = (name: CircuitName): Promise<Uint8Array> => {
  const known = generators.get(name)
  if (known !== undefined) return known
  const loading = Effect.runPromise(
    Effect.flatMap(readManifest(devnetKeysDirectory), ({ circuits }) =>
      readKeyFile(devnetKeysDirectory, circuits[name].witnessGenerator))
  )
  generators.set(name, loading)
  return loading
}

/** The witness in snarkjs' format; rejects where the generator finds a constraint broken. */
export const computeWitness = async (name: CircuitName | Uint8Array, inputs: CircuitInputs): Promise<Uint8Array> => {
  const witness: MemoryFile = { type: "mem" }
  const wasm = typeof name === "string" ? await generator(name) : name
  // The generator prints what it then throws.
  const printed = vi.spyOn(console, "error").mockImplementation(() => {})
  try {
    await wtns.calculate(inputs, wasm, witness)
  } finally {
    printed.mockRestore()
  }
  return witness.data!
}

const libraries = [circuitsDirectory, path.join(circuitsDirectory, "../node_modules/circomlib/circuits")]
const sourceOf = new Map<string, ReadonlyArray<string>>()
for (const library of libraries) {
  for (const file of fs.readdirSync(library).filter((name) => name.endsWith(".circom"))) {
    const lines = fs.readFileSync(path.join(library, file), "utf8").split("\n")
    for (const [, template] of lines.join("\n").matchAll(/^template (\w+)/gm)) {
      if (!sourceOf.has(template!)) sourceOf.set(template!, lines)
    }
  }
}

/**
 * The circom lines at which a witness was refused, innermost first: the broken constraint, then the lines of the templates
 * around it that handed it its inputs. Throws where the witness was accepted.
 */
export const refusal = async (name: CircuitName, inputs: CircuitInputs): Promise<ReadonlyArray<string>> => {
  const error: unknown = await computeWitness(name, inputs).then(() => undefined, (error: unknown) => error)
  if (error === undefined) throw new Error("the circuit accepted a witness that it must refuse")
  const trace = [...String(error).matchAll(/template (\w+)_\d+ line: (\d+)/g)]
  if (trace.length === 0) throw error
  return trace.map(([, template, line]) => sourceOf.get(template!)![Number(line) - 1]!.trim())
}
