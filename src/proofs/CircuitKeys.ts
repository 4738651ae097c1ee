/**
 * The keys of the circuits: read from a directory, and checked against the sources that they claim to be for.
 *
 * `circuits/keys/devnet` holds the keys that come with the project, for {@link devnetParameters} and for development only.
 */
import { Effect, Schema } from "effect"
import path from "node:path"
import { isDeepStrictEqual } from "node:util"
import { zKey } from "snarkjs"
import { type CircuitCompileFailed, type CompiledCircuit, compileSized, powerOf } from "./CircuitCompiler.ts"
import {
  type CircuitEntry,
  devnetKeysDirectory,
  type KeyFile,
  KeyFileDamaged,
  type KeyFileError,
  type KeyManifest,
  parametersOf,
  readKeyFile,
  readManifest
} from "./CircuitManifest.ts"
import { type CircuitName, circuitNames } from "./CircuitParameters.ts"
import { checkPowersOfTau, hashFile, type KeySetupFailed, type PowersOfTauUnusable, releasingCurve, setupStep, sourceOf } from "./CircuitPowersOfTau.ts"

const Decimal = Schema.String.check(Schema.isPattern(/^\d+$/))
const G1 = Schema.Tuple([Decimal, Decimal, Decimal])
const Pair = Schema.Tuple([Decimal, Decimal])
const G2 = Schema.Tuple([Pair, Pair, Pair])

/** A Groth16 verifying key over BN254, as snarkjs writes it: projective coordinates as decimal strings. */
export const VerifyingKey = Schema.Struct({
  protocol: Schema.Literal("groth16"),
  curve: Schema.Literal("bn128"),
  nPublic: Schema.Int,
  vk_alpha_1: G1,
  vk_beta_2: G2,
  vk_gamma_2: G2,
  vk_delta_2: G2,
  /** One point more than there are public inputs. */
  IC: Schema.Array(G1)
})
export type VerifyingKey = typeof VerifyingKey.Type

/** What a prover of one circuit needs. */
export interface CircuitKey {
  readonly name: CircuitName
  readonly constraints: number
  /** snarkjs `zkey`, decompressed. It lies in shared memory: worker threads get it without a copy. */
  readonly provingKey: Uint8Array
  /** The circuit's program from inputs to a witness, as WASM. */
  readonly witnessGenerator: Uint8Array
  readonly verifyingKey: VerifyingKey
}

/** The keys of a directory. */
export interface CircuitKeys {
  readonly manifest: KeyManifest
  readonly block: CircuitKey
  readonly ancestry: CircuitKey
}

const decodeVerifyingKey = Schema.decodeUnknownEffect(Schema.fromJsonString(VerifyingKey))

const readVerifyingKey = Effect.fnUntraced(function*(directory: string, entry: KeyFile) {
  const text = Buffer.from(yield* readKeyFile(directory, entry)).toString("utf8")
  return yield* decodeVerifyingKey(text).pipe(
    Effect.mapError((error) =>
      new KeyFileDamaged({ path: path.join(directory, entry.file), expected: "a Groth16 verifying key", found: error.message })
    )
  )
})

const inSharedMemory = (bytes: Uint8Array): Uint8Array => {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength))
  shared.set(bytes)
  return shared
}

const readKey = Effect.fnUntraced(function*(directory: string, name: CircuitName, entry: CircuitEntry) {
  const [provingKey, witnessGenerator, verifyingKey] = yield* Effect.all([
    readKeyFile(directory, entry.provingKey),
    readKeyFile(directory, entry.witnessGenerator),
    readVerifyingKey(directory, entry.verifyingKey)
  ], { concurrency: "unbounded" })
  const key: CircuitKey = {
    name,
    constraints: entry.constraints,
    provingKey: inSharedMemory(provingKey),
    witnessGenerator,
    verifyingKey
  }
  return key
})

