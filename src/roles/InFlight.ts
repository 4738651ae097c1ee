/**
 * A node's one transaction on its way to L1: sent, sent again, replaced at higher fees, and concluded (ND-3).
 *
 * One account sends everything that a node does on L1, so that one nonce is used at a time: the store lets no second transaction be
 * pending, of whatever kind. Each kind belongs to one role, which brings its own a step further until it has ended; the other
 * roles wait meanwhile.
 */
import { Clock, Duration, Effect, Option, Result, Schedule } from "effect"
import { type PriceLimit, replacementOffer } from "../domain/GasPolicy.ts"
import { type CallRefused, L1, type L1Unavailable, type Receipt, type SignedTransaction, type UpdateRefused } from "../l1/L1.ts"
import { type Sent, SignedBytes, Store } from "../store/Store.ts"

export interface InFlightOptions {
  /** A transaction that L1 does not include for so long is replaced by a dearer one. */
  readonly replaceAfter: Duration.Input
  /** A transaction is confirmed once its receipt is so many L1 blocks deep; 1 is the newest block. */
  readonly confirmations: number
}

/** One kind of transaction, as the role that it belongs to sees it. */
export interface InFlightKind<T extends Sent> {
  /** What it does, as in "the update to block 3". */
  readonly deed: (sent: T) => string
  /** What it has done once L1 has it, as in "blocks to 3 are settled". */
  readonly done: (sent: T) => string
  /** What a receipt is waited for, as in "blocks to 3". */
  readonly subject: (sent: T) => string
  /** Runs the signed call against the latest block, and estimates its gas. */
  readonly dryRun: (transaction: SignedTransaction, sent: T) => Effect.Effect<bigint, UpdateRefused | CallRefused | L1Unavailable>
  /** The highest price of gas that it is worth, where it uses so much. */
  readonly limit: (sent: T, gas: bigint) => Effect.Effect<PriceLimit>
  /** Hears what it waits for. */
  readonly waits: (sent: T, activity: string) => Effect.Effect<void>
  /** Hears that it has ended. */
  readonly ended: (sent: T, succeeded: boolean) => Effect.Effect<void>
}

/** How often a receipt is asked for. */
const receiptInterval = Duration.millis(250)

/** For how long before it is asked whether the transaction is still of use, and it is sent again: a reorganisation may have taken it. */
const patienceForReceipt = Duration.seconds(5)

/**
 * Brings a stored transaction one step further, and is called until it has ended. It remembers nothing that matters: what it
 * needs is in the store and on L1, so that a crash between any two steps is a step that is taken again.
 */
export const makeInFlight = Effect.fnUntraced(function*<T extends Sent>(options: InFlightOptions, kind: InFlightKind<T>) {
  const l1 = yield* L1
  const store = yield* Store
  const replaceAfter = Duration.fromInputUnsafe(options.replaceAfter)
  /** Why a transaction was not replaced, for people to read. */
  let held: { readonly hash: string; readonly reason: string } | undefined
  /** Since when this process waits for L1 to include the newest transaction. */
  let since: { readonly hash: string; readonly at: number } | undefined

  /** The receipt of whichever of its transactions L1 included. */
  const receiptOf = Effect.fnUntraced(function*(sent: T) {
    for (const { hash } of sent.variants) {
      const receipt = yield* l1.receipt(hash)
      if (Option.isSome(receipt)) return receipt
    }
    return Option.none<Receipt>()
  })

  const conclude = Effect.fnUntraced(function*(sent: T, receipt: Receipt) {
    since = undefined
    const depth = (yield* l1.latest).number - receipt.block + 1
    if (depth < options.confirmations) {
      return yield* kind.waits(sent, `${kind.done(sent)} in ${depth} of ${options.confirmations} L1 blocks`)
    }
    yield* store.settleSubmission(sent.hash, receipt.succeeded ? "confirmed" : "abandoned")
    yield* kind.ended(sent, receipt.succeeded)
    if (!receipt.succeeded) yield* Effect.logWarning(`${kind.deed(sent)} was reverted on L1`)
  })

  const giveUp = Effect.fnUntraced(function*(sent: T, reason: string) {
    yield* Effect.logWarning(`${kind.deed(sent)} is given up: ${reason}`)
    yield* store.settleSubmission(sent.hash, "abandoned")
    yield* kind.ended(sent, false)
  })

  /** Stores a dearer transaction beside the newest one. It is sent by the next step, like one that a crash left behind. */
  const replace = Effect.fnUntraced(function*(sent: T) {
    const newest = sent.variants[0]!
    const gas = yield* kind.dryRun(newest, sent)
    const fees = replacementOffer(l1.feesOf(newest), yield* l1.gasMarket, yield* kind.limit(sent, gas))
    if (Result.isFailure(fees)) {
      held = { hash: newest.hash, reason: fees.failure.reason }
      return yield* kind.waits(sent, waiting(sent))
    }
    const { hash, raw } = yield* l1.resign(newest, gas, fees.success)
    yield* store.putReplacement(sent.hash, new SignedBytes({ hash, raw }))
    yield* Effect.logInfo(`${kind.deed(sent)} is sent at ${fees.success.maxFeePerGas} wei per gas: L1 did not include it for less`)
  })

  const waiting = (sent: T) =>
    `waiting for the receipt of ${kind.subject(sent)}` + (held?.hash === sent.variants[0]!.hash ? `; a dearer transaction ${held.reason}` : "")

  const step = Effect.fnUntraced(function*(sent: T) {
    yield* kind.waits(sent, waiting(sent))
    const known = yield* receiptOf(sent)
    if (Option.isSome(known)) return yield* conclude(sent, known.value)

    // It was never sent, it was dropped, or a reorganisation took it back: the same bytes, unless they have become useless.
    const newest = sent.variants[0]!
    yield* kind.dryRun(newest, sent)
    if ((yield* l1.nextNonce) < sent.nonce) {
      return yield* giveUp(sent, `it waits for a transaction before it, and there is none any more`)
    }
    if (since?.hash !== newest.hash) since = { hash: newest.hash, at: yield* Clock.currentTimeMillis }
    const taken = yield* l1.send(newest).pipe(
      Effect.as(true),
      Effect.catchTag("Underpriced", ({ message }) => Effect.as(Effect.logInfo(message), false))
    )
    const arrived = taken
      ? yield* receiptOf(sent).pipe(
        Effect.repeat({ schedule: Schedule.spaced(receiptInterval), until: Option.isSome }),
        Effect.timeoutOption(Duration.min(patienceForReceipt, replaceAfter)),
        Effect.map(Option.flatten)
      )
      : Option.none<Receipt>()
    if (Option.isSome(arrived)) return yield* conclude(sent, arrived.value)
    const waited = Duration.millis((yield* Clock.currentTimeMillis) - since.at)
    if (!taken || Duration.isGreaterThanOrEqualTo(waited, replaceAfter)) yield* replace(sent)
  })

  /** It can never be included, or to no use; unless that is because it just was. */
  const ruledOut = Effect.fnUntraced(function*(sent: T, reason: string) {
    const receipt = yield* receiptOf(sent)
    yield* Option.isSome(receipt) ? conclude(sent, receipt.value) : giveUp(sent, reason)
  })

  return (sent: T): Effect.Effect<void, L1Unavailable> =>
    Effect.catchTags(step(sent), {
      NonceUsed: ({ message }) => ruledOut(sent, message),
      UpdateRefused: ({ message }) => ruledOut(sent, message),
      CallRefused: ({ message }) => ruledOut(sent, message)
    })
})
