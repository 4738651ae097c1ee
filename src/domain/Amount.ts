/**
 * Amounts: always `bigint`, always branded, decimal strings on every wire.
 */
import { Schema } from "effect"

const amount = (bits: number) =>
  Schema.BigIntFromString.check(
    Schema.isGreaterThanOrEqualToBigInt(0n),
    Schema.makeFilter((value: bigint) => value < 1n << BigInt(bits) || `below 2^${bits}`)
  )

/** An amount of money in wei, below 2^96: the width that the block circuit and L1 enforce. */
export const Wei = amount(96).pipe(Schema.brand("Wei"))
export type Wei = typeof Wei.Type

/** Proving effort by the published schedule (FM-1), below 2^64. */
export const ProverGas = amount(64).pipe(Schema.brand("ProverGas"))
export type ProverGas = typeof ProverGas.Type

/** Price of proving in wei per unit of prover gas, below 2^64. */
export const ProverPrice = amount(64).pipe(Schema.brand("ProverPrice"))
export type ProverPrice = typeof ProverPrice.Type

/** A block's height; the genesis block is 0. */
export const BlockNumber = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).pipe(Schema.brand("BlockNumber"))
export type BlockNumber = typeof BlockNumber.Type

/** The sum of amounts, checked against the width of {@link Wei}. */
export const sumWei = (amounts: Iterable<bigint>): Wei => {
  let total = 0n
  for (const each of amounts) total += each
  return Wei.make(total)
}
