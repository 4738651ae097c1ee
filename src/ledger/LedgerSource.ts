/**
 * The rollup's ledger as provers see it. Consensus is a black box behind this port.
 */
import { Context, Effect, Option, Schema, Stream } from "effect"
import { BlockNumber } from "../domain/Amount.ts"
import type { Block, BlockRef, Header } from "../domain/Block.ts"
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

/**
 * A ledger may replace its newest blocks: after a revert on L1 (CP-4) consensus rebuilds from the proven tip, so that blocks beyond
 * the tip are never final. Both streams tell it the same way: **an item whose number is not above the last one's replaces it and
 * everything after it.** So a stream goes on with the first block that was replaced, wherever it was:
 *
 * - ahead of the rebuild's tip, it goes back to the block after the tip, even below the number that it was started at;
 * - at the tip or behind it, it just goes on, and never gives a block that is gone.
 *
 * What is not replaced is never given twice, and apart from replacements numbers have no gap. A stream tells of rebuilds since it
 * was started. A reader that goes on in a new stream begins it at a block that cannot be replaced: the one after the proven tip.
 */
export class LedgerSource extends Context.Service<LedgerSource, {
  /** The block that everything starts from. */
  readonly genesis: Effect.Effect<Block>
  /** Every block from `number` on, in order, without an end: those made already and then each as it is made, replacements included. */
  readonly blocks: (from: BlockNumber) => Stream.Stream<Block, LedgerUnavailable>
  /**
   * What proving a block takes beside the block. It is that of the block that has the number now, so that whoever wants a certain
   * block compares hashes.
   */
  readonly witness: (number: BlockNumber) => Effect.Effect<BlockWitness, LedgerUnavailable>
  /**
   * Every certified checkpoint of a block after `number`, in order, without an end, replacements included. Each one's parent is the
   * one before it; the first replacement's is the newest that stayed.
   */
  readonly checkpoints: (after: BlockNumber) => Stream.Stream<CertifiedCheckpoint, LedgerUnavailable>
}>()("lignum/LedgerSource") {}

/** Holds for as long as numbers rise one by one, from this one on. */
const inOrderFrom = (first: number) => {
  let next = first
  return ({ number }: { readonly number: number }) => number === next++
}

/**
 * The headers from the block with a number up to a certain block, both included; none if the ledger has another block in its place
 * (CP-4). It waits for no block: where a revert removed the last one and nothing has replaced it yet, the ledger has no answer.
 */
export const headersUpTo = (
  ledger: typeof LedgerSource.Service,
  first: number,
  last: BlockRef
): Effect.Effect<Option.Option<ReadonlyArray<Header>>, LedgerUnavailable> =>
  Effect.gen(function*() {
    const { block } = yield* ledger.witness(last.number)
    if (block.header.hash !== last.hash) return Option.none()
    const headers = yield* ledger.blocks(BlockNumber.make(first)).pipe(
      Stream.take(last.number - first + 1),
      Stream.map(({ header }) => header),
      Stream.takeWhile(inOrderFrom(first)),
      Stream.runCollect
    )
    return headers[headers.length - 1]?.hash === last.hash ? Option.some(headers) : Option.none()
  })
