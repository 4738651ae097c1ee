/**
 * Reads the contracts' events from deployment on, for as long as it runs, and starts over when L1 replaced what was read.
 */
import { Context, type Duration, Effect, Option, Schedule } from "effect"
import type { L1Event } from "./Events.ts"
import { L1, type L1Block } from "./L1.ts"

/** How often a follower asks for the latest L1 block. */
export const L1PollInterval = Context.Reference<Duration.Input>("lignum/L1PollInterval", { defaultValue: () => "2 seconds" })

/** L1 blocks per request for events: public nodes refuse much wider ranges. */
const range = 2_000

const patiently = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("10 seconds")])

/**
 * Folds all events into a state and publishes it after every L1 block that was read.
 *
 * L1 sends no word of logs that a reorganisation removed, so the block last read is compared by its hash; when it is no
 * longer there, the fold starts over from the deployment.
 */
export const followL1 = Effect.fnUntraced(function*<S>(options: {
  readonly initial: S
  readonly step: (state: S, event: L1Event) => Effect.Effect<S>
  readonly publish: (state: S, block: L1Block) => Effect.Effect<void>
}): Effect.fn.Return<never, never, L1> {
  const l1 = yield* L1
  const interval = yield* L1PollInterval
  let state = options.initial
  let read: L1Block | undefined

  const poll = Effect.gen(function*() {
    const latest = yield* l1.latest
    if (read !== undefined) {
      if (read.hash === latest.hash) return
      const same = yield* l1.block(read.number)
      if (Option.isNone(same) || same.value.hash !== read.hash) {
        yield* Effect.logWarning(`L1 replaced block ${read.number}: reading all events again`)
        state = options.initial
        read = undefined
      }
    }
    for (let from = read === undefined ? l1.deployedAt : read.number + 1; from <= latest.number; from += range) {
      for (const event of yield* l1.events(from, Math.min(from + range - 1, latest.number))) state = yield* options.step(state, event)
    }
    read = latest
    yield* options.publish(state, latest)
  }).pipe(
    Effect.tapError((error) => Effect.logWarning(error.message)),
    Effect.retry(patiently),
    // The schedule has no end, so that no error comes through it.
    Effect.orDie
  )

  return yield* Effect.forever(Effect.andThen(poll, Effect.sleep(interval)))
})
