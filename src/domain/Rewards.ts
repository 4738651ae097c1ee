/**
 * What a block's pot comes to and how it is split (RW-1, RW-2, RW-3, RW-6). The same integers as in the reward vault on L1.
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

/** What a credit is for, in the order of the vault's `Kind` (RW-7). */
export const creditKinds = ["leaf", "merge", "submission", "redundancy", "bonus", "bounty"] as const
export type CreditKind = typeof creditKinds[number]

/** The vault's reserves, in the order of its `Reserve`. */
export const reserves = ["redundancy", "protocol"] as const
export type Reserve = typeof reserves[number]

/** A pot, divided. The parts sum to the pot; what division leaves over goes to the reserve (RW-5). */
export interface PotSplit {
  readonly leaf: Wei
  /** What the leaf prover gets more because of the age bonus (RW-6). */
  readonly bonus: Wei
  readonly merge: Wei
  readonly submission: Wei
  readonly redundancy: Wei
  readonly reserve: Wei
}

/**
 * Divides one block's pot.
 *
 * @param fees what the pot holds of the block's prover fees
 * @param mergeWork whether the proof system has merge work; where it has none, that share goes to the leaf (RW-2)
 * @param bonus what the protocol reserve adds (RW-6); all shares are of the sum, and the leaf's is told apart
 */
export const splitPot = (fees: Wei, shares: RewardShares, mergeWork: boolean, bonus: Wei = WeiSchema.make(0n)): PotSplit => {
  const pot = fees + bonus
  const part = (basisPoints: number, of: bigint = pot) => (of * BigInt(basisPoints)) / 10_000n
  const work = mergeWork ? shares.leaf : shares.leaf + shares.merge
  const leaf = part(work)
  const withoutBonus = part(work, fees)
  const merge = mergeWork ? part(shares.merge) : 0n
  const submission = part(shares.submission)
  const redundancy = part(shares.redundancy)
  return {
    leaf: WeiSchema.make(withoutBonus),
    bonus: WeiSchema.make(leaf - withoutBonus),
    merge: WeiSchema.make(merge),
    submission: WeiSchema.make(submission),
    redundancy: WeiSchema.make(redundancy),
    reserve: WeiSchema.make(pot - leaf - merge - submission - redundancy)
  }
}

/** What an age bonus follows from (RW-6): durations in seconds, the cap in wei per block. */
export interface BonusRule {
  readonly targetLag: number
  readonly bonusRamp: number
  readonly bonusCap: Wei
}

/** The bonus, in wei, of a block whose first checkpoint was registered so many seconds ago; the reserve may hold less (RW-6). */
export const ageBonus = (rule: BonusRule, age: bigint): bigint => {
  const late = age - BigInt(rule.targetLag)
  const ramp = BigInt(rule.bonusRamp)
  return late <= 0n ? 0n : (rule.bonusCap * (late < ramp ? late : ramp)) / ramp
}
