import { assert, beforeAll, describe, it } from "@effect/vitest"
import { permute, poseidon2Hash } from "@zkpassport/poseidon2"
import { Effect } from "effect"
import fs from "node:fs/promises"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { compileCircuit, type CompiledCircuit, defaultBuildDirectory } from "../../src/proofs/CircuitCompiler.ts"
import { readWitness } from "./ConstraintSystem.ts"
import { FIELD } from "./LedgerOracle.ts"
import { computeWitness } from "./Witness.ts"

describe("Poseidon2", () => {
  let compiled: CompiledCircuit
  let wasm: Uint8Array

  beforeAll(async () => {
    compiled = await Effect.runPromise(compileCircuit({
      name: "poseidon2-test",
      program: fileURLToPath(new URL("./poseidon2-test.circom", import.meta.url)),
      directory: path.join(defaultBuildDirectory, "poseidon2-test")
    }))
    wasm = await fs.readFile(compiled.wasm)
  })

  const agrees = async (inputs: ReadonlyArray<bigint>) => {
    const witness = readWitness(await computeWitness(wasm, { in: inputs }))
    assert.deepStrictEqual(witness.slice(1, 5), permute(inputs.slice(0, 4)))
    assert.deepStrictEqual(
      witness.slice(5, 15),
      Array.from({ length: 10 }, (_, i) => poseidon2Hash(inputs.slice(0, i + 1)))
    )
  }

  it("equals @zkpassport/poseidon2 in every length from 1 to 10", async () => {
    await agrees(Array.from({ length: 10 }, (_, i) => BigInt(i)))
    let value = 7n
    for (let run = 0; run < 8; run++) {
      await agrees(Array.from({ length: 10 }, () => value = (value * value + BigInt(run) + 3n) % FIELD))
    }
  })

  it("equals it at the field's edges", async () => {
    await agrees(Array.from({ length: 10 }, () => 0n))
    await agrees(Array.from({ length: 10 }, () => FIELD - 1n))
  })

  it("equals the permutation of Barretenberg's own test vector", async () => {
    const witness = readWitness(await computeWitness(wasm, { in: Array.from({ length: 10 }, (_, i) => BigInt(i)) }))
    assert.deepStrictEqual(witness.slice(1, 5), [
      0x01bd538c2ee014ed5141b29e9ae240bf8db3fe5b9a38629a9647cf8d76c01737n,
      0x239b62e7db98aa3a2a8f6a0d2fa1709e7a35959aa6c7034814d9daa90cbac662n,
      0x04cbb44c61d928ed06808456bf758cbf0c18d1e15a7b6dbc8245fa7515d5e3cbn,
      0x2e11c5cff2a22c64d01304b778d78f6998eff1ab73163a35603f54794c30847an
    ])
  })

  it("costs 264 constraints a permutation", () => {
    const permutations = 1 + Array.from({ length: 10 }, (_, i) => Math.ceil((i + 1) / 3)).reduce((sum, each) => sum + each)
    assert.strictEqual(compiled.constraints, 264 * permutations)
  })
})
