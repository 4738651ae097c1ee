/**
 * What a node must not forget: proofs, and what it sent to L1. Everything here survives `kill -9`.
 *
 * A storage failure is a defect: it crashes the role that met it, and the supervisor restarts the role.
 */
import { Context, type Effect, type Option, Schema } from "effect"
import { BlockNumber, Wei } from "../domain/Amount.ts"
import { Address, type BlockHash, HexBytes, type ProofId, TransactionHash } from "../domain/Hash.ts"
import type { AncestryProof, Proof } from "../domain/Proof.ts"
import { creditKinds } from "../domain/Rewards.ts"

/** One signed transaction. */
export class Variant extends Schema.Class<Variant>("lignum/Variant")({
  raw: HexBytes,
  /** The name that L1 gives it. */
  hash: TransactionHash,
  /** Whether it does nothing but use the nonce, so that the others can never be included. */
  cancels: Schema.Boolean
}) {}

/** What a transaction does: moves the tip, proves a transition once more, reverts, draws credits, or flags the price as too low. */
export const OutgoingKind = Schema.Literals(["update", "redundant", "revert", "claim", "flag"])
export type OutgoingKind = typeof OutgoingKind.Type

/**
 * Something that this node does on L1, as one signed transaction or several. Each is stored before it is sent, and all have the
 * same nonce: L1 executes at most one of them, however often any is sent (ND-3).
 */
export class Outgoing extends Schema.Class<Outgoing>("lignum/Outgoing")({
  kind: OutgoingKind,
  /** What it does, told from everything else of its kind. Unless it is abandoned, nothing else does that. */
  key: Schema.String,
  /** The same for people, as in "the update to block 6". */
  subject: Schema.String,
  /** The last block that it is about, if it is about blocks. */
  block: Schema.NullOr(BlockNumber),
  nonce: Schema.Int,
  state: Schema.Literals(["pending", "confirmed", "abandoned"]),
  /** Wei that its gas may cost. `null` where nothing but the operator's stop-loss bounds that. */
  worth: Schema.NullOr(Schema.BigIntFromString),
  /** The last L1 second in which it is of use; `null` where it has none. */
  expiresAt: Schema.NullOr(Schema.BigIntFromString),
  /** Every transaction that L1 may have, in the order in which they were signed. The dearest is the last. */
  variants: Schema.NonEmptyArray(Variant)
}) {
  /** The hash of the transaction that was signed first: what all of them go by here. */
  get id(): TransactionHash {
    return this.variants[0].hash
  }

  get newest(): Variant & { readonly nonce: number } {
    return { ...this.variants[this.variants.length - 1]!, nonce: this.nonce }
  }

  /** Whether this node wants it undone: it has become useless. */
  get cancelled(): boolean {
    return this.newest.cancels
  }
}

/** What a node expects L1 to credit for a block by one of its own transactions (RW-7). */
export class ExpectedCredit extends Schema.Class<ExpectedCredit>("lignum/ExpectedCredit")({
  transaction: TransactionHash,
  block: BlockNumber,
  account: Address,
  kind: Schema.Literals(creditKinds),
  /** As things stood when it was signed. Age bonus, bounty and turn depend on when L1 includes it (RW-6, ST-6). */
  amount: Wei,
  /** Prover fees of the block (RW-1), in the line of its leaf: with what L1 knows of the update, every amount follows from them. */
  proverFees: Schema.optionalKey(Wei)
}) {}

export class Store extends Context.Service<Store, {
  /** Keeps a verified proof; keeping it again changes nothing. */
  readonly putProof: (proof: Proof) => Effect.Effect<void>
  /** All proofs that end beyond a block, oldest first. */
  readonly proofsBeyond: (number: BlockNumber) => Effect.Effect<ReadonlyArray<Proof>>
  /** So many proofs in the order of (last block, id), from behind a place in it on: a block's number, with or without an id. */
  readonly proofPage: (after: BlockNumber, afterId: ProofId | undefined, most: number) => Effect.Effect<ReadonlyArray<Proof>>
  /** A prover's own proof of one block. */
  readonly blockProof: (block: BlockHash, prover: Address) => Effect.Effect<Option.Option<Proof>>
  /** How many blocks a prover has proven. */
  readonly blocksProven: (prover: Address) => Effect.Effect<number>
  readonly putAncestry: (proof: AncestryProof) => Effect.Effect<void>
  readonly ancestry: (end: BlockHash, checkpointBlock: BlockHash) => Effect.Effect<Option.Option<AncestryProof>>

  /**
   * Keeps a signed transaction before it is sent, and with it the credits that it should bring. Answers false, and keeps nothing,
   * while another one is on its way, and where one of its kind and key is or was sent and not abandoned: then this one must not
   * be sent (ND-3).
   */
  readonly putOutgoing: (outgoing: Outgoing, expected: ReadonlyArray<Omit<ExpectedCredit, "transaction">>) => Effect.Effect<boolean>
  /** Keeps another transaction with the same nonce before it is sent. */
  readonly putVariant: (id: TransactionHash, variant: Variant) => Effect.Effect<void>
  /** How one ended. */
  readonly settleOutgoing: (id: TransactionHash, state: Outgoing["state"]) => Effect.Effect<void>
  /** What is on its way: one at most. */
  readonly inFlight: Effect.Effect<Option.Option<Outgoing>>
  /** The one of a kind and key that is not abandoned. */
  readonly outgoing: (kind: OutgoingKind, key: string) => Effect.Effect<Option.Option<Outgoing>>
  /** Confirmed ones with that nonce or a higher one, by nonce: those that L1 took back, if it is the account's next. */
  readonly confirmedFrom: (nonce: number) => Effect.Effect<ReadonlyArray<Outgoing>>
  /** All that are not abandoned, by nonce. */
  readonly allOutgoing: Effect.Effect<ReadonlyArray<Outgoing>>
  /**
   * Credits that transactions should bring, unless they are abandoned. Those of one with several variants are given under the hash
   * of each: L1 has at most one.
   */
  readonly expectedCredits: Effect.Effect<ReadonlyArray<ExpectedCredit>>
}>()("lignum/Store") {}
