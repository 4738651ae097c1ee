/**
 * How a block's pot is split (RW-1, RW-2, RW-3). The same integers as in the reward vault on L1.
 */
import { Schema } from "effect"
import { type Wei, Wei as WeiSchema } from "./Amount.ts"

const BasisPoints = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 }))

/** Shares of a pot in basis points (RW-2). */
export class RewardShares extends Schema.Class<RewardShares>("lignum/RewardShares")(
  Schema.Struct({
    leaf: BasisPoints,
    merge: BasisPoints,
    submission: BasisPoints,
    redundancy: BasisPoints,
    reserve: BasisPoints
  }).check(Schema.makeFilter((shares) =>
    shares.leaf + shares.merge + shares.submission + shares.redundancy + shares.reserve === 10_000 ||
    "shares that sum to 10,000 basis points"
  ))
) {}

/** The protocol's default split. */
export const defaultShares = new RewardShares({ leaf: 6000, merge: 1500, submission: 1000, redundancy: 1000, reserve: 500 })

/** A pot, divided. The parts sum to the pot; what division leaves over goes to the reserve (RW-5). */
export interface PotSplit {
  readonly leaf: Wei
  readonly merge: Wei
  readonly submission: Wei
  readonly redundancy: Wei
  readonly reserve: Wei
}

/**
 * Divides one block's pot.
 *
 * @param mergeWork whether the proof system has merge work; where it has none, that share goes to the leaf (RW-2).
 */
export const splitPot = (pot: Wei, shares: RewardShares, mergeWork: boolean): PotSplit => {
  const part = (basisPoints: number) => (pot * BigInt(basisPoints)) / 10_000n
  const leaf = part(mergeWork ? shares.leaf : shares.leaf + shares.merge)
  const merge = mergeWork ? part(shares.merge) : 0n
  const submission = part(shares.submission)
  const redundancy = part(shares.redundancy)
  return {
    leaf: WeiSchema.make(leaf),
    merge: WeiSchema.make(merge),
    submission: WeiSchema.make(submission),
    redundancy: WeiSchema.make(redundancy),
    reserve: WeiSchema.make(pot - leaf - merge - submission - redundancy)
  }
}
