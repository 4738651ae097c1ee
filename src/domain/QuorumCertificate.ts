/**
 * Quorum certificates (CP-2): BLS12-381 aggregates with keys in G2 and signatures in G1.
 *
 * Points cross every boundary in the encoding of EIP-2537, so that bytes checked here are the bytes that L1 checks.
 */
import { bls12_381 } from "@noble/curves/bls12-381.js"
import { Result, Schema } from "effect"
import { concat, encodeAbiParameters, hexToBytes, keccak256, sha256, sliceHex, stringToHex } from "viem/utils"
import { type CertificateDomain, type Checkpoint, checkpointDigest, QuorumCertificate } from "./Checkpoint.ts"
import { type Bytes32, HexBytes } from "./Hash.ts"

const { shortSignatures } = bls12_381
const G1 = bls12_381.G1.Point
const G2 = bls12_381.G2.Point
const fieldModulus = bls12_381.fields.Fp.ORDER

/** A point of G1: a signature. */
export type G1Point = ReturnType<typeof G1.fromAffine>
/** A point of G2: a public key. */
export type G2Point = ReturnType<typeof G2.fromAffine>

/** RFC 9380 domain separation tag of signatures over checkpoint and hand-over digests. */
export const checkpointDst = "LIGNUM-CHECKPOINT-V1-BLS12381G1_XMD:SHA-256_SSWU_RO_"
/** RFC 9380 domain separation tag of proofs of possession. */
export const possessionDst = "LIGNUM-POSSESSION-V1-BLS12381G1_XMD:SHA-256_SSWU_RO_"

/** A validator's public key: a G2 point in EIP-2537 encoding, 256 bytes. */
export const ValidatorKey = Schema.TemplateLiteral(["0x", Schema.String]).check(Schema.isPattern(/^0x[0-9a-f]{512}$/)).pipe(
  Schema.brand("ValidatorKey")
)
export type ValidatorKey = typeof ValidatorKey.Type

/** Validators of one set at most: the registry checks their proofs of possession in one transaction. */
export const maxValidators = 64

/** The validators in force; bit i of a signer bitmap stands for `publicKeys[i]`. */
export class ValidatorSet extends Schema.Class<ValidatorSet>("lignum/ValidatorSet")({
  /** 0 at deployment; every hand-over (CP-3) adds one. */
  epoch: Schema.BigIntFromString,
  /** 1 to 64 keys, as many as the registry takes, no two alike: a validator listed twice would count twice. */
  publicKeys: Schema.NonEmptyArray(ValidatorKey).check(
    Schema.isMaxLength(maxValidators),
    Schema.makeFilter((keys: ReadonlyArray<string>) => new Set(keys).size === keys.length || "public keys without duplicates")
  )
}) {}

/** The bytes are no usable curve point. Whoever made them is at fault; ask another relay. */
export class PointMalformed extends Schema.TaggedError<PointMalformed>()("PointMalformed", {
  /** Which point: the certificate's signature or a validator's key. */
  point: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the ${this.point} is not a usable point: ${this.reason}`
  }
}

/** The bitmap names a validator that the set does not have. The certificate belongs to another set: check the epoch. */
export class UnknownSigner extends Schema.TaggedError<UnknownSigner>()("UnknownSigner", {
  signers: Schema.BigIntFromString,
  validators: Schema.Int
}) {
  override get message() {
    return `signer bitmap 0x${this.signers.toString(16)} names validators beyond the ${this.validators} of the set`
  }
}

/** Too few validators signed. Wait for more signatures. */
export class QuorumNotReached extends Schema.TaggedError<QuorumNotReached>()("QuorumNotReached", {
  signers: Schema.Int,
  needed: Schema.Int
}) {
  override get message() {
    return `${this.signers} validators signed, ${this.needed} are needed`
  }
}

/** The signature is not one of these signers over this digest. Check chain id, registry address, epoch and bitmap. */
export class SignatureInvalid extends Schema.TaggedError<SignatureInvalid>()("SignatureInvalid", {}) {
  override get message() {
    return "the aggregate signature does not verify: check chain id, registry address, epoch and signer bitmap"
  }
}

/** The certificate is for another epoch of the validator set. Take the set in force at that epoch. */
export class EpochMismatch extends Schema.TaggedError<EpochMismatch>()("EpochMismatch", {
  expected: Schema.BigIntFromString,
  actual: Schema.BigIntFromString
}) {
  override get message() {
    return `the validator set is that of epoch ${this.actual}, the certificate's domain is epoch ${this.expected}`
  }
}

