/**
 * Compiles the contracts that only the differential test needs.
 */
import { createHash } from "node:crypto"
import fs from "node:fs"
import { createRequire } from "node:module"
import path from "node:path"
import { fileURLToPath } from "node:url"
import type { Abi, Hex } from "viem"
import { compilerSettings, defaultBuildDirectory } from "../../src/l1/ContractBuild.ts"

const packageRoot = fileURLToPath(new URL("../..", import.meta.url))

/** A compiled contract. */
export interface Compiled {
  readonly abi: Abi
  readonly bytecode: Hex
}

interface Contract {
  readonly abi: Abi
  readonly evm: { readonly bytecode: { readonly object: string } }
}

interface Output {
  readonly errors?: ReadonlyArray<{ readonly severity: string; readonly formattedMessage: string }>
  /** By file, then by name. */
  readonly contracts: Readonly<Record<string, Readonly<Record<string, Contract>>>>
}

const located = (name: string) => path.join(packageRoot, name.startsWith("solady/") ? `node_modules/solady/src/${name.slice(7)}` : name)

const collect = (name: string, sources: Map<string, string>): Map<string, string> => {
  if (sources.has(name)) return sources
  const content = fs.readFileSync(located(name), "utf8")
  sources.set(name, content)
  for (const [, imported] of content.matchAll(/^import\s[^;]*?"([^"]+)";/gms)) {
    collect(imported!.startsWith(".") ? path.posix.join(path.posix.dirname(name), imported!) : imported!, sources)
  }
  return sources
}

const run = (input: string): Output => {
  const solc = createRequire(import.meta.url)("solc") as { readonly compile: (input: string) => string }
  const output = JSON.parse(solc.compile(input)) as Output
  const failures = (output.errors ?? []).filter(({ severity }) => severity === "error")
  if (failures.length > 0) throw new Error(failures.map(({ formattedMessage }) => formattedMessage).join("\n"))
  return output
}

/** The contracts of some files, each named like its file, compiled with a deployment's settings; once for the same sources. */
export const compile = (...files: ReadonlyArray<string>): Readonly<Record<string, Compiled>> => {
  const sources = new Map<string, string>()
  for (const file of files) collect(file, sources)
  const names = files.map((file) => [file, path.posix.basename(file, ".sol")] as const)
  const input = JSON.stringify({
    language: "Solidity",
    sources: Object.fromEntries([...sources].map(([name, content]) => [name, { content }])),
    settings: { ...compilerSettings, outputSelection: Object.fromEntries(names.map(([file, name]) => [file, { [name]: ["abi", "evm.bytecode.object"] }])) }
  })
  const kept = path.join(defaultBuildDirectory, `differential-${createHash("sha256").update(input).digest("hex")}.json`)
  if (fs.existsSync(kept)) return JSON.parse(fs.readFileSync(kept, "utf8")) as Readonly<Record<string, Compiled>>
  const { contracts } = run(input)
  const compiled = Object.fromEntries(names.map(([file, name]) => {
    const { abi, evm } = contracts[file]![name]!
    return [name, { abi, bytecode: `0x${evm.bytecode.object}` as const }]
  }))
  // Moved into place: two runs at once leave no half file.
  fs.mkdirSync(defaultBuildDirectory, { recursive: true })
  fs.writeFileSync(`${kept}.${process.pid}.tmp`, JSON.stringify(compiled))
  fs.renameSync(`${kept}.${process.pid}.tmp`, kept)
  return compiled
}
