/**
 * EdDSA over Baby Jubjub with Poseidon as the challenge hash: how senders sign transfers.
 *
 * Accepts exactly what circomlib's `EdDSAPoseidonVerifier` can prove, so that no signature taken by a sequencer makes a
 * block unprovable: coordinates are canonical, points lie on the curve, S is reduced, and a public key of small order,
 * which would let anyone sign, is refused.
 */
import { babyjubjub } from "@noble/curves/misc.js"
import { poseidon5 } from "poseidon-lite/poseidon5"
import type { Hex } from "viem"
import { concat, hexToBigInt, keccak256, stringToHex } from "viem/utils"
import { fieldOrder, toHex32 } from "./Hash.ts"

const { Point } = babyjubjub
const { a, d, n: subgroupOrder } = Point.CURVE()
const base = Point.BASE

type Affine = readonly [x: bigint, y: bigint]

/** A signature: commitment R8 (a curve point) and response S (below the subgroup's order). */
export interface Signature {
  readonly R8: Affine
  readonly S: bigint
}

/** A secret scalar below the subgroup's order, and the point it stands for. */
export interface SpendingKey {
  readonly secret: bigint
  readonly publicKey: Affine
}

const wideScalar = (...parts: ReadonlyArray<Hex>): bigint => {
  const bytes = concat([...parts])
  return hexToBigInt(concat([keccak256(concat(["0x00", bytes])), keccak256(concat(["0x01", bytes]))])) % subgroupOrder
}

const affine = (point: InstanceType<typeof Point>): Affine => {
  const { x, y } = point.toAffine()
  return [x, y]
}

/** The key pair that a text stands for; the same text always gives the same key. */
export const spendingKeyFrom = (text: string): SpendingKey => {
  const secret = wideScalar(stringToHex("lignum.spending.v1"), stringToHex(text))
  return { secret, publicKey: affine(base.multiply(secret)) }
}

const challenge = (R8: Affine, publicKey: Affine, message: bigint): bigint =>
  poseidon5([R8[0], R8[1], publicKey[0], publicKey[1], message])

/** Signs a field element. Deterministic: the commitment is derived from key and message. */
export const signMessage = (key: SpendingKey, message: bigint): Signature => {
  const r = wideScalar(stringToHex("lignum.commitment.v1"), toHex32(key.secret), toHex32(message))
  const R8 = affine(base.multiply(r))
  const S = (r + 8n * key.secret * challenge(R8, key.publicKey, message)) % subgroupOrder
  return { R8, S }
}

const curvePoint = ([x, y]: Affine) => {
  if (x < 0n || y < 0n || x >= fieldOrder || y >= fieldOrder) return undefined
  const xx = (x * x) % fieldOrder
  const yy = (y * y) % fieldOrder
  return (a * xx + yy - 1n - d * ((xx * yy) % fieldOrder)) % fieldOrder === 0n ? Point.fromAffine({ x, y }) : undefined
}

/** Whether S·B8 = R8 + 8·H(R8, A, message)·A, for a canonical signature and a public key A that is not of small order. */
export const verifyMessage = (message: bigint, { R8, S }: Signature, publicKey: Affine): boolean => {
  const commitment = curvePoint(R8)
  const key = curvePoint(publicKey)?.clearCofactor()
  if (commitment === undefined || key === undefined || key.is0()) return false
  if (message < 0n || message >= fieldOrder || S < 0n || S >= subgroupOrder) return false
  const response = commitment.add(key.multiplyUnsafe(challenge(R8, publicKey, message) % subgroupOrder))
  return base.multiplyUnsafe(S).equals(response)
}
