/**
 * Transfers that wait for a block: bounded, in order of arrival, without gaps in any sender's nonces.
 */
import { Result, Schema } from "effect"
import { Account, type AccountIndex, Nonce } from "../domain/Account.ts"
import { type BlockNumber, Wei } from "../domain/Amount.ts"
import type { SignedTransfer } from "../domain/Transfer.ts"
import { type BlockExecution, checkTransfer, type ExecutionRules, senderOf, TransferRefused } from "./Execution.ts"
import type { StateTree } from "./StateTree.ts"

/** A transfer that waits. */
export interface PendingTransfer {
  readonly signed: SignedTransfer
  /** The newest block when it arrived. */
  readonly since: BlockNumber
}

/** Everything that waits, the oldest first. */
export type Mempool = ReadonlyArray<PendingTransfer>

/** Blocks that a transfer waits at most; what nobody wants to pay for must not fill the mempool for ever. */
export const transferLifetime = 256

/** Everything that waits offers at least as much. Send it again after a few blocks, or with a higher cap. */
export class MempoolFull extends Schema.TaggedError<MempoolFull>()("MempoolFull", { size: Schema.Int }) {
  override get message() {
    return `${this.size} transfers wait already, none for a lower cap: send it again after a few blocks, or with a higher cap`
  }
}

const fromOf = ({ signed }: PendingTransfer): AccountIndex => signed.transfer.from

/** The account as it will be once the given transfers of it are executed, each at the price of its cap. */
export const accountAfter = (account: Account, pending: Mempool): Account => {
  const spent = pending.reduce((sum, { signed: { transfer } }) => sum + transfer.amount + transfer.maxProverFee, 0n)
  return new Account({
    owner: account.owner,
    balance: Wei.make(spent < account.balance ? account.balance - spent : 0n),
    nonce: Nonce.make(account.nonce + BigInt(pending.length))
  })
}

/** Drops transfers and, with them, what the same senders sent later: it could never be executed after the gap. */
const without = (mempool: Mempool, dropped: Mempool): Mempool =>
  mempool.filter((pending) =>
    !dropped.some((other) => fromOf(other) === fromOf(pending) && other.signed.transfer.nonce <= pending.signed.transfer.nonce)
  )

/**
 * Makes room for a transfer in a full mempool: the lowest cap goes, if it is below the newcomer's. Without this those who
 * wait for a low price would keep out those who pay the present one.
 */
const makeRoom = (mempool: Mempool, { signed: { transfer } }: PendingTransfer): Result.Result<Mempool, MempoolFull> => {
  const lowest = mempool
    .filter((pending) => fromOf(pending) !== transfer.from)
    .reduce<PendingTransfer | undefined>((low, pending) =>
      low !== undefined && low.signed.transfer.maxProverFee <= pending.signed.transfer.maxProverFee ? low : pending, undefined)
  return lowest !== undefined && lowest.signed.transfer.maxProverFee < transfer.maxProverFee
    ? Result.succeed(without(mempool, [lowest]))
    : Result.fail(new MempoolFull({ size: mempool.length }))
}

/**
 * Takes a transfer in. It may wait for the price to fall (FM-5), but must be executable after what its sender has waiting
 * already. One with the nonce of a waiting transfer replaces it if it offers a higher cap.
 */
export const admit = (
  rules: ExecutionRules,
  tree: StateTree,
  mempool: Mempool,
  capacity: number,
  arrival: PendingTransfer
): Result.Result<Mempool, TransferRefused | MempoolFull> =>
  Result.gen(function*() {
    const { from, maxProverFee, nonce } = arrival.signed.transfer
    const sender = yield* senderOf(tree, arrival.signed)
    const own = mempool.filter((pending) => fromOf(pending) === from)
    const rival = own.find((pending) => pending.signed.transfer.nonce === nonce)
    const others = own.filter((pending) => pending !== rival)
    const before = others.filter((pending) => pending.signed.transfer.nonce < nonce)
    const account = new Account({
      ...accountAfter(sender, others),
      nonce: Nonce.make(sender.nonce + BigInt(before.length))
    })
    yield* checkTransfer(rules, tree, arrival.signed, account, maxProverFee)
    if (rival === undefined) {
      return [...(mempool.length < capacity ? mempool : yield* makeRoom(mempool, arrival)), arrival]
    }
    const outbid = rival.signed.transfer.maxProverFee
    if (maxProverFee <= outbid) {
      return yield* Result.fail(new TransferRefused({
        reason: "NonceUsed",
        detail: `a transfer with nonce ${nonce} of account ${from} waits already; a cap above ${outbid} wei replaces it`
      }))
    }
    return [...mempool.filter((pending) => pending !== rival), arrival]
  })

/** What still waits after a block: neither executed, nor refused for good, nor too old, nor behind one that was dropped. */
export const afterBlock = (mempool: Mempool, { block, refused }: Pick<BlockExecution, "block" | "refused">): Mempool => {
  const name = ({ transfer }: SignedTransfer) => `${transfer.from}/${transfer.nonce}`
  const executed = new Set(block.transfers.map(name))
  const gone = new Set(refused.map(({ transfer }) => name(transfer)))
  const left = mempool.filter(({ signed }) => !executed.has(name(signed)))
  return without(left, left.filter(({ signed, since }) => gone.has(name(signed)) || block.number - since >= transferLifetime))
}

/**
 * What waits after every block above `tip` was dropped (CP-4): the transfers of those blocks first, in the order in which they were
 * executed, then what waited already. It may be more than the mempool takes, because what was once taken in is not turned away.
 */
export const afterRebuild = (mempool: Mempool, dropped: ReadonlyArray<SignedTransfer>, tip: BlockNumber): Mempool => [
  ...dropped.map((signed) => ({ signed, since: tip })),
  // Block numbers begin again behind the tip: what arrived at a dropped block waits from there on.
  ...mempool.map((pending) => pending.since > tip ? { ...pending, since: tip } : pending)
]
