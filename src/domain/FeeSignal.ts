/**
 * The L1 signal (FM-3): provers say that the price of proving is too low, and a multiplier answers. The same integers as in the
 * `FeeSignal` contract.
 */
import { Result } from "effect"
import { signalOne } from "./Block.ts"
import type { Address } from "./Hash.ts"

/** The signal as L1 stores it: as of the epoch in which a flag last came. */
export interface FeeSignal {
  readonly epoch: bigint
  /** Whether that epoch's flags reached the quorum. */
  readonly raised: boolean
  /** In millionths. */
  readonly multiplier: bigint
  /** Reputation behind that epoch's flags, each capped, in prover gas. */
  readonly weight: bigint
  /** The epoch of each prover's last flag. */
  readonly flaggedIn: ReadonlyMap<Address, bigint>
}

/** No flag was ever raised. */
export const quietSignal: FeeSignal = { epoch: 0n, raised: false, multiplier: signalOne, weight: 0n, flaggedIn: new Map() }

/** What the signal reads of the protocol's parameters. Parts of the total are in basis points, factors in millionths. */
export interface SignalRule {
  /** Seconds. */
  readonly signalEpoch: number
  readonly minUpdates: number
  readonly signalQuorum: number
  readonly signalCap: number
  readonly signalStep: number
  readonly signalMax: number
  readonly signalDecay: number
}

/** The epoch of an L1 time in seconds. */
export const epochOf = (rule: SignalRule, now: bigint): bigint => now / BigInt(rule.signalEpoch)

/** A multiplier, in millionths, after so many epochs without a quorum. */
export const decayedMultiplier = (multiplier: bigint, epochs: bigint, signalDecay: number): bigint => {
  let left = multiplier
  for (let i = 0n; i < epochs && left > signalOne; i++) left = (left * BigInt(signalDecay)) / signalOne
  return left > signalOne ? left : signalOne
}

/** The multiplier in an epoch, in millionths: each epoch that ended without a quorum brought it nearer to 1. */
export const multiplierIn = (rule: SignalRule, { epoch: since, multiplier, raised }: FeeSignal, epoch: bigint): bigint => {
  const ended = epoch - since
  return decayedMultiplier(multiplier, raised && ended > 0n ? ended - 1n : ended, rule.signalDecay)
}

/** Reputation behind the flags of an epoch. */
export const weightIn = (signal: FeeSignal, epoch: bigint): bigint => signal.epoch === epoch ? signal.weight : 0n

/** Whether a prover flagged in an epoch. */
export const hasFlaggedIn = (signal: FeeSignal, prover: Address, epoch: bigint): boolean => signal.flaggedIn.get(prover) === epoch

/** Who flags: what the vault says of it at the time, and of all together. */
export interface Flagger {
  readonly prover: Address
  /** Prover gas. */
  readonly reputation: bigint
  readonly updates: number
  readonly totalReputation: bigint
}

/** Why a flag is refused. Earn more by proving, or wait for the next epoch. */
export type FlagRefused =
  | { readonly reason: "NotActive"; readonly updates: number; readonly needed: number }
  | { readonly reason: "AlreadyFlagged"; readonly epoch: bigint }
  | { readonly reason: "NoReputation" }

/** A flag that counted. */
export interface Flagged {
  readonly signal: FeeSignal
  /** What it weighs. */
  readonly weight: bigint
  /** Whether it completed the quorum. */
  readonly raises: boolean
}

/** "The price is too low", said by one prover in an epoch. */
export const flag = (rule: SignalRule, signal: FeeSignal, by: Flagger, epoch: bigint): Result.Result<Flagged, FlagRefused> => {
  if (by.updates < rule.minUpdates) return Result.fail({ reason: "NotActive", updates: by.updates, needed: rule.minUpdates })
  if (hasFlaggedIn(signal, by.prover, epoch)) return Result.fail({ reason: "AlreadyFlagged", epoch })
  // The total is rounded more often than its parts; where it is nothing, so is every part of it.
  if (by.reputation === 0n || by.totalReputation === 0n) return Result.fail({ reason: "NoReputation" })
  const cap = (by.totalReputation * BigInt(rule.signalCap)) / 10_000n
  const weight = by.reputation < cap ? by.reputation : cap
  const gathered = weightIn(signal, epoch) + weight
  const raisedBefore = signal.epoch === epoch && signal.raised
  const raises = !raisedBefore && gathered * 10_000n >= by.totalReputation * BigInt(rule.signalQuorum)
  const multiplier = multiplierIn(rule, signal, epoch)
  const stepped = (multiplier * BigInt(rule.signalStep)) / signalOne
  const highest = BigInt(rule.signalMax)
  return Result.succeed({
    signal: {
      epoch,
      raised: raisedBefore || raises,
      multiplier: raises ? (stepped < highest ? stepped : highest) : multiplier,
      weight: gathered,
      flaggedIn: new Map(signal.flaggedIn).set(by.prover, epoch)
    },
    weight,
    raises
  })
}
