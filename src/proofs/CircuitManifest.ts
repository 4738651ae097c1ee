/**
 * A key directory: what is in it, and its files read and checked.
 *
 * `manifest.json` names every other file with size and SHA-256, so that a damaged or exchanged one is noticed before
 * anything is proved or verified with it.
 */
import { Effect, Schema } from "effect"
import fs from "node:fs/promises"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { brotliCompress, brotliDecompress, constants } from "node:zlib"
import { sha256 } from "./CircuitCompiler.ts"
import { AncestryParameters, BlockParameters, type CircuitParameters } from "./CircuitParameters.ts"

/** The keys that come with the project. */
export const devnetKeysDirectory = fileURLToPath(new URL("../../circuits/keys/devnet", import.meta.url))

const Sha256 = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))
const Size = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** A file of a key directory; names that end in `.br` are compressed with Brotli. */
export const KeyFile = Schema.Struct({
  /** Name inside the directory. A bare name, so that a manifest cannot point elsewhere. */
  file: Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9.-]*$/)),
  /** The contents as they are used. */
  bytes: Size,
  sha256: Sha256,
  /** The contents as they are stored. */
  storedBytes: Size,
  storedSha256: Sha256
})
export type KeyFile = typeof KeyFile.Type

/** One step of a phase 2 ceremony. */
export const Contribution = Schema.Struct({
  /** Who or what contributed. */
  name: Schema.String,
  /** snarkjs' hash of the contribution (BLAKE2b-512, hexadecimal); its contributor keeps it to recognise the step. */
  hash: Schema.String.check(Schema.isPattern(/^[0-9a-f]{128}$/))
})
export type Contribution = typeof Contribution.Type

const circuit = <Parameters extends Schema.Top>(parameters: Parameters) =>
  Schema.Struct({
    parameters,
    constraints: Size,
    publicInputs: Size,
    wires: Size,
    /** Hash of the constraint system that the keys were made for; compiling the sources must give it again. */
    r1csSha256: Sha256,
    provingKey: KeyFile,
    witnessGenerator: KeyFile,
    verifyingKey: KeyFile,
    contributions: Schema.Array(Contribution)
  })

/** What `manifest.json` says. */
export const KeyManifest = Schema.Struct({
  version: Schema.Literal(1),
  /** True while nobody but the maker of the keys could vouch that their secrets are destroyed. */
  developmentOnly: Schema.Boolean,
  why: Schema.String,
  /** One phase 1 for all circuits, so that L1 can check their proofs in one pairing equation. */
  powersOfTau: Schema.Struct({ power: Schema.Int, sha256: Sha256 }),
  circuits: Schema.Struct({ block: circuit(BlockParameters), ancestry: circuit(AncestryParameters) }),
  /** Exact versions: another compiler may give another constraint system for the same sources. */
  toolchain: Schema.Record(Schema.String, Schema.String),
  /** Commands that build keys for the same circuits. */
  rebuild: Schema.Array(Schema.String)
})
export type KeyManifest = typeof KeyManifest.Type
/** What the manifest says of one circuit. */
export type CircuitEntry = KeyManifest["circuits"]["block"] | KeyManifest["circuits"]["ancestry"]

const ManifestText = Schema.fromJsonString(Schema.toCodecJson(KeyManifest))
const decodeManifest = Schema.decodeUnknownEffect(ManifestText)

/** The manifest as JSON, for people to read as well. */
export const encodeManifest = (manifest: KeyManifest): string =>
  `${JSON.stringify(Schema.encodeSync(Schema.toCodecJson(KeyManifest))(manifest), undefined, 2)}\n`

/** The sizes that a key directory is for. */
export const parametersOf = ({ circuits }: KeyManifest): CircuitParameters => ({
  block: circuits.block.parameters,
  ancestry: circuits.ancestry.parameters
})

/** A file of the key directory is not there or cannot be read. Check it out again, or build keys. */
export class KeyFileMissing extends Schema.TaggedError<KeyFileMissing>()("KeyFileMissing", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `cannot read the key file ${this.path} (${this.reason}). Restore it with \`git checkout -- ${this.path}\`, or build keys with \`lignum keys build\`.`
  }
}

/** A file of the key directory is not what the manifest names. Check it out again, or build keys; do not use it. */
export class KeyFileDamaged extends Schema.TaggedError<KeyFileDamaged>()("KeyFileDamaged", {
  path: Schema.String,
  /** What the manifest promises: mostly a SHA-256. */
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `the key file ${this.path} is damaged: expected ${this.expected}, found ${this.found}. Restore it with \`git checkout -- ${this.path}\`, or build keys with \`lignum keys build\`.`
  }
}

/** Either way a key directory can be unusable. */
export type KeyFileError = KeyFileMissing | KeyFileDamaged

const read = (file: string) =>
  Effect.tryPromise({
    try: () => fs.readFile(file),
    catch: (error) => new KeyFileMissing({ path: file, reason: error instanceof Error ? error.message : String(error) })
  })

/** Reads `manifest.json` of a key directory. */
export const readManifest = Effect.fn("readManifest")(function*(
  directory: string
): Effect.fn.Return<KeyManifest, KeyFileError> {
  const file = path.join(directory, "manifest.json")
  return yield* decodeManifest((yield* read(file)).toString("utf8")).pipe(
    Effect.mapError((error) => new KeyFileDamaged({ path: file, expected: "a key manifest", found: error.message }))
  )
})

const decompress = promisify(brotliDecompress)
const compress = promisify(brotliCompress)

/** Reads a file that the manifest names, checks both hashes, and answers its decompressed contents. */
export const readKeyFile = Effect.fn("readKeyFile")(function*(
  directory: string,
  entry: KeyFile
): Effect.fn.Return<Uint8Array, KeyFileError> {
  const file = path.join(directory, entry.file)
  const stored = yield* read(file)
  const damaged = (expected: string, found: string) => new KeyFileDamaged({ path: file, expected, found })
  const storedHash = sha256(stored)
  if (storedHash !== entry.storedSha256) {
    return yield* damaged(`SHA-256 ${entry.storedSha256}`, `${storedHash} (${stored.byteLength} bytes)`)
  }
  if (!entry.file.endsWith(".br")) return stored
  // A manifest that lies about the size must not make a node allocate without bound.
  const contents = yield* Effect.tryPromise({
    try: () => decompress(stored, { maxOutputLength: Math.max(1, entry.bytes) }),
    catch: (error) => damaged(`${entry.bytes} bytes of Brotli data`, error instanceof Error ? error.message : String(error))
  })
  const hash = sha256(contents)
  return hash === entry.sha256 ? contents : yield* damaged(`SHA-256 ${entry.sha256} after decompression`, hash)
})

/**
 * Writes a file into a key directory and answers its entry for the manifest. `.br` names are compressed: proving keys to
 * about a third, in the seconds that it takes to build them anyway.
 */
export const writeKeyFile = async (directory: string, file: string, contents: Uint8Array): Promise<KeyFile> => {
  const stored = file.endsWith(".br")
    ? await compress(contents, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 9,
        // Keys repeat the coefficients of one hash over and over, hundreds of kilobytes apart.
        [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
        [constants.BROTLI_PARAM_SIZE_HINT]: contents.byteLength
      }
    })
    : contents
  await fs.writeFile(path.join(directory, file), stored)
  return {
    file,
    bytes: contents.byteLength,
    sha256: sha256(contents),
    storedBytes: stored.byteLength,
    storedSha256: sha256(stored)
  }
}
