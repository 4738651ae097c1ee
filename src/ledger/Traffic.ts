/**
 * The devnet's users: a seeded trickle of signed transfers.
 *
 * What a block's users do depends on the seed, the block's number, the state and the mempool only, so the same chain comes
 * out however often the ledger was stopped in between.
 */
import { Result } from "effect"
import { AccountIndex, ownerOf } from "../domain/Account.ts"
import { BlockNumber, Wei } from "../domain/Amount.ts"
import type { SpendingKey } from "../domain/EddsaPoseidon.ts"
import type { Owner } from "../domain/Hash.ts"
import { signTransfer, Transfer } from "../domain/Transfer.ts"
import { type DevnetLedgerConfig, devnetKey } from "./DevnetLedgerConfig.ts"
import { accountAfter, admit, type Mempool } from "./Mempool.ts"
import { type SeededRandom, seededRandom } from "./SeededRandom.ts"
import type { StateTree } from "./StateTree.ts"

/** Accounts at which the users stop creating more: their keys are kept in memory. */
const mostAccounts = 1024

/** The users' keys, derived when first used. */
export const makeKeyring = (config: DevnetLedgerConfig) => {
  const known = new Map<number, { readonly key: SpendingKey; readonly owner: Owner }>()
  return (index: number) => {
    const entry = known.get(index)
    if (entry !== undefined) return entry
    const key = devnetKey(config, index)
    const made = { key, owner: ownerOf(key.publicKey) }
    known.set(index, made)
    return made
  }
}

/** How many transfers arrive before a block: none, half of what a busy block has, all, or one more. */
const arrivals = (random: SeededRandom, busy: number): number => {
  const draw = random.integer(20)
  if (draw < 5 || busy === 0) return 0
  if (draw < 11) return Math.ceil(busy / 2)
  return draw < 18 ? busy : busy + 1
}

/**
 * What a user is ready to pay: half of them up to twice the fee at the floor price, half of the rest up to four times, and so
 * on, so that demand falls as the price rises.
 */
const willingness = (random: SeededRandom, floorFee: bigint): Wei => {
  let doublings = 0n
  while (doublings < 6n && random.chance(1, 2)) doublings++
  return Wei.make(((floorFee << doublings) * (100n + random.below(100n))) / 100n)
}

/** An account there is or, now and then, an empty leaf. */
const recipientIn = (random: SeededRandom, tree: StateTree, accounts: ReadonlyArray<AccountIndex>): AccountIndex => {
  if (tree.size < mostAccounts && random.chance(1, 12)) {
    const anywhere = AccountIndex.make(random.integer(2 ** tree.depth))
    if (tree.account(anywhere) === null) return anywhere
  }
  return accounts[random.integer(accounts.length)]!
}

/** The mempool after the users' transfers for the block `number`. */
export const withTraffic = (
  config: DevnetLedgerConfig,
  keyring: ReturnType<typeof makeKeyring>,
  tree: StateTree,
  mempool: Mempool,
  number: BlockNumber
): Mempool => {
  const random = seededRandom(config.seed, "traffic", number)
  const accounts = [...tree.accounts()].map(([index]) => index)
  const floorFee = config.rules.schedule.transfer * config.price.floor
  let grown = mempool
  for (let left = arrivals(random, config.transfersPerBlock); left > 0; left--) {
    const from = accounts[random.integer(accounts.length)]!
    const sender = accountAfter(tree.account(from)!, grown.filter(({ signed }) => signed.transfer.from === from))
    const to = recipientIn(random, tree, accounts)
    const maxProverFee = willingness(random, floorFee)
    if (sender.balance < maxProverFee) continue
    const transfer = new Transfer({
      from,
      to,
      toOwner: keyring(to).owner,
      amount: Wei.make(random.below((sender.balance - maxProverFee) / 64n + 1n)),
      maxProverFee,
      nonce: sender.nonce
    })
    // A full mempool or a recipient that overflows turns the user away, as it would any other.
    grown = Result.getOrElse(
      admit(config.rules, tree, grown, config.mempoolSize, {
        signed: signTransfer(transfer, keyring(from).key, config.chainId),
        since: BlockNumber.make(number - 1)
      }),
      () => grown
    )
  }
  return grown
}
