/**
 * The sequencers' eye on reverts: once L1 has reverted the checkpoints (CP-4), consensus rebuilds from the proven tip. Like the
 * poster it is part of the black box, so it asks no prover's node.
 */
import { Effect, Queue, Schedule } from "effect"
import type { BlockRef } from "../domain/Block.ts"
import type { CheckpointsReverted, L1Event } from "../l1/Events.ts"
import { followL1 } from "../l1/Follower.ts"
import type { L1 } from "../l1/L1.ts"
import { DevnetLedger } from "../ledger/DevnetLedger.ts"

export interface RevertFollowerOptions {
  /**
   * How many L1 blocks deep a revert must be before blocks are dropped for it; 1 is the newest block.
   *
   * Choose more than L1 ever takes back. A rebuild is for good: if L1 took back a revert that the ledger followed, L1 would have
   * live checkpoints of blocks that the ledger does not have. Its new checkpoints are then refused until somebody reverts the old
   * ones again, which anybody can; and if they were proven instead, the ledger would have to be restored from a copy.
   */
  readonly confirmations: number
}

/** A revert, with the tip that it left. */
interface Revert {
  readonly event: CheckpointsReverted
  readonly tip: BlockRef
}

interface Seen {
  readonly tip: BlockRef | undefined
  /** Oldest first. */
  readonly reverts: ReadonlyArray<Revert>
}

const step = (seen: Seen, event: L1Event): Seen => {
  switch (event._tag) {
    case "CheckpointRegistered":
      // The first one is genesis, which counts as proven.
      return seen.tip === undefined ? { ...seen, tip: event.checkpoint.block } : seen
    case "StateUpdated":
      return { ...seen, tip: event.to }
    case "CheckpointsReverted":
      return seen.tip === undefined ? seen : { ...seen, reverts: [...seen.reverts, { event, tip: seen.tip }] }
    default:
      return seen
  }
}

const named = ({ event, tip }: Revert): string => `${event.generation} ${event.head} ${tip.hash}`

/** Has the ledger follow every revert on L1, in order, for ever. The ledger knows which it has followed, so that a restart repeats none. */
export const followReverts = Effect.fnUntraced(function*(
  { confirmations }: RevertFollowerOptions
): Effect.fn.Return<never, never, L1 | DevnetLedger> {
  const ledger = yield* DevnetLedger
  const confirmed = yield* Queue.sliding<ReadonlyArray<Revert>>(1)

  const rebuild = ({ event, tip }: Revert) =>
    ledger.rebuild(tip, event.head, event.generation).pipe(
      Effect.tap((rebuilt) =>
        rebuilt ? Effect.logWarning(`L1 reverted the checkpoints after ${event.headNumber}: going on from block ${tip.number}`) : Effect.void),
      Effect.tapErrorTag("LedgerUnavailable", (error) => Effect.logWarning(error.message)),
      Effect.retry({ schedule: Schedule.spaced("1 second"), while: ({ _tag }) => _tag === "LedgerUnavailable" }),
      Effect.catch((error) => Effect.logError(error.message))
    )

  const rebuilding = Effect.gen(function*() {
    let done = ""
    while (true) {
      const reverts = yield* Queue.take(confirmed)
      const all = reverts.map(named).join()
      if (all === done) continue
      yield* Effect.forEach(reverts, rebuild, { discard: true })
      done = all
    }
  })

  const following = followL1<Seen>({
    initial: { tip: undefined, reverts: [] },
    step: (seen, event) => Effect.succeed(step(seen, event)),
    publish: ({ reverts }, latest) =>
      Effect.asVoid(Queue.offer(confirmed, reverts.filter(({ event }) => latest.number - event.at.block + 1 >= confirmations)))
  })

  yield* Effect.all([following, rebuilding], { concurrency: "unbounded" })
  return yield* Effect.never
})
