/**
 * Whether proving a block pays at an operator's reservation price (OC-3). Pure: the tree planner acts on it.
 */
import { type BlockNumber, type ProverGas, type ProverPrice, Wei } from "./Amount.ts"
import { ageBonus, type BonusRule, type RewardShares, splitPot } from "./Rewards.ts"

/** A block as far as its pay goes. */
export interface PricedBlock {
  readonly number: BlockNumber
  /** What its transfers paid for proving (RW-1). */
  readonly proverFees: Wei
  readonly proverGas: ProverGas
}

/** What an operator asks, and the rules of what it gets. */
export interface WorkPolicy {
  /** What proving must bring, in wei per prover gas. */
  readonly reservationPrice: ProverPrice
  /** How pots are split (RW-2). */
  readonly shares: RewardShares
  /** Whether merging is work that is paid for; where it is not, its share is the leaf prover's (RW-2). */
  readonly mergeWork: boolean
  /** What age adds to a pot (RW-6). */
  readonly bonus: BonusRule
}

/** A block that does not pay. */
export interface PassedOver {
  readonly number: BlockNumber
  /** What the leaf would earn if it were settled now, in wei. */
  readonly pays: Wei
  /** What the operator asks for it, in wei. */
  readonly asked: Wei
}

/**
 * What the prover of a block would earn if it were settled now: its share of the fees and of the bonus. The vault may hold less.
 *
 * @param age seconds since L1 registered the first checkpoint at or beyond the block; undefined while there is none
 */
export const leafPay = ({ proverFees }: PricedBlock, age: bigint | undefined, { bonus, mergeWork, shares }: WorkPolicy): Wei => {
  const split = splitPot(proverFees, shares, mergeWork, Wei.make(age === undefined ? 0n : ageBonus(bonus, age)))
  return Wei.make(split.leaf + split.bonus)
}

/** The block with what it pays and what is asked, if the one is less than the other; undefined if it pays. */
export const passesOver = (block: PricedBlock, age: bigint | undefined, policy: WorkPolicy): PassedOver | undefined => {
  const pays = leafPay(block, age, policy)
  const asked = Wei.make(policy.reservationPrice * block.proverGas)
  return pays < asked ? { number: block.number, pays, asked } : undefined
}
