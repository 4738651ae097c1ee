/**
 * Execution of transfers, as the block circuit proves it: pure, from a state and a parent header to the next block.
 */
import { Result, Schema } from "effect"
import { Account, type AccountIndex, Nonce, ownerOf } from "../domain/Account.ts"
import { BlockNumber, ProverGas, type ProverPrice, sumWei, Wei } from "../domain/Amount.ts"
import { Block, Header, transactionsRoot } from "../domain/Block.ts"
import { BlockWitness, TransferWitness } from "../domain/BlockWitness.ts"
import { BlockHash, toHex32 } from "../domain/Hash.ts"
import { type ProverGasSchedule, proverGasOf } from "../domain/ProverGasSchedule.ts"
import { proverFee } from "../domain/ProverPrice.ts"
import type { SignedTransfer } from "../domain/Transfer.ts"
import type { StateTree } from "./StateTree.ts"

/** What all blocks of a rollup have in common; the block circuit has the same parameters. */
export interface ExecutionRules {
  readonly chainId: bigint
  /** Transfers that a block can hold, a power of two. */
  readonly slots: number
  readonly schedule: ProverGasSchedule
}

/** What a sequencer decides about one block beside its transfers. */
export interface BlockConditions {
  /** Price snapshot, the L1 signal's multiplier already applied (FM-4). */
  readonly proverPrice: ProverPrice
  readonly signalMultiplier: bigint
  /** Seconds since 1970; not below the parent's. */
  readonly timestamp: bigint
}

/**
 * A transfer cannot be executed in this state. Two reasons pass by themselves: `FeeAboveCap` when the price falls (FM-5), and
 * `NonceAhead` when the transfers before it are executed. The others need another transfer:
 *
 * - `IndexOutOfTree`: from or to is no leaf of the tree; use an index below 2^depth
 * - `SenderMissing`: the sending account does not exist; fund it first
 * - `NonceUsed`: sign again with the account's next nonce
 * - `NonceExhausted`: the account sent 2^64 - 1 transfers; move to another
 * - `BalanceTooLow`: lower the amount, or wait for income
 * - `RecipientOwnerDiffers`: the receiving account has another owner than the transfer names; look the account up again
 * - `RecipientOverflow`: the recipient would hold 2^96 wei or more; lower the amount
 * - `KeyNotOwner`: the public key is not the sending account's
 * - `SignatureInvalid`: the signature does not verify; check the chain id
 */
export class TransferRefused extends Schema.TaggedError<TransferRefused>()("TransferRefused", {
  reason: Schema.Literals([
    "IndexOutOfTree",
    "SenderMissing",
    "NonceUsed",
    "NonceAhead",
    "NonceExhausted",
    "FeeAboveCap",
    "BalanceTooLow",
    "RecipientOwnerDiffers",
    "RecipientOverflow",
    "KeyNotOwner",
    "SignatureInvalid"
  ]),
  detail: Schema.String
}) {
  override get message() {
    return `transfer refused (${this.reason}): ${this.detail}`
  }

  /** Whether the same transfer may be executed in a later state. */
  get waits(): boolean {
    return this.reason === "FeeAboveCap" || this.reason === "NonceAhead"
  }
}

const refuse = (reason: TransferRefused["reason"], detail: string) => Result.fail(new TransferRefused({ reason, detail }))

const balanceLimit = 1n << 96n
const lastNonce = (1n << 64n) - 1n

/** The sending account of a transfer whose indices the tree has. */
export const senderOf = (tree: StateTree, { transfer }: SignedTransfer): Result.Result<Account, TransferRefused> => {
  if (!tree.has(transfer.from) || !tree.has(transfer.to)) {
    return refuse("IndexOutOfTree", `from ${transfer.from} to ${transfer.to} in a tree of depth ${tree.depth}`)
  }
  const sender = tree.account(transfer.from)
  return sender === null ? refuse("SenderMissing", `account ${transfer.from}`) : Result.succeed(sender)
}

/**
 * Whether `sender`, the sending account as it is or as it will be after the transfers before this one, may send this
 * transfer for `fee`. The cheap checks come first, the signature last.
 */
export const checkTransfer = (
  rules: ExecutionRules,
  tree: StateTree,
  signed: SignedTransfer,
  sender: Account,
  fee: Wei
): Result.Result<void, TransferRefused> => {
  const { amount, from, maxProverFee, nonce, to, toOwner } = signed.transfer
  if (nonce < sender.nonce) return refuse("NonceUsed", `nonce ${nonce}, account ${from} is at ${sender.nonce}`)
  if (nonce > sender.nonce) return refuse("NonceAhead", `nonce ${nonce}, account ${from} is at ${sender.nonce}`)
  if (nonce >= lastNonce) return refuse("NonceExhausted", `account ${from}`)
  if (fee > maxProverFee) return refuse("FeeAboveCap", `the prover fee is ${fee} wei, the cap ${maxProverFee} wei`)
  if (amount + fee > sender.balance) return refuse("BalanceTooLow", `${amount + fee} wei are needed, not ${sender.balance}`)
  const recipient = from === to ? sender : tree.account(to)
  if (recipient !== null) {
    if (recipient.owner !== toOwner) return refuse("RecipientOwnerDiffers", `account ${to} belongs to ${recipient.owner}`)
    if (from !== to && recipient.balance + amount >= balanceLimit) return refuse("RecipientOverflow", `${recipient.balance} wei there`)
  }
  if (ownerOf(signed.publicKey) !== sender.owner) return refuse("KeyNotOwner", `account ${from} belongs to ${sender.owner}`)
  if (!signed.isSigned(rules.chainId)) return refuse("SignatureInvalid", `account ${from}, chain ${rules.chainId}`)
  return Result.void
}

