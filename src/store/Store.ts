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

/** What every transaction of this node's has, whatever it does. */
const sent = {
  nonce: Schema.Int,
  /** The transaction that was signed first. Its hash is what all of them go by here. */
  raw: HexBytes,
  hash: TransactionHash,
  state: Schema.Literals(["pending", "confirmed", "abandoned"]),
  /** The same call at higher fees, lowest first. */
  replacements: Schema.optional(Schema.Array(SignedBytes))
}

/**
 * Something on its way to L1, as one signed transaction or several. Each is stored before it is sent, and all have the same
 * nonce: L1 executes at most one of them, however often any is sent (ND-3).
 */
export interface Sent {
  readonly nonce: number
  readonly hash: TransactionHash
  /** Every transaction that L1 may have, the dearest first. */
  readonly variants: ReadonlyArray<{ readonly nonce: number } & SignedBytes>
}

const variantsOf = ({ hash, nonce, raw, replacements = [] }: Schema.Struct<typeof sent>["Type"]): Sent["variants"] =>
  [{ raw, hash }, ...replacements].map((bytes) => ({ ...bytes, nonce })).reverse()

/** A state update on its way to L1. */
export class Submission extends Schema.Class<Submission>("lignum/Submission")({ from: BlockRef, to: BlockRef, ...sent }) implements Sent {
  get variants() {
    return variantsOf(this)
  }
}

/** What a transaction of this node's does on L1. */
export const OutgoingKind = Schema.Literals(["update", "flag"])
export type OutgoingKind = typeof OutgoingKind.Type

/**
 * A transaction of any kind on its way to L1. One account sends them all, one at a time: `pending` is at most one of them,
 * whichever role it belongs to.
 */
export class Outgoing extends Schema.Class<Outgoing>("lignum/Outgoing")({
  kind: OutgoingKind,
  /** What it does, told from everything else of its kind: it is done once (ND-3). A flag's is signal and epoch. */
  key: Schema.String,
  ...sent
}) implements Sent {
  get variants() {
    return variantsOf(this)
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

  /**
   * Keeps a signed update before it is sent; the rewards that it should bring are kept with it. Answers false, and keeps nothing,
   * while another transaction is on its way: then this one must not be sent.
   */
  readonly putSubmission: (submission: Submission, expected: ReadonlyArray<ExpectedCredit>) => Effect.Effect<boolean>
  /**
   * Keeps a signed transaction of another kind before it is sent. Answers false, and keeps nothing, while another one is on its
   * way, or if one of its kind and key was kept before: then this one must not be sent.
   */
  readonly putOutgoing: (outgoing: Outgoing) => Effect.Effect<boolean>
  /** Whatever is on its way, updates included. */
  readonly inFlight: Effect.Effect<Option.Option<Outgoing>>
  /** The transaction of a kind and key, however it ended. */
  readonly outgoing: (kind: Exclude<OutgoingKind, "update">, key: string) => Effect.Effect<Option.Option<Outgoing>>
  /**
   * Puts a confirmed transaction on its way again, after L1 took it back. Answers whether it is on its way now: not while
   * another one is.
   */
  readonly reopen: (hash: TransactionHash) => Effect.Effect<boolean>
  /** How a transaction of any kind ended. */
  readonly settleSubmission: (hash: TransactionHash, state: Submission["state"]) => Effect.Effect<void>
  /** Keeps another transaction with the same nonce and call before it is sent. */
  readonly putReplacement: (submission: TransactionHash, replacement: SignedBytes) => Effect.Effect<void>
  /** Submissions that are not abandoned, oldest first. */
  readonly submissions: Effect.Effect<ReadonlyArray<Submission>>
  /**
   * Rewards that submissions should bring once they are confirmed. Those of a submission with several transactions are given
   * under the hash of each: L1 has at most one.
   */
  readonly expectedCredits: Effect.Effect<ReadonlyArray<ExpectedCredit>>
}>()("lignum/Store") {}
