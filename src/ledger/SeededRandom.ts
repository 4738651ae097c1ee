/**
 * Randomness that can be replayed: SHA-256 over labels and a counter.
 *
 * A draw is named by its labels (seed, purpose, block number), not by its position in one long sequence, so a restart needs
 * no stored position: block 17 draws the same numbers whoever asks and whatever was drawn before.
 */
import { createHash } from "node:crypto"

/** A sequence of draws. */
export interface SeededRandom {
  /** A number from 0 to `bound` - 1. */
  readonly below: (bound: bigint) => bigint
  /** A number from 0 to `bound` - 1. */
  readonly integer: (bound: number) => number
  /** True in `numerator` of `denominator` cases. */
  readonly chance: (numerator: number, denominator: number) => boolean
  /** `count` different numbers from 0 to `bound` - 1, in ascending order. */
  readonly choose: (count: number, bound: number) => ReadonlyArray<number>
}

/** The sequence that the labels name; the same labels always give the same draws. */
export const seededRandom = (...labels: ReadonlyArray<string | number>): SeededRandom => {
  const name = JSON.stringify(labels)
  let counter = 0
  // 256 bits before the reduction: the bias stays below bound / 2^256.
  const below = (bound: bigint) => BigInt(`0x${createHash("sha256").update(`${name}#${counter++}`).digest("hex")}`) % bound
  const integer = (bound: number) => Number(below(BigInt(bound)))
  return {
    below,
    integer,
    chance: (numerator, denominator) => integer(denominator) < numerator,
    choose: (count, bound) => {
      const left = Array.from({ length: bound }, (_, i) => i)
      return Array.from({ length: count }, () => left.splice(integer(left.length), 1)[0]!).sort((a, b) => a - b)
    }
  }
}
