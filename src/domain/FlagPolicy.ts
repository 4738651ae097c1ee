/**
 * When an operator says on L1 that the price of proving is too low (FM-3). Pure: the fee controller acts on it.
 *
 * The operator's own books decide and nothing else: its share of the price that headers snapshot, less what proving costs it.
 */
import { Result, Schema } from "effect"
import type { ProverPrice } from "./Amount.ts"
import type { Header } from "./Block.ts"

/** What an operator decides about flagging. */
export interface FlagPolicy {
  /** What proving costs the operator, in wei per prover gas: machines, power and its part of L1's gas. */
  readonly costPerGas: bigint
  /** What must be left of the price, in wei per prover gas. Below it, proving is paid too little. */
  readonly minMargin: bigint
  /** The part of a pot that the prover of a block earns, in basis points: the leaf share, and the merge share where there is no merge work (RW-2). */
  readonly leafShare: number
  /** How long the margin must have been too low, in seconds of the headers' time: a dip is no reason to flag. */
  readonly flagAfter: bigint
}

/** What the signal on L1 says, and what it knows of this node. */
export interface SignalStanding {
  /** The running epoch. */
  readonly epoch: bigint
  /** What the price is multiplied with, in millionths. */
  readonly multiplier: bigint
  /** Whether this node flagged in the running epoch. */
  readonly flagged: boolean
  /** This node's reputation, in decayed prover gas. */
  readonly reputation: bigint
  /** Updates that had work of this node's. */
  readonly updates: bigint
  /** How many of those it takes to flag. */
  readonly minUpdates: bigint
}

/** A reason why a node does not flag, for people to read (ND-5). */
export class NoFlag extends Schema.TaggedError<NoFlag>()("NoFlag", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** What is left of a price per prover gas; below zero where proving costs more than it brings. */
export const marginAt = (price: ProverPrice, { costPerGas, leafShare }: FlagPolicy): bigint => (price * BigInt(leafShare)) / 10_000n - costPerGas

/** How long the margin has been too low: the first header of the unbroken row, and the newest. */
export interface LowMargin {
  /** Timestamp of the first header whose price left too little, in seconds. */
  readonly since: bigint
  /** Timestamp of the newest header. */
  readonly until: bigint
  /** The margin in the newest header. */
  readonly margin: bigint
}

/** The row of headers with too low a margin after one more header; none where that one pays enough. */
export const nextLowMargin = (
  before: LowMargin | undefined,
  { proverPrice, timestamp }: Pick<Header, "proverPrice" | "timestamp">,
  policy: FlagPolicy
): LowMargin | undefined => {
  const margin = marginAt(proverPrice, policy)
  return margin >= policy.minMargin ? undefined : { since: before?.since ?? timestamp, until: timestamp, margin }
}

/** What the operator's books alone say: whether the margin has been too low for long enough. */
export const wantsFlag = (low: LowMargin | undefined, policy: FlagPolicy): Result.Result<LowMargin, NoFlag> => {
  if (low === undefined) return Result.fail(new NoFlag({ reason: `no flag: the price leaves at least ${policy.minMargin} wei per prover gas` }))
  const lasted = low.until - low.since
  return lasted >= policy.flagAfter
    ? Result.succeed(low)
    : Result.fail(
      new NoFlag({ reason: `no flag yet: the price leaves ${low.margin} wei per prover gas, below ${policy.minMargin}, for ${lasted} of ${policy.flagAfter} s` })
    )
}

/** The epoch to flag in, once the books want it: the running one, if the signal would take the flag. */
export const flagIn = (standing: SignalStanding): Result.Result<bigint, NoFlag> => {
  const { epoch, flagged, minUpdates, reputation, updates } = standing
  const refuse = (reason: string) => Result.fail(new NoFlag({ reason }))
  if (flagged) return refuse(`flagged in epoch ${epoch} already; the next epoch may have another`)
  if (updates < minUpdates) return refuse(`no flag yet: this node's work was in ${updates} updates, and it takes ${minUpdates}`)
  if (reputation === 0n) return refuse(`no flag: this node's reputation has faded away`)
  return Result.succeed(epoch)
}
