import { bls12_381 } from "@noble/curves/bls12-381.js"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { concat, keccak256, stringToHex, toHex } from "viem"
import { BlockNumber } from "../../src/domain/Amount.ts"
import { Checkpoint, checkpointDigest, QuorumCertificate } from "../../src/domain/Checkpoint.ts"
import { BlockHash, CheckpointId, type HexBytes, StateRoot, toAddress, toHex32 } from "../../src/domain/Hash.ts"
import {
  aggregateSignatures,
  certifyDigest,
  decodeG1,
  decodeG2,
  encodeG1,
  encodeG2,
  handOverDigest,
  provePossession,
  quorumOf,
  signDigest,
  signerIndices,
  validatorKeyPairFrom,
  ValidatorSet,
  verifyCertificate,
  verifyPossession,
  verifyQuorum
} from "../../src/domain/QuorumCertificate.ts"

const pairs = [0, 1, 2, 3].map((i) => validatorKeyPairFrom(`test/${i}`))
const keys = [pairs[0]!.publicKey, ...pairs.slice(1).map((pair) => pair.publicKey)] as const
const set = new ValidatorSet({ epoch: 0n, publicKeys: keys })
const domain = { chainId: 31337n, registry: toAddress("0x00000000000000000000000000000000000000aa"), epoch: 0n }
const checkpoint = new Checkpoint({
  parent: CheckpointId.make(`0x${"0".repeat(64)}`),
  number: BlockNumber.make(2),
  blockHash: BlockHash.make(toHex32(7n)),
  stateRoot: StateRoot.make(toHex32(8n))
})
const digest = checkpointDigest(domain, checkpoint.id)
const certify = (over: HexBytes, ...indices: ReadonlyArray<number>) =>
  certifyDigest(over, new Map(indices.map((i) => [i, pairs[i]!.secretKey])))
const certificate = certify(digest, 0, 2, 3)
const tagOf = (result: Result.Result<unknown, { readonly _tag: string }>) => Result.isFailure(result) ? result.failure._tag : "ok"

const g1Generator = "0x" +
  "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb" +
  "0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
const g2Generator = "0x" +
  "00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8" +
  "0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e" +
  "000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801" +
  "000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be"

describe("encodings of EIP-2537", () => {
  it("the generators come out as the EIP prints them, and back", () => {
    assert.strictEqual(encodeG1(bls12_381.G1.Point.BASE), g1Generator)
    assert.strictEqual(encodeG2(bls12_381.G2.Point.BASE), g2Generator)
    assert.isTrue(Result.getOrThrow(decodeG1(encodeG1(bls12_381.G1.Point.BASE))).equals(bls12_381.G1.Point.BASE))
    assert.isTrue(Result.getOrThrow(decodeG2(encodeG2(bls12_381.G2.Point.BASE))).equals(bls12_381.G2.Point.BASE))
  })

  it.effect.prop("every point survives the round trip", [Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 1n, maximum: 1n << 250n }))], ([k]) =>
    Effect.sync(() => {
      const g1 = bls12_381.G1.Point.BASE.multiply(k)
      const g2 = bls12_381.G2.Point.BASE.multiply(k)
      assert.isTrue(Result.getOrThrow(decodeG1(encodeG1(g1))).equals(g1))
      assert.isTrue(Result.getOrThrow(decodeG2(encodeG2(g2))).equals(g2))
    }), { arbitrary: { runs: 10 } })

  it("refuses infinity, points off the curve, points outside the subgroup, unreduced coordinates and other lengths", () => {
    const reason = (result: Result.Result<unknown, { readonly reason: string }>) => Result.isFailure(result) ? result.failure.reason : "ok"
    const fp = (value: bigint) => toHex(value, { size: 64 })
    const { Fp, Fp2 } = bls12_381.fields
    assert.match(reason(decodeG1(`0x${"0".repeat(256)}`)), /infinity/)
    assert.match(reason(decodeG2(`0x${"0".repeat(512)}`)), /infinity/)
    assert.match(reason(decodeG1(concat([fp(1n), fp(1n)]))), /subgroup/)
    assert.match(reason(decodeG1(concat([fp(0n), fp(2n)]))), /subgroup/, "(0, 2) lies on the curve and has order 3")
    const onTwist = Array.from({ length: 50 }, (_, i) => ({ c0: BigInt(i + 1), c1: 0n })).map((x) => {
      const y2 = Fp2.add(Fp2.mul(Fp2.sqr(x), x), { c0: 4n, c1: 4n })
      try {
        return { x, y: Fp2.sqrt(y2) }
      } catch {
        return undefined
      }
    }).find((found) => found !== undefined)!
    assert.match(reason(decodeG2(concat([fp(onTwist.x.c0), fp(onTwist.x.c1), fp(onTwist.y.c0), fp(onTwist.y.c1)]))), /subgroup/)
    const { x, y } = bls12_381.G1.Point.BASE.toAffine()
    assert.match(reason(decodeG1(concat([fp(x + Fp.ORDER), fp(y)]))), /modulus/)
    assert.match(reason(decodeG1(`0x01${g1Generator.slice(4)}`)), /modulus/, "the padding is part of the number")
    assert.match(reason(decodeG1(fp(x))), /64 bytes instead of 128/)
    assert.match(reason(decodeG2(g1Generator as HexBytes)), /128 bytes instead of 256/)
    assert.match(reason(decodeG1("0x")), /0 bytes/)
  })
})

