/**
 * Why L1 refuses a call: the contracts' custom errors as values.
 */
import { Result, Schema } from "effect"
import type { Address, Bytes32 } from "../Hash.ts"

/** The custom errors that calls can end with, and their arguments, as in `contracts/src/interfaces`. Integers are bigints. */
export interface RefusalArguments {
  readonly CP1_ParentIsNotHead: readonly [given: Bytes32, head: Bytes32]
  readonly CP1_NumberNotAboveHead: readonly [given: bigint, head: bigint]
  readonly CP2_UnknownSigner: readonly [signers: bigint, validators: bigint]
  readonly CP2_QuorumNotReached: readonly [signers: bigint, needed: bigint]
  readonly CP2_SignatureInvalid: readonly []
  readonly CP3_ValidatorCount: readonly [given: bigint, most: bigint]
  readonly CP3_DuplicateKey: readonly [first: bigint, second: bigint]
  readonly CP3_PossessionInvalid: readonly [index: bigint]
  readonly CP4_Reverted: readonly [id: Bytes32]
  readonly CP4_NotLinked: readonly []
  readonly CP4_NotLive: readonly [id: Bytes32]
  readonly CP4_NotOldest: readonly [tipNumber: bigint]
  readonly CP4_NotDue: readonly [dueAt: bigint]
  readonly ST1_NoBlocks: readonly []
  readonly ST1_FromIsNotABoundary: readonly [from: Bytes32]
  readonly ST1_NotThroughTip: readonly [given: Bytes32, tip: Bytes32]
  readonly ST2_NoCheckpoint: readonly []
  readonly ST2_CheckpointUnknown: readonly [id: Bytes32]
  readonly ST2_CheckpointsNotLinked: readonly [index: bigint]
  readonly ST2_CheckpointsMissing: readonly [parentNumber: bigint, tipNumber: bigint]
  readonly ST2_NotContinued: readonly [toNumber: bigint, checkpointNumber: bigint]
  readonly ST3_SystemUnknown: readonly [system: bigint]
  readonly ST3_NothingMerged: readonly []
  readonly ST3_ProofInvalid: readonly []
  readonly ST6_BondMismatch: readonly [given: bigint, bond: bigint]
  readonly ST6_AlreadyRegistered: readonly [prover: Address]
  readonly ST6_NotRegistered: readonly [prover: Address]
  readonly ST6_StillLeaving: readonly [prover: Address, unlocksAt: bigint]
  readonly ST6_NothingToWithdraw: readonly [prover: Address]
  readonly ST6_BondLocked: readonly [unlocksAt: bigint]
  readonly ST6_PaymentRefused: readonly [prover: Address]
  readonly ST6_NotYourTurn: readonly [holder: Address]
  readonly RW4_TransitionUnknown: readonly [toHash: Bytes32]
  readonly RW4_NotYourTurn: readonly [holder: Address]
  readonly RW4_WindowClosed: readonly [closedAt: bigint]
  readonly RW4_LeafCount: readonly [given: bigint, expected: bigint]
  readonly RW4_NothingEarned: readonly []
  readonly RW5_NothingToClaim: readonly [account: Address]
  readonly RW5_PaymentRefused: readonly [account: Address]
  readonly RW5_FundTooLarge: readonly [amount: bigint]
  readonly FM3_NotActive: readonly [updates: bigint, needed: bigint]
  readonly FM3_AlreadyFlagged: readonly [epoch: bigint]
  readonly FM3_NoReputation: readonly []
}

export type RefusalName = keyof RefusalArguments

/**
 * L1 refuses a call and nothing changes. The name begins with the rule that the call breaks; what the error means and the way out
 * of it stand beside its declaration in `contracts/src/interfaces`.
 */
export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", {
  error: Schema.String,
  args: Schema.Array(Schema.Union([Schema.String, Schema.BigIntFromString]))
}) {
  override get message() {
    return `L1 refuses the call: ${this.error}(${this.args.join(", ")})`
  }
}

/** A refused call. */
export const refuse = <Name extends RefusalName>(error: Name, ...args: RefusalArguments[Name]): Result.Result<never, Refusal> =>
  Result.fail(new Refusal({ error, args }))
