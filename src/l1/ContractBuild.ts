/**
 * Compiles the L1 contracts with npm's solc, once: later starts read the result from disk.
 */
import { Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import { once } from "node:events"
import fs from "node:fs/promises"
import { createRequire } from "node:module"
import { availableParallelism } from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import { HexBytes } from "../domain/Hash.ts"

const packageRoot = fileURLToPath(new URL("../..", import.meta.url))

/** Where compiled contracts go unless somebody says otherwise. */
export const defaultBuildDirectory = path.join(packageRoot, "build", "contracts")

/** The contracts that a deployment consists of, in the order in which they are deployed. */
export const contractNames = ["CheckpointRegistry", "Groth16BatchVerifier", "ProverRegistry", "RewardVault", "StateUpdate", "FeeSignal"] as const
export type ContractName = typeof contractNames[number]

/** The compiler's settings: those of `foundry.toml`, so that what is tested is what is deployed. */
export const compilerSettings = {
  evmVersion: "osaka",
  viaIR: true,
  optimizer: { enabled: true, runs: 10_000 },
  metadata: { bytecodeHash: "none", appendCBOR: false }
} as const

/** The contracts do not compile. Mend the source that the message points at; if a file is missing, run `npm ci`. */
export class ContractsDoNotCompile extends Schema.TaggedError<ContractsDoNotCompile>()("ContractsDoNotCompile", {
  /** What the compiler, or the file system, said. */
  output: Schema.String
}) {
  override get message() {
    return `the contracts do not compile:\n${this.output.trim()}\nMend the source it points at; if a file is missing, run \`npm ci\`.`
  }
}

const Contract = Schema.Struct({
  /** JSON ABI as the compiler gives it. */
  abi: Schema.Array(Schema.Unknown),
  /** Creation code, to be followed by the constructor's arguments. */
  bytecode: HexBytes
})

/** All contracts of a deployment, compiled. */
export class ContractBuild extends Schema.Class<ContractBuild>("lignum/ContractBuild")({
  /** SHA-256 over sources, settings and compiler version: the key under which the build is kept. */
  hash: Schema.String,
  contracts: Schema.Struct({
    CheckpointRegistry: Contract,
    Groth16BatchVerifier: Contract,
    ProverRegistry: Contract,
    RewardVault: Contract,
    StateUpdate: Contract,
    FeeSignal: Contract
  })
}) {}

/** Sources by the name under which the compiler knows them. */
type Sources = Record<string, { readonly content: string }>

const remapped = (name: string): string =>
  path.join(packageRoot, name.startsWith("solady/") ? `node_modules/solady/src/${name.slice("solady/".length)}` : name)

/** The deployed contracts' sources with everything that they import, themselves and through others. */
const collectSources = async (): Promise<Sources> => {
  const sources: Sources = {}
  const collect = async (name: string): Promise<void> => {
    if (name in sources) return
    const content = await fs.readFile(remapped(name), "utf8")
    sources[name] = { content }
    for (const [, imported] of content.matchAll(/^import\s[^;]*?"([^"]+)";/gms)) {
      await collect(imported!.startsWith(".") ? path.posix.join(path.posix.dirname(name), imported!) : imported!)
    }
  }
  for (const name of contractNames) await collect(`contracts/src/${name}.sol`)
  return sources
}

/** solc's standard JSON input for some of the contracts. The code of each is the same, whatever others are asked for with it. */
const standardInput = (sources: Sources, names: ReadonlyArray<ContractName>): string =>
  JSON.stringify({
    language: "Solidity",
    sources: Object.fromEntries(Object.entries(sources).sort(([a], [b]) => (a < b ? -1 : 1))),
    settings: {
      ...compilerSettings,
      outputSelection: Object.fromEntries(names.map((name) => [`contracts/src/${name}.sol`, { [name]: ["abi", "evm.bytecode.object"] }]))
    }
  })

/** solc's standard JSON output, as far as it is read. */
const CompilerOutput = Schema.Struct({
  errors: Schema.optionalKey(Schema.Array(Schema.Struct({ severity: Schema.String, formattedMessage: Schema.String }))),
  contracts: Schema.optionalKey(
    Schema.Record(
      Schema.String,
      Schema.Record(
        Schema.String,
        Schema.Struct({ abi: Schema.Array(Schema.Unknown), evm: Schema.Struct({ bytecode: Schema.Struct({ object: Schema.String }) }) })
      )
    )
  )
})