/** A transfer's effect on the state. */
export interface AppliedTransfer {
  readonly tree: StateTree
  readonly fee: Wei
  readonly witness: TransferWitness
}

/** Executes one transfer at a price: the sender's leaf first, then the recipient's against the tree between (so from = to works). */
export const applyTransfer = (
  rules: ExecutionRules,
  tree: StateTree,
  signed: SignedTransfer,
  price: ProverPrice
): Result.Result<AppliedTransfer, TransferRefused> =>
  Result.gen(function*() {
    const { amount, from, to, toOwner } = signed.transfer
    const fee = proverFee(proverGasOf(rules.schedule, signed.transfer), price)
    const sender = yield* senderOf(tree, signed)
    yield* checkTransfer(rules, tree, signed, sender, fee)
    const between = tree.set(from, new Account({
      owner: sender.owner,
      balance: Wei.make(sender.balance - amount - fee),
      nonce: Nonce.make(sender.nonce + 1n)
    }))
    const recipient = between.account(to)
    const after = between.set(to, recipient === null
      ? new Account({ owner: toOwner, balance: amount, nonce: Nonce.make(0n) })
      : new Account({ ...recipient, balance: Wei.make(recipient.balance + amount) }))
    return {
      tree: after,
      fee,
      witness: new TransferWitness({ sender: tree.witness(from), recipient: between.witness(to) })
    }
  })

/** A block with its witness, the state after it, and what became of the candidates. */
export interface BlockExecution {
  readonly block: Block
  readonly witness: BlockWitness
  readonly tree: StateTree
  /** Accounts that the block changed, as they are after it. */
  readonly changes: ReadonlyMap<AccountIndex, Account>
  /** Candidates that can never be executed as they are. All others that are not in the block may be tried again. */
  readonly refused: ReadonlyArray<{ readonly transfer: SignedTransfer; readonly refusal: TransferRefused }>
}

/**
 * Makes the block after `parent`: takes candidates in order until the slots are full, passing over those that cannot be
 * executed now. The fees leave the state: they are burnt on L2 and paid out on L1 (FM-6).
 */
export const executeBlock = (
  rules: ExecutionRules,
  parent: Header,
  tree: StateTree,
  candidates: ReadonlyArray<SignedTransfer>,
  conditions: BlockConditions
): BlockExecution => {
  const transfers: Array<SignedTransfer> = []
  const witnesses: Array<TransferWitness> = []
  const fees: Array<Wei> = []
  const refused: Array<BlockExecution["refused"][number]> = []
  let state = tree
  for (const transfer of candidates) {
    if (transfers.length === rules.slots) break
    const applied = applyTransfer(rules, state, transfer, conditions.proverPrice)
    if (Result.isSuccess(applied)) {
      state = applied.success.tree
      transfers.push(transfer)
      witnesses.push(applied.success.witness)
      fees.push(applied.success.fee)
    } else if (!applied.failure.waits) {
      refused.push({ transfer, refusal: applied.failure })
    }
  }
  const block = new Block({
    header: new Header({
      parentHash: parent.hash,
      number: BlockNumber.make(parent.number + 1),
      stateRoot: state.root,
      transactionsRoot: transactionsRoot(transfers.map((signed) => signed.transfer), rules.chainId, rules.slots),
      proverGasUsed: ProverGas.make(transfers.reduce((gas, signed) => gas + proverGasOf(rules.schedule, signed.transfer), 0n)),
      proverFees: sumWei(fees),
      ...conditions
    }),
    transfers
  })
  const touched = new Set(transfers.flatMap(({ transfer }) => [transfer.from, transfer.to]))
  return {
    block,
    witness: new BlockWitness({ parent, block, transfers: witnesses }),
    tree: state,
    changes: new Map([...touched].map((index) => [index, state.account(index)!])),
    refused
  }
}

/** Block 0 over a state: no parent, no transfers. */
export const genesisBlock = (rules: ExecutionRules, tree: StateTree, conditions: BlockConditions): Block =>
  new Block({
    header: new Header({
      parentHash: BlockHash.make(toHex32(0n)),
      number: BlockNumber.make(0),
      stateRoot: tree.root,
      transactionsRoot: transactionsRoot([], rules.chainId, rules.slots),
      proverGasUsed: ProverGas.make(0n),
      proverFees: Wei.make(0n),
      ...conditions
    }),
    transfers: []
  })
