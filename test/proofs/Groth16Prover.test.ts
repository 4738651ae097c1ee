import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { type Curve, curves, groth16, type Groth16Proof } from "snarkjs"
import { ancestryInput } from "../../src/proofs/CircuitInputs.ts"
import { type CircuitKeys, loadKeys } from "../../src/proofs/CircuitKeys.ts"
import { devnetParameters } from "../../src/proofs/CircuitParameters.ts"
import { decodeProof } from "../../src/proofs/Groth16Encoding.ts"
import { makeProver, type Prover } from "../../src/proofs/Groth16Prover.ts"
import { calculateWitness } from "../../src/proofs/WitnessCalculator.ts"
import { headers } from "./fixture.ts"

// Real threads and real proofs: minutes on a machine that does other things as well.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let keys: CircuitKeys
let curve: Curve
let prover: Prover
let witness: Uint8Array

beforeAll(async () => {
  keys = await Effect.runPromise(loadKeys())
  curve = await curves.getCurveFromName("bn128", { singleThread: true })
  prover = makeProver(curve, keys.ancestry.provingKey)
  const generator = await WebAssembly.compile(Uint8Array.from(keys.ancestry.witnessGenerator))
  witness = calculateWitness(generator, ancestryInput(headers.slice(0, 4), devnetParameters.ancestry))
})

// snarkjs' `verify` starts threads for a curve of its own.
afterAll(async () => (await curves.getCurveFromName("bn128")).terminate())

const quiet = () => {}
const signals = [headers[0]!, headers[3]!].map(({ hash }) => BigInt(hash))

/** The proof as snarkjs writes it. */
const forSnarkjs = (bytes: Uint8Array): Groth16Proof => {
  const { a, b, c } = decodeProof(bytes)
  const text = ([first, second]: readonly [bigint, bigint]): readonly [string, string] => [String(first), String(second)]
  return {
    pi_a: [...text(a), "1"],
    pi_b: [text(b[0]), text(b[1]), ["1", "0"]],
    pi_c: [...text(c), "1"],
    protocol: "groth16",
    curve: "bn128"
  }
}

const acceptedBySnarkjs = (bytes: Uint8Array) => groth16.verify(keys.ancestry.verifyingKey, signals, forSnarkjs(bytes))

describe("the prover", () => {
  it("makes proofs that snarkjs accepts, another one each time", async () => {
    const first = await prover.prove(witness, quiet)
    const second = await prover.prove(witness, quiet)
    assert.isTrue(await acceptedBySnarkjs(first))
    assert.isTrue(await acceptedBySnarkjs(second))
    // Nothing but fresh randomness tells them apart; without it all three points would be equal.
    const points = [first, second].map(decodeProof)
    for (const point of ["a", "b", "c"] as const) assert.notDeepEqual(points[0]![point], points[1]![point])
  })

  it("makes a proof that does not verify of a witness that does not satisfy the circuit", async () => {
    const spoilt = witness.slice()
    spoilt[spoilt.length - 32]! ^= 1
    assert.isFalse(await acceptedBySnarkjs(await prover.prove(spoilt, quiet)))
  })

  it("refuses files that are not what they should be", async () => {
    const fails = async (file: Uint8Array, reason: RegExp) => {
      const error = await prover.prove(file, quiet).then(() => assert.fail("it proved"), (cause: Error) => cause)
      assert.match(error.message, reason)
    }
    await fails(witness.slice(0, -32), /not of the proving key's circuit/)
    await fails(keys.ancestry.provingKey.slice(0, 1_000), /not a wtns file/)
    assert.throws(() => makeProver(curve, witness), /not a zkey file/)
  })
})