/**
 * Reads all keys of a directory into memory, some 50 MB for the devnet, and checks every file against the manifest.
 *
 * Fails with `KeyFileMissing` or `KeyFileDamaged`, which name the file and the way to restore it. Says nothing of whether the
 * keys are for the sources beside them: {@link verifyKeys} does.
 */
export const loadKeys = Effect.fn("loadKeys")(function*(
  directory: string = devnetKeysDirectory
): Effect.fn.Return<CircuitKeys, KeyFileError> {
  const manifest = yield* readManifest(directory)
  const [block, ancestry] = yield* Effect.all([
    readKey(directory, "block", manifest.circuits.block),
    readKey(directory, "ancestry", manifest.circuits.ancestry)
  ], { concurrency: "unbounded" })
  return { manifest, block, ancestry }
})

/** The verifying keys alone: all that a node needs which proves nothing itself, and what the L1 verifier is deployed with. */
export const loadVerifyingKeys = Effect.fn("loadVerifyingKeys")(function*(
  directory: string = devnetKeysDirectory
): Effect.fn.Return<
  { readonly manifest: KeyManifest; readonly block: VerifyingKey; readonly ancestry: VerifyingKey },
  KeyFileError
> {
  const manifest = yield* readManifest(directory)
  const [block, ancestry] = yield* Effect.all([
    readVerifyingKey(directory, manifest.circuits.block.verifyingKey),
    readVerifyingKey(directory, manifest.circuits.ancestry.verifyingKey)
  ], { concurrency: "unbounded" })
  return { manifest, block, ancestry }
})

/**
 * The keys are whole, but not for the circuits that the sources beside them describe, or not what they claim to be. Do not
 * prove with them. Check out sources and keys of the same revision and install the manifest's toolchain (`npm ci`), or build
 * keys with `lignum keys build`.
 */
export class KeysDoNotMatch extends Schema.TaggedError<KeysDoNotMatch>()("KeysDoNotMatch", {
  directory: Schema.String,
  circuit: Schema.String,
  /** What differs. */
  subject: Schema.String,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `the keys in ${this.directory} do not match the ${this.circuit} circuit: ${this.subject} should be ${this.expected} but is ${this.found}. Check out sources and keys of one revision and run \`npm ci\`, or build keys with \`lignum keys build\`.`
  }
}

/** What was found right about a key directory. */
export interface KeyReport {
  readonly manifest: KeyManifest
  readonly circuits: ReadonlyArray<{
    readonly name: CircuitName
    readonly constraints: number
    readonly r1csSha256: string
    /** Whether the whole phase 2, every contribution included, was checked against powers of tau. */
    readonly setupVerified: boolean
  }>
}

/** Hears what a long command on keys is doing. */
export type OnKeyProgress = (progress: {
  /** The step at work, counted from 1. */
  readonly step: number
  readonly steps: number
  readonly stage: string
  /** The latest word of circom or snarkjs within the step. */
  readonly detail?: string
}) => void

const expectSame = (directory: string, circuit: CircuitName, subject: string, expected: string | number, found: string | number) =>
  expected === found
    ? Effect.void
    : Effect.fail(new KeysDoNotMatch({ directory, circuit, subject, expected: String(expected), found: String(found) }))

/** Both circuits' keys must share phase 1: the L1 verifier checks all proofs of an update in one pairing equation. */
const expectSharedPhase1 = (directory: string, { ancestry, block }: CircuitKeys) =>
  Effect.forEach(["vk_alpha_1", "vk_beta_2", "vk_gamma_2"] as const, (point) =>
    expectSame(
      directory,
      "ancestry",
      `${point}, which both circuits share,`,
      JSON.stringify(block.verifyingKey[point]),
      JSON.stringify(ancestry.verifyingKey[point])
    ))

