import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { type Curve, curves, type G1Decimal, groth16, type Groth16Proof } from "snarkjs"
import { ancestryInput } from "../../src/proofs/CircuitInputs.ts"
import { loadKeys } from "../../src/proofs/CircuitKeys.ts"
import { devnetParameters } from "../../src/proofs/CircuitParameters.ts"
import { baseFieldOrder, decodeProof, encodeProof, MalformedProof } from "../../src/proofs/Groth16Encoding.ts"
import { type Claim, makeVerifier } from "../../src/proofs/Groth16Verifier.ts"
import { calculateWitness } from "../../src/proofs/WitnessCalculator.ts"
import { headers } from "./fixture.ts"

// Real threads and real proofs: minutes on a machine that does other things as well.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

interface Made {
  readonly claim: Claim
  readonly proof: Groth16Proof
  readonly publicSignals: ReadonlyArray<string>
}

/** What the declarations of the curve leave out, for making a point that no prover makes. */
interface Fp2 {
  readonly fromObject: (value: readonly [bigint, bigint]) => Uint8Array
  readonly toObject: (value: Uint8Array) => [bigint, bigint]
  readonly mul: (a: Uint8Array, b: Uint8Array) => Uint8Array
  readonly square: (a: Uint8Array) => Uint8Array
  readonly add: (a: Uint8Array, b: Uint8Array) => Uint8Array
  readonly sqrt: (a: Uint8Array) => Uint8Array
  readonly isSquare: (a: Uint8Array) => boolean
}

let curve: Curve
let made: ReadonlyArray<Made>
let refute: ReturnType<typeof makeVerifier>["refute"]
let verifyingKey: Parameters<typeof makeVerifier>[1]

beforeAll(async () => {
  curve = await curves.getCurveFromName("bn128", { singleThread: true })
  const { ancestry } = await Effect.runPromise(loadKeys())
  verifyingKey = ancestry.verifyingKey
  refute = makeVerifier(curve, verifyingKey).refute
  const generator = await WebAssembly.compile(Uint8Array.from(ancestry.witnessGenerator))
  made = []
  for (const [from, to] of [[0, 1], [2, 5], [0, 8]] as const) {
    const witness = calculateWitness(generator, ancestryInput(headers.slice(from, to + 1), devnetParameters.ancestry))
    const { proof, publicSignals } = await groth16.prove(ancestry.provingKey, witness, undefined, { singleThread: true })
    const claim = { signals: [headers[from]!.hash, headers[to]!.hash].map(BigInt), proof: encodeProof(proof) }
    made = [...made, { claim, proof, publicSignals }]
  }
})

// `groth16.verify`, the oracle, starts threads for a curve of its own.
afterAll(async () => (await curves.getCurveFromName("bn128")).terminate())

const claims = () => made.map(({ claim }) => claim)

describe("the encoding of proofs", () => {
  it("is the word order that snarkjs generates Solidity calls in", async () => {
    for (const { claim, proof, publicSignals } of made) {
      const words = (await groth16.exportSolidityCallData(proof, publicSignals)).match(/[0-9a-f]{64}/g)!
      assert.strictEqual(Buffer.from(claim.proof).toString("hex"), words.slice(0, 8).join(""))
    }
  })

  it("gives the points back", () => {
    for (const { claim, proof } of made) {
      const { a, b, c } = decodeProof(claim.proof)
      assert.deepStrictEqual([a, b, c], [
        proof.pi_a.slice(0, 2).map(BigInt),
        proof.pi_b.slice(0, 2).map((pair) => pair.map(BigInt)),
        proof.pi_c.slice(0, 2).map(BigInt)
      ])
    }
  })

  it("has no room for points at infinity or coordinates beyond the field", () => {
    const { proof } = made[0]!
    const infinity: G1Decimal = ["0", "1", "0"]
    assert.throws(() => encodeProof({ ...proof, pi_a: infinity }), MalformedProof)
    assert.throws(() => encodeProof({ ...proof, pi_b: [...proof.pi_b.slice(0, 2), ["0", "0"]] as unknown as Groth16Proof["pi_b"] }), MalformedProof)
    assert.throws(() => encodeProof({ ...proof, pi_c: [String(baseFieldOrder), "1", "1"] }), MalformedProof)
  })
})

