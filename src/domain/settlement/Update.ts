/**
 * The proven tip (ST-1 to ST-7), its revert (CP-4) and its second proof (RW-4): the pure `StateUpdate`.
 */
import { Result } from "effect"
import { BlockNumber } from "../Amount.ts"
import { BlockRef } from "../Block.ts"
import type { Checkpoint } from "../Checkpoint.ts"
import { type Address, type BlockHash, type CheckpointId, toHex32, zeroAddress } from "../Hash.ts"
import type { Leaf } from "../Proof.ts"
import type { ProtocolParameters } from "../ProtocolParameters.ts"
import { redundantEarnings, type StatedTransition, transitionClaim } from "../Redundancy.ts"
import { ageBonus } from "../Rewards.ts"
import type { Emission, Outcome } from "./Emission.ts"
import type { Provers } from "./Provers.ts"
import { type Redundancy, redundancyHolder } from "./Redundancy.ts"
import { type Refusal, refuse } from "./Refusal.ts"
import { isLive, type Registry, revertTo } from "./Registry.ts"
import { missedAt, type Tip, turnAt } from "./Turns.ts"
import { forfeit, reward, rewardRedundancy, type Vault } from "./Vault.ts"

/** A proof system that L1 takes (ST-3). */
export interface AllowedSystem {
  /** Whether it merges proofs and binds who did; one that does not refuses mergers (RW-2, RW-3). */
  readonly bindsMergers: boolean
}

/** The end of an update (ST-1). */
export interface Boundary {
  readonly number: BlockNumber
  /** What a redundant proof is held against; 0 where none is waited for (RW-4). */
  readonly claim: bigint
}

/** All that L1 knows of settlement, but for the fee signal. */
export interface Chain {
  readonly parameters: ProtocolParameters
  readonly systems: ReadonlyMap<number, AllowedSystem>
  readonly registry: Registry
  readonly provers: Provers
  readonly tip: Tip
  readonly boundaries: ReadonlyMap<BlockHash, Boundary>
  readonly vault: Vault
}

/** A transition as it is submitted. What its ancestry and its proof are worth, the caller finds out. */
export interface Update {
  readonly system: number
  readonly from: BlockHash
  /** Oldest first; the last is END. */
  readonly leaves: ReadonlyArray<Leaf>
  readonly mergers: ReadonlyArray<Address>
  /** The checkpoints that it passes, oldest first; the last continues END. */
  readonly checkpoints: ReadonlyArray<Checkpoint>
}

/** ST-3: one of the allowed systems verifies. */
const requireProven = (chain: Chain, system: number, mergers: ReadonlyArray<Address>, proofHolds: boolean): Result.Result<void, Refusal> => {
  const allowed = chain.systems.get(system)
  if (allowed === undefined) return refuse("ST3_SystemUnknown", BigInt(system))
  if (mergers.length > 0 && !allowed.bindsMergers) return refuse("ST3_NothingMerged")
  return proofHolds ? Result.void : refuse("ST3_ProofInvalid")
}

/** ST-2: answers the checkpoint that continues END. */
const requireContinued = (
  { registry, tip }: Chain,
  checkpoints: ReadonlyArray<Checkpoint>,
  toNumber: BlockNumber,
  toHash: BlockHash
): Result.Result<CheckpointId, Refusal> => {
  const [first, last] = [checkpoints[0], checkpoints[checkpoints.length - 1]]
  if (first === undefined || last === undefined) return refuse("ST2_NoCheckpoint")
  const ids = checkpoints.map(({ id }) => id)
  const unlinked = checkpoints.findIndex(({ parent }, i) => i > 0 && parent !== ids[i - 1])
  if (unlinked > 0) return refuse("ST2_CheckpointsNotLinked", BigInt(unlinked))
  const id = ids[ids.length - 1]!
  if (!isLive(registry, id)) return refuse("ST2_CheckpointUnknown", id)
  const parentNumber = registry.records.get(first.parent)?.number ?? 0
  if (parentNumber > tip.number) return refuse("ST2_CheckpointsMissing", BigInt(parentNumber), BigInt(tip.number))
  const continues = toHash === last.blockHash ? last.number === toNumber : last.number > toNumber
  return continues ? Result.succeed(id) : refuse("ST2_NotContinued", BigInt(toNumber), BigInt(last.number))
}

