/**
 * An account of the rollup: a leaf of the state tree.
 */
import { Schema } from "effect"
import { Wei } from "./Amount.ts"
import { FieldElement, Owner, poseidon2, toHex32 } from "./Hash.ts"

/** Index of an account in the state tree; below 2^depth. */
export const AccountIndex = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })).pipe(Schema.brand("AccountIndex"))
export type AccountIndex = typeof AccountIndex.Type

/** Transfers sent so far; the next transfer must carry exactly this number. Below 2^64. */
export const Nonce = Schema.BigIntFromString.check(
  Schema.isGreaterThanOrEqualToBigInt(0n),
  Schema.isLessThanBigInt(1n << 64n)
).pipe(Schema.brand("Nonce"))
export type Nonce = typeof Nonce.Type

/** A Baby Jubjub point in affine coordinates; whether it lies on the curve is checked where it is used. */
export const CurvePoint = Schema.Tuple([FieldElement, FieldElement])
export type CurvePoint = typeof CurvePoint.Type

/** One account: who may spend, how much there is, and how often it was spent from. */
export class Account extends Schema.Class<Account>("lignum/Account")({
  owner: Owner,
  balance: Wei,
  nonce: Nonce
}) {
  /** The state tree's leaf: Poseidon2(owner, balance, nonce). An absent account's leaf is 0. */
  get leaf(): bigint {
    return poseidon2(BigInt(this.owner), this.balance, this.nonce)
  }
}

/** The owner that a public key stands for. */
export const ownerOf = (publicKey: CurvePoint): Owner => Owner.make(toHex32(poseidon2(...publicKey)))