describe("batched verification", () => {
  it("agrees with snarkjs on every proof and on every pairing of proofs with signals", async () => {
    for (const { proof, claim: { proof: bytes } } of made) {
      for (const { claim: { signals } } of made) {
        const theirs = await groth16.verify(verifyingKey, signals, proof)
        assert.strictEqual(await refute([{ proof: bytes, signals }]) === undefined, theirs)
      }
    }
  })

  it("accepts any number of valid claims in any order, the same one twice included", async () => {
    const [a, b, c] = claims() as [Claim, Claim, Claim]
    for (const batch of [[a, b], [c, b, a], [a, a, b], []]) assert.isUndefined(await refute(batch))
  })

  it("refuses a batch with one wrong claim at any place", async () => {
    const [a, b, c] = claims() as [Claim, Claim, Claim]
    const wrong: Claim = { ...c, signals: a.signals }
    for (const batch of [[wrong, a, b], [a, wrong, b], [a, b, wrong]]) assert.match(await refute(batch) ?? "", /equation/)
  })

  it("refuses two wrong claims that cancel out in a sum without random coefficients", async () => {
    const [a, b] = claims() as [Claim, Claim]
    const shift = curve.G1.one
    const moved = ({ proof, signals }: Claim, by: Uint8Array): Claim => {
      const points = decodeProof(proof)
      const [x, y] = curve.G1.toObject(curve.G1.toAffine(curve.G1.add(curve.G1.fromObject([...points.c, 1n]), by)))
      const decimal = (pair: readonly [bigint, bigint]): readonly [string, string] => [String(pair[0]), String(pair[1])]
      return {
        signals,
        proof: encodeProof({
          pi_a: [...decimal(points.a), "1"],
          pi_b: [decimal(points.b[0]), decimal(points.b[1]), ["1", "0"]],
          pi_c: [...decimal([x, y]), "1"],
          protocol: "groth16",
          curve: "bn128"
        })
      }
    }
    assert.match(await refute([moved(a, shift), moved(b, curve.G1.neg(shift))]) ?? "", /equation/)
  })

  it("refuses a point of the curve outside the subgroup, which snarkjs lets pass as a point", async () => {
    const field = (curve as unknown as { readonly F2: Fp2 }).F2
    const b = (curve.G2 as unknown as { readonly b: Uint8Array }).b
    let stray: { readonly x: [bigint, bigint]; readonly y: [bigint, bigint] } | undefined
    for (let x = 1n; stray === undefined; x++) {
      const candidate = field.fromObject([x, 0n])
      const square = field.add(field.mul(field.square(candidate), candidate), b)
      if (field.isSquare(square)) stray = { x: [x, 0n], y: field.toObject(field.sqrt(square)) }
    }
    assert.isTrue(curve.G2.isValid(curve.G2.fromObject([stray.x, stray.y, [1n, 0n]])))
    const { claim, proof } = made[0]!
    const bytes = encodeProof({
      ...proof,
      pi_b: [[String(stray.x[0]), String(stray.x[1])], [String(stray.y[0]), String(stray.y[1])], ["1", "0"]]
    })
    assert.match(await refute([{ ...claim, proof: bytes }]) ?? "", /subgroup/)
  })

  it("refuses signals beyond the field and too few of them", async () => {
    const [a] = claims() as [Claim]
    assert.match(await refute([{ ...a, signals: [a.signals[0]! + curve.r, a.signals[1]!] }]) ?? "", /field's order/)
    assert.match(await refute([{ ...a, signals: a.signals.slice(1) }]) ?? "", /2 public signals, not 1/)
  })

  it("refuses rubbish of any length without throwing", async () => {
    const [a] = claims() as [Claim]
    for (const length of [0, 1, 255, 256, 257]) {
      const proof = Uint8Array.from({ length }, (_, i) => (i % 32 === 0 ? 0 : (i * 37) % 256))
      assert.isString(await refute([{ ...a, proof }]))
    }
  })
})
