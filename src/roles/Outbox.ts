/**
 * The one way out to L1 (ND-3): everything that a node does there goes through here, one transaction at a time.
 *
 * One account sends them all. So one nonce is used at a time: the store lets no second transaction be pending, of whatever kind, and
 * none that does what another one does or did. A role offers what it wants done; once that is signed and stored, it is sent, sent
 * again after a reorganisation, replaced at higher fees, and concluded, whatever becomes of the role.
 *
 * Nothing that matters is kept in memory: what a step needs is in the store and on L1, so that a crash between any two steps is
 * a step that is taken again, and it does no harm if several processes take it.
 */
import { Clock, Context, Duration, Effect, Layer, Option, Result, Schedule, Schema } from "effect"
import type { BlockNumber } from "../domain/Amount.ts"
import { type GasPolicy, GasTooDear, offer, type PriceLimit, priceLimit, replacementOffer, stopLoss, worthLimit } from "../domain/GasPolicy.ts"
import { type Call, type CallRefused, L1, type L1Unavailable, type Receipt } from "../l1/L1.ts"
import { type ExpectedCredit, Outgoing, Store, Variant } from "../store/Store.ts"

export interface OutboxOptions extends GasPolicy {
  /** A transaction that L1 does not include for so long is replaced by a dearer one. */
  readonly replaceAfter: Duration.Input
  /** A transaction is confirmed once its receipt is so many L1 blocks deep; 1 is the newest block. */
  readonly confirmations: number
}

export const OutboxOptions = Context.Service<OutboxOptions>("lignum/OutboxOptions")

/** What a role wants done on L1. */
export interface Intent extends Pick<Outgoing, "key" | "subject" | "worth" | "expiresAt"> {
  readonly call: Call
  readonly block: BlockNumber | null
  /** What it should bring, whoever it goes to. */
  readonly expected: ReadonlyArray<Omit<ExpectedCredit, "transaction">>
}

