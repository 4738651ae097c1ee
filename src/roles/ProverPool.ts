/**
 * The prover pool: the side of this operator that asks for proofs. It puts jobs on record, waits for them however many hosts die
 * meanwhile (ND-4), and keeps what comes out once it is verified (OC-1). Whoever proves is a `ProvingWorker`, here or on other hosts.
 */
import { Context, Duration, Effect, Layer, Option, Schema, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber } from "../domain/Amount.ts"
import { BlockRef, type Header } from "../domain/Block.ts"
import { AncestryProof, Proof } from "../domain/Proof.ts"
import { type JobId, Jobs, type JobSpec, type JobState, type JobsView, OutputCheck } from "../jobs/Jobs.ts"
import { aboutOf, ancestryBytes, ancestryJob, ancestryJobId, blockJob, blockJobId, proofBytes } from "../jobs/ProofJobs.ts"
import { L1 } from "../l1/L1.ts"
import { headersUpTo, LedgerSource } from "../ledger/LedgerSource.ts"
import { ProofSystem, ProvingFailed } from "../proofs/ProofSystem.ts"
import { Deadline } from "../rpc/Deadline.ts"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { Store } from "../store/Store.ts"

/** One proof in the making. */
export const RunningProof = Schema.Struct({
  kind: Schema.Literals(["block", "ancestry"]),
  /** The block that is proved, or the one whose ancestry is. */
  block: BlockNumber,
  host: Schema.String,
  stage: Schema.String,
  /** From 0 to 1. */
  fraction: Schema.Finite,
  /** Milliseconds since 1970. */
  since: Schema.Finite
})
export type RunningProof = typeof RunningProof.Type

export class PoolStatus extends Schema.Class<PoolStatus>("lignum/PoolStatus")({
  /** Proofs at once, on all hosts that take work. */
  capacity: Schema.Int,
  hosts: Schema.Array(Schema.Struct({ name: Schema.String, slots: Schema.Int, draining: Schema.Boolean })),
  running: Schema.Array(RunningProof),
  /** Jobs that wait for a host, or for other jobs. */
  waiting: Schema.Int,
  /** Jobs that wait for the operator (ND-4). */
  quarantined: Schema.Int,
  /** Why a host has nothing to do; `null` while all are busy (ND-5). */
  idle: Schema.NullOr(Schema.String),
  /** What no host can do, and why: more hosts are needed, or others; `null` while there is nothing such. */
  alarm: Schema.NullOr(Schema.String)
}) {}

/** The ledger has another block at this height: a revert removed the one to prove (CP-4), and nobody needs its proof any more. */
export class BlockReplaced extends Schema.TaggedError<BlockReplaced>()("BlockReplaced", { block: BlockRef }) {
  override get message() {
    return `the ledger has replaced block ${this.block.number} (${this.block.hash}): there is nothing to prove about it`
  }
}

/** A job failed too often or cannot succeed, and is kept for replay (ND-4). */
export class Quarantined extends Schema.TaggedError<Quarantined>()("Quarantined", {
  job: Schema.String,
  attempts: Schema.Int,
  reason: Schema.String
}) {
  override get message() {
    return `${this.job} is quarantined after ${this.attempts} attempts: ${this.reason}; see \`lignum jobs show ${this.job}\``
  }
}

/** How asking for a proof can end instead. */
export const ProofFailure = Schema.Union([ProvingFailed, BlockReplaced, Quarantined])

export const ProverPoolRpcs = RpcGroup.make(
  /** This node's proof of a block: the one in the store, or a new one. Interrupting stops the waiting, not the work. */
  Rpc.make("proveBlock", { payload: { block: BlockRef }, success: Proof, error: ProofFailure }).annotate(Deadline, Duration.infinity),
  /** A proof that `end` is an ancestor of a checkpoint's block (ST-2): the one in the store, or a new one. */
  Rpc.make("proveAncestry", { payload: { end: BlockRef, checkpoint: BlockRef }, success: AncestryProof, error: ProofFailure }).annotate(Deadline, Duration.infinity),
  /** Nobody needs this node's proofs of these blocks any more: whoever works on them stops at once (OC-4). */
  Rpc.make("cancel", { payload: { blocks: Schema.Array(BlockRef), reason: Schema.String } }),
  /** The blocks whose proofs were asked for and are not in the store yet: an earlier planner may have asked. */
  Rpc.make("asked", { success: Schema.Array(BlockRef) }),
  /** What ends at or before a block is settled: jobs about it that ended are forgotten, but for those in quarantine. */
  Rpc.make("settled", { payload: { upTo: BlockNumber } }),
  Rpc.make("changes", { success: PoolStatus, stream: true })
)

/** More jobs than are ever kept: blocks beyond the tip, and what ended since it moved. */
const allOfThem = 100_000

const whyIdle = ({ counts, hosts }: JobsView): string => {
  if (hosts.length === 0) return "no host proves at the moment"
  if (hosts.every(({ draining }) => draining)) return "every host is about to stop"
  return counts.ready + counts.running === 0 ? "no block waits for a proof" : "no other block waits for a proof"
}

