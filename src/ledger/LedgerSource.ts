/**
 * The rollup's ledger as provers see it. Consensus is a black box behind this port.
 */
import { Context, type Effect, Schema, type Stream } from "effect"
import { BlockNumber } from "../domain/Amount.ts"
import type { Block } from "../domain/Block.ts"
import type { BlockWitness } from "../domain/BlockWitness.ts"
import type { CertifiedCheckpoint } from "../domain/Checkpoint.ts"

/** The ledger cannot answer: the block is not made yet, or its storage failed. Ask again later. */
export class LedgerUnavailable extends Schema.TaggedError<LedgerUnavailable>()("LedgerUnavailable", {
  number: BlockNumber,
  reason: Schema.String
}) {
  override get message() {
    return `the ledger has no answer for block ${this.number}: ${this.reason}`
  }
}

export class LedgerSource extends Context.Service<LedgerSource, {
  /** The block that everything starts from. */
  readonly genesis: Effect.Effect<Block>
  /** Every block from `number` on, in order, without an end: those made already and then each as it is made. */
  readonly blocks: (from: BlockNumber) => Stream.Stream<Block, LedgerUnavailable>
  /** What proving a block takes beside the block. */
  readonly witness: (number: BlockNumber) => Effect.Effect<BlockWitness, LedgerUnavailable>
  /** Every certified checkpoint of a block after `number`, in order, without an end. */
  readonly checkpoints: (after: BlockNumber) => Stream.Stream<CertifiedCheckpoint, LedgerUnavailable>
}>()("lignum/LedgerSource") {}