/** Another transaction of this node is on its way, or this very thing was done. Offer it again later, if it is still wanted. */
export class OutboxBusy extends Schema.TaggedError<OutboxBusy>()("OutboxBusy", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** What becomes of a transaction, for the one who brings them forward. */
export interface OutboxNews {
  readonly waits: (outgoing: Outgoing, activity: string) => Effect.Effect<void>
  readonly ended: (outgoing: Outgoing, succeeded: boolean) => Effect.Effect<void>
}

/** How often a receipt is asked for. */
const receiptInterval = Duration.millis(250)

/** For how long before it is asked whether the transaction is still of use, and it is sent again: a reorganisation may have taken it. */
const patienceForReceipt = Duration.seconds(5)

export class Outbox extends Context.Service<Outbox, {
  /**
   * Signs and stores a transaction, if nothing else is on its way, L1 would take it, and its gas costs no more than it is worth.
   * It is sent by the next step.
   *
   * @param overdue whether an update need not pay for itself any more
   */
  readonly offer: (intent: Intent, overdue?: boolean) => Effect.Effect<void, OutboxBusy | CallRefused | GasTooDear | L1Unavailable>
  /**
   * Brings what is on its way, or what L1 took back, one step further. Answers whether there was anything. One fiber of a node
   * calls it again and again.
   */
  readonly advance: (news: OutboxNews, overdue: boolean) => Effect.Effect<boolean, L1Unavailable>
}>()("lignum/Outbox") {
  static readonly layer: Layer.Layer<Outbox, never, L1 | Store | OutboxOptions> = Layer.effect(
    Outbox,
    Effect.gen(function*() {
      const options = yield* OutboxOptions
      const l1 = yield* L1
      const store = yield* Store
      const replaceAfter = Duration.fromInputUnsafe(options.replaceAfter)
      /** Why a transaction was not replaced, for people to read. */
      let held: { readonly hash: string; readonly reason: string } | undefined
      /** Since when this process waits for L1 to include the newest transaction. */
      let since: { readonly hash: string; readonly at: number } | undefined

      const limitOf = (kind: Outgoing["kind"], worth: bigint | null, gas: bigint, overdue: boolean): PriceLimit =>
        worth === null ? stopLoss(options.maxFeePerGas) : kind === "update" ? priceLimit(options, worth, gas, overdue) : worthLimit(options, worth, gas)

      const waiting = ({ newest, subject }: Outgoing) =>
        (newest.cancels ? `undoing ${subject}: it has become useless` : `waiting for the receipt of ${subject}`) +
        (held?.hash === newest.hash ? `; a dearer transaction ${held.reason}` : "")

      /** The receipt of whichever of its transactions L1 included. */
      const receiptOf = Effect.fnUntraced(function*({ variants }: Outgoing) {
        for (const variant of variants.toReversed()) {
          const receipt = yield* l1.receipt(variant.hash)
          if (Option.isSome(receipt)) return Option.some({ ...receipt.value, cancelled: variant.cancels })
        }
        return Option.none<Receipt & { readonly cancelled: boolean }>()
      })

      return Outbox.of({
        offer: Effect.fn("Outbox.offer")(function*(intent, overdue = false) {
          const { call, expected, ...about } = intent
          const busy = (outgoing: Outgoing) =>
            new OutboxBusy({ reason: `${intent.subject} waits: ${outgoing.subject} is ${outgoing.state === "pending" ? "on its way" : "done, as far as is known"}` })
          const standing = yield* store.inFlight
          if (Option.isSome(standing)) return yield* busy(standing.value)
          const same = yield* store.outgoing(call.kind, intent.key)
          if (Option.isSome(same)) {
            // Somebody used its nonce in blocks that replaced those that it was in: what was done is undone for good.
            const undone = Option.isNone(yield* receiptOf(same.value)) && (yield* l1.nextNonce) > same.value.nonce
            if (undone) yield* store.settleOutgoing(same.value.id, "abandoned")
            return yield* busy(same.value)
          }
          const nonce = yield* l1.nextNonce
          const [takenBack] = yield* store.confirmedFrom(nonce)
          if (takenBack !== undefined) return yield* busy(takenBack)

          const gas = yield* l1.dryRun(call)
          const fees = yield* Effect.fromResult(offer(yield* l1.gasMarket, limitOf(call.kind, intent.worth, gas, overdue)))
          const { hash, nonce: used, raw } = yield* l1.sign(call, gas, fees)
          const outgoing = new Outgoing({
            ...about,
            kind: call.kind,
            nonce: used,
            state: "pending",
            variants: [new Variant({ raw, hash, cancels: false })]
          })
          if (!(yield* store.putOutgoing(outgoing, expected))) return yield* new OutboxBusy({ reason: `${intent.subject} waits: another transaction is on its way` })
        }),

        advance: Effect.fn("Outbox.advance")(function*(news, overdue) {
          const conclude = Effect.fnUntraced(function*(outgoing: Outgoing, receipt: Receipt & { readonly cancelled: boolean }) {
            since = undefined
            const { subject } = outgoing
            const depth = (yield* l1.latest).number - receipt.block + 1
            if (depth < options.confirmations) return yield* news.waits(outgoing, `${subject} is ${depth} of ${options.confirmations} L1 blocks deep`)
            const succeeded = receipt.succeeded && !receipt.cancelled
            yield* store.settleOutgoing(outgoing.id, succeeded ? "confirmed" : "abandoned")
            yield* news.ended(outgoing, succeeded)
            if (receipt.cancelled) yield* Effect.logInfo(`${subject} was undone for ${receipt.gasUsed} gas`)
            else if (!receipt.succeeded) yield* Effect.logWarning(`${subject} was reverted on L1`)
          })

          const giveUp = Effect.fnUntraced(function*(outgoing: Outgoing, reason: string) {
            yield* Effect.logWarning(`${outgoing.subject} is given up: ${reason}`)
            yield* store.settleOutgoing(outgoing.id, "abandoned")
            yield* news.ended(outgoing, false)
          })

          /** Stores another transaction beside the newest one. It is sent by the next step, like one that a crash left behind. */
          const follow = Effect.fnUntraced(function*(outgoing: Outgoing, gas: bigint, limit: PriceLimit, cancels: boolean, because: string) {
            const { newest, subject } = outgoing
            const fees = replacementOffer(l1.feesOf(newest), yield* l1.gasMarket, limit)
            if (Result.isFailure(fees)) {
              held = { hash: newest.hash, reason: fees.failure.reason }
              yield* news.waits(outgoing, waiting(outgoing))
              return false
            }
            const { hash, raw } = yield* cancels ? l1.cancel(newest, fees.success) : l1.resign(newest, gas, fees.success)
            yield* store.putVariant(outgoing.id, new Variant({ hash, raw, cancels }))
            yield* Effect.logInfo(`${subject} is ${cancels ? "undone" : "sent"} at ${fees.success.maxFeePerGas} wei per gas: ${because}`)
            return true
          })

          const replace = Effect.fnUntraced(function*(outgoing: Outgoing) {
            const { cancelled, kind, newest, worth } = outgoing
            const late = "L1 did not include it for less"
            if (cancelled) return yield* follow(outgoing, 0n, stopLoss(options.maxFeePerGas), true, late)
            const gas = yield* l1.dryRunSigned(newest)
            if (yield* follow(outgoing, gas, limitOf(kind, worth, gas, overdue), false, late)) return
            // It would keep updates waiting until gas is as cheap again as it was.
            if (kind === "claim" || kind === "flag") yield* follow(outgoing, 0n, stopLoss(options.maxFeePerGas), true, "gas has become too dear for it")
          })

          /**
           * It is of no use any more, or would be refused. Where L1 may still include it, nothing takes its place: that costs its
           * sender 21,000 gas, and not that of a lost race.
           */
          const useless = Effect.fnUntraced(function*(outgoing: Outgoing, reason: string) {
            const receipt = yield* receiptOf(outgoing)
            if (Option.isSome(receipt)) return yield* conclude(outgoing, receipt.value)
            for (const { hash } of outgoing.variants) {
              if (yield* l1.knows(hash)) return yield* follow(outgoing, 0n, stopLoss(options.maxFeePerGas), true, reason)
            }
            yield* giveUp(outgoing, reason)
          })

          const step = Effect.fnUntraced(function*(outgoing: Outgoing) {
            const { cancelled, expiresAt, newest } = outgoing
            yield* news.waits(outgoing, waiting(outgoing))
            const known = yield* receiptOf(outgoing)
            if (Option.isSome(known)) return yield* conclude(outgoing, known.value)

            // It was never sent, it was dropped, or a reorganisation took it back: the same bytes, unless they have become useless.
            if (!cancelled) {
              if (expiresAt !== null && (yield* l1.latest).timestamp > expiresAt) return yield* useless(outgoing, `its time ran out at ${expiresAt}`)
              yield* l1.dryRunSigned(newest)
            }
            if ((yield* l1.nextNonce) < outgoing.nonce) return yield* giveUp(outgoing, `it waits for a transaction before it, and there is none any more`)
            if (since?.hash !== newest.hash) since = { hash: newest.hash, at: yield* Clock.currentTimeMillis }
            const taken = yield* l1.send(newest).pipe(
              Effect.as(true),
              Effect.catchTag("Underpriced", ({ message }) => Effect.as(Effect.logInfo(message), false))
            )
            const arrived = taken
              ? yield* receiptOf(outgoing).pipe(
                Effect.repeat({ schedule: Schedule.spaced(receiptInterval), until: Option.isSome }),
                Effect.timeoutOption(Duration.min(patienceForReceipt, replaceAfter)),
                Effect.map(Option.flatten)
              )
              : Option.none()
            if (Option.isSome(arrived)) return yield* conclude(outgoing, arrived.value)
            const waited = Duration.millis((yield* Clock.currentTimeMillis) - since.at)
            if (!taken || Duration.isGreaterThanOrEqualTo(waited, replaceAfter)) yield* replace(outgoing)
          })

          // What L1 took back has the lower nonce, so that nothing is included before it.
          const [takenBack] = yield* store.confirmedFrom(yield* l1.nextNonce)
          const outgoing = takenBack === undefined ? Option.getOrUndefined(yield* store.inFlight) : takenBack
          if (outgoing === undefined) return false
          yield* Effect.catchTags(step(outgoing), {
            NonceUsed: ({ message }) =>
              Effect.flatMap(receiptOf(outgoing), (receipt) => Option.isSome(receipt) ? conclude(outgoing, receipt.value) : giveUp(outgoing, message)),
            CallRefused: ({ message }) => useless(outgoing, message)
          })
          return true
        })
      })
    })
  )
}
