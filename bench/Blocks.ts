/**
 * Blocks to prove, made at once: every slot holds a transfer, so that no block is easier than another.
 */
import { AccountIndex, Nonce } from "../src/domain/Account.ts"
import { Wei } from "../src/domain/Amount.ts"
import type { Header } from "../src/domain/Block.ts"
import { signTransfer, Transfer } from "../src/domain/Transfer.ts"
import { DevnetLedgerConfig, devnetGenesis, devnetKey } from "../src/ledger/DevnetLedgerConfig.ts"
import { type BlockExecution, executeBlock } from "../src/ledger/Execution.ts"
import { seededRandom } from "../src/ledger/SeededRandom.ts"

export interface Chain {
  readonly genesis: Header
  readonly blocks: ReadonlyArray<BlockExecution>
}

/** A chain of full blocks after a devnet's genesis; the same for the same seed. */
export const fullBlocks = (seed: string, count: number): Chain => {
  const config = new DevnetLedgerConfig({ seed })
  const { block: genesis, tree } = devnetGenesis(config)
  const { proverPrice } = genesis.header
  const maxProverFee = Wei.make(config.rules.schedule.transfer * proverPrice)
  const random = seededRandom(seed, "full blocks")
  const blocks: Array<BlockExecution> = []
  for (let last = { header: genesis.header, tree }; blocks.length < count;) {
    const [first, ...others] = random.choose(config.slots, config.accounts).map((index) => AccountIndex.make(index))
    const ring = [first!, ...others, first!]
    const transfers = ring.slice(1).map((to, slot) => {
      const from = ring[slot]!
      const recipient = last.tree.account(to)!
      return signTransfer(
        new Transfer({
          from,
          to,
          toOwner: recipient.owner,
          amount: Wei.make(random.below(10n ** 18n)),
          maxProverFee,
          nonce: Nonce.make(last.tree.account(from)!.nonce)
        }),
        devnetKey(config, from),
        config.chainId
      )
    })
    const made = executeBlock(config.rules, last.header, last.tree, transfers, {
      proverPrice,
      signalMultiplier: genesis.header.signalMultiplier,
      timestamp: last.header.timestamp + 6n
    })
    if (made.block.transfers.length < config.slots) throw new Error(`block ${made.block.number} is not full: ${made.refused.map(({ refusal }) => refusal.message).join("; ")}`)
    blocks.push(made)
    last = { header: made.block.header, tree: made.tree }
  }
  return { genesis: genesis.header, blocks }
}