describe("CP-2: quorum certificates", () => {
  it("a certificate of more than two thirds verifies, by three of four and by all", () => {
    assert.strictEqual(tagOf(verifyCertificate(set, domain, checkpoint, certificate)), "ok")
    assert.strictEqual(tagOf(verifyCertificate(set, domain, checkpoint, certify(digest, 0, 1, 2, 3))), "ok")
    assert.deepStrictEqual(signerIndices(certificate.signers), [0, 2, 3])
  })

  it.prop("the quorum is the least number above two thirds", [Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 256 }))], ([n]) => {
    assert.isTrue(quorumOf(n) * 3 > n * 2 && (quorumOf(n) - 1) * 3 <= n * 2 && quorumOf(n) <= n)
  })

  it("two of four are no quorum", () => {
    const result = verifyCertificate(set, domain, checkpoint, certify(digest, 0, 1))
    assert.isTrue(Result.isFailure(result) && result.failure._tag === "QuorumNotReached")
    assert.deepInclude(Result.isFailure(result) ? result.failure : {}, { signers: 2, needed: 3 })
  })

  it("a bit beyond the set is refused, however many others signed", () => {
    const signers = certificate.signers | (1n << 4n)
    assert.strictEqual(tagOf(verifyCertificate(set, domain, checkpoint, new QuorumCertificate({ ...certificate, signers }))), "UnknownSigner")
    assert.strictEqual(tagOf(verifyQuorum(set, digest, new QuorumCertificate({ ...certificate, signers: -1n }))), "UnknownSigner")
  })

  it("claiming a validator that did not sign is refused", () => {
    const claimed = new QuorumCertificate({ ...certificate, signers: 0b0111n })
    assert.strictEqual(tagOf(verifyCertificate(set, domain, checkpoint, claimed)), "SignatureInvalid")
  })

  it("a malformed signature is refused before the pairing", () => {
    for (const signature of [`0x${"0".repeat(256)}`, "0x", `0x${"f".repeat(256)}`] as const) {
      assert.strictEqual(tagOf(verifyCertificate(set, domain, checkpoint, new QuorumCertificate({ ...certificate, signature }))), "PointMalformed")
    }
  })

  it("the digest is separated by chain, registry, epoch and every field of the checkpoint", () => {
    const other = toAddress("0x00000000000000000000000000000000000000bb")
    for (const changed of [{ ...domain, chainId: 1n }, { ...domain, registry: other }]) {
      assert.strictEqual(tagOf(verifyCertificate(set, changed, checkpoint, certificate)), "SignatureInvalid")
    }
    const next = new ValidatorSet({ epoch: 1n, publicKeys: keys })
    assert.strictEqual(tagOf(verifyCertificate(next, { ...domain, epoch: 1n }, checkpoint, certificate)), "SignatureInvalid")
    assert.strictEqual(tagOf(verifyCertificate(next, domain, checkpoint, certificate)), "EpochMismatch")
    for (const changed of [
      { parent: CheckpointId.make(toHex32(1n)) },
      { number: BlockNumber.make(3) },
      { blockHash: BlockHash.make(toHex32(9n)) },
      { stateRoot: StateRoot.make(toHex32(9n)) }
    ]) {
      const forged = new Checkpoint({ ...checkpoint, ...changed })
      assert.strictEqual(tagOf(verifyCertificate(set, domain, forged, certificate)), "SignatureInvalid")
    }
  })

  it("aggregating is order-free and refuses malformed parts", () => {
    const signatures = pairs.map((pair) => signDigest(pair.secretKey, digest))
    assert.strictEqual(Result.getOrThrow(aggregateSignatures(signatures)), certify(digest, 0, 1, 2, 3).signature)
    assert.strictEqual(
      Result.getOrThrow(aggregateSignatures(signatures)),
      Result.getOrThrow(aggregateSignatures([...signatures].reverse()))
    )
    assert.strictEqual(tagOf(aggregateSignatures([...signatures, "0x00"])), "PointMalformed")
  })

  it("a set names each validator once and has 1 to 256 of them", () => {
    const decode = Schema.decodeUnknownResult(ValidatorSet)
    assert.isTrue(Result.isSuccess(decode({ epoch: "0", publicKeys: keys })))
    assert.isTrue(Result.isFailure(decode({ epoch: "0", publicKeys: [keys[0], keys[0]] })))
    assert.isTrue(Result.isFailure(decode({ epoch: "0", publicKeys: [] })))
    assert.isTrue(Result.isFailure(decode({ epoch: "0", publicKeys: ["0x00"] })))
  })

  it("a key outside the subgroup fails with the validator's index", () => {
    const broken = new ValidatorSet({ epoch: 0n, publicKeys: [encodeG2(bls12_381.G2.Point.ZERO), ...keys.slice(1)] as const })
    const result = verifyCertificate(broken, domain, checkpoint, certificate)
    assert.isTrue(Result.isFailure(result) && result.failure._tag === "PointMalformed" && result.failure.point === "key of validator 0")
  })
})

