import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import fs from "node:fs/promises"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { groth16, zKey } from "snarkjs"
import { compileCircuit, type CompiledCircuit, defaultBuildDirectory } from "../../src/proofs/CircuitCompiler.ts"
import { buildKeys, runPhaseTwo } from "../../src/proofs/CircuitKeyBuilder.ts"
import { KeysDoNotMatch, loadKeys, loadVerifyingKeys, verifyKeys } from "../../src/proofs/CircuitKeys.ts"
import { devnetKeysDirectory, encodeManifest, KeyFileDamaged, KeyFileMissing, readManifest, writeKeyFile } from "../../src/proofs/CircuitManifest.ts"
import { devnetParameters } from "../../src/proofs/CircuitParameters.ts"
import { checkPowersOfTau, makePowersOfTau, PowersOfTauUnusable, releasingCurve, setupStep } from "../../src/proofs/CircuitPowersOfTau.ts"
import { computeWitness } from "./Witness.ts"

const scratchDirectory = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "lignum-keys-"))),
  (directory) => Effect.promise(() => fs.rm(directory, { recursive: true }))
)

/** A copy of the committed keys, to be spoilt. */
const copiedKeys = Effect.flatMap(scratchDirectory, (scratch) =>
  Effect.promise(async () => {
    const directory = path.join(scratch, "keys")
    await fs.cp(devnetKeysDirectory, directory, { recursive: true })
    return directory
  }))

const editManifest = (directory: string, edit: (json: any) => void) =>
  Effect.promise(async () => {
    const file = path.join(directory, "manifest.json")
    const json = JSON.parse(await fs.readFile(file, "utf8"))
    edit(json)
    await fs.writeFile(file, JSON.stringify(json))
  })

describe("loadKeys", () => {
  it.live("reads the keys that come with the project", () =>
    Effect.gen(function*() {
      const { ancestry, block, manifest } = yield* loadKeys()
      assert.isTrue(manifest.developmentOnly)
      assert.deepStrictEqual(manifest.circuits.block.parameters, devnetParameters.block)
      assert.deepStrictEqual(manifest.circuits.ancestry.parameters, devnetParameters.ancestry)
      assert.strictEqual(block.verifyingKey.nPublic, 5)
      assert.strictEqual(block.verifyingKey.IC.length, 6)
      assert.strictEqual(ancestry.verifyingKey.nPublic, 2)
      for (const point of ["vk_alpha_1", "vk_beta_2", "vk_gamma_2"] as const) {
        assert.deepStrictEqual(block.verifyingKey[point], ancestry.verifyingKey[point])
      }
      // As in a circuit whose last secret is known, delta equal to gamma would let anybody forge.
      assert.notDeepEqual(block.verifyingKey.vk_delta_2, block.verifyingKey.vk_gamma_2)
      assert.notDeepEqual(block.verifyingKey.vk_delta_2, ancestry.verifyingKey.vk_delta_2)
      assert.deepStrictEqual((yield* loadVerifyingKeys()).block, block.verifyingKey)
    }))

  it.live("keeps what is committed below 20 MB", () =>
    Effect.gen(function*() {
      const sizes = yield* Effect.promise(async () =>
        Promise.all((await fs.readdir(devnetKeysDirectory)).map(async (name) =>
          (await fs.stat(path.join(devnetKeysDirectory, name))).size)))
      assert.isBelow(sizes.reduce((sum, size) => sum + size), 20_000_000)
    }))

  it.live("names a missing file and the way to restore it", () =>
    Effect.gen(function*() {
      const directory = yield* copiedKeys
      const file = path.join(directory, "ancestry.zkey.br")
      yield* Effect.promise(() => fs.rm(file))
      const error = yield* Effect.flip(loadKeys(directory))
      assert.instanceOf(error, KeyFileMissing)
      assert.strictEqual(error.path, file)
      assert.include(error.message, `git checkout -- ${file}`)
      assert.include(error.message, "lignum keys build")
    }))

  it.live("notices one flipped bit", () =>
    Effect.gen(function*() {
      const directory = yield* copiedKeys
      const { circuits } = yield* readManifest(directory)
      const file = path.join(directory, circuits.block.provingKey.file)
      yield* Effect.promise(async () => {
        const bytes = await fs.readFile(file)
        bytes[bytes.length >> 1]! ^= 1
        await fs.writeFile(file, bytes)
      })
      const error = yield* Effect.flip(loadKeys(directory))
      assert.instanceOf(error, KeyFileDamaged)
      assert.strictEqual(error.path, file)
      assert.include(error.expected, circuits.block.provingKey.storedSha256)
      assert.include(error.message, `git checkout -- ${file}`)
    }))

  it.live("notices contents other than the manifest names", () =>
    Effect.gen(function*() {
      const directory = yield* copiedKeys
      yield* editManifest(directory, (json) => json.circuits.ancestry.witnessGenerator.sha256 = "0".repeat(64))
      assert.instanceOf(yield* Effect.flip(loadKeys(directory)), KeyFileDamaged)
    }))

  it.live("does not decompress more than the manifest announces", () =>
    Effect.gen(function*() {
      const directory = yield* copiedKeys
      yield* editManifest(directory, (json) => json.circuits.block.provingKey.bytes = 1_000)
      const error = yield* Effect.flip(loadKeys(directory))
      assert.instanceOf(error, KeyFileDamaged)
      assert.include(error.expected, "1000 bytes")
    }))

  it.live("refuses a manifest that is cut short, and one that points elsewhere", () =>
    Effect.gen(function*() {
      const directory = yield* copiedKeys
      yield* editManifest(directory, (json) => json.circuits.block.provingKey.file = "../block.zkey.br")
      assert.instanceOf(yield* Effect.flip(loadKeys(directory)), KeyFileDamaged)
      yield* Effect.promise(() => fs.truncate(path.join(directory, "manifest.json"), 100))
      assert.instanceOf(yield* Effect.flip(loadKeys(directory)), KeyFileDamaged)
    }))
})

