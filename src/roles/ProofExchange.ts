/**
 * The proof exchange: stands between this node and other provers (OC-1). It sends this node's own proofs and hints, judges what comes
 * in, fetches what was missed, and answers those who missed something.
 */
import { Clock, Context, Duration, Effect, Layer, Queue, Random, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber } from "../domain/Amount.ts"
import { Address } from "../domain/Hash.ts"
import { maxAnswerProofs } from "../gossip/Fetching.ts"
import { HintSigner } from "../gossip/HintSignature.ts"
import { fetchBeyond, type GossipMessage, type HintedAtom, maxCapacity, proofMessage } from "../gossip/Messages.ts"
import { GossipStatus, type PeerId, ProofGossip, type Verdict } from "../gossip/ProofGossip.ts"
import { followL1 } from "../l1/Follower.ts"
import { registeredAfter } from "../l1/Events.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { Store } from "../store/Store.ts"
import { leastHintPause, makeHintJudge } from "./HintJudge.ts"
import { makeProofJudge } from "./ProofJudge.ts"
import { RoleFibers } from "./RoleFibers.ts"
import { TreePlanner } from "./TreePlanner.ts"

export interface ExchangeOptions {
  /** How often peers are asked for what gossip may have lost, although nothing seems to be missing. */
  readonly fetchEvery: Duration.Input
  /** The shortest time between two rounds of questions. */
  readonly fetchPause: Duration.Input
  /** How often this node repeats what it works on, and that it is there. */
  readonly hintEvery: Duration.Input
  /** For how long its hints speak. */
  readonly hintLifetime: Duration.Input
}

export const ExchangeOptions = Context.Reference<ExchangeOptions>("lignum/ExchangeOptions", {
  defaultValue: () => ({ fetchEvery: "1 minute", fetchPause: "2 seconds", hintEvery: "10 seconds", hintLifetime: "30 seconds" })
})

/** How the exchange goes. */
export class ExchangeView extends Schema.Class<ExchangeView>("lignum/ExchangeView")({
  gossip: GossipStatus,
  /** Provers that are registered on L1: those whose hints count. */
  registered: Schema.Array(Address),
  /** Proofs that this node had missed and fetched. */
  fetched: Schema.Int,
  /** Proofs that it gave to those who asked. */
  given: Schema.Int
}) {}

export const ProofExchangeRpcs = RpcGroup.make(
  /** The present view and every later one. */
  Rpc.make("changes", { success: ExchangeView, stream: true })
)

export class ProofExchange extends Context.Service<ProofExchange, RoleShape<typeof ProofExchangeRpcs>>()("lignum/ProofExchange") {
  /** The role in another process, or behind the transport of this one. */
  static readonly layerRemote: Layer.Layer<ProofExchange, never, RoleTransport> = connectRole("proof-exchange", ProofExchangeRpcs, ProofExchange)

