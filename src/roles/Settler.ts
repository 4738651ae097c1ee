/**
 * The settler: makes state updates and brings them to L1, one at a time (ST-1 to ST-3, ND-3).
 */
import { Clock, Context, Duration, Effect, Layer, Option, Result, Schedule, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { TransactionHash } from "../domain/Hash.ts"
import type { Statement } from "../domain/Proof.ts"
import { type RewardShares, splitPot } from "../domain/Rewards.ts"
import { planUpdate, type UpdatePlan, type UpdatePolicy } from "../domain/UpdatePlan.ts"
import { L1, L1Unavailable, type Update } from "../l1/L1.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import type { RoleShape } from "../rpc/RoleService.ts"
import { ExpectedCredit, Store, Submission } from "../store/Store.ts"
import { CheckpointWatcher, type L1View } from "./CheckpointWatcher.ts"
import { ProverPool } from "./ProverPool.ts"
import { RoleFibers } from "./RoleFibers.ts"
import { type PlannerView, TreePlanner } from "./TreePlanner.ts"

/** What an operator decides about settling. */
export interface SettlerOptions extends UpdatePolicy {
  /** A rest too small for an update is settled all the same once it has been provable for so long. */
  readonly patience: Duration.Input
  /** How the vault splits a pot (RW-2): what this node expects to be paid. */
  readonly shares: RewardShares
}

export const SettlerOptions = Context.Service<SettlerOptions>("lignum/SettlerOptions")

export class SettlerStatus extends Schema.Class<SettlerStatus>("lignum/SettlerStatus")({
  /** What the settler does, or what it waits for (ND-5). */
  activity: Schema.String,
  /** The transaction that L1 has not confirmed yet. */
  inFlight: Schema.NullOr(Schema.Struct({ to: BlockRef, hash: TransactionHash })),
  /** The last update of this node that L1 confirmed. */
  lastSettled: Schema.NullOr(BlockNumber)
}) {}

export const SettlerRpcs = RpcGroup.make(
  Rpc.make("changes", { success: SettlerStatus, stream: true })
)

/** How often a receipt is asked for. */
const receiptInterval = Duration.millis(250)

/** A transaction is sent again when L1 shows no receipt for so long: it may have been dropped. */
const resendAfter = Duration.seconds(30)

export class Settler extends Context.Service<Settler, RoleShape<typeof SettlerRpcs>>()("lignum/Settler") {
  static readonly layer = Layer.effect(
    Settler,
    Effect.gen(function*() {
      const options = yield* SettlerOptions
      const l1 = yield* L1
      const store = yield* Store
      const proofs = yield* ProofSystem
      const watcher = yield* CheckpointWatcher
      const planner = yield* TreePlanner
      const pool = yield* ProverPool
      const fibers = yield* RoleFibers
      const status = yield* SubscriptionRef.make(
        new SettlerStatus({ activity: "starting", inFlight: null, lastSettled: null })
      )
      const say = (change: Partial<typeof SettlerStatus.Type>) =>
        SubscriptionRef.update(status, (now) => new SettlerStatus({ ...now, ...change }))

      /** The proof and, where END is not the checkpoint's own block, its ancestry, as L1 takes them. */
      const assemble = Effect.fnUntraced(function*(plan: UpdatePlan) {
        const [first, ...rest] = plan.pieces
        let proof = first!
        for (const piece of rest) proof = yield* proofs.merge(proof, piece)
        const ancestry = plan.endIsCheckpoint
          ? undefined
          : yield* pool.proveAncestry({ end: plan.end, checkpoint: plan.continuedBy.block })
        if (ancestry !== undefined) yield* proofs.verifyAncestry(ancestry)
        const update: Update = {
          statement: proof.statement,
          system: proof.system,
          checkpoints: plan.checkpoints,
          ancestry: ancestry?.via ?? [],
          proof: proofs.encodeForL1(proof, ancestry)
        }
        return update
      })

      const expect = (transaction: TransactionHash, { from, leaves }: Statement): ReadonlyArray<ExpectedCredit> =>
        leaves.flatMap((leaf, i) => {
          const block = BlockNumber.make(from.number + 1 + i)
          const parts = splitPot(leaf.proverFees, options.shares, proofs.mergeWork)
          return [
            new ExpectedCredit({ transaction, block, account: leaf.prover, kind: "leaf", amount: parts.leaf }),
            new ExpectedCredit({ transaction, block, account: l1.account, kind: "submission", amount: parts.submission })
          ].filter(({ amount }) => amount > 0n)
        })

      /**
       * Sees a stored transaction through: sends it, until L1 has a receipt or can never have one. What is sent is always the
       * same signed transaction, so that sending it again cannot execute it twice.
       */
      const conclude = Effect.fnUntraced(function*(submission: Submission) {
        yield* say({ activity: `waiting for the receipt of blocks to ${submission.to.number}`, inFlight: submission })
        const arrived = l1.receipt(submission.hash).pipe(
          Effect.flatMap(Effect.fromOption),
          Effect.retry({ schedule: Schedule.spaced(receiptInterval), while: (error) => !(error instanceof L1Unavailable) }),
          Effect.timeoutOption(resendAfter)
        )
        const known = yield* l1.receipt(submission.hash)
        const receipt = Option.isSome(known) ? known : yield* Effect.andThen(l1.send(submission), arrived)
        if (Option.isNone(receipt)) return
        yield* store.settleSubmission(submission.hash, receipt.value.succeeded ? "confirmed" : "abandoned")
        yield* say(receipt.value.succeeded ? { inFlight: null, lastSettled: submission.to.number } : { inFlight: null })
        if (!receipt.value.succeeded) yield* Effect.logWarning(`the update to block ${submission.to.number} was reverted on L1`)
      }, (effect, submission) =>
        Effect.catchTag(effect, "NonceUsed", (error) =>
          Effect.logWarning(`the update to block ${submission.to.number} is given up: ${error.message}`).pipe(
            Effect.andThen(store.settleSubmission(submission.hash, "abandoned")),
            Effect.andThen(say({ inFlight: null }))
          )))

      const submit = Effect.fnUntraced(function*(plan: UpdatePlan) {
        yield* say({
          activity: `assembling blocks ${plan.pieces[0]!.statement.from.number + 1} to ${plan.end.number}` +
            (plan.endIsCheckpoint ? "" : ` with their ancestry of checkpoint ${plan.continuedBy.number}`)
        })
        const update = yield* assemble(plan)
        const gas = yield* l1.dryRun(update)
        const signed = yield* l1.sign(update, gas)
        const submission = new Submission({ from: update.statement.from, to: update.statement.to, state: "pending", ...signed })
        yield* store.putSubmission(submission, expect(signed.hash, update.statement))
        yield* conclude(submission)
      })

      let provableSince: { readonly tip: number; readonly at: number } | undefined

      const settle = Effect.fnUntraced(function*(seen: L1View, known: PlannerView) {
        // Before anything new: what is still on its way, whoever was faster meanwhile, and what L1 confirmed and then took back.
        const mine = (yield* store.submissions).find(({ state, to }) => state === "pending" || to.number > seen.tip.number)
        if (mine !== undefined) return yield* conclude(mine)

        const now = yield* Clock.currentTimeMillis
        if (provableSince?.tip !== seen.tip.number) provableSince = { tip: seen.tip.number, at: now }
        const overdue = now - provableSince.at > Duration.toMillis(Duration.fromInputUnsafe(options.patience))
        const plan = planUpdate(seen.tip, seen.checkpoints, known.heaviest, {
          blocksPerUpdate: options.blocksPerUpdate,
          maxBlocks: Math.min(options.maxBlocks, proofs.maxLeaves)
        }, overdue)
        if (Result.isFailure(plan)) return yield* say({ activity: plan.failure.reason })
        yield* submit(plan.success)
      }, (effect) =>
        effect.pipe(
          Effect.catchTags({
            // Somebody was faster, or L1 moved: the next view tells.
            UpdateRefused: ({ message }) => say({ activity: message }),
            L1Unavailable: ({ message }) => Effect.andThen(Effect.logWarning(message), say({ activity: message })),
            ProvingFailed: ({ message }) => Effect.andThen(Effect.logWarning(message), say({ activity: message })),
            Quarantined: ({ message }) => Effect.andThen(Effect.logError(message), say({ activity: message })),
            ProofInvalid: ({ message }) => Effect.andThen(Effect.logError(message), say({ activity: message }))
          })
        ))

      // The tick lets patience run out, and asks L1 again after it did not answer.
      yield* fibers.fork(
        Stream.zipLatest(watcher.changes(), planner.changes()).pipe(
          Stream.zipLatest(Stream.fromSchedule(Schedule.spaced("1 second"))),
          Stream.buffer({ capacity: 1, strategy: "sliding" }),
          Stream.runForEach(([[seen, known]]) => settle(seen, known))
        )
      )

      return Settler.of({ changes: () => SubscriptionRef.changes(status) })
    })
  )
}
