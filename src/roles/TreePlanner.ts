/**
 * The tree planner: keeps the proof forest and decides what to prove next (OC-2, OC-3). What it decides is thought out in
 * `domain/planning/`; the role brings it the facts, and does what comes out.
 */
import { Clock, Context, Duration, Effect, FiberHandle, Layer, PubSub, Queue, Schedule, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber, ProverPrice, Wei } from "../domain/Amount.ts"
import type { RegisteredCheckpoint } from "../domain/Backlog.ts"
import { type Block, BlockRef } from "../domain/Block.ts"
import type { Piece } from "../domain/Forest.ts"
import { Address, type BlockHash } from "../domain/Hash.ts"
import { type BlockAtom, describeRange } from "../domain/planning/Atom.ts"
import { defaultHintRules, Hint, type HintRules } from "../domain/planning/Peers.ts"
import { Planner, type RunningAtom } from "../domain/planning/Planner.ts"
import type { Member } from "../domain/planning/Rendezvous.ts"
import { type Decision, describeDecision, Reason, StrategyName } from "../domain/planning/Strategy.ts"
import { Proof, type Statement } from "../domain/Proof.ts"
import { defaultParameters } from "../domain/ProtocolParameters.ts"
import { passesOver, type PricedBlock, type WorkPolicy } from "../domain/ReservationPrice.ts"
import { L1 } from "../l1/L1.ts"
import { LedgerSource, type LedgerUnavailable } from "../ledger/LedgerSource.ts"
import { ProofInvalid, ProofSystem } from "../proofs/ProofSystem.ts"
import { Deadline } from "../rpc/Deadline.ts"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { Store } from "../store/Store.ts"
import { makeAskedProofs } from "./AskedProofs.ts"
import { CheckpointWatcher } from "./CheckpointWatcher.ts"
import { type PoolStatus, ProofFailure, ProverPool } from "./ProverPool.ts"
import { RoleFibers } from "./RoleFibers.ts"

/** What an operator decides about its work. */
export interface PlannerOptions extends Pick<WorkPolicy, "shares" | "bonus"> {
  /** What proving must bring, in wei per prover gas, at the moment: what brings less is passed over until it brings more (OC-3). */
  readonly reservationPrice: Effect.Effect<ProverPrice>
  /** How the next atoms are chosen. */
  readonly strategy: StrategyName
  /** Provers that are taken to be there before their first hint, for the lifetime of one. */
  readonly peers: ReadonlyArray<Member>
  /** How far peers' hints are believed. */
  readonly hints: HintRules
}

/** Without options a node shares work out by rendezvous among those that it hears of, and proves whatever it brings. */
export const PlannerOptions = Context.Reference<PlannerOptions>("lignum/PlannerOptions", {
  defaultValue: () => ({
    reservationPrice: Effect.succeed(ProverPrice.make(0n)),
    shares: defaultParameters.shares,
    bonus: defaultParameters,
    strategy: "rendezvous",
    peers: [],
    hints: defaultHintRules
  })
})

/** A block that proving does not pay for, with both amounts in wei (OC-3). */
const PassedOverBlock = Schema.Struct({ number: BlockNumber, pays: Wei, asked: Wei })

/** The blocks after `from` up to `to`. */
const range = { from: BlockNumber, to: BlockNumber }

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
  strategy: StrategyName,
  /** The provers that work is shared with, this node among them, and how many proofs each is believed to run at once. */
  provers: Schema.Array(Schema.Struct({ prover: Address, capacity: Schema.Int })),
  /** What this node works on, since when in milliseconds since 1970, and why. */
  running: Schema.Array(Schema.Struct({ ...range, since: Schema.Finite, reason: Reason })),
  /** The next atoms: whether this node takes each, as soon as a worker is free, and why or why not (ND-5). */
  next: Schema.Array(Schema.Struct({ ...range, take: Schema.Boolean, reason: Reason })),
  /** Those of the next blocks that pay less than the operator asks, oldest first. */
  passedOver: Schema.Array(PassedOverBlock),
  /** Why the planner asks for no more work; `null` while it asks for all that the pool can do (ND-5). */
  idle: Schema.NullOr(Schema.String)
}) {}

