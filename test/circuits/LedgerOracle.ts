/**
 * A ledger of its own, small enough to check by eye, that turns transfers into inputs of the block circuit.
 *
 * It never refuses: balances are field elements, signatures and nonces are taken as given. So a test can build a block
 * that is consistent in every respect but one, and see that one constraint reject it.
 */
import { poseidon2Hash } from "@zkpassport/poseidon2"
import { createRequire } from "node:module"
import type { CircuitSignal } from "snarkjs"

// The ES module build of this package imports names that its CommonJS dependency does not export to Node.
const { derivePublicKey, signMessage } = createRequire(import.meta.url)(
  "@zk-kit/eddsa-poseidon"
) as typeof import("@zk-kit/eddsa-poseidon")

export const FIELD = 21888242871839275222246405745257275088548364400416034343698204186575808495617n
export const SLOTS = 2
export const DEPTH = 8
export const CHAIN_ID = 1818717805n
export const TRANSFER_GAS = 16_000n
export const PROVER = 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266n

export const hash = (...inputs: ReadonlyArray<bigint>): bigint => poseidon2Hash([...inputs])
const field = (value: bigint): bigint => ((value % FIELD) + FIELD) % FIELD

/** Signals by name, as snarkjs takes them. */
export type CircuitInputs = Readonly<Record<string, CircuitSignal>>

export interface Wallet {
  readonly privateKey: string
  readonly publicKey: readonly [bigint, bigint]
  readonly owner: bigint
}

export const wallet = (name: string): Wallet => {
  const [x, y] = derivePublicKey(name)
  return { privateKey: name, publicKey: [x, y], owner: hash(x, y) }
}

export interface Account {
  readonly owner: bigint
  readonly balance: bigint
  readonly nonce: bigint
}

export class Ledger {
  readonly accounts: Map<number, Account>
  private readonly levels: Array<Map<number, bigint>>
  private readonly empty: ReadonlyArray<bigint>

  constructor(accounts: Iterable<readonly [number, Account]> = []) {
    this.accounts = new Map()
    this.levels = Array.from({ length: DEPTH + 1 }, () => new Map<number, bigint>())
    const empty = [0n]
    for (let level = 0; level < DEPTH; level++) empty.push(hash(empty[level]!, empty[level]!))
    this.empty = empty
    for (const [index, account] of accounts) this.set(index, account)
  }

  clone(): Ledger {
    return new Ledger(this.accounts)
  }

  node(level: number, index: number): bigint {
    return this.levels[level]!.get(index) ?? this.empty[level]!
  }

  get root(): bigint {
    return this.node(DEPTH, 0)
  }

  siblings(index: number): Array<bigint> {
    return Array.from({ length: DEPTH }, (_, level) => this.node(level, (index >> level) ^ 1))
  }

  set(index: number, account: Account): void {
    this.accounts.set(index, account)
    this.levels[0]!.set(index, hash(account.owner, account.balance, account.nonce))
    for (let level = 1; level <= DEPTH; level++) {
      const at = index >> level
      this.levels[level]!.set(at, hash(this.node(level - 1, 2 * at), this.node(level - 1, 2 * at + 1)))
    }
  }
}

export interface Transfer {
  readonly from: number
  readonly to: number
  readonly toOwner: bigint
  readonly amount: bigint
  readonly maxProverFee: bigint
  readonly nonce: bigint
}

export interface SignedTransfer extends Transfer {
  readonly publicKey: readonly [bigint, bigint]
  readonly signatureR8: readonly [bigint, bigint]
  readonly signatureS: bigint
}

export const transferDigest = (transfer: Transfer, chainId: bigint = CHAIN_ID): bigint =>
  hash(
    chainId * 2n ** 128n + BigInt(transfer.from) * 2n ** 96n + BigInt(transfer.to) * 2n ** 64n + transfer.nonce,
    field(transfer.amount * 2n ** 96n + transfer.maxProverFee),
    transfer.toOwner
  )

export const sign = (signer: Wallet, transfer: Transfer, chainId: bigint = CHAIN_ID): SignedTransfer => {
  const { R8, S } = signMessage(signer.privateKey, transferDigest(transfer, chainId))
  return { ...transfer, publicKey: signer.publicKey, signatureR8: [R8[0], R8[1]], signatureS: S }
}

export interface Header {
  readonly parentHash: bigint
  readonly number: bigint
  readonly stateRoot: bigint
  readonly transactionsRoot: bigint
  readonly proverGasUsed: bigint
  readonly proverPrice: bigint
  readonly proverFees: bigint
  readonly signalMultiplier: bigint
  readonly timestamp: bigint
}

export const headerFields = (header: Header): Array<bigint> => [
  header.parentHash,
  header.number,
  header.stateRoot,
  header.transactionsRoot,
  header.proverGasUsed,
  header.proverPrice,
  header.proverFees,
  header.signalMultiplier,
  header.timestamp
]

