/**
 * The settler: makes state updates and brings them to L1 in race and turn (ST-1 to ST-7), uses this node's redundancy turns (RW-4),
 * and reverts what nobody proves (CP-4). It also brings forward whatever else is in the outbox (ND-3).
 */
import { Clock, Context, Duration, Effect, Layer, Option, Result, Schedule, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber, Wei } from "../domain/Amount.ts"
import type { Checkpoint } from "../domain/Checkpoint.ts"
import { offer, priceLimit } from "../domain/GasPolicy.ts"
import { type BlockHash, type CheckpointId, TransactionHash } from "../domain/Hash.ts"
import type { Statement } from "../domain/Proof.ts"
import type { ProtocolParameters } from "../domain/ProtocolParameters.ts"
import { startsBehind } from "../domain/RaceOrder.ts"
import { planUpdate, type UpdatePlan, type UpdatePolicy } from "../domain/UpdatePlan.ts"
import { earningsOf, raceTerms, type SubmissionTerms, turnTerms, updateCredits } from "../domain/UpdateRewards.ts"
import { followL1 } from "../l1/Follower.ts"
import { L1, type Update } from "../l1/L1.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { OutgoingKind, Store } from "../store/Store.ts"
import { CheckpointWatcher, type L1View } from "./CheckpointWatcher.ts"
import { Outbox, type OutboxNews, type OutboxOptions } from "./Outbox.ts"
import { ProverPool } from "./ProverPool.ts"
import { makeRedundancy } from "./RedundancyTurns.ts"
import { RoleFibers } from "./RoleFibers.ts"
import { lookAt, nothingSeen, type SettlementSight } from "./SettlementSight.ts"
import { type PlannerView, TreePlanner } from "./TreePlanner.ts"

/** What an operator decides about settling. */
export interface SettlerOptions extends UpdatePolicy, OutboxOptions {
  /**
   * What could have been settled for so long is settled all the same: too small a rest, or an update that costs more than it brings.
   * A checkpoint that can be reverted and not proven for so long is reverted.
   */
  readonly patience: Duration.Input
  /** What the contracts were deployed with: how pots are split, whom turns serve, when checkpoints are reverted. */
  readonly parameters: ProtocolParameters
  /** Whether this node reverts what nobody proves in time, at its own cost (CP-4); it does unless told otherwise. */
  readonly revertUnproven?: boolean
  /** Whether this node brings updates whenever it can; else only in its own turns (ST-6). It races unless told otherwise. */
  readonly races?: boolean
  /** How much earlier the first goes in a race than the second (`domain/RaceOrder.ts`); nobody waits unless told otherwise. */
  readonly headStart?: Duration.Input
  /** Whether this node uses its redundancy turns (RW-4); it does unless told otherwise. */
  readonly redundancy?: boolean
}

export const SettlerOptions = Context.Service<SettlerOptions>("lignum/SettlerOptions")

/** How often the settler looks again although nothing changed: at the time, at its redundancy turns, and whether L1 answers. */
export const SettlerTick = Context.Reference<Duration.Input>("lignum/SettlerTick", { defaultValue: () => "1 second" })

export class SettlerStatus extends Schema.Class<SettlerStatus>("lignum/SettlerStatus")({
  /** What the settler does, or what it waits for (ND-5). */
  activity: Schema.String,
  /** What it does about this node's redundancy turns; `null` while it has none (RW-4). */
  redundancy: Schema.NullOr(Schema.String),
  /** The transaction that L1 has not confirmed yet, of whatever kind. */
  inFlight: Schema.NullOr(Schema.Struct({ kind: OutgoingKind, subject: Schema.String, hash: TransactionHash })),
  /** The last block of this node's last update that L1 confirmed. */
  lastSettled: Schema.NullOr(BlockNumber)
}) {}

export const SettlerRpcs = RpcGroup.make(
  Rpc.make("changes", { success: SettlerStatus, stream: true })
)

const zero = Wei.make(0n)

/** How an update's submission is paid as things stand, and whether this node holds the turn. */
interface Standing {
  readonly terms: SubmissionTerms
  readonly mine: boolean
}

export class Settler extends Context.Service<Settler, RoleShape<typeof SettlerRpcs>>()("lignum/Settler") {
  /** The role in another process, or behind the transport of this one. */
  static readonly layerRemote: Layer.Layer<Settler, never, RoleTransport> = connectRole("settler", SettlerRpcs, Settler)

