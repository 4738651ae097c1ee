/**
 * The chain of checkpoints and the validator set that certifies it (CP-1 to CP-4): the pure `CheckpointRegistry`.
 */
import { Result } from "effect"
import { BlockNumber } from "../Amount.ts"
import type { Checkpoint, QuorumCertificate } from "../Checkpoint.ts"
import type { CheckpointId } from "../Hash.ts"
import { maxValidators, quorumOf, signerIndices, type ValidatorKey } from "../QuorumCertificate.ts"
import type { Outcome } from "./Emission.ts"
import { type Refusal, refuse } from "./Refusal.ts"

/** What L1 knows of a checkpoint. */
export interface CheckpointRecord {
  readonly number: BlockNumber
  /** L1 time in seconds. */
  readonly registeredAt: bigint
  /** L1 time of its child's registration; 0 while it has none (ST-4). */
  readonly continuedAt: bigint
  /** Registered provers at that time; 0 while it has no child (ST-6, RW-4). */
  readonly continuedAmong: number
  /** How many checkpoints lie between it and genesis, itself counted: what a redundancy turn is drawn from (RW-4). */
  readonly depth: number
  /** Reverts before its registration (CP-4). */
  readonly generation: number
}

export interface Registry {
  readonly records: ReadonlyMap<CheckpointId, CheckpointRecord>
  readonly headId: CheckpointId
  /** Depth of the checkpoint that each revert fell back to; there are as many as the generation says. */
  readonly revertedTo: ReadonlyArray<number>
  /** No checkpoint at or below this block can be registered: the tip at the last revert, or genesis (CP-4). */
  readonly floor: BlockNumber
  readonly epoch: bigint
  readonly validators: number
}

/** A registry as it is deployed. */
export const startRegistry = (genesis: Checkpoint, validators: number, now: bigint): Registry => ({
  records: new Map([[
    genesis.id,
    { number: genesis.number, registeredAt: now, continuedAt: 0n, continuedAmong: 0, depth: 0, generation: 0 }
  ]]),
  headId: genesis.id,
  revertedTo: [],
  floor: genesis.number,
  epoch: 0n,
  validators
})

/** The number of reverts so far. */
export const generationOf = ({ revertedTo }: Registry): number => revertedTo.length

/** Whether a checkpoint is registered and no revert took it back: the first one after its registration decides (CP-4). */
export const isLive = (registry: Registry, id: CheckpointId): boolean => {
  const record = registry.records.get(id)
  if (record === undefined) return false
  const fallenTo = registry.revertedTo[record.generation]
  return fallenTo === undefined || record.depth <= fallenTo
}

/** A quorum certificate, and whether its signature is one of its signers over the digest at stake. */
export interface Signed {
  readonly certificate: QuorumCertificate
  readonly signatureHolds: boolean
}

/** CP-2: more than two thirds signed. */
const requireCertificate = ({ validators }: Registry, { certificate: { signers }, signatureHolds }: Signed): Result.Result<void, Refusal> => {
  if (signers >> BigInt(validators) !== 0n) return refuse("CP2_UnknownSigner", signers, BigInt(validators))
  const [given, needed] = [signerIndices(signers).length, quorumOf(validators)]
  if (given < needed) return refuse("CP2_QuorumNotReached", BigInt(given), BigInt(needed))
  return signatureHolds ? Result.void : refuse("CP2_SignatureInvalid")
}

/**
 * Appends a checkpoint to the chain (CP-1, CP-2).
 *
 * @param provers how many are registered
 */
export const register = (
  registry: Registry,
  checkpoint: Checkpoint,
  signed: Signed,
  provers: number,
  now: bigint
): Result.Result<Outcome<Registry>, Refusal> => {
  const { floor, headId, records } = registry
  if (checkpoint.parent !== headId) return refuse("CP1_ParentIsNotHead", checkpoint.parent, headId)
  const head = records.get(headId)!
  const highest = Math.max(head.number, floor)
  if (checkpoint.number <= highest) return refuse("CP1_NumberNotAboveHead", BigInt(checkpoint.number), BigInt(highest))
  const { id } = checkpoint
  if (records.has(id)) return refuse("CP4_Reverted", id)
  return Result.map(requireCertificate(registry, signed), () => ({
    state: {
      ...registry,
      records: new Map(records).set(headId, { ...head, continuedAt: now, continuedAmong: provers }).set(id, {
        number: checkpoint.number,
        registeredAt: now,
        continuedAt: 0n,
        continuedAmong: 0,
        depth: head.depth + 1,
        generation: generationOf(registry)
      }),
      headId: id
    },
    effects: [{
      _tag: "CheckpointRegistered",
      id,
      parentId: checkpoint.parent,
      number: checkpoint.number,
      blockHash: checkpoint.blockHash,
      stateRoot: checkpoint.stateRoot,
      signers: signed.certificate.signers,
      signature: signed.certificate.signature
    }]
  }))
}

/** A validator's key, and whether the proof that somebody holds its secret is good. */
export interface NewValidator {
  readonly key: ValidatorKey
  readonly possessionHolds: boolean
}

/** The set in force appoints the next (CP-3). */
export const handOver = (registry: Registry, validators: ReadonlyArray<NewValidator>, signed: Signed): Result.Result<Outcome<Registry>, Refusal> =>
  Result.gen(function*() {
    yield* requireCertificate(registry, signed)
    if (validators.length === 0 || validators.length > maxValidators) {
      return yield* refuse("CP3_ValidatorCount", BigInt(validators.length), BigInt(maxValidators))
    }
    for (const [index, { key, possessionHolds }] of validators.entries()) {
      const first = validators.findIndex((each) => each.key === key)
      if (first < index) return yield* refuse("CP3_DuplicateKey", BigInt(first), BigInt(index))
      if (!possessionHolds) return yield* refuse("CP3_PossessionInvalid", BigInt(index))
    }
    const epoch = registry.epoch + 1n
    return {
      state: { ...registry, epoch, validators: validators.length },
      effects: [{ _tag: "ValidatorSetChanged", epoch, validators: validators.length, keys: validators.map(({ key }) => key) }]
    }
  })

/** Falls back to a live checkpoint (CP-4): its descendants are void, and what follows it lies beyond the tip. */
export const revertTo = (registry: Registry, id: CheckpointId, tipNumber: BlockNumber): Outcome<Registry> => {
  const head = registry.records.get(id)!
  const revertedTo = [...registry.revertedTo, head.depth]
  return {
    state: {
      ...registry,
      records: new Map(registry.records).set(id, { ...head, continuedAt: 0n, continuedAmong: 0 }),
      headId: id,
      revertedTo,
      floor: tipNumber
    },
    effects: [{ _tag: "CheckpointsReverted", generation: revertedTo.length, headId: id, headNumber: head.number, tipNumber }]
  }
}
