/**
 * A ledger of a few full blocks that were made beforehand, and never more.
 */
import { Effect, Layer, Stream } from "effect"
import { fullBlocks } from "../../bench/Blocks.ts"
import { checkpointOf } from "../../bench/L1World.ts"
import { BlockNumber, sumWei } from "../../src/domain/Amount.ts"
import { Block, BlockRef } from "../../src/domain/Block.ts"
import { type Checkpoint, genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import { LedgerSource, LedgerUnavailable } from "../../src/ledger/LedgerSource.ts"

export const fixedLedger = (seed: string, count: number) => {
  const { blocks, genesis } = fullBlocks(seed, count)
  const first = new Block({ header: genesis, transfers: [] })
  const genesisRef = new BlockRef({ number: BlockNumber.make(0), hash: genesis.hash })
  return {
    genesis,
    genesisRef,
    blocks,
    /** What all blocks pay (RW-1). */
    pots: sumWei(blocks.map(({ block }) => block.header.proverFees)),
    /** The checkpoint of a block behind another one, or behind genesis. */
    checkpoint: (number: number, parent: Checkpoint = genesisCheckpoint(genesisRef, genesis.stateRoot)) =>
      checkpointOf(parent, blocks[number - 1]!.block.header),
    layer: Layer.succeed(LedgerSource, {
      genesis: Effect.succeed(first),
      blocks: (from) => Stream.fromIterable([first, ...blocks.map(({ block }) => block)].slice(from)).pipe(Stream.concat(Stream.never)),
      witness: (number) => {
        const made = blocks[number - 1]
        return made === undefined ? Effect.fail(new LedgerUnavailable({ number, reason: "not made yet" })) : Effect.succeed(made.witness)
      },
      checkpoints: () => Stream.never
    })
  }
}
