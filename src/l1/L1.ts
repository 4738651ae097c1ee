/**
 * L1 as a node sees it: events to read, one transaction to send at a time.
 */
import { Context, type Effect, type Option, Schema } from "effect"
import type { Wei } from "../domain/Amount.ts"
import type { Checkpoint } from "../domain/Checkpoint.ts"
import type { SignalStanding } from "../domain/FlagPolicy.ts"
import type { Fees, GasMarket } from "../domain/GasPolicy.ts"
import type { Address, BlockHash, Bytes32, CheckpointId, HexBytes, TransactionHash } from "../domain/Hash.ts"
import type { ProofSystemId, Statement } from "../domain/Proof.ts"
import type { Transition } from "../domain/Redundancy.ts"
import type { L1Event } from "./Events.ts"

/** L1 does not answer, or answers nonsense. Try again later; nothing was changed. */
export class L1Unavailable extends Schema.TaggedError<L1Unavailable>()("L1Unavailable", {
  operation: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `L1 did not answer ${this.operation}: ${this.reason}`
  }
}

/** A contract would refuse the call; `error` is its custom error, which names the rule. No gas was spent. */
export class CallRefused extends Schema.TaggedError<CallRefused>()("CallRefused", {
  error: Schema.String
}) {
  override get message() {
    return `L1 would refuse it: ${this.error}`
  }
}

/** A transaction's nonce was used by another transaction of the same account, so that this one can never be included. */
export class NonceUsed extends Schema.TaggedError<NonceUsed>()("NonceUsed", { nonce: Schema.Int }) {
  override get message() {
    return `nonce ${this.nonce} is used already`
  }
}

/** L1 does not take a transaction at the fees that it offers. One with the same nonce may take its place if it offers an eighth more. */
export class Underpriced extends Schema.TaggedError<Underpriced>()("Underpriced", { reason: Schema.String }) {
  override get message() {
    return `L1 wants higher fees: ${this.reason}`
  }
}

/** A block of L1. */
export interface L1Block {
  readonly number: number
  readonly hash: Bytes32
  readonly timestamp: bigint
}

/** A state update as the contract takes it. */
export interface Update {
  readonly statement: Statement
  readonly system: ProofSystemId
  /** Who did the merging, one for each merge; none where the proof system merges nothing (RW-3). */
  readonly mergers: ReadonlyArray<Address>
  /** The checkpoints beyond the tip, up to the one that continues the statement's end. */
  readonly checkpoints: ReadonlyArray<Checkpoint>
  /** Hashes at which the links of the ancestry proof meet. */
  readonly ancestry: ReadonlyArray<BlockHash>
  readonly proof: HexBytes
}

/** A proof of a settled transition by its turn-holder (RW-4). */
export interface RedundantProof {
  readonly transition: Transition
  readonly system: ProofSystemId
  /** The leaf provers of this proof, one for each block. */
  readonly provers: ReadonlyArray<Address>
  /** Who did the merging, as in an update. */
  readonly mergers: ReadonlyArray<Address>
  readonly proof: HexBytes
}

/** What a node does on L1. */
export type Call =
  /** Moves the proven tip (ST-1). */
  | { readonly kind: "update"; readonly update: Update }
  /** Proves a settled transition once more, in its turn (RW-4). */
  | { readonly kind: "redundant"; readonly redundant: RedundantProof }
  /** Reverts what nobody proves: `oldest` is the oldest unproven checkpoint, `fallback` its parent (CP-4). */
  | { readonly kind: "revert"; readonly fallback: Checkpoint; readonly oldest: Checkpoint }
  /** Draws what the vault owes an account (RW-5). */
  | { readonly kind: "claim"; readonly account: Address }
  /** Says that the price of proving is too low (FM-3). */
  | { readonly kind: "flag" }

/** A signed transaction. Of several with one nonce, L1 executes at most one. */
export interface SignedTransaction {
  readonly nonce: number
  readonly raw: HexBytes
  readonly hash: TransactionHash
}

export interface Receipt {
  readonly block: number
  readonly succeeded: boolean
  readonly gasUsed: bigint
}

/** The vault's four balances, in wei. */
export interface VaultBalances {
  readonly unallocated: bigint
  readonly redundancyReserve: bigint
  readonly protocolReserve: bigint
  /** Ether that the contract holds. */
  readonly balance: bigint
}

