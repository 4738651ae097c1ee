/**
 * Says on L1 that the price of proving is too low, when the operator's policy says so (FM-3): once per epoch of the signal, never
 * twice (ND-3).
 */
import { Effect, Option } from "effect"
import { type FlagPolicy, flagIn, type LowMargin, wantsFlag } from "../domain/FlagPolicy.ts"
import { L1 } from "../l1/L1.ts"
import { Store } from "../store/Store.ts"
import { Outbox } from "./Outbox.ts"

/** What an operator decides about flagging. */
export interface FlagOptions extends FlagPolicy {
  /** Wei that the gas of a flag may cost; without it, nothing but the stop-loss bounds that. */
  readonly maxCost?: bigint
}

/**
 * One look at the books and at L1, to be repeated: hands the outbox a flag if policy and signal both say so.
 *
 * A flag's key is signal and epoch. So whatever crashes, and however many copies of the role run, no two flags of this node are
 * on their way in an epoch, nor one after another was counted; one that L1 took back is sent again as it is, while its epoch lasts.
 *
 * @param say hears what is done or waited for (ND-5)
 */
export const makeFlagger = Effect.fnUntraced(function*(options: FlagOptions, say: (activity: string) => Effect.Effect<void>) {
  const l1 = yield* L1
  const store = yield* Store
  const outbox = yield* Outbox

  const look = Effect.fnUntraced(function*(low: LowMargin | undefined) {
    const { margin } = yield* Effect.fromResult(wantsFlag(low, options))
    const standing = yield* l1.signal
    const subject = `the flag of epoch ${standing.epoch}`
    const key = `${l1.feeSignal}/${standing.epoch}`
    const known = yield* store.outgoing("flag", key)
    if (Option.isSome(known) && !standing.flagged) {
      return yield* say(`${subject} is on its way${known.value.state === "pending" ? "" : " again: L1 took it back"}`)
    }
    const epoch = yield* Effect.fromResult(flagIn(standing))
    yield* outbox.offer({ call: { kind: "flag" }, key, subject, block: null, worth: options.maxCost ?? null, expiresAt: null, expected: [] })
    yield* Effect.logInfo(`flagging in epoch ${epoch}: the price leaves ${margin} wei per prover gas, below ${options.minMargin}`)
    yield* say(`${subject} is on its way`)
  })

  return (low: LowMargin | undefined): Effect.Effect<void> =>
    Effect.catchTags(look(low), {
      NoFlag: ({ message }) => say(message),
      OutboxBusy: ({ message }) => say(message),
      CallRefused: ({ message }) => say(message),
      GasTooDear: ({ message }) => say(message),
      L1Unavailable: ({ message }) => Effect.andThen(Effect.logWarning(message), say(message))
    })
})