describe("proof of possession", () => {
  it("verifies for its own key only", () => {
    const [a, b] = [pairs[0]!, pairs[1]!]
    assert.strictEqual(tagOf(verifyPossession(a.publicKey, provePossession(a))), "ok")
    assert.strictEqual(tagOf(verifyPossession(b.publicKey, provePossession(a))), "SignatureInvalid")
  })

  it("is separated from checkpoint signatures by its tag", () => {
    const pair = pairs[0]!
    assert.strictEqual(tagOf(verifyPossession(pair.publicKey, signDigest(pair.secretKey, keccak256(pair.publicKey)))), "SignatureInvalid")
  })

  it("stops a rogue key: the owner of a key made of others' keys cannot show possession", () => {
    const [a, b] = [pairs[0]!, pairs[1]!]
    const rogue = encodeG2(Result.getOrThrow(decodeG2(b.publicKey)).subtract(Result.getOrThrow(decodeG2(a.publicKey))))
    const forged = new ValidatorSet({ epoch: 0n, publicKeys: [a.publicKey, rogue] })
    const alone = new QuorumCertificate({ signature: signDigest(b.secretKey, digest), signers: 3n })
    assert.strictEqual(tagOf(verifyQuorum(forged, digest, alone)), "ok", "the attack works where possession is not checked")
    assert.strictEqual(tagOf(verifyPossession(rogue, provePossession({ ...b, publicKey: rogue }))), "SignatureInvalid")
  })
})

describe("CP-3: hand-over", () => {
  it("is certified by the set in force over the new keys", () => {
    const next = [validatorKeyPairFrom("next").publicKey]
    const over = handOverDigest(domain, next)
    assert.strictEqual(tagOf(verifyQuorum(set, over, certify(over, 1, 2, 3))), "ok")
    assert.strictEqual(tagOf(verifyQuorum(set, handOverDigest(domain, keys), certify(over, 1, 2, 3))), "SignatureInvalid")
    assert.notStrictEqual(over, handOverDigest({ ...domain, epoch: 1n }, next))
    assert.notStrictEqual(over, keccak256(stringToHex("lignum.handover.v1")))
  })
})