/** RW-6: what each new block earns for its age, before anybody asks whether the reserve holds it. */
const bonusesOf = ({ parameters, registry }: Chain, checkpoints: ReadonlyArray<Checkpoint>, numbers: ReadonlyArray<number>, now: bigint) => {
  const passed = checkpoints.map(({ id, number }) => ({ number, bonus: ageBonus(parameters, now - registry.records.get(id)!.registeredAt) }))
  return numbers.map((block) => passed.find(({ number }) => number >= block)!.bonus)
}

/** ST-5, ST-6: who earns the submission share, and the bounty on top. */
const designate = (chain: Chain, submitter: Address, toNumber: BlockNumber, now: bigint) => {
  const { designation, fallbackBounty } = chain.parameters
  const { holder, inFallback, index } = turnAt(chain, now)
  if (!inFallback) return Result.succeed({ payee: submitter, bounty: 0n, effects: [] })
  const effects: ReadonlyArray<Emission> = [{ _tag: "UpdatedInTurn", toNumber, turn: index, holder, submitter }]
  if (designation === "open") return Result.succeed({ payee: submitter, bounty: fallbackBounty, effects })
  // Nobody is designated: the race goes on, unpaid by the reserve.
  if (holder === zeroAddress) return Result.succeed({ payee: submitter, bounty: 0n, effects })
  if (designation === "exclusive" && holder !== submitter) return refuse("ST6_NotYourTurn", holder)
  return Result.succeed(holder === submitter ? { payee: holder, bounty: fallbackBounty, effects } : { payee: undefined, bounty: 0n, effects })
}

/** How many of the leaves are proven already (ST-1); all of them where nothing is left to prove. */
const overlapOf = ({ boundaries, tip }: Chain, from: BlockHash, leaves: ReadonlyArray<Leaf>): Result.Result<number, Refusal> => {
  if (leaves.length === 0) return refuse("ST1_NoBlocks")
  if (from === tip.hash) return Result.succeed(0)
  const start = boundaries.get(from)
  if (start === undefined) return refuse("ST1_FromIsNotABoundary", from)
  if (start.number + leaves.length <= tip.number) return Result.succeed(leaves.length)
  const overlap = tip.number - start.number
  const given = leaves[overlap - 1]!.blockHash
  return given === tip.hash ? Result.succeed(overlap) : refuse("ST1_NotThroughTip", given, tip.hash)
}

/** Moves the tip and has the new blocks paid (ST-1 to ST-7, RW-1 to RW-6). */
export const submit = (
  chain: Chain,
  submitter: Address,
  update: Update,
  proofHolds: boolean,
  now: bigint
): Result.Result<Outcome<Chain>, Refusal> =>
  Result.gen(function*() {
    const { parameters, tip } = chain
    const overlap = yield* overlapOf(chain, update.from, update.leaves)
    if (overlap === update.leaves.length) {
      const toNumber = BlockNumber.make(chain.boundaries.get(update.from)!.number + overlap)
      return { state: chain, effects: [{ _tag: "AlreadyProven", submitter, toNumber, tipNumber: tip.number }] }
    }
    const leaves = update.leaves.slice(overlap)
    const toNumber = BlockNumber.make(tip.number + leaves.length)
    const toHash = leaves[leaves.length - 1]!.blockHash
    const checkpointId = yield* requireContinued(chain, update.checkpoints, toNumber, toHash)
    yield* requireProven(chain, update.system, update.mergers, proofHolds)

    const { bounty, effects, payee } = yield* designate(chain, submitter, toNumber, now)
    const forfeits = forfeit(chain.vault, parameters, missedAt(chain, now), now)
    const firstNumber = BlockNumber.make(tip.number + 1)
    const bonuses = bonusesOf(chain, update.checkpoints, leaves.map((_, i) => firstNumber + i), now)
    const paid = reward(forfeits.state, parameters, { leaves, firstNumber, mergers: update.mergers, bonuses, submitter: payee, bounty }, now)
    // The first that continues END: an update may name later ones, but must not choose its redundancy holder by it.
    const continues = update.checkpoints.find(({ number }) => number >= toNumber)!
    const holder = redundancyHolder(chain.registry, chain.provers, continues.parent, submitter)
    const opened = openRedundancy(parameters, {
      from: new BlockRef({ hash: tip.hash, number: tip.number }),
      leaves,
      shares: paid.shares,
      holder,
      settledAt: now
    })
    const moved: Emission = {
      _tag: "StateUpdated",
      fromHash: tip.hash,
      toHash,
      fromNumber: tip.number,
      toNumber,
      system: update.system,
      submitter,
      checkpointId
    }
    return {
      state: {
        ...chain,
        tip: {
          hash: toHash,
          number: toNumber,
          updatedAt: now,
          proversThen: chain.provers.order.length,
          headThen: chain.registry.headId
        },
        boundaries: new Map(chain.boundaries).set(toHash, { number: toNumber, claim: opened.state }),
        vault: paid.state
      },
      effects: [...effects, ...forfeits.effects, moved, ...paid.effects, ...opened.effects]
    }
  })

