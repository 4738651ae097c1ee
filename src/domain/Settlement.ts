/**
 * Settlement on L1 as one pure function: `step` does with a state and a call what the contracts do, rule by rule, to the wei.
 *
 * Whether a certificate or a proof verifies is an input: the caller finds it out, or makes it up. So a step costs microseconds,
 * and the node, a simulation and the differential test against the real contracts can all run the same rules. Whatever is read
 * from L1's clock comes in as `at`, L1 time in seconds, which never goes back from one call to the next.
 */
import { Result } from "effect"
import type { BlockNumber } from "./Amount.ts"
import type { Checkpoint } from "./Checkpoint.ts"
import { epochOf, type FeeSignal, flag, hasFlaggedIn, multiplierIn, quietSignal, weightIn } from "./FeeSignal.ts"
import type { Address, BlockHash, CheckpointId } from "./Hash.ts"
import type { ProtocolParameters } from "./ProtocolParameters.ts"
import { reputationAt, totalAt } from "./Reputation.ts"
import type { Emission, Outcome } from "./settlement/Emission.ts"
import * as Provers from "./settlement/Provers.ts"
import type { Redundancy } from "./settlement/Redundancy.ts"
import { type Refusal, refuse } from "./settlement/Refusal.ts"
import * as Registry from "./settlement/Registry.ts"
import { idleClock, type Turn, turnAt } from "./settlement/Turns.ts"
import { type AllowedSystem, type Chain, revertUnproven, submit, submitRedundant, type Update } from "./settlement/Update.ts"
import * as Vault from "./settlement/Vault.ts"

/** Everything that the contracts store. */
export interface State extends Chain {
  readonly signal: FeeSignal
}

/** Who calls, and when. */
interface Call {
  readonly sender: Address
  /** L1 time in seconds. */
  readonly at: bigint
}

/** A call to one of the contracts. */
export type Event =
  & Call
  & (
    /** `CheckpointRegistry.register`. */
    | ({ readonly _tag: "RegisterCheckpoint"; readonly checkpoint: Checkpoint } & Registry.Signed)
    /** `CheckpointRegistry.handOver`. */
    | ({ readonly _tag: "HandOver"; readonly validators: ReadonlyArray<Registry.NewValidator> } & Registry.Signed)
    /** `StateUpdate.submit`; `proofHolds` says what the named system's verifier answers. */
    | { readonly _tag: "SubmitUpdate"; readonly update: Update; readonly proofHolds: boolean }
    /** `StateUpdate.submitRedundant`. */
    | { readonly _tag: "SubmitRedundant"; readonly redundancy: Redundancy; readonly proofHolds: boolean }
    /** `StateUpdate.revertUnproven`. */
    | { readonly _tag: "RevertUnproven"; readonly fallback: Checkpoint; readonly oldest: Checkpoint }
    /** `ProverRegistry.register`, with a value in wei. */
    | { readonly _tag: "RegisterProver"; readonly value: bigint }
    | { readonly _tag: "Deregister" }
    /** `ProverRegistry.withdraw`; `refused` says that the prover's account does not take ether. */
    | { readonly _tag: "Withdraw"; readonly prover: Address; readonly refused: boolean }
    | { readonly _tag: "Fund"; readonly amount: bigint }
    | { readonly _tag: "Endow"; readonly amount: bigint }
    /** `RewardVault.claim`; `refused` says that the account does not take ether. */
    | { readonly _tag: "Claim"; readonly account: Address; readonly refused: boolean }
    | { readonly _tag: "Lapse" }
    /** `FeeSignal.flag`. */
    | { readonly _tag: "Flag" }
  )

/** What the contracts are deployed with. */
export interface Deployment {
  readonly parameters: ProtocolParameters
  readonly genesis: Checkpoint
  /** Size of the first validator set. */
  readonly validators: number
  /** The allowed proof systems by id (ST-3). */
  readonly systems: ReadonlyMap<number, AllowedSystem>
  /** L1 times at which the registry and the state update were deployed. */
  readonly registryAt: bigint
  readonly stateUpdateAt: bigint
}

