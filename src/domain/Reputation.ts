/**
 * Reputation (FM-3): prover gas credited on L1, decaying exponentially. The same integers as in the reward vault on L1.
 */
import { integerExponential } from "./ProverPrice.ts"

/** A prover's reputation as L1 stores it: as of when it last grew. Never worked: all zero. */
export interface Reputation {
  /** Prover gas, decayed up to `workedAt`; below 2^80. */
  readonly amount: bigint
  /** L1 time in seconds. */
  readonly workedAt: bigint
  /** L1 seconds in which the prover was paid for work. */
  readonly updates: number
}

/** All provers' reputation together, as of a time. Below 2^96, and rounded up, so that its parts do not exceed it. */
export interface TotalReputation {
  readonly amount: bigint
  readonly at: bigint
}

export const noReputation: Reputation = { amount: 0n, workedAt: 0n, updates: 0 }

const highestReputation = (1n << 80n) - 1n
const highestTotal = (1n << 96n) - 1n

/** After so many half-lives nothing is left, not even of the largest total. */
const longestMemory = 96n

/**
 * Unit of exponents and of their powers. An update every 12 seconds moves the exponent of a half-life of a week by 14 millionths:
 * the unit must be far below.
 */
const one = 10n ** 12n
/** ln 2 in that unit. */
const ln2 = 693_147_180_559n

const least = (a: bigint, b: bigint) => a < b ? a : b

/** What is left of an amount of prover gas as a fraction: whole half-lives double what it is divided by, the rest is e^x. */
const decay = (amount: bigint, elapsed: bigint, halfLife: bigint): readonly [numerator: bigint, denominator: bigint] => {
  const halves = elapsed / halfLife
  if (halves >= longestMemory) return [0n, 1n]
  const exponent = ((elapsed % halfLife) * ln2) / halfLife
  return [amount * one, integerExponential(one, exponent, one) << halves]
}

/**
 * What is left of an amount of prover gas after some time, rounded down.
 *
 * @param elapsed seconds
 * @param halfLife seconds
 */
export const decayed = (amount: bigint, elapsed: bigint, halfLife: bigint): bigint => {
  const [numerator, denominator] = decay(amount, elapsed, halfLife)
  return numerator / denominator
}

/** A prover's reputation at a time. */
export const reputationAt = (reputation: Reputation, now: bigint, halfLife: bigint): bigint =>
  decayed(reputation.amount, now - reputation.workedAt, halfLife)

/** The total at a time, rounded up. */
export const totalAt = (total: TotalReputation, now: bigint, halfLife: bigint): bigint => {
  const [numerator, denominator] = decay(total.amount, now - total.at, halfLife)
  return (numerator + denominator - 1n) / denominator
}

/** A prover's reputation after paid work of some prover gas, above 0. All work within one second is one update. */
export const work = (reputation: Reputation, gas: bigint, now: bigint, halfLife: bigint): Reputation => ({
  amount: least(highestReputation, reputationAt(reputation, now, halfLife) + gas),
  workedAt: now,
  updates: reputation.updates + (reputation.workedAt === now ? 0 : 1)
})

/** The total after anybody's paid work. */
export const addWork = (total: TotalReputation, gas: bigint, now: bigint, halfLife: bigint): TotalReputation => ({
  amount: least(highestTotal, totalAt(total, now, halfLife) + gas),
  at: now
})

/** What a prover loses by a missed turn now (ST-6): half. */
export const forfeited = (reputation: Reputation, now: bigint, halfLife: bigint): bigint => reputationAt(reputation, now, halfLife) / 2n

/** A prover's reputation after a missed turn (ST-6). Halved in place: when it last worked, and how often, is as before. */
export const forfeit = (reputation: Reputation): Reputation => ({ ...reputation, amount: reputation.amount - reputation.amount / 2n })

/** The total after somebody lost a part of it. */
export const takeLoss = (total: TotalReputation, lost: bigint, now: bigint, halfLife: bigint): TotalReputation => {
  const amount = totalAt(total, now, halfLife)
  return { amount: amount - least(lost, amount), at: now }
}
