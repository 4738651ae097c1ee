/**
 * The settler's one transaction on its way to L1: sent, sent again, replaced at higher fees, and concluded (ND-3).
 */
import { Clock, Duration, Effect, Option, Result, Schedule } from "effect"
import { type GasPolicy, priceLimit, replacementOffer } from "../domain/GasPolicy.ts"
import { L1, type L1Unavailable, type Receipt } from "../l1/L1.ts"
import { SignedBytes, Store, type Submission } from "../store/Store.ts"

export interface InFlightOptions extends GasPolicy {
  /** A transaction that L1 does not include for so long is replaced by a dearer one. */
  readonly replaceAfter: Duration.Input
  /** A submission is confirmed once its receipt is so many L1 blocks deep; 1 is the newest block. */
  readonly confirmations: number
}

/** How the settler learns what happens to the submission. */
export interface InFlightNews {
  readonly waits: (submission: Submission, activity: string) => Effect.Effect<void>
  readonly ended: (submission: Submission, succeeded: boolean) => Effect.Effect<void>
}

/** How often a receipt is asked for. */
const receiptInterval = Duration.millis(250)

/** For how long before it is asked whether the transaction is still of use, and it is sent again: a reorganisation may have taken it. */
const patienceForReceipt = Duration.seconds(5)

/**
 * Brings a stored submission one step further, and is called until it has ended. It remembers nothing that matters: what it
 * needs is in the store and on L1, so that a crash between any two steps is a step that is taken again.
 */
export const makeInFlight = Effect.fnUntraced(function*(options: InFlightOptions, news: InFlightNews) {
  const l1 = yield* L1
  const store = yield* Store
  const replaceAfter = Duration.fromInputUnsafe(options.replaceAfter)
  /** Why a transaction was not replaced, for people to read. */
  let held: { readonly hash: string; readonly reason: string } | undefined
  /** Since when this process waits for L1 to include the newest transaction. */
  let since: { readonly hash: string; readonly at: number } | undefined

  /** The receipt of whichever of its transactions L1 included. */
  const receiptOf = Effect.fnUntraced(function*(submission: Submission) {
    for (const { hash } of submission.variants) {
      const receipt = yield* l1.receipt(hash)
      if (Option.isSome(receipt)) return receipt
    }
    return Option.none<Receipt>()
  })

  const conclude = Effect.fnUntraced(function*(submission: Submission, receipt: Receipt) {
    since = undefined
    const depth = (yield* l1.latest).number - receipt.block + 1
    if (depth < options.confirmations) {
      return yield* news.waits(submission, `blocks to ${submission.to.number} are settled in ${depth} of ${options.confirmations} L1 blocks`)
    }
    yield* store.settleSubmission(submission.hash, receipt.succeeded ? "confirmed" : "abandoned")
    yield* news.ended(submission, receipt.succeeded)
    if (!receipt.succeeded) yield* Effect.logWarning(`the update to block ${submission.to.number} was reverted on L1`)
  })

  const giveUp = Effect.fnUntraced(function*(submission: Submission, reason: string) {
    yield* Effect.logWarning(`the update to block ${submission.to.number} is given up: ${reason}`)
    yield* store.settleSubmission(submission.hash, "abandoned")
    yield* news.ended(submission, false)
  })

  /** Stores a dearer transaction beside the newest one. It is sent by the next step, like one that a crash left behind. */
  const replace = Effect.fnUntraced(function*(submission: Submission, overdue: boolean) {
    const newest = submission.variants[0]!
    const gas = yield* l1.dryRunSigned(newest, submission.to)
    const earned = (yield* store.expectedCredits)
      .filter(({ account, transaction }) => transaction === submission.hash && account === l1.account)
      .reduce((sum, { amount }) => sum + amount, 0n)
    const fees = replacementOffer(l1.feesOf(newest), yield* l1.gasMarket, priceLimit(options, earned, gas, overdue))
    if (Result.isFailure(fees)) {
      held = { hash: newest.hash, reason: fees.failure.reason }
      return yield* news.waits(submission, waiting(submission))
    }
    const { hash, raw } = yield* l1.resign(newest, gas, fees.success)
    yield* store.putReplacement(submission.hash, new SignedBytes({ hash, raw }))
    yield* Effect.logInfo(`the update to block ${submission.to.number} is sent at ${fees.success.maxFeePerGas} wei per gas: L1 did not include it for less`)
  })

  const waiting = ({ to, variants }: Submission) =>
    `waiting for the receipt of blocks to ${to.number}` + (held?.hash === variants[0]!.hash ? `; a dearer transaction ${held.reason}` : "")

  const step = Effect.fnUntraced(function*(submission: Submission, overdue: boolean) {
    yield* news.waits(submission, waiting(submission))
    const known = yield* receiptOf(submission)
    if (Option.isSome(known)) return yield* conclude(submission, known.value)

    // It was never sent, it was dropped, or a reorganisation took it back: the same bytes, unless they have become useless.
    const newest = submission.variants[0]!
    yield* l1.dryRunSigned(newest, submission.to)
    if ((yield* l1.nextNonce) < submission.nonce) {
      return yield* giveUp(submission, `it waits for a transaction before it, and there is none any more`)
    }
    if (since?.hash !== newest.hash) since = { hash: newest.hash, at: yield* Clock.currentTimeMillis }
    const taken = yield* l1.send(newest).pipe(
      Effect.as(true),
      Effect.catchTag("Underpriced", ({ message }) => Effect.as(Effect.logInfo(message), false))
    )
    const arrived = taken
      ? yield* receiptOf(submission).pipe(
        Effect.repeat({ schedule: Schedule.spaced(receiptInterval), until: Option.isSome }),
        Effect.timeoutOption(Duration.min(patienceForReceipt, replaceAfter)),
        Effect.map(Option.flatten)
      )
      : Option.none<Receipt>()
    if (Option.isSome(arrived)) return yield* conclude(submission, arrived.value)
    const waited = Duration.millis((yield* Clock.currentTimeMillis) - since.at)
    if (!taken || Duration.isGreaterThanOrEqualTo(waited, replaceAfter)) yield* replace(submission, overdue)
  })

  /** It can never be included, or to no use; unless that is because it just was. */
  const ruledOut = Effect.fnUntraced(function*(submission: Submission, reason: string) {
    const receipt = yield* receiptOf(submission)
    yield* Option.isSome(receipt) ? conclude(submission, receipt.value) : giveUp(submission, reason)
  })

  return (submission: Submission, overdue: boolean): Effect.Effect<void, L1Unavailable> =>
    Effect.catchTags(step(submission, overdue), {
      NonceUsed: ({ message }) => ruledOut(submission, message),
      UpdateRefused: ({ message }) => ruledOut(submission, message)
    })
})
