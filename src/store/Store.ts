/**
 * What a node must not forget: proofs, attempts, and what it sent to L1. Everything here survives `kill -9`.
 *
 * A storage failure is a defect: it crashes the role that met it, and the supervisor restarts the role.
 */
import { Context, type Effect, type Option, Schema } from "effect"
import { BlockNumber, Wei } from "../domain/Amount.ts"
import { BlockRef } from "../domain/Block.ts"
import { Address, type BlockHash, HexBytes, TransactionHash } from "../domain/Hash.ts"
import type { AncestryProof, Proof } from "../domain/Proof.ts"

/** A job failed too often or cannot succeed, and is kept for replay (ND-4). */
export class Quarantined extends Schema.TaggedError<Quarantined>()("Quarantined", {
  job: Schema.String,
  attempts: Schema.Int,
  reason: Schema.String
}) {
  override get message() {
    return `${this.job} is quarantined after ${this.attempts} attempts: ${this.reason}`
  }
}

/** How a lease on a job ended. `lost` means that the node itself went away. */
export const AttemptOutcome = Schema.Literals(["running", "done", "failed", "cancelled", "lost"])
export type AttemptOutcome = typeof AttemptOutcome.Type

/** A signed transaction and the name that L1 gives it. */
export class SignedBytes extends Schema.Class<SignedBytes>("lignum/SignedBytes")({
  raw: HexBytes,
  hash: TransactionHash
}) {}

/**
 * A state update on its way to L1, as one signed transaction or several. Each is stored before it is sent, and all have the same
 * nonce: L1 executes at most one of them, however often any is sent (ND-3).
 */
export class Submission extends Schema.Class<Submission>("lignum/Submission")({
  from: BlockRef,
  to: BlockRef,
  nonce: Schema.Int,
  /** The transaction that was signed first. Its hash is what the submission goes by here. */
  raw: HexBytes,
  hash: TransactionHash,
  state: Schema.Literals(["pending", "confirmed", "abandoned"]),
  /** The same call at higher fees, lowest first. */
  replacements: Schema.optional(Schema.Array(SignedBytes))
}) {
  /** Every transaction that L1 may have, the dearest first. */
  get variants(): ReadonlyArray<{ readonly nonce: number } & SignedBytes> {
    const { nonce } = this
    return [{ raw: this.raw, hash: this.hash }, ...this.replacements ?? []].map((bytes) => ({ ...bytes, nonce })).reverse()
  }
}

/** What a node expects L1 to credit for a block that one of its own transactions settles (RW-7). */
export class ExpectedCredit extends Schema.Class<ExpectedCredit>("lignum/ExpectedCredit")({
  transaction: TransactionHash,
  block: BlockNumber,
  account: Address,
  kind: Schema.Literals(["leaf", "merge", "submission"]),
  amount: Wei
}) {}

export class Store extends Context.Service<Store, {
  /** Keeps a verified proof; keeping it again changes nothing. */
  readonly putProof: (proof: Proof) => Effect.Effect<void>
  /** All proofs that end beyond a block, oldest first. */
  readonly proofsBeyond: (number: BlockNumber) => Effect.Effect<ReadonlyArray<Proof>>
  /** A prover's own proof of one block. */
  readonly blockProof: (block: BlockHash, prover: Address) => Effect.Effect<Option.Option<Proof>>
  /** How many blocks a prover has proven. */
  readonly blocksProven: (prover: Address) => Effect.Effect<number>
  readonly putAncestry: (proof: AncestryProof) => Effect.Effect<void>
  readonly ancestry: (end: BlockHash, checkpointBlock: BlockHash) => Effect.Effect<Option.Option<AncestryProof>>

  /** Opens a lease on a job. Its number tells this attempt from all others of the job (ND-4). */
  readonly beginAttempt: (job: string) => Effect.Effect<number, Quarantined>
  /** Closes a lease; one that was closed already stays as it was. */
  readonly endAttempt: (job: string, attempt: number, outcome: AttemptOutcome, reason: string) => Effect.Effect<void>
  /** Puts a job into quarantine at once: its inputs cannot succeed. */
  readonly quarantine: (job: string, reason: string) => Effect.Effect<void>
  /** Attempts by job with how each ended. */
  readonly attempts: Effect.Effect<ReadonlyArray<{ readonly job: string; readonly attempt: number; readonly outcome: AttemptOutcome }>>

  /** Keeps a signed transaction before it is sent; the rewards that it should bring are kept with it. */
  readonly putSubmission: (submission: Submission, expected: ReadonlyArray<ExpectedCredit>) => Effect.Effect<void>
  readonly settleSubmission: (hash: TransactionHash, state: Submission["state"]) => Effect.Effect<void>
  /** Keeps another transaction of a submission before it is sent. */
  readonly putReplacement: (submission: TransactionHash, replacement: SignedBytes) => Effect.Effect<void>
  /** Submissions that are not abandoned, oldest first. */
  readonly submissions: Effect.Effect<ReadonlyArray<Submission>>
  /**
   * Rewards that submissions should bring once they are confirmed. Those of a submission with several transactions are given
   * under the hash of each: L1 has at most one.
   */
  readonly expectedCredits: Effect.Effect<ReadonlyArray<ExpectedCredit>>
}>()("lignum/Store") {}