/** Race or turn (ST-5, ST-6). */
export interface Turn {
  /** Whether the race is over. */
  readonly inFallback: boolean
  /** Index of the turn since then, from zero. */
  readonly index: number
  /** Whose turn it is; none in the race, where nobody is registered, and under open designation. */
  readonly holder: Option.Option<Address>
  /** L1 time in seconds at which the race, or the turn, ends; none while nothing is provable. */
  readonly endsAt: Option.Option<bigint>
}

/** What a prover's word in the fee signal weighs (FM-3). */
export interface Reputation {
  /** Prover gas credited on L1, decayed to now. */
  readonly reputation: bigint
  /** Updates with work of its own. */
  readonly updates: bigint
}

export class L1 extends Context.Service<L1, {
  /** The account that this node sends from and is paid to. */
  readonly account: Address
  readonly chainId: bigint
  readonly registry: Address
  /** The provers' price signal (FM-3). */
  readonly feeSignal: Address
  /** The L1 block in which the contracts were deployed: events begin here. */
  readonly deployedAt: number
  readonly latest: Effect.Effect<L1Block, L1Unavailable>
  /** The block at a height; none when the chain is shorter. */
  readonly block: (number: number) => Effect.Effect<Option.Option<L1Block>, L1Unavailable>
  /** The contracts' events in a range of blocks, both included, in order. */
  readonly events: (from: number, to: number) => Effect.Effect<ReadonlyArray<L1Event>, L1Unavailable>
  /**
   * Runs a call against the pending state and estimates its gas, without sending anything. An update that proves nothing new is
   * refused, too, although the contract would take it and do nothing (ST-1).
   */
  readonly dryRun: (call: Call) => Effect.Effect<bigint, CallRefused | L1Unavailable>
  /** What L1 takes for gas at the moment. */
  readonly gasMarket: Effect.Effect<GasMarket, L1Unavailable>
  /** The nonce that the account's next transaction must have, as of the latest block. */
  readonly nextNonce: Effect.Effect<number, L1Unavailable>
  /** Signs a call with the account's next nonce. */
  readonly sign: (call: Call, gas: bigint, fees: Fees) => Effect.Effect<SignedTransaction, L1Unavailable>
  /**
   * Runs the call of a signed transaction against the latest block, and estimates its gas. Not against the pending state: that
   * may hold this very transaction, and would refuse it a second time.
   */
  readonly dryRunSigned: (transaction: SignedTransaction) => Effect.Effect<bigint, CallRefused | L1Unavailable>
  /** What a signed transaction offers. */
  readonly feesOf: (transaction: SignedTransaction) => Fees
  /** Signs the same call again, with the same nonce and other fees. */
  readonly resign: (transaction: SignedTransaction, gas: bigint, fees: Fees) => Effect.Effect<SignedTransaction>
  /** Signs nothing at all with the nonce of a transaction: whichever of the two is included, the other never is. */
  readonly cancel: (transaction: SignedTransaction, fees: Fees) => Effect.Effect<SignedTransaction>
  /** Whether L1 has a transaction, in a block or waiting for one. */
  readonly knows: (hash: TransactionHash) => Effect.Effect<boolean, L1Unavailable>
  /** Sends a signed transaction; sending one again that L1 knows is a success. */
  readonly send: (transaction: SignedTransaction) => Effect.Effect<void, NonceUsed | Underpriced | L1Unavailable>
  readonly receipt: (hash: TransactionHash) => Effect.Effect<Option.Option<Receipt>, L1Unavailable>
  /** What the vault owes an account. */
  readonly creditOf: (account: Address) => Effect.Effect<Wei, L1Unavailable>
  readonly vault: Effect.Effect<VaultBalances, L1Unavailable>
  /** L1 time in seconds at which a checkpoint was registered; zero if it was not. */
  readonly registeredAt: (checkpoint: CheckpointId) => Effect.Effect<bigint, L1Unavailable>
  /** Race or turn, as of the block that is being made. */
  readonly turn: Effect.Effect<Turn, L1Unavailable>
  /** What L1 holds a redundant proof of an update against, by the update's last block; zero where it takes none (RW-4). */
  readonly redundancyClaim: (to: BlockHash) => Effect.Effect<bigint, L1Unavailable>
  readonly reputationOf: (account: Address) => Effect.Effect<Reputation, L1Unavailable>
  readonly totalReputation: Effect.Effect<bigint, L1Unavailable>
  /** What the fee signal says, and this node's standing with it, all as of one block (FM-3). */
  readonly signal: Effect.Effect<SignalStanding, L1Unavailable>
}>()("lignum/L1") {}