/** How many of the next atoms the view explains. */
const explained = 32
/** Kept proofs that wait for a listener at most: one that is slower misses the oldest, and can ask the store. */
const keptAhead = 4_096

/** A proof in the forest. */
interface KnownProof extends Piece {
  readonly proof: Proof
}

const known = (proof: Proof): KnownProof => ({ id: proof.id, from: proof.statement.from.number, to: proof.statement.to.number, proof })

/** Whose work a proof is: several provers' leaves were put together by nobody in particular. */
const makerOf = ({ statement: { leaves } }: Proof): Address | undefined => leaves.length === 1 ? leaves[0].prover : undefined

/** A block of the ledger beyond the tip. */
interface OpenBlock {
  readonly ref: BlockRef
  readonly priced: PricedBlock
}

const whyIdle = ([first, ...others]: ReadonlyArray<Decision>): string => {
  if (first === undefined) return "no block waits for a proof"
  return describeDecision(first) + (others.length === 0 ? "" : `; ${others.length} more are passed over, too`)
}

/**
 * A proof is not over this ledger's blocks: they are still to come, were replaced (CP-4), or belong to another chain. It was not
 * verified. Offer it again when the ledger has grown.
 */
export class BlocksUnknown extends Schema.TaggedError<BlocksUnknown>()("BlocksUnknown", {
  ...range,
  /** The newest block of the ledger that the planner has seen. */
  head: BlockNumber
}) {
  override get message() {
    return `the proof of blocks ${this.from + 1} to ${this.to} is not over this ledger's blocks, which end at ${this.head}`
  }
}

export const TreePlannerRpcs = RpcGroup.make(
  /**
   * Offers a proof from anywhere. It is verified before it is kept (OC-1) and welcome at any time (OC-5); `false` means
   * that it was known or is behind the tip.
   */
  Rpc.make("offer", { payload: { proof: Proof }, success: Schema.Boolean, error: Schema.Union([ProofInvalid, BlocksUnknown]) }),
  /** What a prover says of its work: advice (OC-3). The caller has checked that it is the prover's word, and that the prover is registered. */
  Rpc.make("hint", { payload: { hint: Hint } }),
  /** This node's own proof of a block that is settled already, for a redundancy turn (RW-4). Interrupting stops the waiting alone. */
  Rpc.make("proveAgain", { payload: { block: BlockRef }, success: Proof, error: ProofFailure }).annotate(Deadline, Duration.infinity),
  /** Every proof that is newly kept from now on, and whether this node made it. */
  Rpc.make("kept", { success: Schema.Struct({ proof: Proof, own: Schema.Boolean }), stream: true }),
  /** The present view and every later one. */
  Rpc.make("changes", { success: PlannerView, stream: true })
)

export class TreePlanner extends Context.Service<TreePlanner, RoleShape<typeof TreePlannerRpcs>>()("lignum/TreePlanner") {
  /** The role in another process, or behind the transport of this one. */
  static readonly layerRemote: Layer.Layer<TreePlanner, never, RoleTransport> = connectRole("tree-planner", TreePlannerRpcs, TreePlanner)

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
      const { account } = yield* L1
      const growth = yield* FiberHandle.make<void, LedgerUnavailable>()
      const changed = yield* Queue.sliding<void>(1)
      const news = yield* PubSub.sliding<{ readonly proof: Proof; readonly own: boolean }>(keptAhead)

