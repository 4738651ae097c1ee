/**
 * L1 as a node sees it: events to read, one transaction to send at a time.
 */
import { Context, type Effect, type Option, Schema } from "effect"
import type { Wei } from "../domain/Amount.ts"
import type { Checkpoint } from "../domain/Checkpoint.ts"
import type { BlockRef } from "../domain/Block.ts"
import type { SignalStanding } from "../domain/FlagPolicy.ts"
import type { Fees, GasMarket } from "../domain/GasPolicy.ts"
import type { Address, BlockHash, Bytes32, HexBytes, TransactionHash } from "../domain/Hash.ts"
import type { ProofSystemId, Statement } from "../domain/Proof.ts"
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

/** The contract would refuse the update; `error` is its custom error, which names the rule. No gas was spent. */
export class UpdateRefused extends Schema.TaggedError<UpdateRefused>()("UpdateRefused", {
  error: Schema.String
}) {
  override get message() {
    return `the state update would be refused: ${this.error}`
  }
}

/** A contract would refuse the call; `error` is its custom error, which names the rule. No gas was spent. */
export class CallRefused extends Schema.TaggedError<CallRefused>()("CallRefused", {
  error: Schema.String
}) {
  override get message() {
    return `the call would be refused: ${this.error}`
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

/** A call of this node's that is no state update: a flag says that the price of proving is too low (FM-3). */
export interface Call {
  readonly kind: "flag"
}

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
  /** Runs an update against the pending state and estimates its gas, without sending anything. */
  readonly dryRun: (update: Update) => Effect.Effect<bigint, UpdateRefused | L1Unavailable>
  /** What L1 takes for gas at the moment. */
  readonly gasMarket: Effect.Effect<GasMarket, L1Unavailable>
  /** The nonce that the account's next transaction must have, as of the latest block. */
  readonly nextNonce: Effect.Effect<number, L1Unavailable>
  /** Signs an update with the account's next nonce. */
  readonly sign: (update: Update, gas: bigint, fees: Fees) => Effect.Effect<SignedTransaction, L1Unavailable>
  /**
   * Runs the call of a signed transaction against the latest block, and estimates its gas. Not against the pending state: that
   * may hold this very transaction, and would refuse it a second time.
   */
  readonly dryRunSigned: (transaction: SignedTransaction, to: BlockRef) => Effect.Effect<bigint, UpdateRefused | L1Unavailable>
  /** Runs a call against the pending state and estimates its gas, without sending anything. */
  readonly dryRunCall: (call: Call) => Effect.Effect<bigint, CallRefused | L1Unavailable>
  /** Signs a call with the account's next nonce. */
  readonly signCall: (call: Call, gas: bigint, fees: Fees) => Effect.Effect<SignedTransaction, L1Unavailable>
  /** As `dryRunSigned`, for a transaction that `signCall` signed. */
  readonly dryRunSignedCall: (transaction: SignedTransaction) => Effect.Effect<bigint, CallRefused | L1Unavailable>
  /** What a signed transaction offers. */
  readonly feesOf: (transaction: SignedTransaction) => Fees
  /** Signs the same call again, with the same nonce and other fees. */
  readonly resign: (transaction: SignedTransaction, gas: bigint, fees: Fees) => Effect.Effect<SignedTransaction>
  /** Sends a signed transaction; sending one again that L1 knows is a success. */
  readonly send: (transaction: SignedTransaction) => Effect.Effect<void, NonceUsed | Underpriced | L1Unavailable>
  readonly receipt: (hash: TransactionHash) => Effect.Effect<Option.Option<Receipt>, L1Unavailable>
  /** What the vault owes an account. */
  readonly creditOf: (account: Address) => Effect.Effect<Wei, L1Unavailable>
  readonly vault: Effect.Effect<VaultBalances, L1Unavailable>
  /** Race or turn, as of the block that is being made. */
  readonly turn: Effect.Effect<Turn, L1Unavailable>
  /** What L1 holds a redundant proof of an update against, by the update's last block; zero where it takes none (RW-4). */
  readonly redundancyClaim: (to: BlockHash) => Effect.Effect<bigint, L1Unavailable>
  readonly reputationOf: (account: Address) => Effect.Effect<Reputation, L1Unavailable>
  readonly totalReputation: Effect.Effect<bigint, L1Unavailable>
  /** What the fee signal says, and this node's standing with it, all as of one block (FM-3). */
  readonly signal: Effect.Effect<SignalStanding, L1Unavailable>
}>()("lignum/L1") {}
