import { babyjubjub } from "@noble/curves/misc.js"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { createRequire } from "node:module"
import { signMessage, spendingKeyFrom, verifyMessage } from "../../src/domain/EddsaPoseidon.ts"
import { fieldOrder } from "../../src/domain/Hash.ts"

// Its ESM build cannot be loaded by Node (named imports from a CommonJS package), hence require.
const zkKit: typeof import("@zk-kit/eddsa-poseidon") = createRequire(import.meta.url)("@zk-kit/eddsa-poseidon")

const Message = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: fieldOrder - 1n }))
const { n: subgroupOrder } = babyjubjub.Point.CURVE()

describe("EddsaPoseidon", () => {
  it.effect.prop("signs what another implementation verifies, and verifies what it signs", [Message, Schema.String], ([message, seed]) =>
    Effect.sync(() => {
      const key = spendingKeyFrom(seed)
      const ours = signMessage(key, message)
      const theirs = zkKit.signMessage(seed, message)
      assert.isTrue(zkKit.verifySignature(message, { R8: [...ours.R8], S: ours.S }, [...key.publicKey]))
      assert.isTrue(verifyMessage(message, theirs, zkKit.derivePublicKey(seed)))
    }), { timeout: 30_000, arbitrary: { runs: 6 } })

  it("refuses another message, another key and an altered signature", () => {
    const key = spendingKeyFrom("alice")
    const signature = signMessage(key, 42n)
    assert.isTrue(verifyMessage(42n, signature, key.publicKey))
    assert.isFalse(verifyMessage(43n, signature, key.publicKey))
    assert.isFalse(verifyMessage(42n, signature, spendingKeyFrom("bob").publicKey))
    assert.isFalse(verifyMessage(42n, { ...signature, S: signature.S + 1n }, key.publicKey))
    assert.isFalse(verifyMessage(42n, { ...signature, R8: key.publicKey }, key.publicKey))
  })

  it("refuses encodings that are not canonical: they would be a second name of the same signature", () => {
    const key = spendingKeyFrom("alice")
    const { R8, S } = signMessage(key, 42n)
    assert.isFalse(verifyMessage(42n, { R8, S: S + subgroupOrder }, key.publicKey))
    assert.isFalse(verifyMessage(42n, { R8: [R8[0] + fieldOrder, R8[1]], S }, key.publicKey))
    assert.isFalse(verifyMessage(42n, { R8, S }, [key.publicKey[0], key.publicKey[1] + fieldOrder]))
    assert.isFalse(verifyMessage(42n + fieldOrder, { R8, S }, key.publicKey))
    assert.isFalse(verifyMessage(42n, { R8: [R8[0] - fieldOrder, R8[1]], S }, key.publicKey))
  })

  it("refuses points off the curve", () => {
    const key = spendingKeyFrom("alice")
    const { R8, S } = signMessage(key, 42n)
    assert.isFalse(verifyMessage(42n, { R8: [R8[0], R8[1] + 1n], S }, key.publicKey))
    assert.isFalse(verifyMessage(42n, { R8, S }, [key.publicKey[0] + 1n, key.publicKey[1]]))
  })

  it("refuses a public key of small order, for which anyone can sign and which the circuit cannot prove", () => {
    const commitment = spendingKeyFrom("nonce")
    for (const y of [1n, fieldOrder - 1n]) {
      const forged = { R8: commitment.publicKey, S: commitment.secret }
      assert.isTrue(zkKit.verifySignature(42n, { R8: [...forged.R8], S: forged.S }, [0n, y]), "the other implementation takes it")
      assert.isFalse(verifyMessage(42n, forged, [0n, y]))
    }
  })
})