  static readonly layer = Layer.effect(
    Settler,
    Effect.gen(function*() {
      const options = yield* SettlerOptions
      const { parameters, races = true, redundancy = true, revertUnproven = true } = options
      const l1 = yield* L1
      const outbox = yield* Outbox
      const store = yield* Store
      const proofs = yield* ProofSystem
      const watcher = yield* CheckpointWatcher
      const planner = yield* TreePlanner
      const pool = yield* ProverPool
      const fibers = yield* RoleFibers
      const tick = yield* SettlerTick
      const status = yield* SubscriptionRef.make(
        new SettlerStatus({ activity: "starting", redundancy: null, inFlight: null, lastSettled: null })
      )
      const say = (change: Partial<typeof SettlerStatus.Type>) =>
        SubscriptionRef.update(status, (now) => new SettlerStatus({ ...now, ...change }))

      const news: OutboxNews = {
        waits: ({ kind, newest, subject }, activity) => say({ activity, inFlight: { kind, subject, hash: newest.hash } }),
        ended: ({ block, kind }, succeeded) => say({ inFlight: null, ...(kind === "update" && succeeded ? { lastSettled: block } : {}) })
      }

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

      const registrations = new Map<CheckpointId, bigint>()
      /** When L1 registered a checkpoint. It is asked once: a reorganisation moves it by seconds. */
      const registeredAt = Effect.fnUntraced(function*({ id }: Checkpoint) {
        const known = registrations.get(id)
        if (known !== undefined) return known
        const found = yield* l1.registeredAt(id)
        if (found !== 0n) registrations.set(id, found)
        return found
      })

      /** What an update would bring if it were included now, whoever it goes to. */
      const creditsNow = Effect.fnUntraced(function*({ from, leaves }: Statement, checkpoints: ReadonlyArray<Checkpoint>, terms: SubmissionTerms) {
        const { protocolReserve, unallocated } = yield* l1.vault
        return updateCredits(parameters, proofs.mergeWork, {
          submitter: l1.account,
          terms,
          blocks: leaves.map(({ prover, proverFees }, i) => ({ number: BlockNumber.make(from.number + 1 + i), prover, proverFees })),
          settledAt: (yield* l1.latest).timestamp,
          checkpoints: yield* Effect.forEach(checkpoints, (checkpoint) =>
            Effect.map(registeredAt(checkpoint), (at) => ({ number: checkpoint.number, registeredAt: at }))),
          unallocated,
          protocolReserve
        })
      })

      /** What the last update that was too dear would cost and bring, so that it is not put together at every look at the price. */
      let weighed: { readonly end: BlockHash; readonly paid: boolean; readonly gas: bigint; readonly earned: bigint } | undefined

      const submit = Effect.fnUntraced(function*(plan: UpdatePlan, terms: SubmissionTerms, mustGo: boolean) {
        const fees = (gas: bigint, earned: bigint) =>
          Effect.flatMap(l1.gasMarket, (market) => Effect.fromResult(offer(market, priceLimit(options, earned, gas, mustGo))))
        if (weighed?.end === plan.end.hash && weighed.paid === terms.paid) yield* fees(weighed.gas, weighed.earned)
        yield* say({
          activity: `assembling blocks ${plan.pieces[0]!.statement.from.number + 1} to ${plan.end.number}` +
            (plan.endIsCheckpoint ? "" : ` with their ancestry of checkpoint ${plan.continuedBy.number}`)
        })
        const update = yield* assemble(plan)
        const { from, leaves, to } = update.statement
        const credits = yield* creditsNow(update.statement, plan.checkpoints, terms)
        const earned = earningsOf(credits, l1.account)
        const call = { kind: "update", update } as const
        weighed = { end: plan.end.hash, paid: terms.paid, gas: yield* l1.dryRun(call), earned }
        yield* fees(weighed.gas, earned)
        yield* outbox.offer({
          call,
          key: `${from.hash}..${to.hash}`,
          subject: `the update to block ${to.number}`,
          block: to.number,
          worth: earned,
          expiresAt: null,
          // What others are paid instead of this node can be seen in their names: the leaves of this very update.
          expected: [
            ...leaves.map(({ prover, proverFees }, i) => {
              const block = BlockNumber.make(from.number + 1 + i)
              const leaf = credits.find((credit) => credit.block === block && credit.kind === "leaf")
              return { block, account: prover, kind: "leaf" as const, amount: leaf?.amount ?? zero, proverFees }
            }),
            ...credits.filter(({ kind }) => kind !== "leaf")
          ]
        }, mustGo)
        yield* outbox.advance(news, mustGo)
      })

      const nobodysTurn: Standing = { terms: raceTerms, mine: false }
      const standingNow = Effect.gen(function*() {
        const { holder, inFallback } = yield* l1.turn
        if (!inFallback) return nobodysTurn
        const whose = Option.getOrUndefined(holder)
        return { terms: yield* Effect.fromResult(turnTerms(parameters, whose, l1.account)), mine: whose === l1.account } satisfies Standing
      })

      /** When L1's idle clock was started (ST-4), in milliseconds; infinity while nothing is provable. */
      const idleSince = Effect.map(l1.turn, ({ endsAt, inFallback, index }) =>
        Option.match(endsAt, {
          onNone: () => Number.POSITIVE_INFINITY,
          onSome: (end) => 1_000 * (Number(end) - parameters.idleFallback - (inFallback ? (Number(index) + 1) * parameters.turnLength : 0))
        }))

      /** The tip at this node's start, if it has proofs beyond it: they have been there as long as L1 is idle (ST-4), for all it knows. */
      const tipWithProofs = yield* Effect.cached(Effect.gen(function*() {
        const { tip } = yield* Stream.runHead(watcher.changes()).pipe(Effect.flatMap(Effect.fromOption), Effect.orDie)
        const [proof] = yield* store.proofPage(tip.number, undefined, 1)
        return proof === undefined ? undefined : tip.hash
      }))
      yield* fibers.fork(Effect.asVoid(tipWithProofs))

      const sight = yield* SubscriptionRef.make<SettlementSight>(nothingSeen)

      /** The checkpoints between which the chain falls back, once the oldest unproven one is too old (CP-4). */
      const revertible = Effect.gen(function*() {
        const { behind, beyond: [oldest] } = yield* SubscriptionRef.get(sight)
        if (behind === undefined || oldest === undefined) return undefined
        const since = yield* registeredAt(oldest)
        if (since === 0n || (yield* l1.latest).timestamp <= since + BigInt(parameters.proofDeadline)) return undefined
        return { fallback: behind, oldest }
      })

      const revert = Effect.fnUntraced(function*({ fallback, oldest }: { readonly fallback: Checkpoint; readonly oldest: Checkpoint }) {
        yield* outbox.offer({
          call: { kind: "revert", fallback, oldest },
          key: oldest.id,
          subject: `the revert of checkpoint ${oldest.number} and what follows it`,
          block: oldest.number,
          worth: null,
          expiresAt: null,
          expected: []
        })
        yield* Effect.logWarning(`checkpoint ${oldest.number} was not proven in ${parameters.proofDeadline} s: reverting it and what follows it`)
        yield* outbox.advance(news, true)
      })

      /** Whether this node held the turn when it was last looked at: what it sent then is replaced at any price below the stop-loss. */
      let standsInTurn = false
      const headStart = Duration.toMillis(Duration.fromInputUnsafe(options.headStart ?? 0))
      const patience = Duration.toMillis(Duration.fromInputUnsafe(options.patience))
      /** Since when this process sees that a checkpoint can be reverted. */
      let dueSince: { readonly oldest: CheckpointId; readonly at: number } | undefined
      /** Since when this node could bring an update from a tip. */
      let readySince: { readonly tip: BlockHash; readonly at: number } | undefined

      /** For how many milliseconds this node still lets others go first: what each of them would do now is the same update. */
      const othersFirst = Effect.fnUntraced(function*(tip: BlockHash, now: number) {
        readySince = readySince?.tip === tip ? readySince : { tip, at: now }
        const { registered } = yield* SubscriptionRef.get(sight)
        return readySince.at + startsBehind(l1.account, tip, registered) * headStart - now
      })

      /** Since when there is something to settle; `undefined` while there is nothing. */
      let settlableSince: { readonly tip: BlockHash; readonly at: number } | undefined

      const settle = Effect.fnUntraced(function*(seen: L1View, known: PlannerView) {
        const now = yield* Clock.currentTimeMillis
        const provable = seen.checkpoints.length > 0
        const settlable = provable && known.heaviest.length > 0
        if (!settlable) settlableSince = undefined
        else if (settlableSince?.tip !== seen.tip.hash) {
          settlableSince = { tip: seen.tip.hash, at: seen.tip.hash === (yield* tipWithProofs) ? Math.min(now, yield* idleSince) : now }
        }
        const overdue = settlableSince !== undefined && now - settlableSince.at > patience

        // Before anything new: what is still on its way, whoever was faster meanwhile, and what L1 confirmed and then took back.
        if (yield* outbox.advance(news, overdue || standsInTurn)) return

        const due = provable ? yield* revertible : undefined
        const { mine, terms } = settlable ? yield* standingNow : nobodysTurn
        standsInTurn = mine
        if (!races && !mine && due === undefined) return yield* say({ activity: "waits for a turn of its own: this node does not race" })
        // A turn is used at any size and price, and so is the last chance before blocks are lost.
        const mustGo = overdue || mine || due !== undefined
        const plan = planUpdate(seen.tip, seen.checkpoints, known.heaviest, {
          blocksPerUpdate: options.blocksPerUpdate,
          maxBlocks: Math.min(options.maxBlocks, proofs.maxLeaves)
        }, mustGo)
        if (Result.isSuccess(plan)) {
          const wait = mustGo ? 0 : yield* othersFirst(seen.tip.hash, now)
          return wait <= 0
            ? yield* submit(plan.success, terms, mustGo)
            : yield* say({ activity: `lets others go first with blocks ${seen.tip.number + 1} to ${plan.success.end.number}, for ${Math.ceil(wait / 1_000)} s at most` })
        }
        if (due !== undefined && revertUnproven) {
          // A node that has just started may find that it can prove them after all.
          const since = dueSince?.oldest === due.oldest.id ? dueSince.at : now
          dueSince = { oldest: due.oldest.id, at: since }
          if (now - since > patience) return yield* revert(due)
          return yield* say({ activity: `${plan.failure.reason}; checkpoint ${due.oldest.number} is reverted unless it is proven soon` })
        }
        yield* say({ activity: plan.failure.reason })
      }, (effect) =>
        effect.pipe(
          Effect.catchTags({
            // Somebody was faster, or L1 moved: the next view tells.
            CallRefused: ({ message }) => say({ activity: message }),
            GasTooDear: ({ message }) => say({ activity: message }),
            NotYourTurn: ({ message }) => say({ activity: message }),
            OutboxBusy: ({ message }) => say({ activity: message }),
            L1Unavailable: ({ message }) => Effect.andThen(Effect.logWarning(message), say({ activity: message })),
            BlockReplaced: ({ message }) => say({ activity: message }),
            ProvingFailed: ({ message }) => Effect.andThen(Effect.logWarning(message), say({ activity: message })),
            Quarantined: ({ message }) => Effect.andThen(Effect.logError(message), say({ activity: message })),
            ProofInvalid: ({ message }) => Effect.andThen(Effect.logError(message), say({ activity: message }))
          })
        ))

      const lookAtTurn = yield* makeRedundancy(
        { maxFeePerGas: options.maxFeePerGas, redundancyWindow: parameters.redundancyWindow },
        (redundancy) => say({ redundancy })
      )
      /** Turns that are over for this node. A turn that L1 opens again has another time, and is another one. */
      const over = new Set<string>()

      yield* fibers.fork(followL1<SettlementSight>({
        initial: nothingSeen,
        step: (seen, event) => Effect.succeed(lookAt(seen, event, l1.account)),
        publish: (seen) => SubscriptionRef.set(sight, seen)
      }))

      if (redundancy) yield* fibers.fork(
        Effect.gen(function*() {
          const { turns } = yield* SubscriptionRef.get(sight)
          for (const turn of turns) {
            const key = `${turn.to.hash} ${turn.opened.closesAt}`
            if (!over.has(key) && (yield* lookAtTurn(turn))) over.add(key)
          }
          if (turns.length === 0) yield* say({ redundancy: null })
        }).pipe(Effect.repeat(Schedule.spaced(tick)))
      )

      // The tick lets patience run out, and asks L1 again after it did not answer.
      yield* fibers.fork(
        Stream.zipLatest(watcher.changes(), planner.changes()).pipe(
          Stream.zipLatest(Stream.fromSchedule(Schedule.spaced(tick))),
          Stream.buffer({ capacity: 1, strategy: "sliding" }),
          Stream.runForEach(([[seen, known]]) => settle(seen, known))
        )
      )

      return Settler.of({ changes: () => SubscriptionRef.changes(status) })
    })
  )
}