/** Every way in which a certificate can fail (CP-2). */
export type CertificateError = PointMalformed | UnknownSigner | QuorumNotReached | SignatureInvalid | EpochMismatch

const encodeFp = (value: bigint): HexBytes => `0x${value.toString(16).padStart(128, "0")}`

/** A G1 point in EIP-2537 encoding, 128 bytes: x, y. */
export const encodeG1 = (point: G1Point): HexBytes => {
  const { x, y } = point.toAffine()
  return concat([encodeFp(x), encodeFp(y)])
}

/** A G2 point in EIP-2537 encoding, 256 bytes: x.c0, x.c1, y.c0, y.c1. */
export const encodeG2 = (point: G2Point): ValidatorKey => {
  const { x, y } = point.toAffine()
  return ValidatorKey.make(concat([encodeFp(x.c0), encodeFp(x.c1), encodeFp(y.c0), encodeFp(y.c1)]))
}

const decodeFields = (hex: HexBytes, count: number, point: string): Result.Result<ReadonlyArray<bigint>, PointMalformed> => {
  if (hex.length !== 2 + 128 * count) {
    return Result.fail(new PointMalformed({ point, reason: `${(hex.length - 2) / 2} bytes instead of ${64 * count}` }))
  }
  const fields = Array.from({ length: count }, (_, i) => BigInt(sliceHex(hex, 64 * i, 64 * (i + 1))))
  if (fields.some((field) => field >= fieldModulus)) {
    return Result.fail(new PointMalformed({ point, reason: "a coordinate is not below the field's modulus" }))
  }
  return fields.every((field) => field === 0n)
    ? Result.fail(new PointMalformed({ point, reason: "it is the point at infinity" }))
    : Result.succeed(fields)
}

const validated = <P extends { readonly assertValidity: () => void }>(decoded: P, point: string) =>
  Result.try({
    try: () => {
      decoded.assertValidity()
      return decoded
    },
    catch: () => new PointMalformed({ point, reason: "it is not in the prime-order subgroup of the curve" })
  })

/** A G1 point from its EIP-2537 encoding; refuses infinity, points off the curve and points outside the subgroup. */
export const decodeG1 = (hex: HexBytes, point = "G1 point"): Result.Result<G1Point, PointMalformed> =>
  Result.flatMap(decodeFields(hex, 2, point), ([x, y]) => validated(G1.fromAffine({ x: x!, y: y! }), point))

/** A G2 point from its EIP-2537 encoding; refuses infinity, points off the curve and points outside the subgroup. */
export const decodeG2 = (hex: HexBytes, point = "G2 point"): Result.Result<G2Point, PointMalformed> =>
  Result.flatMap(decodeFields(hex, 4, point), ([x0, x1, y0, y1]) =>
    validated(G2.fromAffine({ x: { c0: x0!, c1: x1! }, y: { c0: y0!, c1: y1! } }), point))

/** A validator's secret and public key. */
export interface ValidatorKeyPair {
  readonly secretKey: Uint8Array
  readonly publicKey: ValidatorKey
}

/** The key pair that a text stands for; the same text always gives the same pair. */
export const validatorKeyPairFrom = (text: string): ValidatorKeyPair => {
  const seed = stringToHex(`lignum.validator.v1/${text}`)
  const wide = hexToBytes(concat([sha256(concat(["0x00", seed])), sha256(concat(["0x01", seed]))]))
  const { secretKey, publicKey } = shortSignatures.keygen(wide.subarray(0, 48))
  return { secretKey, publicKey: encodeG2(publicKey) }
}

const signWith = (secretKey: Uint8Array, digest: Bytes32, dst: string): HexBytes =>
  encodeG1(shortSignatures.sign(shortSignatures.hash(hexToBytes(digest), dst), secretKey))

/** A validator's signature over a checkpoint or hand-over digest. */
export const signDigest = (secretKey: Uint8Array, digest: Bytes32): HexBytes => signWith(secretKey, digest, checkpointDst)

/** Shows that whoever registers a key holds its secret; without it a rogue key could cancel the others out of an aggregate. */
export const provePossession = ({ secretKey, publicKey }: ValidatorKeyPair): HexBytes =>
  signWith(secretKey, keccak256(publicKey), possessionDst)

const pairs = (signature: G1Point, digest: Bytes32, dst: string, key: G2Point): Result.Result<void, SignatureInvalid> =>
  !key.is0() && shortSignatures.verify(signature, shortSignatures.hash(hexToBytes(digest), dst), key)
    ? Result.void
    : Result.fail(new SignatureInvalid())

