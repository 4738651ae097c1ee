/**
 * Reads the contracts' events from deployment on, for as long as it runs, and goes back to the fork when L1 replaced what was read.
 */
import { Context, type Duration, Effect, Option, Schedule } from "effect"
import type { L1Event } from "./Events.ts"
import { L1, type L1Block } from "./L1.ts"

/** How often a follower asks for the latest L1 block. */
export const L1PollInterval = Context.Reference<Duration.Input>("lignum/L1PollInterval", { defaultValue: () => "2 seconds" })

/** L1 blocks per request for events: public nodes refuse much wider ranges. */
const range = 2_000

/** States that are kept: at one L1 block per poll, those of the last two epochs, behind which Ethereum finalizes. */
const remembered = 64

const patiently = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("10 seconds")])

/** The state after an L1 block. */
interface Mark<S> {
  readonly number: number
  readonly hash: string
  readonly state: S
}

/**
 * Folds all events into a state and publishes it after every L1 block that was read.
 *
 * L1 sends no word of logs that a reorganisation removed. So the states after the newest blocks that had events, or were the
 * latest when they were read, are kept with the blocks' hashes, and the newest one whose block is still on the chain is where
 * reading goes on. When none is, all events are read again.
 *
 * A state is never changed: `step` answers a new one.
 */
export const followL1 = Effect.fnUntraced(function*<S>(options: {
  readonly initial: S
  readonly step: (state: S, event: L1Event) => Effect.Effect<S>
  readonly publish: (state: S, block: L1Block) => Effect.Effect<void>
  /** How many states are kept; 64 unless told. */
  readonly remember?: number
}): Effect.fn.Return<never, never, L1> {
  const l1 = yield* L1
  const interval = yield* L1PollInterval
  /** Oldest first. */
  let marks: ReadonlyArray<Mark<S>> = []

  const onChain = (mark: { readonly number: number; readonly hash: string }) =>
    Effect.map(l1.block(mark.number), (block) => Option.isSome(block) && block.value.hash === mark.hash)

  /** The marks that L1 still has. If it has one, it has all that are older. */
  const surviving = Effect.gen(function*() {
    for (let length = marks.length; length > 0; length--) {
      if (yield* onChain(marks[length - 1]!)) return marks.slice(0, length)
    }
    return []
  })

  const poll = Effect.gen(function*() {
    const latest = yield* l1.latest
    const newest = marks[marks.length - 1]
    if (newest?.hash === latest.hash) return
    const kept = yield* surviving
    const fork = kept[kept.length - 1]
    if (newest !== undefined && fork !== newest) {
      yield* Effect.logWarning(
        `L1 replaced block ${newest.number}: ` + (fork === undefined ? "reading all events again" : `going on from block ${fork.number}`)
      )
    }
    let state = fork?.state ?? options.initial
    const read: Array<Mark<S>> = []
    const keep = (mark: Mark<S>) => {
      if (read[read.length - 1]?.number === mark.number) read.pop()
      read.push(mark)
    }
    for (let from = fork === undefined ? l1.deployedAt : fork.number + 1; from <= latest.number; from += range) {
      for (const event of yield* l1.events(from, Math.min(from + range - 1, latest.number))) {
        state = yield* options.step(state, event)
        keep({ number: event.at.block, hash: event.at.blockHash, state })
      }
    }
    // A chain that changed while it was read may have given events of both forks. Nothing of this reading is kept then.
    if (!(yield* onChain(latest))) return
    if (fork?.hash !== latest.hash) keep({ number: latest.number, hash: latest.hash, state })
    marks = [...kept, ...read].slice(-(options.remember ?? remembered))
    yield* options.publish(state, latest)
  }).pipe(
    Effect.tapError((error) => Effect.logWarning(error.message)),
    Effect.retry(patiently),
    // The schedule has no end, so that no error comes through it.
    Effect.orDie
  )

  return yield* Effect.forever(Effect.andThen(poll, Effect.sleep(interval)))
})