      const genesis = (yield* ledger.genesis).ref
      let tip = genesis
      let head = genesis
      /** The ledger's blocks beyond the tip, as far as they were read. */
      const blocks = new Map<number, OpenBlock>()
      /** When L1 registered the checkpoints beyond the tip, oldest first. */
      let registered: ReadonlyArray<RegisteredCheckpoint> = []
      /** Proofs from the store by their last block, which the ledger has not shown yet, or never will again (CP-4). */
      let stored = new Map<BlockHash, ReadonlyArray<Proof>>()
      const quarantined = new Map<number, BlockHash>()
      /** What a block must bring at the moment, and the time of day in seconds, as of the last look. */
      let policy: WorkPolicy = { ...options, reservationPrice: ProverPrice.make(0n), mergeWork: proofs.mergeWork }
      let second = 0n
      /** Whether time alone may change the plan. */
      let waits = false
      const view = yield* SubscriptionRef.make<PlannerView | undefined>(undefined)

      /** Seconds since the first checkpoint at or beyond a block was registered. */
      const ageOf = (number: number): bigint | undefined => {
        const since = registered.find((checkpoint) => checkpoint.number >= number)?.registeredAt
        return since === undefined || since > second ? undefined : second - since
      }

      /** How many proofs this node's hosts run at once, and how many jobs wait for the operator. */
      let hosts: Pick<PoolStatus, "capacity" | "quarantined"> = { capacity: 1, quarantined: 0 }
      const begun = yield* Clock.currentTimeMillis
      const planner = new Planner<KnownProof>({
        me: { prover: account, capacity: hosts.capacity },
        strategy: options.strategy,
        // The pool merges nothing: where that is work, updates are put together block by block.
        mergeUpTo: 0,
        peers: options.peers,
        rules: options.hints,
        passesOver: (number) => passesOver(blocks.get(number)!.priced, ageOf(number), policy),
        isQuarantined: (number) => quarantined.get(number) === blocks.get(number)?.ref.hash
      }, tip.number, begun)

      // A proof binds hashes; the numbers beside them are the sender's word, and are held against the ledger.
      const namesLedgerBlocks = ({ from, leaves }: Statement): boolean =>
        leaves.every(({ blockHash }, i) => blocks.get(from.number + 1 + i)?.ref.hash === blockHash)

      // While a proof was made or verified, the ledger may have dropped its blocks (CP-4).
      const keep = (proof: Proof, own: boolean) =>
        Effect.suspend(() =>
          namesLedgerBlocks(proof.statement) && planner.add(known(proof), makerOf(proof))
            ? Effect.as(Effect.andThen(PubSub.publish(news, { proof, own }), Queue.offer(changed, undefined)), true)
            : Effect.succeed(false)
        )

      const offer = Effect.fn("TreePlanner.offer")(function*({ proof }: { readonly proof: Proof }) {
        const { from, to } = proof.statement
        if (to.number <= tip.number) return false
        if (!namesLedgerBlocks(proof.statement)) return yield* new BlocksUnknown({ from: from.number, to: to.number, head: head.number })
        yield* proofs.verify(proof)
        yield* store.putProof(proof)
        return yield* keep(proof, false)
      })

      const hint = Effect.fn("TreePlanner.hint")(function*({ hint }: { readonly hint: Hint }) {
        planner.hear(hint, yield* Clock.currentTimeMillis)
        yield* Queue.offer(changed, undefined)
      })

