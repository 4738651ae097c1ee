/**
 * Says on L1 that the price of proving is too low, when the operator's policy says so (FM-3): once per epoch of the signal, never
 * twice (ND-3).
 */
import { Effect, Option } from "effect"
import { type FlagPolicy, flagIn, type LowMargin, wantsFlag } from "../domain/FlagPolicy.ts"
import { offer, priceLimit } from "../domain/GasPolicy.ts"
import { L1 } from "../l1/L1.ts"
import { Outgoing, Store } from "../store/Store.ts"
import { type InFlightOptions, makeInFlight } from "./InFlight.ts"

/** What an operator decides about flagging. */
export interface FlagOptions extends FlagPolicy, InFlightOptions {
  /** The stop-loss: no flag ever offers more than so many wei per L1 gas. */
  readonly maxFeePerGas: bigint
}

const flag = { kind: "flag" } as const

/**
 * One look at the books and at L1, to be repeated: brings a flag that is on its way a step further, or flags if policy and signal
 * both say so.
 *
 * A flag's key is signal and epoch, and goes into the store with its bytes before they are sent. So whatever crashes, and however
 * many copies of the role run, an epoch has one flag of this node at most; one that L1 took back is sent again as it is, while its
 * epoch lasts. It is never sent beside another transaction of this node, nor while an update is to be sent again.
 *
 * @param say hears what is done or waited for (ND-5)
 */
export const makeFlagger = Effect.fnUntraced(function*(options: FlagOptions, say: (activity: string) => Effect.Effect<void>) {
  const l1 = yield* L1
  const store = yield* Store
  const limit = priceLimit({ maxFeePerGas: options.maxFeePerGas, profitableOnly: false }, 0n, 1n, true)
  const keyOf = (epoch: bigint) => `${l1.feeSignal}/${epoch}`
  const named = ({ key }: Outgoing) => `the flag of epoch ${key.slice(key.indexOf("/") + 1)}`

  const inFlight = yield* makeInFlight<Outgoing>(options, {
    deed: named,
    done: (sent) => `${named(sent)} is included`,
    subject: named,
    dryRun: (transaction) => l1.dryRunSignedCall(transaction),
    limit: () => Effect.succeed(limit),
    waits: (_, activity) => say(activity),
    ended: (sent, succeeded) => say(`${named(sent)} ${succeeded ? "counts" : "came to nothing"}`)
  })

  const look = Effect.fnUntraced(function*(low: LowMargin | undefined, tip: number) {
    const pending = yield* store.inFlight
    if (Option.isSome(pending) && pending.value.kind === "flag") return yield* inFlight(pending.value)

    const { margin } = yield* Effect.fromResult(wantsFlag(low, options))
    const waiting = `a flag waits, at a margin of ${margin} wei per prover gas`
    if (Option.isSome(pending)) return yield* say(`${waiting}: another transaction of this node is on its way`)
    if ((yield* store.submissions).some(({ to }) => to.number > tip)) return yield* say(`${waiting}: L1 does not have this node's last update yet, or not any more`)

    const standing = yield* l1.signal
    const known = yield* store.outgoing("flag", keyOf(standing.epoch))
    if (Option.isSome(known) && !standing.flagged) {
      return (yield* store.reopen(known.value.hash))
        ? yield* inFlight(known.value)
        : yield* say(`no flag: ${named(known.value)} came to nothing, and an epoch has one`)
    }
    const epoch = yield* Effect.fromResult(flagIn(standing))
    const gas = yield* l1.dryRunCall(flag)
    const fees = yield* Effect.fromResult(offer(yield* l1.gasMarket, limit))
    const outgoing = new Outgoing({ kind: "flag", key: keyOf(epoch), state: "pending", ...yield* l1.signCall(flag, gas, fees) })
    if (!(yield* store.putOutgoing(outgoing))) return yield* say(`${waiting}: another transaction of this node is on its way`)
    yield* Effect.logInfo(`flagging in epoch ${epoch}: the price leaves ${margin} wei per prover gas, below ${options.minMargin}`)
    yield* inFlight(outgoing)
  })

  return (low: LowMargin | undefined, tip: number): Effect.Effect<void> =>
    Effect.catchTags(look(low, tip), {
      NoFlag: ({ message }) => say(message),
      CallRefused: ({ message }) => say(message),
      GasTooDear: ({ message }) => say(message),
      L1Unavailable: ({ message }) => Effect.andThen(Effect.logWarning(message), say(message))
    })
})