describe("verifyKeys", () => {
  it.live("finds the committed keys right, and tells what it does", () =>
    Effect.gen(function*() {
      const stages: Array<string> = []
      const { circuits } = yield* verifyKeys(devnetKeysDirectory, { onProgress: ({ stage }) => stages.push(stage) })
      assert.deepStrictEqual(circuits.map(({ name, setupVerified }) => [name, setupVerified]), [["block", false], ["ancestry", false]])
      assert.deepStrictEqual([...new Set(stages)], [
        "files",
        "comparing the keys of the block circuit",
        "compiling the block circuit",
        "comparing the keys of the ancestry circuit",
        "compiling the ancestry circuit"
      ])
    }))

  it.live("refuses keys for another constraint system", () =>
    Effect.gen(function*() {
      const directory = yield* copiedKeys
      yield* editManifest(directory, (json) => json.circuits.block.r1csSha256 = "0".repeat(64))
      const error = yield* Effect.flip(verifyKeys(directory))
      assert.instanceOf(error, KeysDoNotMatch)
      assert.strictEqual(error.circuit, "block")
    }))

  it.live("refuses keys whose circuits do not share phase 1", () =>
    Effect.gen(function*() {
      const directory = yield* copiedKeys
      yield* replaceVerifyingKey(directory, "ancestry", (key) => [key.vk_alpha_1[1], key.vk_alpha_1[0]] = [key.vk_alpha_1[0], key.vk_alpha_1[1]])
      const error = yield* Effect.flip(verifyKeys(directory))
      assert.instanceOf(error, KeysDoNotMatch)
      assert.include(error.subject, "vk_alpha_1")
    }))

  it.live("refuses a verifying key that is not the proving key's", () =>
    Effect.gen(function*() {
      const directory = yield* copiedKeys
      yield* replaceVerifyingKey(directory, "block", (key) => key.IC.reverse())
      const error = yield* Effect.flip(verifyKeys(directory))
      assert.instanceOf(error, KeysDoNotMatch)
      assert.strictEqual(error.subject, "the verifying key")
    }))

  it.live("refuses powers of tau that are none", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(verifyKeys(devnetKeysDirectory, { ptau: fileURLToPath(import.meta.url) }))
      assert.instanceOf(error, PowersOfTauUnusable)
      assert.include(error.message, "power 15 or higher")
    }))
})

/** Exchanges a verifying key, with a manifest that covers it up. */
const replaceVerifyingKey = (directory: string, circuit: "block" | "ancestry", edit: (key: any) => void) =>
  Effect.gen(function*() {
    const manifest = yield* readManifest(directory)
    yield* Effect.promise(async () => {
      const { file } = manifest.circuits[circuit].verifyingKey
      const key = JSON.parse(await fs.readFile(path.join(directory, file), "utf8"))
      edit(key)
      const verifyingKey = await writeKeyFile(directory, file, Buffer.from(JSON.stringify(key)))
      const circuits = { ...manifest.circuits, [circuit]: { ...manifest.circuits[circuit], verifyingKey } }
      await fs.writeFile(path.join(directory, "manifest.json"), encodeManifest({ ...manifest, circuits }))
    })
  })

