/**
 * The tree planner: keeps the proof forest and decides what to prove next (OC-2, OC-3).
 */
import { Clock, Context, Duration, Effect, FiberHandle, FiberMap, Layer, Queue, Schedule, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber, ProverPrice, Wei } from "../domain/Amount.ts"
import type { RegisteredCheckpoint } from "../domain/Backlog.ts"
import { type Block, BlockRef } from "../domain/Block.ts"
import { Forest, type Piece } from "../domain/Forest.ts"
import type { BlockHash } from "../domain/Hash.ts"
import { Proof, type Statement } from "../domain/Proof.ts"
import { defaultParameters } from "../domain/ProtocolParameters.ts"
import { type PassedOver, passesOver, type PricedBlock, type WorkPolicy } from "../domain/ReservationPrice.ts"
import { LedgerSource, type LedgerUnavailable } from "../ledger/LedgerSource.ts"
import { ProofInvalid, ProofSystem } from "../proofs/ProofSystem.ts"
import type { RoleShape } from "../rpc/RoleService.ts"
import { Store } from "../store/Store.ts"
import { CheckpointWatcher } from "./CheckpointWatcher.ts"
import { ProverPool } from "./ProverPool.ts"
import { RoleFibers } from "./RoleFibers.ts"

/** What an operator decides about its work. */
export interface PlannerOptions extends Pick<WorkPolicy, "shares" | "bonus"> {
  /** What proving must bring, in wei per prover gas, at the moment: what brings less is passed over until it brings more (OC-3). */
  readonly reservationPrice: Effect.Effect<ProverPrice>
  /** For how long a block is left to other provers since it pays; zero where it is this node's to prove at once. */
  readonly leavesToOthers: (block: BlockRef) => Duration.Duration
}

/** Without options a node proves everything at once, whatever it brings. */
export const PlannerOptions = Context.Reference<PlannerOptions>("lignum/PlannerOptions", {
  defaultValue: () => ({
    reservationPrice: Effect.succeed(ProverPrice.make(0n)),
    shares: defaultParameters.shares,
    bonus: defaultParameters,
    leavesToOthers: () => Duration.zero
  })
})

/** A block that proving does not pay for, with both amounts in wei (OC-3). */
const PassedOverBlock = Schema.Struct({ number: BlockNumber, pays: Wei, asked: Wei })

/** Where proving stands. */
export class PlannerView extends Schema.Class<PlannerView>("lignum/PlannerView")({
  /** The last block proven on L1. */
  tip: BlockRef,
  /** The newest block of the ledger that the planner has seen. */
  head: BlockRef,
  /** Where the heaviest tree ends; the tip when nothing continues it. */
  provenTo: BlockRef,
  /** The heaviest tree's pieces from the tip on, over as many blocks as one update can take (OC-2). */
  heaviest: Schema.Array(Proof),
  /** Blocks that wait in quarantine for the operator (ND-4). */
  quarantined: Schema.Array(BlockNumber),
  /** Blocks that pay less than the operator asks, oldest first. */
  passedOver: Schema.Array(PassedOverBlock),
  /** Why the planner asks for no more work; `null` while it asks for all that the pool can do (ND-5). */
  idle: Schema.NullOr(Schema.String)
}) {}

/** A proof in the forest. */
interface KnownProof extends Piece {
  readonly proof: Proof
}

const known = (proof: Proof): KnownProof => ({ id: proof.id, from: proof.statement.from.number, to: proof.statement.to.number, proof })

/** A block of the ledger beyond the tip. */
interface OpenBlock {
  readonly ref: BlockRef
  readonly priced: PricedBlock
  /** Since when it pays what this node asks, in milliseconds; undefined while it does not. */
  paysSince: number | undefined
}

