/**
 * The prover pool: runs atoms. Every attempt is counted where a crash cannot forget it (ND-4), and a proof that was made
 * once is never made again.
 */
import { Clock, Context, Duration, Effect, Layer, Option, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { AncestryProof, Proof } from "../domain/Proof.ts"
import { L1 } from "../l1/L1.ts"
import { headersUpTo, LedgerSource } from "../ledger/LedgerSource.ts"
import { type OnProgress, ProofSystem, ProvingFailed } from "../proofs/ProofSystem.ts"
import { Deadline } from "../rpc/Deadline.ts"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { Quarantined, Store } from "../store/Store.ts"

/** One proof in the making. */
export const RunningProof = Schema.Struct({
  kind: Schema.Literals(["block", "ancestry"]),
  /** The block that is proved, or the one whose ancestry is. */
  block: BlockNumber,
  stage: Schema.String,
  /** From 0 to 1. */
  fraction: Schema.Finite,
  /** Milliseconds since 1970. */
  since: Schema.Finite
})
export type RunningProof = typeof RunningProof.Type

export class PoolStatus extends Schema.Class<PoolStatus>("lignum/PoolStatus")({
  /** Proofs at once. */
  capacity: Schema.Int,
  running: Schema.Array(RunningProof),
  /** Proofs finished since the role started. */
  finished: Schema.Int,
  /** Why a worker has nothing to do; `null` while all are busy (ND-5). */
  idle: Schema.NullOr(Schema.String)
}) {}

/** The ledger has another block at this height: a revert removed the one to prove (CP-4), and nobody needs its proof any more. */
export class BlockReplaced extends Schema.TaggedError<BlockReplaced>()("BlockReplaced", { block: BlockRef }) {
  override get message() {
    return `the ledger has replaced block ${this.block.number} (${this.block.hash}): there is nothing to prove about it`
  }
}

/** How asking for a proof can end instead. */
export const ProofFailure = Schema.Union([ProvingFailed, BlockReplaced, Quarantined])

export const ProverPoolRpcs = RpcGroup.make(
  /** This node's proof of a block: the one in the store, or a new one. Interrupting stops the work (OC-4). */
  Rpc.make("proveBlock", { payload: { block: BlockRef }, success: Proof, error: ProofFailure }).annotate(Deadline, Duration.infinity),
  /** A proof that `end` is an ancestor of a checkpoint's block (ST-2): the one in the store, or a new one. */
  Rpc.make("proveAncestry", { payload: { end: BlockRef, checkpoint: BlockRef }, success: AncestryProof, error: ProofFailure }).annotate(Deadline, Duration.infinity),
  Rpc.make("changes", { success: PoolStatus, stream: true })
)

export class ProverPool extends Context.Service<ProverPool, RoleShape<typeof ProverPoolRpcs>>()("lignum/ProverPool") {
  /** The role in another process, or behind the transport of this one. */
  static readonly layerRemote: Layer.Layer<ProverPool, never, RoleTransport> = connectRole("prover-pool", ProverPoolRpcs, ProverPool)

  static readonly layer = Layer.effect(
    ProverPool,
    Effect.gen(function*() {
      const ledger = yield* LedgerSource
      const proofs = yield* ProofSystem
      const store = yield* Store
      const { account } = yield* L1
      const running = yield* SubscriptionRef.make<{ readonly jobs: ReadonlyMap<string, RunningProof>; readonly finished: number }>({
        jobs: new Map(),
        finished: 0
      })

      /** Runs a job under a lease: its attempt is on record before it starts, and how it ended after. */
      const leased = <A, E>(
        job: string,
        what: { readonly kind: RunningProof["kind"]; readonly block: BlockNumber },
        work: (onProgress: OnProgress) => Effect.Effect<A, E | ProvingFailed>
      ): Effect.Effect<A, E | ProvingFailed | Quarantined> =>
        Effect.gen(function*() {
          const since = yield* Clock.currentTimeMillis
          const show = (progress: { readonly fraction: number; readonly stage: string }) =>
            SubscriptionRef.update(running, ({ jobs, finished }) => ({
              jobs: new Map(jobs).set(job, { ...what, ...progress, since }),
              finished
            }))
          const attempt = yield* store.beginAttempt(job)
          yield* show({ fraction: 0, stage: "waiting for a worker" })
          return yield* work(show).pipe(
            Effect.tap(() => store.endAttempt(job, attempt, "done", "")),
            Effect.tapError((error) => {
              if (error instanceof BlockReplaced) return store.endAttempt(job, attempt, "cancelled", error.message)
              const failure = error instanceof ProvingFailed ? error : undefined
              return Effect.andThen(
                store.endAttempt(job, attempt, "failed", String(failure?.reason ?? error)),
                failure?.retry === false ? store.quarantine(job, failure.reason) : Effect.void
              )
            }),
            Effect.onInterrupt(() => store.endAttempt(job, attempt, "cancelled", "nobody needs it any more")),
            Effect.onExit((exit) =>
              SubscriptionRef.update(running, ({ jobs, finished }) => {
                const left = new Map(jobs)
                left.delete(job)
                return { jobs: left, finished: exit._tag === "Success" ? finished + 1 : finished }
              })
            )
          )
        })

      const proveBlock = Effect.fn("ProverPool.proveBlock")(function*({ block }: { readonly block: BlockRef }) {
        const made = yield* store.blockProof(block.hash, account)
        if (Option.isSome(made)) return made.value
        return yield* leased(`block:${block.hash}`, { kind: "block", block: block.number }, (onProgress) =>
          ledger.witness(block.number).pipe(
            Effect.catchTag("LedgerUnavailable", ({ message }) =>
              Effect.fail(new ProvingFailed({ subject: `block ${block.number}`, reason: message, retry: true }))),
            Effect.flatMap((witness): Effect.Effect<Proof, ProvingFailed | BlockReplaced> =>
              witness.block.header.hash === block.hash
                ? proofs.proveBlock(witness, account, onProgress)
                : Effect.fail(new BlockReplaced({ block }))
            ),
            Effect.tap((proof) => store.putProof(proof))
          ))
      })

      const proveAncestry = Effect.fn("ProverPool.proveAncestry")(function*(
        { end, checkpoint }: { readonly end: BlockRef; readonly checkpoint: BlockRef }
      ) {
        const made = yield* store.ancestry(end.hash, checkpoint.hash)
        if (Option.isSome(made)) return made.value
        return yield* leased(`ancestry:${end.hash}:${checkpoint.hash}`, { kind: "ancestry", block: end.number }, (onProgress) =>
          headersUpTo(ledger, end.number, checkpoint).pipe(
            Effect.catchTag("LedgerUnavailable", ({ message }) =>
              Effect.fail(new ProvingFailed({ subject: `the ancestry of block ${end.number}`, reason: message, retry: true }))),
            Effect.flatMap((headers): Effect.Effect<AncestryProof, ProvingFailed | BlockReplaced> =>
              Option.isSome(headers) && headers.value[0]?.hash === end.hash
                ? proofs.proveAncestry(headers.value, onProgress)
                : Effect.fail(new BlockReplaced({ block: checkpoint }))
            ),
            Effect.tap((proof) => store.putAncestry(proof))
          ))
      })

      return ProverPool.of({
        proveBlock,
        proveAncestry,
        changes: () =>
          SubscriptionRef.changes(running).pipe(
            Stream.map(({ jobs, finished }) =>
              new PoolStatus({
                capacity: proofs.capacity,
                running: [...jobs.values()],
                finished,
                idle: jobs.size < proofs.capacity ? "no block waits for a proof" : null
              })
            )
          )
      })
    })
  )
}
