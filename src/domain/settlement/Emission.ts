/**
 * What the contracts say: their events as values, by the names and arguments of `contracts/src/interfaces`. Amounts are in wei,
 * times are L1 times in seconds.
 */
import type { BlockNumber } from "../Amount.ts"
import type { Address, BlockHash, CheckpointId, HexBytes, StateRoot } from "../Hash.ts"
import type { ValidatorKey } from "../QuorumCertificate.ts"
import type { CreditKind, Reserve } from "../Rewards.ts"

interface EmissionArguments {
  /** CP-1, CP-2. */
  readonly CheckpointRegistered: {
    readonly id: CheckpointId
    readonly parentId: CheckpointId
    readonly number: BlockNumber
    readonly blockHash: BlockHash
    readonly stateRoot: StateRoot
    readonly signers: bigint
    readonly signature: HexBytes
  }
  /** CP-3. */
  readonly ValidatorSetChanged: { readonly epoch: bigint; readonly validators: number; readonly keys: ReadonlyArray<ValidatorKey> }
  /** CP-4. */
  readonly CheckpointsReverted: {
    readonly generation: number
    readonly headId: CheckpointId
    readonly headNumber: BlockNumber
    readonly tipNumber: BlockNumber
  }
  /** ST-1 to ST-3. */
  readonly StateUpdated: {
    readonly fromHash: BlockHash
    readonly toHash: BlockHash
    readonly fromNumber: BlockNumber
    readonly toNumber: BlockNumber
    readonly system: number
    readonly submitter: Address
    readonly checkpointId: CheckpointId
  }
  /** ST-1. */
  readonly AlreadyProven: { readonly submitter: Address; readonly toNumber: BlockNumber; readonly tipNumber: BlockNumber }
  /** ST-6. */
  readonly UpdatedInTurn: { readonly toNumber: BlockNumber; readonly turn: number; readonly holder: Address; readonly submitter: Address }
  /** ST-6: prover gas that a holder lost. */
  readonly TurnMissed: { readonly turn: number; readonly holder: Address; readonly lost: bigint }
  /** ST-6. */
  readonly ProverRegistered: { readonly prover: Address; readonly position: number }
  readonly ProverLeft: { readonly prover: Address; readonly moved: Address; readonly unlocksAt: bigint }
  readonly BondReturned: { readonly prover: Address; readonly amount: bigint }
  /** RW-4: who was paid for the leaf of each of the update's blocks, and what proving it again earns. */
  readonly RedundancyOpened: {
    readonly toHash: BlockHash
    readonly holder: Address
    readonly closesAt: bigint
    readonly provers: ReadonlyArray<Address>
    readonly shares: ReadonlyArray<bigint>
  }
  readonly RedundancyProven: { readonly toHash: BlockHash; readonly holder: Address; readonly system: number; readonly earned: bigint }
  readonly Lapsed: { readonly amount: bigint }
  /** RW-1 to RW-7. */
  readonly Funded: { readonly by: Address; readonly amount: bigint }
  readonly Credited: { readonly number: BlockNumber; readonly account: Address; readonly kind: CreditKind; readonly amount: bigint }
  readonly Reserved: { readonly reserve: Reserve; readonly firstNumber: BlockNumber; readonly lastNumber: BlockNumber; readonly amount: bigint }
  readonly Released: { readonly reserve: Reserve; readonly firstNumber: BlockNumber; readonly lastNumber: BlockNumber; readonly amount: bigint }
  readonly PotShort: { readonly number: BlockNumber; readonly proverFees: bigint; readonly pot: bigint }
  readonly Claimed: { readonly account: Address; readonly amount: bigint }
  /** FM-3: weights in prover gas. */
  readonly Flagged: {
    readonly epoch: bigint
    readonly prover: Address
    readonly weight: bigint
    readonly gathered: bigint
    readonly total: bigint
  }
  /** FM-3: in millionths. */
  readonly MultiplierRaised: { readonly epoch: bigint; readonly multiplier: bigint }
}

/** One event of the contracts. */
export type Emission = { readonly [Name in keyof EmissionArguments]: { readonly _tag: Name } & EmissionArguments[Name] }[keyof EmissionArguments]

/** A part of the state after a call, and what was said on the way, in order. */
export interface Outcome<State> {
  readonly state: State
  readonly effects: ReadonlyArray<Emission>
}