const whyIdle = (passedOver: ReadonlyArray<PassedOver>, left: number): string => {
  const [first] = passedOver
  if (first !== undefined) {
    const others = passedOver.length > 1 ? ` and ${passedOver.length - 1} more do not pay` : " does not pay"
    return `block ${first.number}${others}: it brings ${first.pays} wei, the reservation price asks ${first.asked} wei`
  }
  return left > 0 ? `${left} ${left === 1 ? "block is" : "blocks are"} left to other provers for now` : "no block waits for a proof"
}

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
      const options = yield* PlannerOptions
      const jobs = yield* FiberMap.make<BlockHash, void, never>()
      const growth = yield* FiberHandle.make<void, LedgerUnavailable>()
      const changed = yield* Queue.sliding<void>(1)

      const genesis = (yield* ledger.genesis).ref
      let tip = genesis
      /** Proofs over the ledger's present blocks, and over nothing else. */
      let forest = new Forest<KnownProof>(tip.number)
      /** The ledger's blocks beyond the tip, as far as they were read. */
      const blocks = new Map<number, OpenBlock>()
      /** When L1 registered the checkpoints beyond the tip, oldest first. */
      let registered: ReadonlyArray<RegisteredCheckpoint> = []
      /** Whether time alone may change the plan. */
      let waits = false
      /** Proofs from the store by their last block, which the ledger has not shown yet, or never will again (CP-4). */
      let stored = new Map<BlockHash, ReadonlyArray<Proof>>()
      const quarantined = new Set<BlockHash>()
      let head = genesis
      const view = yield* SubscriptionRef.make<PlannerView | undefined>(undefined)

      // A proof binds hashes; the numbers beside them are the sender's word, and are held against the ledger.
      const namesLedgerBlocks = ({ from, leaves }: Statement): boolean =>
        leaves.every(({ blockHash }, i) => blocks.get(from.number + 1 + i)?.ref.hash === blockHash)

      // While a proof was made or verified, the ledger may have dropped its blocks (CP-4).
      const keep = (proof: Proof) =>
        Effect.suspend(() =>
          namesLedgerBlocks(proof.statement) && forest.add(known(proof)) ? Effect.as(Queue.offer(changed, undefined), true) : Effect.succeed(false)
        )

      const offer = Effect.fn("TreePlanner.offer")(function*({ proof }: { readonly proof: Proof }) {
        if (proof.statement.to.number <= tip.number) return false
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

      /** Seconds since the first checkpoint at or beyond a block was registered. */
      const ageOf = (number: BlockNumber, now: bigint): bigint | undefined => {
        const since = registered.find((checkpoint) => checkpoint.number >= number)?.registeredAt
        return since === undefined || since > now ? undefined : now - since
      }

      // What the tree lacks first is the block after its reach, even where a proof that does not join covers it.
      const isProven = (number: number): boolean => forest.covers(number) && number !== forest.reach + 1

      /**
       * Fills the pool with the oldest blocks that have no proof, are not left to others, and pay; and drops work that nobody needs
       * any more (OC-3, OC-4). Work that was begun goes on when prices move.
       */
      const plan = Effect.fnUntraced(function*(capacity: number) {
        const now = yield* Clock.currentTimeMillis
        const policy = { ...options, reservationPrice: yield* options.reservationPrice, mergeWork: proofs.mergeWork }
        const passedOver: Array<PassedOver> = []
        let left = 0
        const open = new Map([...blocks.values()].map(({ ref }) => [ref.hash, ref.number]))
        for (const [hash] of jobs) {
          const number = open.get(hash)
          if (number === undefined || isProven(number)) yield* FiberMap.remove(jobs, hash)
        }
        for (let number = tip.number + 1; ; number++) {
          const block = blocks.get(number)
          if (block === undefined) break
          const { priced, ref } = block
          if (isProven(number) || quarantined.has(ref.hash) || FiberMap.hasUnsafe(jobs, ref.hash)) continue
          const cheap = passesOver(priced, ageOf(ref.number, BigInt(Math.floor(now / 1000))), policy)
          if (cheap !== undefined) {
            block.paysSince = undefined
            passedOver.push(cheap)
            continue
          }
          block.paysSince ??= now
          if (now - block.paysSince < Duration.toMillis(options.leavesToOthers(ref))) {
            left++
            continue
          }
          // Never more than the pool runs: an ancestry proof, which an update waits for, is next when a worker is free.
          if ((yield* FiberMap.size(jobs)) < capacity) yield* FiberMap.run(jobs, ref.hash, prove(ref), { onlyIfMissing: true })
        }
        waits = passedOver.length + left > 0
        yield* SubscriptionRef.set(
          view,
          new PlannerView({
            tip,
            head,
            provenTo: blocks.get(forest.reach)?.ref ?? tip,
            heaviest: forest.heaviest(proofs.maxLeaves).map(({ proof }) => proof),
            quarantined: [...blocks.values()].flatMap(({ ref: { hash, number } }) => (quarantined.has(hash) ? [number] : [])),
            passedOver,
            idle: (yield* FiberMap.size(jobs)) < capacity ? whyIdle(passedOver, left) : null
          })
        )
      })

      /** Takes up a block, in the place of those that it replaces (CP-4). The next plan cancels the work on them: it did not fail. */
      const grow = ({ header, ref }: Block) => {
        const kept = Math.max(ref.number - 1, tip.number)
        let replaced = kept + 1
        while (blocks.delete(replaced)) replaced++
        forest.truncate(kept)
        head = ref
        if (ref.number <= tip.number) return
        forest.append(header.proverGasUsed)
        blocks.set(ref.number, { ref, paysSince: undefined, priced: { number: ref.number, proverFees: header.proverFees, proverGas: header.proverGasUsed } })
        for (const proof of stored.get(ref.hash) ?? []) if (namesLedgerBlocks(proof.statement)) forest.add(known(proof))
        stored.delete(ref.hash)
      }

      /** Takes up proofs and blocks beyond a tip, from the store and the ledger. */
      const growFrom = Effect.fnUntraced(function*(from: BlockRef) {
        stored = Map.groupBy(yield* store.proofsBeyond(from.number), ({ statement }) => statement.to.hash)
        tip = from
        forest = new Forest(tip.number)
        if (head.number < tip.number) head = tip
        blocks.clear()
        yield* FiberHandle.run(growth, Stream.runForEach(ledger.blocks(BlockNumber.make(tip.number + 1)), (block) =>
          Effect.suspend(() => {
            grow(block)
            return Queue.offer(changed, undefined)
          })))
      })

      const moveTip = Effect.fnUntraced(function*(to: BlockRef) {
        if (to.hash === tip.hash) return
        if (to.number <= tip.number) {
          // L1 took an update back: what it had made superfluous is read again.
          yield* growFrom(to)
        } else {
          tip = to
          forest.moveTip(tip.number)
          forest.forget(tip.number)
          for (const number of blocks.keys()) if (number <= tip.number) blocks.delete(number)
        }
        yield* Queue.offer(changed, undefined)
      })

      // Other roles may start after this one, so that they are asked in a loop of the role and not while it is built.
      yield* fibers.fork(Effect.gen(function*() {
        const first = yield* Stream.runHead(watcher.changes()).pipe(Effect.flatMap(Effect.fromOption), Effect.orDie)
        const { capacity } = yield* Stream.runHead(pool.changes()).pipe(Effect.flatMap(Effect.fromOption), Effect.orDie)
        yield* growFrom(first.tip)
        yield* fibers.fork(FiberHandle.join(growth))
        yield* fibers.fork(Stream.runForEach(watcher.changes(), ({ checkpoints, registeredAt, tip }) => {
          registered = checkpoints.map(({ number }, i) => ({ number, registeredAt: registeredAt[i]! }))
          return moveTip(tip)
        }))
        // Blocks that are passed over pay more as they age, and those left to others come back.
        yield* fibers.fork(Effect.repeat(Effect.suspend(() => waits ? Queue.offer(changed, undefined) : Effect.void), Schedule.spaced("1 second")))
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
