/**
 * Blocks to prove, made at once, with as many transfers as somebody wants to measure or test with.
 */
import { AccountIndex, Nonce } from "../domain/Account.ts"
import { Wei } from "../domain/Amount.ts"
import type { Header } from "../domain/Block.ts"
import type { ProverGasSchedule } from "../domain/ProverGasSchedule.ts"
import { signTransfer, Transfer } from "../domain/Transfer.ts"
import { type DevnetLedgerConfig, devnetGenesis, devnetKey } from "./DevnetLedgerConfig.ts"
import { type BlockExecution, executeBlock } from "./Execution.ts"
import { seededRandom } from "./SeededRandom.ts"

export interface SampleChain {
  readonly genesis: Header
  readonly blocks: ReadonlyArray<BlockExecution>
}

/**
 * A chain after a devnet's genesis whose blocks have so many transfers, in a ring of different accounts; the same for the same
 * config. No block may have more transfers than the config has accounts or slots.
 */
export const sampleBlocks = (
  config: DevnetLedgerConfig,
  transferCounts: ReadonlyArray<number>,
  schedule: ProverGasSchedule = config.rules.schedule
): SampleChain => {
  const rules = { ...config.rules, schedule }
  const { block: genesis, tree } = devnetGenesis(config)
  const { proverPrice } = genesis.header
  const maxProverFee = Wei.make(schedule.transfer * proverPrice)
  const random = seededRandom(config.seed, "full blocks")
  const blocks: Array<BlockExecution> = []
  let last = { header: genesis.header, tree }
  for (const count of transferCounts) {
    const ring = random.choose(Math.max(count, Math.min(2, config.accounts)), config.accounts).map((index) => AccountIndex.make(index))
    const transfers = ring.slice(0, count).map((from, slot) => {
      const to = ring[(slot + 1) % ring.length]!
      return signTransfer(
        new Transfer({
          from,
          to,
          toOwner: last.tree.account(to)!.owner,
          amount: Wei.make(random.below(10n ** 18n)),
          maxProverFee,
          nonce: Nonce.make(last.tree.account(from)!.nonce)
        }),
        devnetKey(config, from),
        config.chainId
      )
    })
    const made = executeBlock(rules, last.header, last.tree, transfers, {
      proverPrice,
      signalMultiplier: genesis.header.signalMultiplier,
      timestamp: last.header.timestamp + 6n
    })
    if (made.block.transfers.length < count) {
      throw new Error(`block ${made.block.number} has fewer than ${count} transfers: ${made.refused.map(({ refusal }) => refusal.message).join("; ")}`)
    }
    blocks.push(made)
    last = { header: made.block.header, tree: made.tree }
  }
  return { genesis: genesis.header, blocks }
}
