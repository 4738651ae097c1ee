/**
 * The checkpoint watcher: follows the registry and the proven tip on L1, and checks every certificate itself (CP-1, CP-2, CP-4).
 */
import { Clock, Context, Effect, Layer, Option, Result, Schedule, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockRef } from "../domain/Block.ts"
import { Checkpoint } from "../domain/Checkpoint.ts"
import { type ValidatorSet, verifyCertificate } from "../domain/QuorumCertificate.ts"
import type { Bytes32, CheckpointId } from "../domain/Hash.ts"
import type { L1Event, L1Position } from "../l1/Events.ts"
import { followL1 } from "../l1/Follower.ts"
import { L1 } from "../l1/L1.ts"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { RoleFibers } from "./RoleFibers.ts"

/** What L1 says about the rollup, as of one L1 block. */
export class L1View extends Schema.Class<L1View>("lignum/L1View")({
  l1Block: Schema.Int,
  /** The last proven block. */
  tip: BlockRef,
  /** Registered checkpoints beyond the tip whose certificates hold and that no revert has removed (CP-4), oldest first. */
  checkpoints: Schema.Array(Checkpoint),
  /** When L1 registered each of `checkpoints`, in seconds since 1970: what the age of their blocks counts from (RW-6). */
  registeredAt: Schema.Array(Schema.BigIntFromString),
  /** Registered checkpoints whose certificates hold, since deployment; genesis does not count, reverted ones do. */
  certified: Schema.Int,
  /** Checkpoints that the registry took and this node does not believe. Always 0, or something is badly wrong. */
  disbelieved: Schema.Int,
  /** State updates since deployment. */
  updates: Schema.Int,
  /** The registry's generation: what it says how often it was reverted (CP-4). */
  generation: Schema.Int,
  /** Reverts that were seen since deployment. */
  reverts: Schema.Int
}) {}

export const CheckpointWatcherRpcs = RpcGroup.make(
  /** The present view and every later one. */
  Rpc.make("changes", { success: L1View, stream: true })
)

export class CheckpointWatcher extends Context.Service<CheckpointWatcher, RoleShape<typeof CheckpointWatcherRpcs>>()(
  "lignum/CheckpointWatcher"
) {
  /** The role in another process, or behind the transport of this one. */
  static readonly layerRemote: Layer.Layer<CheckpointWatcher, never, RoleTransport> = connectRole("checkpoint-watcher", CheckpointWatcherRpcs, CheckpointWatcher)

  static readonly layer = Layer.effect(
    CheckpointWatcher,
    Effect.gen(function*() {
      const fibers = yield* RoleFibers
      const l1 = yield* L1
      const view = yield* SubscriptionRef.make<L1View | undefined>(undefined)
      /** By the hash of the L1 block. */
      const timestamps = new Map<Bytes32, bigint>()
      const timestampOf = Effect.fnUntraced(function*({ block, blockHash }: L1Position) {
        const known = timestamps.get(blockHash)
        if (known !== undefined) return known
        const found = yield* l1.block(block).pipe(Effect.retry(Schedule.spaced("1 second")), Effect.orDie)
        // One that is gone has no age; the view that follows is of the blocks that replaced it.
        if (Option.isNone(found)) return BigInt(Math.floor((yield* Clock.currentTimeMillis) / 1000))
        if (found.value.hash === blockHash) timestamps.set(blockHash, found.value.timestamp)
        return found.value.timestamp
      })
      yield* fibers.fork(followL1({
        initial: nothing,
        step: yield* foldEvent,
        publish: Effect.fnUntraced(function*({ positions, tip, validators: _validators, ...seen }, block) {
          if (tip === undefined) return
          const registeredAt = yield* Effect.forEach(seen.checkpoints, ({ id }) => timestampOf(positions.get(id)!))
          yield* SubscriptionRef.set(view, new L1View({ l1Block: block.number, tip, registeredAt, ...seen }))
        })
      }))
      return CheckpointWatcher.of({
        changes: () => SubscriptionRef.changes(view).pipe(Stream.filter((seen) => seen !== undefined))
      })
    })
  )
}

interface Seen {
  readonly validators: ValidatorSet | undefined
  readonly tip: BlockRef | undefined
  readonly checkpoints: ReadonlyArray<Checkpoint>
  /** Where L1 registered each of them. */
  readonly positions: ReadonlyMap<CheckpointId, L1Position>
  readonly certified: number
  readonly disbelieved: number
  readonly updates: number
  readonly generation: number
  readonly reverts: number
}

const nothing: Seen = {
  validators: undefined,
  tip: undefined,
  checkpoints: [],
  positions: new Map(),
  certified: 0,
  disbelieved: 0,
  updates: 0,
  generation: 0,
  reverts: 0
}

/** How a certificate is checked. A simulation with many nodes in one process checks each only once. */
export const CertificateCheck = Context.Reference<typeof verifyCertificate>("lignum/CertificateCheck", { defaultValue: () => verifyCertificate })

const foldEvent = Effect.gen(function*() {
  const { chainId, registry } = yield* L1
  const check = yield* CertificateCheck

  const believe = (seen: Seen, event: L1Event & { readonly _tag: "CheckpointRegistered" }) =>
    seen.validators === undefined
      ? Result.fail(new Error("it came before any validator set"))
      : check(seen.validators, { chainId, registry, epoch: seen.validators.epoch }, event.checkpoint, event.certificate)

  return (seen: Seen, event: L1Event): Effect.Effect<Seen> => {
    switch (event._tag) {
      case "ValidatorSetChanged":
        return Effect.succeed({ ...seen, validators: event.validators })
      case "CheckpointRegistered": {
        // The genesis checkpoint is what the registry was deployed with, and nobody's word but the deployer's.
        if (seen.tip === undefined) return Effect.succeed({ ...seen, tip: event.checkpoint.block })
        const belief = believe(seen, event)
        return Result.isSuccess(belief)
          ? Effect.succeed({
            ...seen,
            certified: seen.certified + 1,
            checkpoints: [...seen.checkpoints, event.checkpoint],
            positions: new Map(seen.positions).set(event.checkpoint.id, event.at)
          })
          : Effect.logError(`the certificate of checkpoint ${event.checkpoint.number} does not hold: ${belief.failure.message}`).pipe(
            Effect.as({ ...seen, disbelieved: seen.disbelieved + 1 })
          )
      }
      case "StateUpdated":
        return Effect.succeed({
          ...seen,
          tip: event.to,
          updates: seen.updates + 1,
          checkpoints: seen.checkpoints.filter(({ number }) => number > event.to.number)
        })
      case "CheckpointsReverted":
        return Effect.succeed({
          ...seen,
          generation: event.generation,
          reverts: seen.reverts + 1,
          checkpoints: seen.checkpoints.filter(({ number }) => number <= event.headNumber)
        })
      default:
        return Effect.succeed(seen)
    }
  }
})