const failed = (output: string) => new ContractsDoNotCompile({ output })

// The compiler computes for seconds without a pause: on a thread of its own, the event loop stays alive.
const startCompiler = Effect.acquireRelease(
  Effect.sync(() => new Worker(new URL("./ContractBuildWorker.ts", import.meta.url))),
  (compiler) => Effect.promise(() => compiler.terminate())
)

const ask = (compiler: Worker, input: string) =>
  Effect.tryPromise({
    try: async (signal) => {
      const answer = once(compiler, "message", { signal }) as Promise<[string]>
      const end = once(compiler, "exit", { signal }).then(([code]) => Promise.reject(new Error(`the compiler ended with code ${code}`)))
      compiler.postMessage(input)
      return (await Promise.race([answer, end]))[0]
    },
    catch: (error) => failed(String(error))
  })

const compileOne = Effect.fnUntraced(function*(compiler: Worker, sources: Sources, name: ContractName) {
  const output = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(CompilerOutput))(yield* ask(compiler, standardInput(sources, [name]))).pipe(
    Effect.mapError((error) => failed(error.message))
  )
  const errors = (output.errors ?? []).filter(({ severity }) => severity === "error")
  if (errors.length > 0) return yield* failed(errors.map(({ formattedMessage }) => formattedMessage).join("\n"))
  const contract = output.contracts?.[`contracts/src/${name}.sol`]?.[name]
  return { abi: contract?.abi, bytecode: `0x${contract?.evm.bytecode.object}` }
})

/** Compilers at once: each takes half a gigabyte. */
const mostCompilers = 4

/** Compiles on as many threads as there are cores; each takes the next contract when it is through with one. */
const compile = Effect.fnUntraced(function*(hash: string, sources: Sources) {
  const left = [...contractNames]
  const contracts: Partial<Record<ContractName, unknown>> = {}
  const work = Effect.gen(function*() {
    const compiler = yield* startCompiler
    for (let name = left.shift(); name !== undefined; name = left.shift()) contracts[name] = yield* compileOne(compiler, sources, name)
  })
  yield* Effect.all(Array.from({ length: Math.min(availableParallelism(), mostCompilers) }, () => Effect.scoped(work)), { concurrency: "unbounded" })
  return yield* Schema.decodeUnknownEffect(ContractBuild)({ hash, contracts }).pipe(Effect.mapError((error) => failed(error.message)))
})

const ContractBuildJson = Schema.fromJsonString(ContractBuild)

/**
 * The compiled contracts: from disk if sources, settings and compiler are those of an earlier build, else compiled now.
 *
 * @param options.directory where builds are kept
 * @param options.onCompile hears that nothing usable is kept, so that it takes seconds instead of milliseconds
 */
export const buildContracts = Effect.fn("buildContracts")(function*(
  options: { readonly directory?: string; readonly onCompile?: Effect.Effect<void> } = {}
): Effect.fn.Return<ContractBuild, ContractsDoNotCompile> {
  const attempt = <A>(task: () => Promise<A>) => Effect.tryPromise({ try: task, catch: (error) => failed(String(error)) })
  const directory = options.directory ?? defaultBuildDirectory
  const { version } = createRequire(import.meta.url)("solc/package.json") as { readonly version: string }
  const sources = yield* attempt(collectSources)
  const hash = createHash("sha256").update(`solc ${version}\n${standardInput(sources, contractNames)}`).digest("hex")
  const file = path.join(directory, `${hash}.json`)

  // A kept file that does not decode is as good as none: it is compiled again and replaced.
  const kept = yield* attempt(() => fs.readFile(file, "utf8")).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(ContractBuildJson)),
    Effect.option
  )
  if (kept._tag === "Some" && kept.value.hash === hash) return kept.value

  // Before the work: a folder that cannot be written to is found out at once.
  yield* attempt(() => fs.mkdir(directory, { recursive: true }))
  yield* options.onCompile ?? Effect.void
  const build = yield* compile(hash, sources)
  const text = yield* Effect.orDie(Schema.encodeEffect(ContractBuildJson)(build))
  // Written beside and moved into place: two processes that compile at once, or one that is killed, leave no half file.
  yield* attempt(async () => {
    const temporary = `${file}.${process.pid}.tmp`
    await fs.writeFile(temporary, text)
    await fs.rename(temporary, file)
  })
  return build
})
