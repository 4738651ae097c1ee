/**
 * The idle clock, the race, and whose turn it is (ST-4 to ST-6): the pure `Turns`.
 */
import type { BlockNumber } from "../Amount.ts"
import { type Address, type BlockHash, type CheckpointId, zeroAddress } from "../Hash.ts"
import type { ProtocolParameters } from "../ProtocolParameters.ts"
import { proverAt, type Provers } from "./Provers.ts"
import type { Registry } from "./Registry.ts"

/** The proven tip, and what an update leaves behind beside it. Nobody moves a running turn, for it follows from this alone. */
export interface Tip {
  readonly hash: BlockHash
  readonly number: BlockNumber
  /** L1 time of the last update. */
  readonly updatedAt: bigint
  /** Registered provers at the last update: who registers later waits for the next one. */
  readonly proversThen: number
  /** The head checkpoint at the last update, or what a later revert fell back to. */
  readonly headThen: CheckpointId
}

/** Start of the idle clock as L1 time in seconds; 0 while nothing is provable (ST-4). */
export const idleSince = (tip: Tip, registry: Registry): bigint => {
  const { continuedAt, number } = registry.records.get(tip.headThen)!
  return number > tip.number ? tip.updatedAt : continuedAt
}

/** Race or turn at a time (ST-5, ST-6). */
export interface Turn {
  readonly inFallback: boolean
  /** Index of the turn since the race ended, from zero. */
  readonly index: number
  /** Whose turn it is; the zero address in the race, without registered provers, and under open designation. */
  readonly holder: Address
  /** L1 time at which the race, or the turn, ends; 0 while nothing is provable. */
  readonly endsAt: bigint
}

/** What turns are read from. */
export interface TurnSources {
  readonly parameters: ProtocolParameters
  readonly tip: Tip
  readonly registry: Registry
  readonly provers: Provers
}

/** Whose turn the one with an index is, in the order that the head's hash begins (ST-6). */
export const holderOf = ({ parameters, provers, tip }: TurnSources, index: number): Address =>
  parameters.designation === "open"
    ? zeroAddress
    : proverAt(provers, BigInt.asUintN(128, BigInt(tip.headThen)) + BigInt(index), tip.proversThen)

/** Race or turn at a time (ST-5, ST-6). */
export const turnAt = (sources: TurnSources, now: bigint): Turn => {
  const { parameters, registry, tip } = sources
  const since = idleSince(tip, registry)
  if (since === 0n) return { inFallback: false, index: 0, holder: zeroAddress, endsAt: 0n }
  const begin = since + BigInt(parameters.idleFallback)
  if (now < begin) return { inFallback: false, index: 0, holder: zeroAddress, endsAt: begin }
  const length = BigInt(parameters.turnLength)
  const index = (now - begin) / length
  return { inFallback: true, index: Number(index), holder: holderOf(sources, Number(index)), endsAt: begin + (index + 1n) * length }
}

/** Turns that one update punishes at most: its work on L1 must be bounded, however long nobody came. */
export const mostMissed = 8

/** The turns before one that passed without an update, oldest first, and who held them (ST-6). */
export const missedBefore = (sources: TurnSources, index: number): ReadonlyArray<{ readonly turn: number; readonly holder: Address }> => {
  const first = Math.max(0, index - mostMissed)
  return Array.from({ length: index - first }, (_, i) => ({ turn: first + i, holder: holderOf(sources, first + i) })).filter(
    ({ holder }) => holder !== zeroAddress
  )
}