const statusOf = (view: JobsView): PoolStatus => {
  const { counts, hosts, unroutable } = view
  const capacity = hosts.reduce((sum, { can, draining }) => sum + (draining ? 0 : can.slots), 0)
  const [stuck, ...more] = unroutable
  return new PoolStatus({
    capacity,
    hosts: hosts.map(({ can: { slots }, draining, name }) => ({ name, slots, draining })),
    running: hosts.flatMap(({ name, running }) =>
      running.flatMap(({ fraction, job, since, stage }) =>
        Option.toArray(Option.map(aboutOf(job), ({ block, kind }) => ({ kind, block: block.number, host: name, stage, fraction, since }))))),
    waiting: counts.ready + counts.blocked,
    quarantined: counts.quarantined,
    idle: counts.running < capacity || capacity === 0 ? whyIdle(view) : null,
    alarm: stuck === undefined ? null : `no host can do ${stuck.job}: ${stuck.missing}${more.length === 0 ? "" : `; nor ${more.length} others`}`
  })
}

export class ProverPool extends Context.Service<ProverPool, RoleShape<typeof ProverPoolRpcs>>()("lignum/ProverPool") {
  /** The role in another process, or behind the transport of this one. */
  static readonly layerRemote: Layer.Layer<ProverPool, never, RoleTransport> = connectRole("prover-pool", ProverPoolRpcs, ProverPool)

  static readonly layer = Layer.effect(
    ProverPool,
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const ledger = yield* LedgerSource
      const system = yield* ProofSystem
      const check = yield* OutputCheck
      const store = yield* Store
      const { account } = yield* L1
      /** Jobs that somebody waits for here. */
      const awaited = new Set<JobId>()

      /** Waits for what a job brings, and holds it against the job: what another host wrote is foreign (OC-1). */
      const outputOf = Effect.fnUntraced(function*(spec: JobSpec): Effect.fn.Return<Uint8Array, ProvingFailed | Quarantined> {
        const { id, subject } = spec
        const again = (reason: string) => new ProvingFailed({ subject, reason, retry: true })
        yield* jobs.submit([spec])
        const outcome = yield* Effect.acquireUseRelease(
          Effect.sync(() => awaited.add(id)),
          () => Effect.mapError(jobs.outcome(id), ({ message }) => again(message)),
          () => Effect.sync(() => awaited.delete(id))
        )
        switch (outcome._tag) {
          case "Done":
            yield* Effect.catch(check(spec, outcome.output), ({ message }) =>
              Effect.andThen(jobs.forget([id]), Effect.fail(again(message))))
            return outcome.output
          case "Cancelled":
            return yield* again(`it was cancelled: ${outcome.reason}`)
          case "Quarantined":
            return yield* new Quarantined({ job: id, attempts: outcome.attempts, reason: outcome.reason })
        }
      })

      const unavailable = (subject: string) => ({ message }: { readonly message: string }) =>
        new ProvingFailed({ subject, reason: message, retry: true })

      const replaced = (block: BlockRef, job: JobId) => {
        const failure = new BlockReplaced({ block })
        return Effect.andThen(jobs.cancel([job], failure.message), Effect.fail(failure))
      }

      const proveBlock = Effect.fn("ProverPool.proveBlock")(function*({ block }: { readonly block: BlockRef }) {
        const made = yield* store.blockProof(block.hash, account)
        if (Option.isSome(made)) return made.value
        const witness = yield* Effect.mapError(ledger.witness(block.number), unavailable(`block ${block.number}`))
        if (witness.block.header.hash !== block.hash) return yield* replaced(block, blockJobId(block, account))
        const proof = yield* Effect.orDie(proofBytes.decode(yield* outputOf(yield* blockJob(system, witness, account))))
        yield* store.putProof(proof)
        return proof
      })

      const proveAncestry = Effect.fn("ProverPool.proveAncestry")(function*(
        { checkpoint, end }: { readonly end: BlockRef; readonly checkpoint: BlockRef }
      ) {
        const made = yield* store.ancestry(end.hash, checkpoint.hash)
        if (Option.isSome(made)) return made.value
        const headers = yield* Effect.mapError(headersUpTo(ledger, end.number, checkpoint), unavailable(`the ancestry of block ${end.number}`))
        const [first, ...rest] = Option.getOrElse(headers, (): ReadonlyArray<Header> => [])
        if (first?.hash !== end.hash) return yield* replaced(checkpoint, ancestryJobId(end, checkpoint))
        const proof = yield* Effect.orDie(ancestryBytes.decode(yield* outputOf(yield* ancestryJob(system, [first, ...rest]))))
        yield* store.putAncestry(proof)
        return proof
      })

      /** The jobs of some states that are about blocks or their ancestry, by this node. */
      const about = (states: ReadonlyArray<JobState>) =>
        Effect.map(jobs.list({ states, most: allOfThem }), (all) =>
          all.flatMap(({ id }) => Option.toArray(Option.map(aboutOf(id), (about) => ({ id, ...about })))))

      const asked = Effect.fn("ProverPool.asked")(function*() {
        const all = (yield* about(["blocked", "ready", "running", "done"])).filter(({ kind, whose }) => kind === "block" && whose === account)
        const open = yield* Effect.filter(all, ({ block }) => Effect.map(store.blockProof(block.hash, account), Option.isNone))
        return open.map(({ block }) => block)
      })

      const settled = Effect.fn("ProverPool.settled")(function*({ upTo }: { readonly upTo: BlockNumber }) {
        const over = (yield* about(["done", "cancelled"])).filter(({ block, id }) => block.number <= upTo && !awaited.has(id))
        yield* jobs.forget(over.map(({ id }) => id))
      })

      return ProverPool.of({
        proveBlock,
        proveAncestry,
        cancel: Effect.fn("ProverPool.cancel")(({ blocks, reason }) => jobs.cancel(blocks.map((block) => blockJobId(block, account)), reason)),
        asked,
        settled,
        changes: () => Stream.map(jobs.changes, statusOf)
      })
    })
  )
}