/** Checks a proof of possession. */
export const verifyPossession = (publicKey: ValidatorKey, possession: HexBytes): Result.Result<void, PointMalformed | SignatureInvalid> =>
  Result.gen(function*() {
    const key = yield* decodeG2(publicKey, "validator's key")
    const signature = yield* decodeG1(possession, "proof of possession")
    yield* pairs(signature, keccak256(publicKey), possessionDst, key)
  })

/** The sum of signatures over one digest. */
export const aggregateSignatures = (signatures: ReadonlyArray<HexBytes>): Result.Result<HexBytes, PointMalformed> =>
  Result.gen(function*() {
    let sum = G1.ZERO
    for (const each of signatures) sum = sum.add(yield* decodeG1(each, "signature"))
    return encodeG1(sum)
  })

/** How many of `validators` make a quorum: the least number above two thirds (CP-2). */
export const quorumOf = (validators: number): number => Math.floor((validators * 2) / 3) + 1

/** The validators that a signer bitmap names, in ascending order. */
export const signerIndices = (signers: bigint): ReadonlyArray<number> =>
  [...signers.toString(2)].reverse().flatMap((bit, index) => (bit === "1" ? [index] : []))

// Decoding a key checks its subgroup, which costs more than a signature: once per set is enough.
const decodedKeys = new WeakMap<ValidatorSet, Map<number, G2Point>>()

const validatorPoint = (set: ValidatorSet, index: number): Result.Result<G2Point, PointMalformed> => {
  const known = decodedKeys.get(set) ?? new Map<number, G2Point>()
  decodedKeys.set(set, known)
  const point = known.get(index)
  if (point !== undefined) return Result.succeed(point)
  return Result.map(decodeG2(set.publicKeys[index]!, `key of validator ${index}`), (decoded) => {
    known.set(index, decoded)
    return decoded
  })
}

/** Checks that more than two thirds of a set signed a digest (CP-2, CP-3). */
export const verifyQuorum = (
  set: ValidatorSet,
  digest: Bytes32,
  certificate: QuorumCertificate
): Result.Result<void, Exclude<CertificateError, EpochMismatch>> =>
  Result.gen(function*() {
    const validators = set.publicKeys.length
    if (certificate.signers < 0n || certificate.signers >> BigInt(validators) !== 0n) {
      return yield* Result.fail(new UnknownSigner({ signers: certificate.signers, validators }))
    }
    const indices = signerIndices(certificate.signers)
    const needed = quorumOf(validators)
    if (indices.length < needed) return yield* Result.fail(new QuorumNotReached({ signers: indices.length, needed }))
    const signature = yield* decodeG1(certificate.signature, "signature")
    let key = G2.ZERO
    for (const index of indices) key = key.add(yield* validatorPoint(set, index))
    return yield* pairs(signature, digest, checkpointDst, key)
  })

/** Checks a checkpoint's certificate as the registry on L1 does (CP-2). */
export const verifyCertificate = (
  set: ValidatorSet,
  domain: CertificateDomain,
  checkpoint: Checkpoint,
  certificate: QuorumCertificate
): Result.Result<void, CertificateError> =>
  set.epoch === domain.epoch
    ? verifyQuorum(set, checkpointDigest(domain, checkpoint.id), certificate)
    : Result.fail(new EpochMismatch({ expected: domain.epoch, actual: set.epoch }))

/** The certificate of the given validators (index in the set to secret key) over a checkpoint or hand-over digest. */
export const certifyDigest = (digest: Bytes32, signers: ReadonlyMap<number, Uint8Array>): QuorumCertificate => {
  const message = shortSignatures.hash(hexToBytes(digest), checkpointDst)
  let signature = G1.ZERO
  let bitmap = 0n
  for (const [index, secretKey] of signers) {
    signature = signature.add(shortSignatures.sign(message, secretKey))
    bitmap |= 1n << BigInt(index)
  }
  return new QuorumCertificate({ signature: encodeG1(signature), signers: bitmap })
}

const handOverTag = keccak256(stringToHex("lignum.handover.v1"))

/** The 32 bytes that the validators in force sign to hand over to `keys` (CP-3). */
export const handOverDigest = (domain: CertificateDomain, keys: ReadonlyArray<ValidatorKey>): Bytes32 =>
  keccak256(encodeAbiParameters(
    [{ type: "bytes32" }, { type: "uint256" }, { type: "address" }, { type: "uint64" }, { type: "bytes32" }],
    [handOverTag, domain.chainId, domain.registry, domain.epoch, keccak256(concat([...keys]))]
  ))
