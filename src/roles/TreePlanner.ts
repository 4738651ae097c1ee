/**
 * The tree planner: keeps the proof forest and decides what to prove next (OC-2, OC-3).
 */
import { Context, Duration, Effect, FiberHandle, FiberMap, Layer, Queue, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { Forest } from "../domain/Forest.ts"
import type { BlockHash } from "../domain/Hash.ts"
import { Proof, type Statement } from "../domain/Proof.ts"
import { LedgerSource, type LedgerUnavailable } from "../ledger/LedgerSource.ts"
import { ProofInvalid, ProofSystem } from "../proofs/ProofSystem.ts"
import type { RoleShape } from "../rpc/RoleService.ts"
import { Store } from "../store/Store.ts"
import { CheckpointWatcher } from "./CheckpointWatcher.ts"
import { ProverPool } from "./ProverPool.ts"
import { RoleFibers } from "./RoleFibers.ts"

/** Where proving stands. */
export class PlannerView extends Schema.Class<PlannerView>("lignum/PlannerView")({
  /** The last block proven on L1. */
  tip: BlockRef,
  /** The newest block of the ledger that the planner has seen. */
  head: BlockRef,
  /** Where the heaviest tree ends; the tip when nothing continues it. */
  provenTo: BlockRef,
  /** The heaviest tree's pieces, from the tip on (OC-2). */
  heaviest: Schema.Array(Proof),
  /** Blocks that wait in quarantine for the operator (ND-4). */
  quarantined: Schema.Array(BlockNumber)
}) {}

export const TreePlannerRpcs = RpcGroup.make(
  /**
   * Offers a proof from anywhere. It is verified before it is kept (OC-1) and welcome at any time (OC-5); `false` means
   * that it was known or is behind the tip.
   */
  Rpc.make("offer", { payload: { proof: Proof }, success: Schema.Boolean, error: ProofInvalid }),
  /** The present view and every later one. */
  Rpc.make("changes", { success: PlannerView, stream: true })
)

export class TreePlanner extends Context.Service<TreePlanner, RoleShape<typeof TreePlannerRpcs>>()("lignum/TreePlanner") {
  static readonly layer = Layer.effect(
    TreePlanner,
    Effect.gen(function*() {
      const ledger = yield* LedgerSource
      const proofs = yield* ProofSystem
      const store = yield* Store
      const watcher = yield* CheckpointWatcher
      const pool = yield* ProverPool
      const fibers = yield* RoleFibers
      const jobs = yield* FiberMap.make<BlockHash, void, never>()
      const growth = yield* FiberHandle.make<void, LedgerUnavailable>()
      const changed = yield* Queue.sliding<void>(1)

      const genesis = (yield* ledger.genesis).ref
      /** Proofs over the ledger's present blocks, and over nothing else. */
      let forest = new Forest(genesis)
      /** The ledger's blocks beyond the tip, as far as they were read. */
      const blocks = new Map<number, BlockRef>()
      /** Proofs from the store by their last block, which the ledger has not shown yet, or never will again (CP-4). */
      let stored = new Map<BlockHash, ReadonlyArray<Proof>>()
      const quarantined = new Set<BlockHash>()
      let head = genesis
      const view = yield* SubscriptionRef.make<PlannerView | undefined>(undefined)

      // A proof binds hashes; the numbers beside them are the sender's word, and are held against the ledger.
      const namesLedgerBlocks = ({ from, leaves }: Statement): boolean =>
        leaves.every(({ blockHash }, i) => blocks.get(from.number + 1 + i)?.hash === blockHash)

      // While a proof was made or verified, the ledger may have dropped its blocks (CP-4).
      const keep = (proof: Proof) =>
        Effect.suspend(() =>
          namesLedgerBlocks(proof.statement) && forest.add(proof) ? Effect.as(Queue.offer(changed, undefined), true) : Effect.succeed(false)
        )

      const offer = Effect.fn("TreePlanner.offer")(function*({ proof }: { readonly proof: Proof }) {
        if (proof.statement.to.number <= forest.tip.number) return false
        if (!namesLedgerBlocks(proof.statement)) {
          return yield* new ProofInvalid({ reason: `it starts behind block ${proof.statement.from.number} and is not over this ledger's blocks` })
        }
        yield* proofs.verify(proof)
        yield* store.putProof(proof)
        return yield* keep(proof)
      })

      // It is planned again by the next change. The pause grows while nothing succeeds: then the prover is broken, not the block.
      let failuresInRow = 0
      const pause = Effect.suspend(() => Effect.sleep(Duration.seconds(Math.min(2 ** failuresInRow++, 60))))

      const prove = (block: BlockRef) =>
        pool.proveBlock({ block }).pipe(
          Effect.tap(() => Effect.sync(() => (failuresInRow = 0))),
          Effect.flatMap(keep),
          Effect.catchTags({
            ProvingFailed: (failure) => Effect.andThen(Effect.logWarning(failure.message), pause),
            // The ledger is about to say the same; until then there is nothing to do about this block.
            BlockReplaced: () => Effect.sleep("1 second"),
            Quarantined: (failure) =>
              Effect.andThen(Effect.logError(failure.message), Effect.sync(() => quarantined.add(block.hash)))
          }),
          Effect.andThen(Queue.offer(changed, undefined)),
          Effect.asVoid
        )

      /** Fills the pool with the oldest blocks that have no proof, and drops work that nobody needs any more (OC-4). */
      const plan = Effect.fnUntraced(function*(capacity: number) {
        const heaviest = forest.heaviest()
        const open = new Set([...blocks.values()].map(({ hash }) => hash))
        for (const [hash] of jobs) if (forest.covers(hash) || !open.has(hash)) yield* FiberMap.remove(jobs, hash)
        // Never more than the pool runs: an ancestry proof, which an update waits for, is next when a worker is free.
        for (let number = forest.tip.number + 1; (yield* FiberMap.size(jobs)) < capacity; number++) {
          const block = blocks.get(number)
          if (block === undefined) break
          if (forest.covers(block.hash) || quarantined.has(block.hash)) continue
          yield* FiberMap.run(jobs, block.hash, prove(block), { onlyIfMissing: true })
        }
        yield* SubscriptionRef.set(
          view,
          new PlannerView({
            tip: forest.tip,
            head,
            provenTo: heaviest.length === 0 ? forest.tip : heaviest[heaviest.length - 1]!.statement.to,
            heaviest,
            quarantined: [...blocks.values()].flatMap(({ hash, number }) => (quarantined.has(hash) ? [number] : []))
          })
        )
      })

      /** Takes up a block, in the place of those that it replaces (CP-4). The next plan cancels the work on them: it did not fail. */
      const grow = (block: BlockRef) => {
        for (const [number, { hash }] of blocks) {
          if (number < block.number) continue
          blocks.delete(number)
          forest.drop(hash)
        }
        head = block
        if (block.number <= forest.tip.number) return
        blocks.set(block.number, block)
        for (const proof of stored.get(block.hash) ?? []) if (namesLedgerBlocks(proof.statement)) forest.add(proof)
        stored.delete(block.hash)
      }

      /** Takes up proofs and blocks beyond a tip, from the store and the ledger. */
      const growFrom = Effect.fnUntraced(function*(tip: BlockRef) {
        stored = Map.groupBy(yield* store.proofsBeyond(tip.number), ({ statement }) => statement.to.hash)
        forest = new Forest(tip)
        if (head.number < tip.number) head = tip
        blocks.clear()
        yield* FiberHandle.run(growth, Stream.runForEach(ledger.blocks(BlockNumber.make(tip.number + 1)), ({ ref }) =>
          Effect.suspend(() => {
            grow(ref)
            return Queue.offer(changed, undefined)
          })))
      })

      const moveTip = Effect.fnUntraced(function*(tip: BlockRef) {
        if (tip.hash === forest.tip.hash) return
        // L1 took an update back: what it had made superfluous is read again.
        if (tip.number < forest.tip.number) yield* growFrom(tip)
        forest.moveTip(tip)
        for (const number of blocks.keys()) if (number <= tip.number) blocks.delete(number)
        yield* Queue.offer(changed, undefined)
      })

      // Other roles may start after this one, so that they are asked in a loop of the role and not while it is built.
      yield* fibers.fork(Effect.gen(function*() {
        const first = yield* Stream.runHead(watcher.changes()).pipe(Effect.flatMap(Effect.fromOption), Effect.orDie)
        const { capacity } = yield* Stream.runHead(pool.changes()).pipe(Effect.flatMap(Effect.fromOption), Effect.orDie)
        yield* growFrom(first.tip)
        yield* fibers.fork(FiberHandle.join(growth))
        yield* fibers.fork(Stream.runForEach(watcher.changes(), ({ tip }) => moveTip(tip)))
        yield* Queue.offer(changed, undefined)
        return yield* Effect.forever(Effect.andThen(Queue.take(changed), plan(capacity)))
      }))

      return TreePlanner.of({
        offer,
        changes: () => SubscriptionRef.changes(view).pipe(Stream.filter((one) => one !== undefined))
      })
    })
  )
}
