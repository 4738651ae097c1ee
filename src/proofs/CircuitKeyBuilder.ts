/**
 * Builds a key directory: compiles the circuits, runs phase 2 of the Groth16 setup for each, and checks the result.
 */
import { Effect, Schema, type Scope } from "effect"
import { randomBytes } from "node:crypto"
import fs from "node:fs/promises"
import { createRequire } from "node:module"
import path from "node:path"
import { zKey } from "snarkjs"
import { type CircuitCompileFailed, type CompiledCircuit, compileSized, powerOf } from "./CircuitCompiler.ts"
import type { OnKeyProgress } from "./CircuitKeys.ts"
import { type Contribution, encodeManifest, type KeyManifest, writeKeyFile } from "./CircuitManifest.ts"
import { buildCommand, type CircuitParameters } from "./CircuitParameters.ts"
import {
  checkPowersOfTau,
  hashFile,
  KeySetupFailed,
  makePowersOfTau,
  type PowersOfTauUnusable,
  preparationMinutes,
  releasingCurve,
  setupStep,
  sourceOf
} from "./CircuitPowersOfTau.ts"

/** A public random value that nobody could know while the contributions were made, for instance the hash of a later L1 block. */
export const Beacon = Schema.Struct({
  /** Hexadecimal, without 0x. */
  hash: Schema.String.check(Schema.isPattern(/^([0-9a-f]{2}){1,255}$/)),
  /** It is hashed 2^iterationsExponent times, so that knowing it a little early does not help. */
  iterationsExponent: Schema.Int.check(Schema.isBetween({ minimum: 10, maximum: 63 }))
})
export type Beacon = typeof Beacon.Type

export interface BuildKeysOptions {
  readonly parameters: CircuitParameters
  /** The new key directory. It must not exist: keys are never overwritten. */
  readonly directory: string
  /** Powers of tau over BN254, prepared for phase 2, at least of the circuits' power. Made afresh where none are given. */
  readonly ptau?: string
  /** Contributions to each key, all from this machine. Default 1. */
  readonly contributions?: number
  /** Mixed with the system's own randomness. */
  readonly entropy?: string
  /** Ends the setup of each circuit, after the contributions. */
  readonly beacon?: Beacon
  readonly onProgress?: OnKeyProgress
}

