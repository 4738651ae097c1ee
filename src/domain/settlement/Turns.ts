/**
 * The idle clock, the race, and whose turn it is (ST-4 to ST-6): the pure `Turns`.
 */
import type { BlockNumber } from "../Amount.ts"
import { type Address, type BlockHash, type CheckpointId, zeroAddress } from "../Hash.ts"
import type { ProtocolParameters } from "../ProtocolParameters.ts"
import { nobody, type Place, proverAt, type Provers } from "./Provers.ts"
import type { Registry } from "./Registry.ts"

/** The proven tip, and what an update leaves behind beside it. */
export interface Tip {
  readonly hash: BlockHash
  readonly number: BlockNumber
  /** L1 time of the last update. */
  readonly updatedAt: bigint
  /** Registered provers at the last update. */
  readonly proversThen: number
  /** The head checkpoint at the last update, or what a later revert fell back to. */
  readonly headThen: CheckpointId
}

/** The idle clock (ST-4). Nobody moves a running turn, for it follows from what was when the clock started. */
export interface IdleClock {
  /** Its start as L1 time in seconds; 0 while nothing is provable. */
  readonly since: bigint
  /** Registered provers at its start: who registers later waits for the next one (ST-6). */
  readonly among: number
}

/** The clock runs from the last update, or from when a child of the head of then came. */
export const idleClock = (tip: Tip, registry: Registry): IdleClock => {
  const { continuedAmong, continuedAt, number } = registry.records.get(tip.headThen)!
  return number > tip.number ? { since: tip.updatedAt, among: tip.proversThen } : { since: continuedAt, among: continuedAmong }
}

/** Race or turn at a time (ST-5, ST-6). */
export interface Turn {
  readonly inFallback: boolean
  /** Index of the turn since the race ended, from zero. */
  readonly index: number
  /** Whose turn it is; the zero address in the race, without provers to take turns, and under open designation. */
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

/** Whose turn the one with an index is, in the order that the head's hash begins, and since when that is so (ST-6). */
const holderOf = ({ parameters, provers, registry, tip }: TurnSources, index: number): Place =>
  parameters.designation === "open"
    ? nobody
    : proverAt(provers, BigInt.asUintN(128, BigInt(tip.headThen)) + BigInt(index), idleClock(tip, registry).among)

/** Race or turn at a time (ST-5, ST-6). */
export const turnAt = (sources: TurnSources, now: bigint): Turn => {
  const { parameters, registry, tip } = sources
  const { since } = idleClock(tip, registry)
  if (since === 0n) return { inFallback: false, index: 0, holder: zeroAddress, endsAt: 0n }
  const begin = since + BigInt(parameters.idleFallback)
  if (now < begin) return { inFallback: false, index: 0, holder: zeroAddress, endsAt: begin }
  const length = BigInt(parameters.turnLength)
  const index = (now - begin) / length
  return { inFallback: true, index: Number(index), holder: holderOf(sources, Number(index)).prover, endsAt: begin + (index + 1n) * length }
}

/** Turns that an update or a revert punishes at most: its work on L1 must be bounded, however long nobody came. */
export const mostMissed = 8

/**
 * The turns that have passed without an update at a time, oldest first, and who held them (ST-6). Where a place changed hands after
 * its turn began, nobody did: who left is gone, and who came had no whole turn.
 */
export const missedAt = (sources: TurnSources, now: bigint): ReadonlyArray<{ readonly turn: number; readonly holder: Address }> => {
  const { endsAt, inFallback, index } = turnAt(sources, now)
  if (!inFallback) return []
  const first = Math.max(0, index - mostMissed)
  const beginsAt = (turn: number) => endsAt - BigInt(index + 1 - turn) * BigInt(sources.parameters.turnLength)
  return Array.from({ length: index - first }, (_, i) => first + i).flatMap((turn) => {
    const { prover, since } = holderOf(sources, turn)
    return prover === zeroAddress || since > beginsAt(turn) ? [] : [{ turn, holder: prover }]
  })
}