const checkSetup = Effect.fnUntraced(function*(
  directory: string,
  key: CircuitKey,
  entry: CircuitEntry,
  compiled: CompiledCircuit,
  ptau: string,
  onMessage: (message: string) => void
) {
  const said: Array<string> = []
  yield* setupStep(`verifying the setup of the ${key.name} circuit`, async (logger) =>
    zKey.verifyFromR1cs(await sourceOf(compiled.r1cs), await sourceOf(ptau), key.provingKey, {
      ...logger,
      info: (message) => {
        said.push(message.replace(/\s/g, ""))
        onMessage(message)
      }
    }), onMessage)
  // snarkjs tells the hash of each contribution that it checked; the manifest's list must be of these.
  for (const { hash, name } of entry.contributions) {
    yield* expectSame(
      directory,
      key.name,
      `the contribution "${name}"`,
      hash,
      said.some((message) => message.includes(hash)) ? hash : "none of that hash"
    )
  }
})

/**
 * Checks a key directory against the sources: every file's hash, that compiling the circuits gives the same constraint
 * systems and witness generators, and that the verifying keys belong to the proving keys. About 10 s.
 *
 * With `ptau`, the powers of tau that the keys were built from, it also has snarkjs redo and verify the whole phase 2, which
 * takes minutes: only then is it certain that the keys are for these circuits and that every listed contribution is in them.
 */
export const verifyKeys = Effect.fn("verifyKeys")(function*(
  directory: string = devnetKeysDirectory,
  options: { readonly ptau?: string; readonly onProgress?: OnKeyProgress } = {}
): Effect.fn.Return<KeyReport, KeyFileError | CircuitCompileFailed | KeysDoNotMatch | PowersOfTauUnusable | KeySetupFailed> {
  const { ptau } = options
  const steps = 1 + circuitNames.length * (ptau === undefined ? 2 : 3)
  let step = 0
  let stage = ""
  const begin = (name: string) => {
    step++
    stage = name
    options.onProgress?.({ step, steps, stage })
  }
  const tell = (detail: string) => options.onProgress?.({ step, steps, stage, detail })

  begin("files")
  const keys = yield* loadKeys(directory)
  const parameters = parametersOf(keys.manifest)
  yield* expectSharedPhase1(directory, keys)
  if (ptau !== undefined) {
    const power = Math.max(...circuitNames.map((name) => powerOf(keys.manifest.circuits[name])))
    yield* checkPowersOfTau(ptau, power)
    const found = yield* Effect.promise(() => hashFile(ptau))
    yield* expectSame(directory, "block", "the powers of tau's SHA-256", keys.manifest.powersOfTau.sha256, found)
  }

  const circuits = yield* releasingCurve(Effect.forEach(circuitNames, Effect.fnUntraced(function*(name) {
    const key = keys[name]
    const entry = keys.manifest.circuits[name]

    begin(`comparing the keys of the ${name} circuit`)
    const exported = yield* setupStep(`reading the ${name} circuit's proving key`, (logger) =>
      zKey.exportVerificationKey(key.provingKey, logger), tell)
    const { vk_alphabeta_12: _, ...found } = exported as typeof exported & { readonly vk_alphabeta_12?: unknown }
    if (!isDeepStrictEqual(found, key.verifyingKey)) {
      return yield* new KeysDoNotMatch({
        directory,
        circuit: name,
        subject: "the verifying key",
        expected: "the proving key's own",
        found: "another one"
      })
    }

    begin(`compiling the ${name} circuit`)
    const compiled = yield* compileSized(name, parameters, { onLine: tell })
    yield* expectSame(directory, name, "the constraint system's SHA-256", entry.r1csSha256, compiled.r1csSha256)
    yield* expectSame(directory, name, "the witness generator's SHA-256", entry.witnessGenerator.sha256, compiled.wasmSha256)
    yield* expectSame(directory, name, "the number of constraints", entry.constraints, compiled.constraints)

    if (ptau !== undefined) {
      begin(`verifying the setup of the ${name} circuit`)
      yield* checkSetup(directory, key, entry, compiled, ptau, tell)
    }
    return { name, constraints: compiled.constraints, r1csSha256: compiled.r1csSha256, setupVerified: ptau !== undefined }
  })))
  return { manifest: keys.manifest, circuits }
})
