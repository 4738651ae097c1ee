/**
 * A proof system as the roles see it: proves blocks, puts neighbours together, verifies, and encodes for L1 (ST-3, ST-7).
 */
import { Context, type Effect, Schema } from "effect"
import type { Header } from "../domain/Block.ts"
import type { BlockWitness } from "../domain/BlockWitness.ts"
import type { Address, Bytes32, HexBytes } from "../domain/Hash.ts"
import type { AncestryProof, Proof, ProofSystemId } from "../domain/Proof.ts"

/**
 * Proving did not end in a proof that verifies. `retry` tells whether the same inputs may succeed on another attempt
 * (a worker was lost) or cannot (the witness does not satisfy the circuit): those belong in quarantine (ND-4).
 */
export class ProvingFailed extends Schema.TaggedError<ProvingFailed>()("ProvingFailed", {
  subject: Schema.String,
  reason: Schema.String,
  retry: Schema.Boolean
}) {
  override get message() {
    return `proving ${this.subject} failed: ${this.reason}`
  }
}

/** A proof does not verify: drop it, and hold it against its sender (OC-1). */
export class ProofInvalid extends Schema.TaggedError<ProofInvalid>()("ProofInvalid", {
  reason: Schema.String
}) {
  override get message() {
    return `the proof is not valid: ${this.reason}`
  }
}

/** Hears how far a running proof is, from 0 to 1, and what it is doing. */
export type OnProgress = (progress: { readonly fraction: number; readonly stage: string }) => Effect.Effect<void>

export class ProofSystem extends Context.Service<ProofSystem, {
  readonly id: ProofSystemId
  /** What L1's verifier names its verifying keys by: proofs with others are nothing to it. */
  readonly verifyingKeys: Bytes32
  /** How many proofs run at once; further calls wait their turn. */
  readonly capacity: number
  /** Whether merges are work that L1 pays for (RW-2). */
  readonly mergeWork: boolean
  /** Blocks of one update at most, by what L1 verifies in one transaction. */
  readonly maxLeaves: number
  /** Proves one block in the name of `prover`. Interrupting it stops the work at once (OC-4). */
  readonly proveBlock: (witness: BlockWitness, prover: Address, onProgress: OnProgress) => Effect.Effect<Proof, ProvingFailed>
  /**
   * Proves that the first header is an ancestor of the last; `headers` is the whole chain between them, both included.
   * Longer chains than one proof can cover become several links.
   */
  readonly proveAncestry: (headers: ReadonlyArray<Header>, onProgress: OnProgress) => Effect.Effect<AncestryProof, ProvingFailed>
  /** One proof of the statement of two verified neighbours. */
  readonly merge: (left: Proof, right: Proof) => Effect.Effect<Proof, ProvingFailed>
  /** Succeeds only for a valid proof. Every proof from elsewhere goes through here before anything is built on it (OC-1). */
  readonly verify: (proof: Proof) => Effect.Effect<void, ProofInvalid>
  /** Succeeds only for a valid ancestry proof. */
  readonly verifyAncestry: (proof: AncestryProof) => Effect.Effect<void, ProofInvalid>
  /** The `proof` bytes of a state update, of a verified proof and, if END is not the checkpoint's own block, a verified ancestry proof. */
  readonly encodeForL1: (proof: Proof, ancestry: AncestryProof | undefined) => HexBytes
}>()("lignum/ProofSystem") {}