/** Keys are never overwritten. Move the directory away, or name another one. */
export class KeyDirectoryExists extends Schema.TaggedError<KeyDirectoryExists>()("KeyDirectoryExists", {
  directory: Schema.String
}) {
  override get message() {
    return `${this.directory} exists, and keys are never overwritten: move it away, or name another directory.`
  }
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** The installed version of a package, found from its entry point because some packages hide their package.json. */
const installedVersion = async (name: string): Promise<string> => {
  const require = createRequire(import.meta.url)
  for (let directory = require.resolve.paths(name)!; directory.length > 0; directory = directory.slice(1)) {
    const text = await fs.readFile(path.join(directory[0]!, name, "package.json"), "utf8").catch(() => undefined)
    if (text !== undefined) return (JSON.parse(text) as { readonly version: string }).version
  }
  throw new Error(`${name} is not installed`)
}

/** A circuit's proving key in the making. */
export interface PhaseTwo {
  /** Path of the finished proving key. */
  readonly provingKey: string
  readonly contributions: ReadonlyArray<Contribution>
}

/**
 * Phase 2 for one constraint system: initial key, contributions, beacon, and snarkjs' check of the whole against powers of
 * tau. Files go to `directory` and are named after `name`; the steps between are removed.
 */
export const runPhaseTwo = Effect.fn("runPhaseTwo")(function*(options: {
  readonly name: string
  readonly r1cs: string
  readonly ptau: string
  readonly directory: string
  readonly contributions: number
  readonly entropy?: string | undefined
  readonly beacon?: Beacon | undefined
  readonly onStage?: ((stage: string) => void) | undefined
  readonly onMessage?: ((message: string) => void) | undefined
}): Effect.fn.Return<PhaseTwo, KeySetupFailed> {
  const { beacon, directory, name, onMessage, ptau } = options
  const file = (step: number | string) => path.join(directory, `${name}-${step}.zkey`)
  const begin = (stage: string) => {
    options.onStage?.(`${name}: ${stage}`)
    return `${name}: ${stage}`
  }
  const initial = file("initial")
  yield* setupStep(begin("initial key"), async (logger) =>
    zKey.newZKey(await sourceOf(options.r1cs), await sourceOf(ptau), initial, logger), onMessage)

  const contributions: Array<Contribution> = []
  let latest = initial
  const advance = Effect.fnUntraced(function*(
    contributor: string,
    next: string,
    hash: Effect.Effect<Uint8Array, KeySetupFailed>
  ) {
    contributions.push({ name: contributor, hash: toHex(yield* hash) })
    if (latest !== initial) yield* Effect.promise(() => fs.rm(latest))
    latest = next
  })
  for (let i = 1; i <= options.contributions; i++) {
    const [old, next, contributor] = [latest, file(i), `lignum ${i}`]
    const entropy = `${options.entropy ?? ""}${toHex(randomBytes(64))}`
    yield* advance(contributor, next, setupStep(begin(`contribution ${i}`), (logger) =>
      zKey.contribute(old, next, contributor, entropy, logger), onMessage))
  }
  if (beacon !== undefined) {
    const [old, next] = [latest, file("beacon")]
    yield* advance("beacon", next, setupStep(begin("beacon"), (logger) =>
      zKey.beacon(old, next, "beacon", beacon.hash, beacon.iterationsExponent, logger), onMessage))
  }

  const finished = latest
  yield* setupStep(begin("verification"), async (logger) =>
    zKey.verifyFromInit(await sourceOf(initial), await sourceOf(ptau), await sourceOf(finished), logger), onMessage)
  yield* Effect.promise(() => fs.rm(initial))
  return { provingKey: finished, contributions }
})

const developmentReason =
  "One machine made every contribution, so whoever ran it could have kept the secrets and could forge proofs: never use these keys where value is at stake."

/**
 * Compiles both circuits, builds and verifies their keys, and writes the key directory in one piece: it is there whole or not
 * at all. With powers of tau at hand it takes about 3 min for each 2^15 constraints; making fresh ones takes
 * `preparationMinutes(power)` more.
 *
 * The result is marked for development only, because all of its contributions come from one machine.
 */
export const buildKeys = Effect.fn("buildKeys")(function*(
  options: BuildKeysOptions
): Effect.fn.Return<
  KeyManifest,
  KeyDirectoryExists | CircuitCompileFailed | PowersOfTauUnusable | KeySetupFailed,
  Scope.Scope
> {
  const { beacon, directory, entropy, onProgress, parameters } = options
  const contributions = options.contributions ?? 1
  if (!Number.isInteger(contributions) || contributions < 1) {
    // Without one, delta is publicly known and every statement can be forged.
    return yield* new KeySetupFailed({ step: "options", reason: `${contributions} contributions; at least one is needed` })
  }
  const perCircuit = 3 + contributions + (beacon === undefined ? 0 : 1)
  const steps = 2 * (1 + perCircuit) + 1
  let step = 0
  let stage = ""
  const begin = (name: string) => {
    step++
    stage = name
    onProgress?.({ step, steps, stage })
  }
  const tell = (detail: string) => onProgress?.({ step, steps, stage, detail })
  const attempt = <A>(name: string, task: () => Promise<A>) =>
    Effect.tryPromise({
      try: task,
      catch: (error) => new KeySetupFailed({ step: name, reason: error instanceof Error ? error.message : String(error) })
    })

  const target = path.resolve(directory)
  const taken = yield* Effect.promise(() => fs.access(target).then(() => true, () => false))
  if (taken) return yield* new KeyDirectoryExists({ directory })
  // Beside the target, so that the last step is a rename within one file system.
  const scratch = yield* Effect.acquireRelease(
    attempt("making a directory", async () => {
      await fs.mkdir(path.dirname(target), { recursive: true })
      return fs.mkdtemp(`${target}.building-`)
    }),
    (scratch) => Effect.promise(() => fs.rm(scratch, { recursive: true, force: true }))
  )

  // A file that is none is told of before anything takes time; whether it is large enough, only the circuits can tell.
  if (options.ptau !== undefined) yield* checkPowersOfTau(options.ptau, 1)
  begin("compiling the block circuit")
  const block = yield* compileSized("block", parameters, { onLine: tell })
  begin("compiling the ancestry circuit")
  const ancestry = yield* compileSized("ancestry", parameters, { onLine: tell })
  const power = Math.max(powerOf(block), powerOf(ancestry))

  const ptau = options.ptau ?? path.join(scratch, "fresh.ptau")
  if (options.ptau === undefined) {
    begin(`powers of tau of power ${power}, about ${preparationMinutes(power)} min`)
    yield* makePowersOfTau({ power, file: ptau, onMessage: tell, ...(entropy === undefined ? {} : { entropy }) })
  } else {
    begin("checking the powers of tau")
  }
  const powersOfTau = {
    power: yield* checkPowersOfTau(ptau, power),
    sha256: yield* attempt("hashing the powers of tau", () => hashFile(ptau))
  }

  const output = path.join(scratch, "keys")
  yield* attempt("making a directory", () => fs.mkdir(output))
  const buildCircuit = Effect.fnUntraced(function*(compiled: CompiledCircuit) {
    const { name } = compiled
    const phaseTwo = yield* runPhaseTwo({
      name,
      r1cs: compiled.r1cs,
      ptau,
      directory: scratch,
      contributions,
      entropy,
      beacon,
      onStage: begin,
      onMessage: tell
    })
    begin(`${name}: writing`)
    const verifyingKey = yield* setupStep(stage, (logger) => zKey.exportVerificationKey(phaseTwo.provingKey, logger), tell)
    return yield* attempt(stage, async () => {
      const entry = {
        constraints: compiled.constraints,
        publicInputs: compiled.publicInputs,
        wires: compiled.wires,
        r1csSha256: compiled.r1csSha256,
        provingKey: await writeKeyFile(output, `${name}.zkey.br`, await fs.readFile(phaseTwo.provingKey)),
        witnessGenerator: await writeKeyFile(output, `${name}.wasm.br`, await fs.readFile(compiled.wasm)),
        verifyingKey: await writeKeyFile(output, `${name}.vkey.json`, Buffer.from(`${JSON.stringify(verifyingKey, undefined, 2)}\n`)),
        contributions: phaseTwo.contributions
      }
      await fs.rm(phaseTwo.provingKey)
      return entry
    })
  })
  const blockEntry = yield* buildCircuit(block)
  const ancestryEntry = yield* buildCircuit(ancestry)

  return yield* attempt("writing the manifest", async () => {
    const packages = ["circom2", "circomlib", "snarkjs"]
    const versions = await Promise.all(packages.map(async (name) => [name, await installedVersion(name)] as const))
    const manifest: KeyManifest = {
      version: 1,
      developmentOnly: true,
      why: developmentReason,
      powersOfTau,
      circuits: {
        block: { parameters: parameters.block, ...blockEntry },
        ancestry: { parameters: parameters.ancestry, ...ancestryEntry }
      },
      toolchain: { ...Object.fromEntries(versions), node: process.versions.node },
      rebuild: ["npm ci", buildCommand(parameters)]
    }
    await fs.writeFile(path.join(output, "manifest.json"), encodeManifest(manifest))
    await fs.rename(output, target)
    return manifest
  })
}, Effect.scoped, releasingCurve)