/** RW-4: what a redundant proof will be held against; nothing where nobody may bring one. */
const openRedundancy = ({ redundancyWindow }: ProtocolParameters, transition: StatedTransition): Outcome<bigint> => {
  const { holder, leaves, settledAt, shares } = transition
  if (holder === zeroAddress) return { state: 0n, effects: [] }
  return {
    state: transitionClaim(transition),
    effects: [{
      _tag: "RedundancyOpened",
      toHash: leaves[leaves.length - 1]!.blockHash,
      holder,
      closesAt: settledAt + BigInt(redundancyWindow),
      provers: leaves.map(({ prover }) => prover),
      shares
    }]
  }
}

/** The turn-holder proves a transition once more, and earns the shares of the blocks that it proved itself (RW-4). */
export const submitRedundant = (
  chain: Chain,
  sender: Address,
  { mergers, provers, system, transition }: Redundancy,
  proofHolds: boolean,
  now: bigint
): Result.Result<Outcome<Chain>, Refusal> =>
  Result.gen(function*() {
    const { from, holder, leaves, settledAt } = transition
    const toHash = leaves[leaves.length - 1]?.blockHash
    if (toHash === undefined) return yield* refuse("RW4_TransitionUnknown", toHex32(0n))
    const boundary = chain.boundaries.get(toHash)
    if (boundary === undefined || boundary.claim !== transitionClaim(transition)) return yield* refuse("RW4_TransitionUnknown", toHash)
    if (sender !== holder) return yield* refuse("RW4_NotYourTurn", holder)
    const closesAt = settledAt + BigInt(chain.parameters.redundancyWindow)
    if (now > closesAt) return yield* refuse("RW4_WindowClosed", closesAt)
    if (provers.length !== leaves.length) return yield* refuse("RW4_LeafCount", BigInt(provers.length), BigInt(leaves.length))
    const { proverGas: gas, shares: earned, total } = redundantEarnings(transition, provers)
    if (total === 0n) return yield* refuse("RW4_NothingEarned")
    yield* requireProven(chain, system, mergers, proofHolds)

    const firstNumber = BlockNumber.make(from.number + 1)
    const paid = rewardRedundancy(chain.vault, chain.parameters, { holder, firstNumber, earned, gas, settledAt }, now)
    return {
      state: { ...chain, boundaries: new Map(chain.boundaries).set(toHash, { ...boundary, claim: 0n }), vault: paid.state },
      effects: [
        ...paid.effects,
        { _tag: "RedundancyProven", toHash, holder, system, earned: total }
      ]
    }
  })

/** Takes back the checkpoints beyond the tip when the oldest of them is too old (CP-4). Turns that passed before are missed (ST-6). */
export const revertUnproven = (chain: Chain, fallback: Checkpoint, oldest: Checkpoint, now: bigint): Result.Result<Outcome<Chain>, Refusal> => {
  const { parameters, registry, tip, vault } = chain
  const [fallbackId, oldestId] = [fallback.id, oldest.id]
  if (oldest.parent !== fallbackId) return refuse("CP4_NotLinked")
  if (!isLive(registry, oldestId)) return refuse("CP4_NotLive", oldestId)
  if (fallback.number > tip.number || oldest.number <= tip.number) return refuse("CP4_NotOldest", BigInt(tip.number))
  const dueAt = registry.records.get(oldestId)!.registeredAt + BigInt(parameters.proofDeadline)
  if (now <= dueAt) return refuse("CP4_NotDue", dueAt)
  const forfeits = forfeit(vault, parameters, missedAt(chain, now), now)
  const reverted = revertTo(registry, fallbackId, tip.number)
  return Result.succeed({
    state: { ...chain, registry: reverted.state, tip: { ...tip, headThen: fallbackId }, vault: forfeits.state },
    effects: [...forfeits.effects, ...reverted.effects]
  })
}