/** The state in which a deployment leaves the contracts. */
export const start = ({ genesis, parameters, registryAt, stateUpdateAt, systems, validators }: Deployment): State => ({
  parameters,
  systems,
  registry: Registry.startRegistry(genesis, validators, registryAt),
  provers: Provers.noProvers,
  tip: { hash: genesis.blockHash, number: genesis.number, updatedAt: stateUpdateAt, proversThen: 0, headThen: genesis.id },
  boundaries: new Map([[genesis.blockHash, { number: genesis.number, claim: 0n }]]),
  vault: Vault.emptyVault,
  signal: quietSignal
})

type Stepped = Result.Result<Outcome<State>, Refusal>

/** A call's outcome for one part of the state as the outcome for all of it. */
const within = <Part extends "registry" | "provers" | "vault">(state: State, part: Part, result: Result.Result<Outcome<State[Part]>, Refusal>): Stepped =>
  Result.map(result, (outcome) => ({ state: { ...state, [part]: outcome.state }, effects: outcome.effects }))

const chained = (state: State, result: Result.Result<Outcome<Chain>, Refusal>): Stepped =>
  Result.map(result, (outcome) => ({ state: { ...state, ...outcome.state }, effects: outcome.effects }))

const flagPrice = (state: State, sender: Address, now: bigint): Stepped => {
  const { parameters, signal, vault } = state
  const halfLife = BigInt(parameters.reputationHalfLife)
  const { reputation } = Vault.accountOf(vault, sender)
  const totalReputation = totalAt(vault.totalReputation, now, halfLife)
  const epoch = epochOf(parameters, now)
  const flagged = flag(
    parameters,
    signal,
    { prover: sender, reputation: reputationAt(reputation, now, halfLife), updates: reputation.updates, totalReputation },
    epoch
  )
  if (Result.isFailure(flagged)) {
    const { failure } = flagged
    switch (failure.reason) {
      case "NotActive":
        return refuse("FM3_NotActive", BigInt(failure.updates), BigInt(failure.needed))
      case "AlreadyFlagged":
        return refuse("FM3_AlreadyFlagged", failure.epoch)
      case "NoReputation":
        return refuse("FM3_NoReputation")
    }
  }
  const { raises, signal: next, weight } = flagged.success
  const effects: Array<Emission> = [{ _tag: "Flagged", epoch, prover: sender, weight, gathered: next.weight, total: totalReputation }]
  if (raises) effects.push({ _tag: "MultiplierRaised", epoch, multiplier: next.multiplier })
  return Result.succeed({ state: { ...state, signal: next }, effects })
}

/** What a call does: the state after it and the contracts' events in order, or the custom error that it ends with. */
export const step = (state: State, event: Event): Stepped => {
  const { parameters, provers, registry, vault } = state
  const { at, sender } = event
  switch (event._tag) {
    case "RegisterCheckpoint":
      return within(state, "registry", Registry.register(registry, event.checkpoint, event, provers.order.length, at))
    case "HandOver":
      return within(state, "registry", Registry.handOver(registry, event.validators, event))
    case "SubmitUpdate":
      return chained(state, submit(state, sender, event.update, event.proofHolds, at))
    case "SubmitRedundant":
      return chained(state, submitRedundant(state, sender, event.redundancy, event.proofHolds, at))
    case "RevertUnproven":
      return chained(state, revertUnproven(state, event.fallback, event.oldest, at))
    case "RegisterProver":
      return within(state, "provers", Provers.register(provers, parameters.bond, sender, event.value, at))
    case "Deregister":
      return within(state, "provers", Provers.deregister(provers, parameters, sender, at))
    case "Withdraw":
      return within(state, "provers", Provers.withdraw(provers, parameters.bond, event.prover, event.refused, at))
    case "Fund":
      return within(state, "vault", Vault.fund(vault, sender, event.amount))
    case "Endow":
      return within(state, "vault", Vault.endow(vault, sender, event.amount))
    case "Claim":
      return within(state, "vault", Vault.claim(vault, event.account, event.refused))
    case "Lapse":
      return within(state, "vault", Result.succeed(Vault.lapse(vault, parameters, at)))
    case "Flag":
      return flagPrice(state, sender, at)
  }
}

