/**
 * An observation as the row of words that `contracts/test/differential/Lens.sol` reads, in its order.
 */
import type { ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import type { Observation } from "../../src/domain/Settlement.ts"

/** A word and what it is. */
export type Word = readonly [name: string, value: bigint]

const yes = (value: boolean) => value ? 1n : 0n

const latest = (...times: ReadonlyArray<bigint>) => times.reduce((a, b) => a > b ? a : b)

/** Bytes of a validator's key on L1. */
const keyLength = 256

/**
 * What the lens reads if the contracts are where an observation says.
 *
 * @param at L1 time in seconds
 */
export const wordsOf = (observed: Observation, at: bigint, { bond }: ProtocolParameters): ReadonlyArray<Word> => {
  const leaving = observed.accounts.filter(({ unlocksAt }) => unlocksAt !== 0n).length
  return [
    ["time", at],
    ["tip.hash", BigInt(observed.tip.hash)],
    ["tip.number", BigInt(observed.tip.number)],
    ["headId", BigInt(observed.headId)],
    ["generation", BigInt(observed.generation)],
    ["floor", BigInt(observed.floor)],
    ["validators.epoch", observed.validators.epoch],
    ["validators.count", BigInt(observed.validators.count)],
    ["validators.keys", BigInt(observed.validators.count * keyLength)],
    ["idleSince", observed.idleSince],
    ["turn.inFallback", yes(observed.turn.inFallback)],
    ["turn.index", BigInt(observed.turn.index)],
    ["turn.holder", BigInt(observed.turn.holder)],
    ["turn.endsAt", observed.turn.endsAt],
    ["totalReputation", observed.totalReputation],
    ["unallocated", observed.unallocated],
    ["redundancyReserve", observed.redundancyReserve],
    ["protocolReserve", observed.protocolReserve],
    ["vault's balance", observed.balance],
    // Bonds of those that are registered, and of those that left and were not paid yet.
    ["prover registry's balance", bond * BigInt(observed.provers.length + leaving)],
    ["signal.epoch", observed.signal.epoch],
    ["signal.multiplier", observed.signal.multiplier],
    ["provers", BigInt(observed.provers.length)],
    ...observed.provers.flatMap(({ prover, since }, i): ReadonlyArray<Word> => [[`prover ${i}`, BigInt(prover)], [`prover ${i} since`, since]]),
    // A place that has become empty stands for one of the rest since their number changed, if that was later.
    ["place beyond the provers since", latest(0n, ...observed.provers.slice(0, 1).flatMap(({ since }) => [since, observed.proversSince]))],
    ...observed.checkpoints.flatMap((checkpoint): ReadonlyArray<Word> => [
      [`checkpoint ${checkpoint.id} number`, BigInt(checkpoint.number)],
      [`checkpoint ${checkpoint.id} registeredAt`, checkpoint.registeredAt],
      [`checkpoint ${checkpoint.id} continuedAt`, checkpoint.continuedAt],
      [`checkpoint ${checkpoint.id} continuedAmong`, BigInt(checkpoint.continuedAmong)],
      [`checkpoint ${checkpoint.id} depth`, BigInt(checkpoint.depth)],
      [`checkpoint ${checkpoint.id} generation`, BigInt(checkpoint.generation)],
      [`checkpoint ${checkpoint.id} live`, yes(checkpoint.live)]
    ]),
    ...observed.boundaries.flatMap(({ claim, hash, number }): ReadonlyArray<Word> => [
      [`boundary ${hash} proven`, 1n],
      [`boundary ${hash} number`, BigInt(number)],
      [`boundary ${hash} claim`, claim]
    ]),
    ...observed.accounts.flatMap(({ account, credit, hasFlagged, registered, reputation, unlocksAt, updates }): ReadonlyArray<Word> => [
      [`account ${account} registered`, yes(registered)],
      [`account ${account} unlocksAt`, unlocksAt],
      [`account ${account} credit`, credit],
      [`account ${account} reputation`, reputation],
      [`account ${account} updates`, BigInt(updates)],
      [`account ${account} hasFlagged`, yes(hasFlagged)]
    ])
  ]
}
