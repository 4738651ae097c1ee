/**
 * The sequencers' ear on L1: what the fee signal multiplies the price with when they read it (FM-3, FM-4). Like the poster it is
 * part of the black box, so it asks no prover's node.
 */
import { Effect, Option } from "effect"
import { epochOf, multiplierIn, quietSignal, type SignalRule } from "../domain/FeeSignal.ts"
import { followL1 } from "../l1/Follower.ts"
import type { L1 } from "../l1/L1.ts"

/** Reads L1; until {@link SignalReader.follow} has read it once, nothing is known. */
export interface SignalReader {
  /**
   * The multiplier in millionths at a block's timestamp, in seconds since 1970; none while nothing is known. It answers at once,
   * from what was read last, and follows from that and the timestamp alone.
   */
  readonly multiplier: (timestamp: bigint) => Effect.Effect<Option.Option<bigint>>
  /** Keeps reading, for ever. */
  readonly follow: Effect.Effect<never, never, L1>
}

/** A quorum, as the signal announced it. */
interface Raise {
  readonly epoch: bigint
  readonly multiplier: bigint
}

const noRaise: Raise = quietSignal

/**
 * A reader with nothing read yet.
 *
 * The newest quorum is all that it takes: flags below one change nothing, and decay is a matter of time.
 */
export const makeSignalReader = (rule: SignalRule): SignalReader => {
  let last = Option.none<Raise>()
  const multiplierAt = (timestamp: bigint) => (raise: Raise) =>
    multiplierIn(rule, { ...quietSignal, ...raise, raised: raise !== noRaise }, epochOf(rule, timestamp))
  return {
    multiplier: (timestamp) => Effect.sync(() => Option.map(last, multiplierAt(timestamp))),
    follow: followL1<Raise>({
      initial: noRaise,
      step: (seen, event) => Effect.succeed(event._tag === "MultiplierRaised" ? { epoch: event.epoch, multiplier: event.multiplier } : seen),
      publish: (seen) => Effect.sync(() => void (last = Option.some(seen)))
    })
  }
}