/** What everybody can read from the contracts at a time: amounts in wei, reputations in prover gas, times in seconds. */
export interface Observation {
  readonly tip: { readonly hash: BlockHash; readonly number: BlockNumber }
  readonly boundaries: ReadonlyArray<{ readonly hash: BlockHash; readonly number: BlockNumber; readonly claim: bigint }>
  readonly headId: CheckpointId
  readonly generation: number
  readonly floor: BlockNumber
  readonly checkpoints: ReadonlyArray<Registry.CheckpointRecord & { readonly id: CheckpointId; readonly live: boolean }>
  readonly validators: { readonly epoch: bigint; readonly count: number }
  /** In the order of turns. */
  readonly provers: ReadonlyArray<Provers.Place>
  /** Since when there are so many of them. */
  readonly proversSince: bigint
  readonly idleSince: bigint
  readonly turn: Turn
  /** Those asked for, in their order. */
  readonly accounts: ReadonlyArray<{
    readonly account: Address
    readonly registered: boolean
    /** When its bond can be withdrawn; 0 if it did not leave. */
    readonly unlocksAt: bigint
    readonly credit: bigint
    readonly reputation: bigint
    readonly updates: number
    readonly hasFlagged: boolean
  }>
  readonly totalReputation: bigint
  readonly unallocated: bigint
  readonly redundancyReserve: bigint
  readonly protocolReserve: bigint
  /** Ether that the vault holds. */
  readonly balance: bigint
  readonly signal: { readonly epoch: bigint; readonly multiplier: bigint; readonly weight: bigint }
}

/**
 * All that can be read of a state at a time.
 *
 * @param at L1 time in seconds, not before the last call
 * @param accounts whose books to include
 */
export const observe = (state: State, at: bigint, accounts: ReadonlyArray<Address>): Observation => {
  const { boundaries, parameters, provers, registry, signal, tip, vault } = state
  const halfLife = BigInt(parameters.reputationHalfLife)
  const epoch = epochOf(parameters, at)
  return {
    tip: { hash: tip.hash, number: tip.number },
    boundaries: [...boundaries].map(([hash, boundary]) => ({ hash, ...boundary })),
    headId: registry.headId,
    generation: Registry.generationOf(registry),
    floor: registry.floor,
    checkpoints: [...registry.records].map(([id, record]) => ({ id, ...record, live: Registry.isLive(registry, id) })),
    validators: { epoch: registry.epoch, count: registry.validators },
    provers: provers.order,
    proversSince: provers.countSince,
    idleSince: idleClock(tip, registry).since,
    turn: turnAt(state, at),
    accounts: accounts.map((account) => {
      const { credit, reputation } = Vault.accountOf(vault, account)
      return {
        account,
        registered: Provers.isRegistered(provers, account),
        unlocksAt: provers.leaving.get(account) ?? 0n,
        credit,
        reputation: reputationAt(reputation, at, halfLife),
        updates: reputation.updates,
        hasFlagged: hasFlaggedIn(signal, account, epoch)
      }
    }),
    totalReputation: totalAt(vault.totalReputation, at, halfLife),
    unallocated: vault.unallocated,
    redundancyReserve: Vault.redundancyReserve(vault),
    protocolReserve: vault.protocolReserve,
    balance: vault.balance,
    signal: { epoch, multiplier: multiplierIn(parameters, signal, epoch), weight: weightIn(signal, epoch) }
  }
}