export const headerHash = (header: Header): bigint => hash(...headerFields(header))

export const parentOf = (ledger: Ledger, overrides: Partial<Header> = {}): Header => ({
  parentHash: 0n,
  number: 0n,
  stateRoot: ledger.root,
  transactionsRoot: hash(0n, 0n),
  proverGasUsed: 0n,
  proverPrice: 1_000n,
  proverFees: 0n,
  signalMultiplier: 1_000_000n,
  timestamp: 1_700_000_000n,
  ...overrides
})

const unusedSlot = {
  enabled: 0n,
  from: 0n,
  to: 0n,
  toOwner: 0n,
  amount: 0n,
  maxProverFee: 0n,
  nonce: 0n,
  publicKey: [0n, 0n] as ReadonlyArray<bigint>,
  signatureR8: [0n, 0n] as ReadonlyArray<bigint>,
  signatureS: 0n,
  senderBalance: 0n,
  senderSiblings: Array.from({ length: DEPTH }, () => 0n) as ReadonlyArray<bigint>,
  recipientCreated: 0n,
  recipientBalance: 0n,
  recipientNonce: 0n,
  recipientSiblings: Array.from({ length: DEPTH }, () => 0n) as ReadonlyArray<bigint>
}
export type Slot = typeof unusedSlot

/** Moves `ledger` by one transfer, whatever it says, and returns what the circuit must be shown. */
export const applyTransfer = (ledger: Ledger, transfer: SignedTransfer, price: bigint): Slot => {
  const sender = ledger.accounts.get(transfer.from)!
  const senderSiblings = ledger.siblings(transfer.from)
  ledger.set(transfer.from, {
    owner: sender.owner,
    balance: field(sender.balance - transfer.amount - TRANSFER_GAS * price),
    nonce: sender.nonce + 1n
  })
  const recipient = ledger.accounts.get(transfer.to)
  const recipientSiblings = ledger.siblings(transfer.to)
  const before = recipient ?? { balance: 0n, nonce: 0n }
  ledger.set(transfer.to, {
    owner: transfer.toOwner,
    balance: field(before.balance + transfer.amount),
    nonce: before.nonce
  })
  return {
    enabled: 1n,
    from: BigInt(transfer.from),
    to: BigInt(transfer.to),
    toOwner: transfer.toOwner,
    amount: transfer.amount,
    maxProverFee: transfer.maxProverFee,
    nonce: transfer.nonce,
    publicKey: transfer.publicKey,
    signatureR8: transfer.signatureR8,
    signatureS: transfer.signatureS,
    senderBalance: sender.balance,
    senderSiblings,
    recipientCreated: recipient === undefined ? 1n : 0n,
    recipientBalance: before.balance,
    recipientNonce: before.nonce,
    recipientSiblings
  }
}

export interface BlockOptions {
  /** Wei per prover gas. */
  readonly price?: bigint
  /** Replaces header fields before the block is hashed. */
  readonly header?: Partial<Header>
  /** Replaces inputs of single slots, before the header is computed from nothing but the ledger. */
  readonly slots?: ReadonlyArray<Partial<Slot>>
}

export interface Block {
  readonly header: Header
  readonly ledger: Ledger
  readonly inputs: CircuitInputs
}

/** One block over `ledger` (left untouched), with the inputs of the block circuit. */
export const buildBlock = (
  ledger: Ledger,
  parent: Header,
  transfers: ReadonlyArray<SignedTransfer>,
  options: BlockOptions = {}
): Block => {
  const price = options.price ?? 1_000n
  const after = ledger.clone()
  const slots = Array.from({ length: SLOTS }, (_, i) => ({
    ...(transfers[i] === undefined ? unusedSlot : applyTransfer(after, transfers[i]!, price)),
    ...options.slots?.[i]
  }))
  const digests = Array.from({ length: SLOTS }, (_, i) => (transfers[i] === undefined ? 0n : transferDigest(transfers[i]!)))
  const gas = TRANSFER_GAS * BigInt(transfers.length)
  const header: Header = {
    parentHash: headerHash(parent),
    number: parent.number + 1n,
    stateRoot: after.root,
    transactionsRoot: hash(digests[0]!, digests[1]!),
    proverGasUsed: gas,
    proverPrice: price,
    proverFees: field(gas * price),
    signalMultiplier: 1_000_000n,
    timestamp: parent.timestamp + 12n,
    ...options.header
  }
  const columns = Object.fromEntries(
    (Object.keys(unusedSlot) as Array<keyof Slot>).map((name) => [name, slots.map((slot) => slot[name])])
  )
  return {
    header,
    ledger: after,
    inputs: {
      parentHash: headerHash(parent),
      blockHash: headerHash(header),
      prover: PROVER,
      proverFees: header.proverFees,
      proverGas: header.proverGasUsed,
      parentHeader: headerFields(parent),
      header: headerFields(header),
      ...columns
    }
  }
}