describe("building keys", () => {
  let tiny: CompiledCircuit
  beforeAll(async () => {
    tiny = await Effect.runPromise(compileCircuit({
      name: "tiny-test",
      program: fileURLToPath(new URL("./tiny-test.circom", import.meta.url)),
      directory: path.join(defaultBuildDirectory, "tiny-test")
    }))
  })

  it.live("fresh powers of tau, contributions and a beacon make a key that proves", () =>
    Effect.gen(function*() {
      const scratch = yield* scratchDirectory
      const ptau = path.join(scratch, "fresh.ptau")
      yield* makePowersOfTau({ power: 3, file: ptau })
      assert.strictEqual(yield* checkPowersOfTau(ptau, 3), 3)
      assert.include((yield* Effect.flip(checkPowersOfTau(ptau, 4))).reason, "its power is 3")
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(scratch)), ["fresh.ptau"])

      const stages: Array<string> = []
      const { contributions, provingKey } = yield* runPhaseTwo({
        name: "tiny",
        r1cs: tiny.r1cs,
        ptau,
        directory: scratch,
        contributions: 2,
        beacon: { hash: "00".repeat(32), iterationsExponent: 10 },
        onStage: (stage) => stages.push(stage)
      })
      assert.deepStrictEqual(contributions.map(({ name }) => name), ["lignum 1", "lignum 2", "beacon"])
      assert.deepStrictEqual(stages, [
        "tiny: initial key",
        "tiny: contribution 1",
        "tiny: contribution 2",
        "tiny: beacon",
        "tiny: verification"
      ])
      // A key on the way, whose secret one contributor knows alone, must not be left behind.
      assert.deepStrictEqual((yield* Effect.promise(() => fs.readdir(scratch))).sort(), ["fresh.ptau", "tiny-beacon.zkey"])

      const verified = yield* Effect.promise(async () => {
        const wasm = await fs.readFile(tiny.wasm)
        const { proof, publicSignals } = await groth16.prove(provingKey, await computeWitness(wasm, { left: 6n, right: 7n }))
        const verifyingKey = await zKey.exportVerificationKey(provingKey)
        assert.deepStrictEqual(publicSignals, ["42"])
        assert.isFalse(await groth16.verify(verifyingKey, ["43"], proof))
        return groth16.verify(verifyingKey, publicSignals, proof)
      })
      assert.isTrue(verified)
    }).pipe(releasingCurve))

  it.live("what snarkjs only mutters becomes an error", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(setupStep("initial key", async (logger) => {
        logger.error("circuit too big")
        return -1 as const
      }))
      assert.include(error.message, `"initial key": circuit too big`)
    }))

  it.live("never overwrites keys, and never leaves out the contribution", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(buildKeys({ parameters: devnetParameters, directory: devnetKeysDirectory }))
      assert.strictEqual(error._tag, "KeyDirectoryExists")
      const scratch = yield* scratchDirectory
      const none = yield* Effect.flip(
        buildKeys({ parameters: devnetParameters, directory: path.join(scratch, "keys"), contributions: 0 })
      )
      assert.include(none.message, "at least one is needed")
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(scratch)), [])
    }))

  it.live("refuses unusable powers of tau and leaves nothing behind", () =>
    Effect.gen(function*() {
      const scratch = yield* scratchDirectory
      const ptau = path.join(scratch, "short.ptau")
      yield* Effect.promise(() => fs.writeFile(ptau, "ptau"))
      const error = yield* Effect.flip(buildKeys({ parameters: devnetParameters, directory: path.join(scratch, "keys"), ptau }))
      assert.instanceOf(error, PowersOfTauUnusable)
      assert.include(error.message, "cut short")
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(scratch)), ["short.ptau"])
    }))

  it.live("circom's words reach whoever compiles", () =>
    Effect.gen(function*() {
      const scratch = yield* scratchDirectory
      const program = path.join(scratch, "three-slots.circom")
      yield* Effect.promise(() =>
        fs.writeFile(program, 'pragma circom 2.1.6;\ninclude "block.circom";\ncomponent main = BlockProof(3, 8, 1, 16000);\n'))
      const error = yield* Effect.flip(compileCircuit({ name: "three-slots", program, directory: scratch }))
      assert.include(error.message, "False assert reached")
      assert.include(error.message, "block.circom")
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(scratch)), ["three-slots.circom"])
    }))
})
