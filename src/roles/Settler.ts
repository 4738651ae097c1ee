/**
 * The settler: makes state updates and brings them to L1, one at a time (ST-1 to ST-3, ND-3).
 */
import { Clock, Context, Duration, Effect, Layer, Option, Result, Schedule, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { type GasPolicy, offer, priceLimit } from "../domain/GasPolicy.ts"
import { type BlockHash, TransactionHash } from "../domain/Hash.ts"
import type { Statement } from "../domain/Proof.ts"
import { type RewardShares, splitPot } from "../domain/Rewards.ts"
import { planUpdate, type UpdatePlan, type UpdatePolicy } from "../domain/UpdatePlan.ts"
import { L1, type Update } from "../l1/L1.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import type { RoleShape } from "../rpc/RoleService.ts"
import { ExpectedCredit, Store, Submission } from "../store/Store.ts"
import { CheckpointWatcher, type L1View } from "./CheckpointWatcher.ts"
import { type InFlightOptions, makeInFlight } from "./InFlight.ts"
import { ProverPool } from "./ProverPool.ts"
import { RoleFibers } from "./RoleFibers.ts"
import { type PlannerView, TreePlanner } from "./TreePlanner.ts"

/** What an operator decides about settling. */
export interface SettlerOptions extends UpdatePolicy, GasPolicy, InFlightOptions {
  /** What has been provable for so long is settled all the same: too small a rest, or an update that costs more than it brings. */
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
          mergers: [],
          checkpoints: plan.checkpoints,
          ancestry: ancestry?.via ?? [],
          proof: proofs.encodeForL1(proof, ancestry)
        }
        return update
      })

      /** What an update should bring, whoever it goes to (RW-1 to RW-3). */
      const expect = ({ from, leaves }: Statement): ReadonlyArray<Omit<ExpectedCredit, "transaction">> =>
        leaves.flatMap((leaf, i) => {
          const block = BlockNumber.make(from.number + 1 + i)
          const parts = splitPot(leaf.proverFees, options.shares, proofs.mergeWork)
          return [
            { block, account: leaf.prover, kind: "leaf" as const, amount: parts.leaf },
            { block, account: l1.account, kind: "submission" as const, amount: parts.submission }
          ].filter(({ amount }) => amount > 0n)
        })

      const earnedBy = (credits: ReturnType<typeof expect>) =>
        credits.filter(({ account }) => account === l1.account).reduce((sum, { amount }) => sum + amount, 0n)

      /** Whether what is provable waits for too long: the last word of {@link settle} counts for replacements as well. */
      let overdue = false

      const inFlight = yield* makeInFlight<Submission>(options, {
        deed: ({ to }) => `the update to block ${to.number}`,
        done: ({ to }) => `blocks to ${to.number} are settled`,
        subject: ({ to }) => `blocks to ${to.number}`,
        dryRun: (transaction, { to }) => l1.dryRunSigned(transaction, to),
        limit: ({ hash }, gas) =>
          Effect.map(store.expectedCredits, (credits) => {
            const earned = credits.filter(({ account, transaction }) => transaction === hash && account === l1.account)
              .reduce((sum, { amount }) => sum + amount, 0n)
            return priceLimit(options, earned, gas, overdue)
          }),
        waits: ({ to, variants }, activity) => say({ activity, inFlight: { to, hash: variants[0]!.hash } }),
        ended: ({ to }, succeeded) => say(succeeded ? { inFlight: null, lastSettled: to.number } : { inFlight: null })
      })

      const waitsForAnother = say({ activity: "waiting for another transaction of this node: one is on its way at a time" })

      /** What the last update that was too dear would cost and bring, so that it is not put together at every look at the price. */
      let weighed: { readonly end: BlockHash; readonly gas: bigint; readonly earned: bigint } | undefined

      const fees = (gas: bigint, earned: bigint) =>
        Effect.flatMap(l1.gasMarket, (market) => Effect.fromResult(offer(market, priceLimit(options, earned, gas, overdue))))

      const submit = Effect.fnUntraced(function*(plan: UpdatePlan) {
        if (weighed?.end === plan.end.hash) yield* fees(weighed.gas, weighed.earned)
        yield* say({
          activity: `assembling blocks ${plan.pieces[0]!.statement.from.number + 1} to ${plan.end.number}` +
            (plan.endIsCheckpoint ? "" : ` with their ancestry of checkpoint ${plan.continuedBy.number}`)
        })
        const update = yield* assemble(plan)
        const credits = expect(update.statement)
        const gas = yield* l1.dryRun(update)
        weighed = { end: plan.end.hash, gas, earned: earnedBy(credits) }
        const signed = yield* l1.sign(update, gas, yield* fees(gas, weighed.earned))
        const submission = new Submission({ from: update.statement.from, to: update.statement.to, state: "pending", ...signed })
        const kept = yield* store.putSubmission(submission, credits.map((credit) => new ExpectedCredit({ ...credit, transaction: signed.hash })))
        yield* kept ? inFlight(submission) : waitsForAnother
      })

      let provableSince: { readonly tip: number; readonly at: number } | undefined

      const settle = Effect.fnUntraced(function*(seen: L1View, known: PlannerView) {
        const now = yield* Clock.currentTimeMillis
        if (provableSince?.tip !== seen.tip.number) provableSince = { tip: seen.tip.number, at: now }
        overdue = now - provableSince.at > Duration.toMillis(Duration.fromInputUnsafe(options.patience))

        // Before anything new: what is still on its way, whoever was faster meanwhile, and what L1 confirmed and then took back.
        const mine = (yield* store.submissions).find(({ state, to }) => state === "pending" || to.number > seen.tip.number)
        if (mine !== undefined) return yield* (yield* store.reopen(mine.hash)) ? inFlight(mine) : waitsForAnother
        if (Option.isSome(yield* store.inFlight)) return yield* waitsForAnother

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
            GasTooDear: ({ message }) => say({ activity: message }),
            L1Unavailable: ({ message }) => Effect.andThen(Effect.logWarning(message), say({ activity: message })),
            BlockReplaced: ({ message }) => say({ activity: message }),
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
