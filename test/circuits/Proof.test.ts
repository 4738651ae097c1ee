import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { curves, groth16, type Groth16Proof, type ProofWithSignals } from "snarkjs"
import { type CircuitKeys, loadKeys } from "../../src/proofs/CircuitKeys.ts"
import { buildBlock, FIELD, headerHash, Ledger, parentOf, PROVER, sign, wallet } from "./LedgerOracle.ts"
import { computeWitness } from "./Witness.ts"

describe("a real proof of a block", () => {
  let keys: CircuitKeys
  let made: ProofWithSignals
  let expected: ReadonlyArray<string>

  beforeAll(async () => {
    keys = await Effect.runPromise(loadKeys())
    const alice = wallet("alice")
    const ledger = new Ledger([[3, { owner: alice.owner, balance: 10n ** 18n, nonce: 0n }]])
    const parent = parentOf(ledger)
    const block = buildBlock(ledger, parent, [
      sign(alice, { from: 3, to: 8, toOwner: alice.owner, amount: 5n, maxProverFee: 16_000_000n, nonce: 0n })
    ])
    expected = [headerHash(parent), headerHash(block.header), PROVER, 16_000_000n, 16_000n].map(String)
    made = await groth16.prove(keys.block.provingKey, await computeWitness("block", block.inputs))
  })

  afterAll(async () => (await curves.getCurveFromName("bn128")).terminate())

  const verify = (publicSignals: ReadonlyArray<string>, proof: Groth16Proof = made.proof) =>
    groth16.verify(keys.block.verifyingKey, publicSignals, proof)

  it("verifies with its public inputs, in their order", async () => {
    assert.deepStrictEqual(made.publicSignals, expected)
    assert.isTrue(await verify(expected))
  })

  it("does not verify with another prover's address: it cannot be stolen", async () => {
    assert.isFalse(await verify(expected.with(2, String(PROVER + 1n))))
    assert.isFalse(await verify(expected.with(2, "0")))
  })

  it("does not verify with any other input", async () => {
    for (const index of expected.keys()) {
      assert.isFalse(await verify(expected.with(index, String((BigInt(expected[index]!) + 1n) % FIELD))), `input ${index}`)
    }
    assert.isFalse(await verify(expected.with(0, expected[1]!).with(1, expected[0]!)))
  })

  it("does not verify with an input that is equal only modulo the field", async () => {
    assert.isFalse(await verify(expected.with(3, String(16_000_000n + FIELD))))
  })

  it("does not verify with a flipped bit, nor with other points of the curve", async () => {
    const { pi_a, pi_b, pi_c } = made.proof
    const flip = (decimal: string) => String(BigInt(decimal) ^ 1n)
    assert.isFalse(await verify(expected, { ...made.proof, pi_a: [flip(pi_a[0]), pi_a[1], pi_a[2]] }))
    assert.isFalse(await verify(expected, { ...made.proof, pi_c: [pi_c[0], flip(pi_c[1]), pi_c[2]] }))
    assert.isFalse(await verify(expected, { ...made.proof, pi_b: [[flip(pi_b[0][0]), pi_b[0][1]], pi_b[1], pi_b[2]] }))
    assert.isFalse(await verify(expected, { ...made.proof, pi_a: pi_c }))
  })

  it("is not a proof of the other circuit", async () => {
    assert.isFalse(await groth16.verify(keys.ancestry.verifyingKey, expected.slice(0, 2), made.proof))
  })
})
