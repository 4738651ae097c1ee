/**
 * How often calls of each kind succeeded, and how often they ended in each refusal: what a run of histories has really tried.
 */
import type { Event } from "../../src/domain/Settlement.ts"

/** What every run of some hundred histories must have seen: a success of each kind of call, with all that it can come to. */
export const successes: ReadonlyArray<string> = [
  ...[
    "RegisterCheckpoint",
    "HandOver",
    "SubmitUpdate",
    "SubmitRedundant",
    "RevertUnproven",
    "RegisterProver",
    "Deregister",
    "Withdraw",
    "Fund",
    "Endow",
    "Claim",
    "Lapse",
    "Flag"
  ].map((kind) => `${kind} succeeded`),
  ...["AlreadyProven", "UpdatedInTurn", "TurnMissed", "PotShort", "Lapsed", "RedundancyOpened", "MultiplierRaised"].map((name) => `saw ${name}`),
  "saw TurnMissed at a RevertUnproven",
  "saw a turn that changed hands"
]

/** And each of these refusals. */
export const refusals: ReadonlyArray<string> = Object.entries({
  RegisterCheckpoint: [
    "CP1_ParentIsNotHead",
    "CP1_NumberNotAboveHead",
    "CP2_UnknownSigner",
    "CP2_QuorumNotReached",
    "CP2_SignatureInvalid",
    "CP4_Reverted"
  ],
  HandOver: ["CP2_SignatureInvalid", "CP3_ValidatorCount", "CP3_DuplicateKey", "CP3_PossessionInvalid"],
  SubmitUpdate: [
    "ST1_NoBlocks",
    "ST1_FromIsNotABoundary",
    "ST1_NotThroughTip",
    "ST2_NoCheckpoint",
    "ST2_CheckpointUnknown",
    "ST2_CheckpointsNotLinked",
    "ST2_CheckpointsMissing",
    "ST2_NotContinued",
    "ST3_SystemUnknown",
    "ST3_NothingMerged",
    "ST3_ProofInvalid",
    "ST6_NotYourTurn"
  ],
  SubmitRedundant: [
    "RW4_TransitionUnknown",
    "RW4_NotYourTurn",
    "RW4_WindowClosed",
    "RW4_LeafCount",
    "RW4_NothingEarned",
    "ST3_SystemUnknown",
    "ST3_NothingMerged",
    "ST3_ProofInvalid"
  ],
  RevertUnproven: ["CP4_NotLinked", "CP4_NotLive", "CP4_NotOldest", "CP4_NotDue"],
  RegisterProver: ["ST6_BondMismatch", "ST6_AlreadyRegistered", "ST6_StillLeaving"],
  Deregister: ["ST6_NotRegistered"],
  Withdraw: ["ST6_NothingToWithdraw", "ST6_BondLocked", "ST6_PaymentRefused"],
  Fund: ["RW5_FundTooLarge"],
  Endow: ["RW5_FundTooLarge"],
  Claim: ["RW5_NothingToClaim", "RW5_PaymentRefused"],
  Flag: ["FM3_NotActive", "FM3_AlreadyFlagged", "FM3_NoReputation"]
}).flatMap(([kind, errors]) => errors.map((error) => `${kind} ${error}`))

export class Coverage {
  readonly #counts = new Map<string, number>()

  /** Notes one call; no error is a success. */
  note(kind: Event["_tag"], error?: string): void {
    const key = `${kind} ${error ?? "succeeded"}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** Notes an event of the contracts, or another thing that must happen now and then. */
  saw(name: string): void {
    const key = `saw ${name}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** Counts by `kind outcome`, in alphabetical order. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a < b ? -1 : 1))
  }

  /** Which of these never happened. */
  missing(names: ReadonlyArray<string>): ReadonlyArray<string> {
    return names.filter((name) => !this.#counts.has(name))
  }
}