      const proveAgain = Effect.fn("TreePlanner.proveAgain")(({ block }: { readonly block: BlockRef }) =>
        Effect.acquireUseRelease(
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            planner.beginTurn(block.number, now)
            asked.leave(block)
            return Queue.offer(changed, undefined)
          }),
          () => pool.proveBlock({ block }),
          () => {
            planner.endTurn(block.number)
            return Queue.offer(changed, undefined)
          }
        ))

      // It is planned again by the next change. The pause grows while nothing succeeds: then the prover is broken, not the block.
      let failuresInRow = 0
      const pause = Effect.suspend(() => Effect.sleep(Duration.seconds(Math.min(2 ** failuresInRow++, 60))))

      const ended = (atom: BlockAtom, proven: boolean) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          planner.ended(atom, now, proven)
          return Queue.offer(changed, undefined)
        })

      const prove = (atom: BlockAtom, block: BlockRef) =>
        pool.proveBlock({ block }).pipe(
          Effect.tap(() => Effect.sync(() => (failuresInRow = 0))),
          Effect.flatMap((proof) => Effect.as(keep(proof, true), true)),
          Effect.catchTags({
            ProvingFailed: (failure) => Effect.as(Effect.andThen(Effect.logWarning(failure.message), pause), false),
            // The ledger is about to say the same; until then there is nothing to do about this block.
            BlockReplaced: () => Effect.as(Effect.sleep("1 second"), false),
            Quarantined: (failure) =>
              Effect.as(Effect.andThen(Effect.logError(failure.message), Effect.sync(() => quarantined.set(block.number, block.hash))), false)
          }),
          Effect.flatMap((proven) => ended(atom, proven)),
          Effect.asVoid
        )

      const asked = yield* makeAskedProofs(pool, prove)

      const blockNumbers = ({ from, to }: { readonly from: number; readonly to: number }) => ({ from: BlockNumber.make(from), to: BlockNumber.make(to) })

      /** Does what the planner decides, and shows where that leads. Work that was begun goes on when prices move (OC-3, OC-4). */
      const plan = Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        second = BigInt(Math.floor(now / 1_000))
        policy = { ...policy, reservationPrice: yield* options.reservationPrice }
        yield* asked.takeOver({ tip: tip.number, hashAt: (number) => blocks.get(number)?.ref.hash, adopt: (number) => planner.adopt(number, now) })
        const { start, stop } = planner.decide(now)
        for (const { atom, why } of stop) {
          yield* Effect.logDebug(`${describeRange(atom)} is dropped: ${why}`)
          yield* asked.drop(atom, why)
        }
        for (const { atom, reason } of start) {
          yield* Effect.logDebug(describeDecision({ atom, reason, take: true }))
          if (atom.kind === "block") yield* asked.ask(atom, blocks.get(atom.to)!.ref)
        }

        const next = planner.explain(now, explained)
        const { forest } = planner
        const passed = next.filter(({ reason, take }) => !take && reason._tag !== "Running")
        waits = planner.free > 0 && passed.some(({ reason: { _tag } }) => _tag === "LeftTo" || _tag === "InFlight" || _tag === "DoesNotPay")
        yield* SubscriptionRef.set(
          view,
          new PlannerView({
            tip,
            head,
            provenTo: blocks.get(forest.reach)?.ref ?? tip,
            heaviest: forest.heaviest(proofs.maxLeaves).map(({ proof }) => proof),
            quarantined: [...quarantined.keys()].filter((number) => quarantined.get(number) === blocks.get(number)?.ref.hash).map((number) => BlockNumber.make(number)),
            strategy: options.strategy,
            provers: planner.members(now),
            running: planner.running.map(({ atom, reason, since }: RunningAtom<KnownProof>) => ({ ...blockNumbers(atom), since, reason })),
            next: next.map(({ atom, reason, take }) => ({ ...blockNumbers(atom), take, reason })),
            passedOver: next.flatMap(({ atom: { to }, reason }) =>
              reason._tag === "DoesNotPay" ? [{ number: BlockNumber.make(to), pays: reason.pays, asked: reason.asked }] : []),
            idle: hosts.capacity === 0 ? "no host proves at the moment" : planner.free === 0 ? null : whyIdle(passed)
          })
        )
      })

      /** Takes up a block, in the place of those that it replaces (CP-4). The next plan cancels the work on them: it did not fail. */
      const grow = ({ header, ref }: Block) => {
        const kept = Math.max(ref.number - 1, tip.number)
        let replaced = kept + 1
        while (blocks.delete(replaced)) replaced++
        planner.truncate(kept)
        head = ref
        if (ref.number <= tip.number) return
        planner.append(header.proverGasUsed)
        blocks.set(ref.number, { ref, priced: { number: ref.number, proverFees: header.proverFees, proverGas: header.proverGasUsed } })
        for (const proof of stored.get(ref.hash) ?? []) if (namesLedgerBlocks(proof.statement)) planner.add(known(proof), makerOf(proof))
        stored.delete(ref.hash)
      }

      /** Takes up proofs and blocks beyond a tip, from the store and the ledger. */
      const growFrom = Effect.fnUntraced(function*(from: BlockRef) {
        stored = Map.groupBy(yield* store.proofsBeyond(from.number), ({ statement }) => statement.to.hash)
        tip = from
        yield* asked.setAside
        planner.startOver(tip.number)
        if (head.number < tip.number) head = tip
        blocks.clear()
        yield* FiberHandle.run(growth, Stream.runForEach(ledger.blocks(BlockNumber.make(tip.number + 1)), (block) =>
          Effect.suspend(() => {
            grow(block)
            return Queue.offer(changed, undefined)
          })))
      })

      const hearPool = (status: PoolStatus) =>
        Effect.suspend(() => {
          if (status.capacity !== hosts.capacity) planner.resize(status.capacity)
          // The operator let something out: asking tells what.
          if (status.quarantined < hosts.quarantined) quarantined.clear()
          const same = status.capacity === hosts.capacity && status.quarantined === hosts.quarantined
          hosts = status
          return same ? Effect.void : Queue.offer(changed, undefined)
        })

      const moveTip = Effect.fnUntraced(function*(to: BlockRef) {
        if (to.hash === tip.hash) return
        if (to.number <= tip.number) {
          // L1 took an update back: what it had made superfluous is read again.
          yield* growFrom(to)
        } else {
          for (let number = tip.number + 1; number <= to.number; number++) blocks.delete(number)
          tip = to
          planner.moveTip(tip.number)
          planner.forget(tip.number)
          for (const number of quarantined.keys()) if (number <= tip.number) quarantined.delete(number)
          yield* pool.settled({ upTo: tip.number })
        }
        yield* Queue.offer(changed, undefined)
      })

      // Other roles may start after this one, so that they are asked in a loop of the role and not while it is built.
      yield* fibers.fork(Effect.gen(function*() {
        const first = yield* Stream.runHead(watcher.changes()).pipe(Effect.flatMap(Effect.fromOption), Effect.orDie)
        yield* Effect.flatMap(Effect.orDie(Effect.flatMap(Stream.runHead(pool.changes()), Effect.fromOption)), hearPool)
        yield* asked.inherit
        yield* pool.settled({ upTo: first.tip.number })
        yield* growFrom(first.tip)
        yield* fibers.fork(FiberHandle.join(growth))
        yield* fibers.fork(Stream.runForEach(watcher.changes(), ({ checkpoints, registeredAt, tip }) => {
          registered = checkpoints.map(({ number }, i) => ({ number, registeredAt: registeredAt[i]! }))
          return moveTip(tip)
        }))
        yield* fibers.fork(Stream.runForEach(pool.changes(), hearPool))
        // Blocks that are passed over pay more as they age, and those left to others come back.
        yield* fibers.fork(Effect.repeat(Effect.suspend(() => waits ? Queue.offer(changed, undefined) : Effect.void), Schedule.spaced("1 second")))
        yield* Queue.offer(changed, undefined)
        return yield* Effect.forever(Effect.andThen(Queue.take(changed), plan))
      }))

      return TreePlanner.of({
        offer,
        hint,
        proveAgain,
        kept: () => Stream.fromPubSub(news),
        changes: () => SubscriptionRef.changes(view).pipe(Stream.filter((one) => one !== undefined))
      })
    })
  )
}