  static readonly layer = Layer.effect(
    ProofExchange,
    Effect.gen(function*() {
      const gossip = yield* ProofGossip
      const planner = yield* TreePlanner
      const { capacity } = yield* ProofSystem
      const store = yield* Store
      const fibers = yield* RoleFibers
      const options = yield* ExchangeOptions
      const signer = yield* HintSigner

      const registered = yield* SubscriptionRef.make<ReadonlySet<Address>>(new Set())
      const counts = yield* SubscriptionRef.make({ fetched: 0, given: 0 })
      /** Something is missing, or may be. */
      const missing = yield* Queue.sliding<void>(1)
      const miss = Effect.asVoid(Queue.offer(missing, undefined))
      const proofs = yield* makeProofJudge(miss)
      const hints = signer === undefined
        ? () => Effect.succeed<Verdict>("ignore")
        : makeHintJudge(signer.domain, (prover) => SubscriptionRef.getUnsafe(registered).has(prover), (hint) => planner.hint({ hint }))

      const judge = (asked: boolean) => (message: GossipMessage, from: PeerId): Effect.Effect<Verdict> =>
        message.kind === "proof" ? proofs.judge(message.proof, from, asked) : hints(message)

      const publishOwn = Stream.runForEach(planner.kept(), ({ own, proof }) => {
        proofs.know(proof)
        return own ? gossip.publish(proofMessage(proof)) : Effect.void
      })

      /** Where what is proven ends without a gap: what continues it is wanted most, and what lies before is known. */
      let provenTo = BlockNumber.make(0)
      const followPlanner = Effect.gen(function*() {
        let tip: number | undefined
        yield* Stream.runForEach(planner.changes(), (view) =>
          Effect.gen(function*() {
            provenTo = view.provenTo.number
            if (tip === view.tip.number) return
            // After a restart, or when L1 took an update back, what is in the store is known, too.
            if (tip === undefined || view.tip.number < tip) for (const proof of yield* store.proofsBeyond(view.tip.number)) proofs.know(proof)
            else proofs.forget(view.tip.number)
            tip = view.tip.number
          }))
      })

      /** Asks as soon as somebody new is there, messages were dropped, or one came that cannot be placed yet; and from time to time. */
      const noticeGaps = Effect.gen(function*() {
        let peers: ReadonlySet<PeerId> = new Set()
        let dropped = 0
        yield* Stream.runForEach(gossip.changes, (status) => {
          const isNew = status.peers.some(({ id }) => !peers.has(id)) || status.counters.dropped > dropped
          peers = new Set(status.peers.map(({ id }) => id))
          dropped = status.counters.dropped
          return isNew ? miss : Effect.void
        })
      })
      const fetchPause = Duration.toMillis(Duration.fromInputUnsafe(options.fetchPause))
      const fetchMissing = Effect.gen(function*() {
        yield* Effect.timeoutOption(Queue.take(missing), options.fetchEvery)
        // Peers that all start at once do not ask all at once.
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(fetchPause / 2, (3 * fetchPause) / 2)))
        const accepted = yield* gossip.fetch(fetchBeyond(provenTo), judge(true))
        if (accepted > 0) yield* SubscriptionRef.update(counts, (all) => ({ ...all, fetched: all.fetched + accepted }))
      })

      const mostAtoms = Math.min(capacity, maxCapacity)
      /** What this node works on beyond the tip. */
      const work = planner.changes().pipe(
        Stream.map(({ running, tip }) =>
          running.flatMap(({ from, to }): ReadonlyArray<HintedAtom> => (to > tip.number ? [{ from, to }] : [])).slice(0, mostAtoms)),
        Stream.changesWith((left, right) => JSON.stringify(left) === JSON.stringify(right))
      )
      const hintLifetime = Duration.toMillis(Duration.fromInputUnsafe(options.hintLifetime))
      /** Says what this node works on when that changes, and now and then that it is still so. Nobody listens to one that is not registered. */
      const publishHints = ({ prover, sign }: HintSigner) =>
        work.pipe(
          Stream.switchMap((one) => Stream.as(Stream.tick(options.hintEvery), one)),
          Stream.filter(() => SubscriptionRef.getUnsafe(registered).has(prover)),
          // Others hear it only so often, and then it had better be the newest.
          Stream.buffer({ capacity: 1, strategy: "sliding" }),
          Stream.runForEach((atoms) =>
            Effect.gen(function*() {
              const issuedAt = Math.floor(yield* Clock.currentTimeMillis)
              yield* gossip.publish(sign({ capacity: mostAtoms, atoms, issuedAt, expiresAt: issuedAt + hintLifetime }))
              yield* Effect.sleep(Duration.millis(leastHintPause))
            })
          )
        )

      yield* fibers.fork(followPlanner)
      yield* fibers.fork(publishOwn)
      yield* fibers.fork(gossip.receive(judge(false)))
      yield* fibers.fork(gossip.serve(({ after, afterId }) =>
        Effect.tap(store.proofPage(after, afterId, maxAnswerProofs), ({ length }) =>
          SubscriptionRef.update(counts, (all) => ({ ...all, given: all.given + length })))
      ))
      yield* fibers.fork(noticeGaps)
      yield* fibers.fork(Effect.forever(fetchMissing))
      if (signer !== undefined) {
        yield* fibers.fork(publishHints(signer))
        yield* fibers.fork(followL1({
          initial: new Set() as ReadonlySet<Address>,
          step: (all, event) => Effect.succeed(registeredAfter(all, event)),
          publish: (all) => SubscriptionRef.set(registered, all)
        }))
      }

      return ProofExchange.of({
        changes: () =>
          Stream.zipLatestAll(gossip.changes, SubscriptionRef.changes(registered), SubscriptionRef.changes(counts)).pipe(
            Stream.map(([status, provers, { fetched, given }]) => new ExchangeView({ gossip: status, registered: [...provers], fetched, given }))
          )
      })
    })
  )
}
