/** Accounts with known keys, and transfers between them. */
import { assert } from "@effect/vitest"
import { Account, AccountIndex, Nonce, ownerOf } from "../../src/domain/Account.ts"
import { ProverPrice, Wei } from "../../src/domain/Amount.ts"
import { type SpendingKey, spendingKeyFrom } from "../../src/domain/EddsaPoseidon.ts"
import type { Owner } from "../../src/domain/Hash.ts"
import { devnetSchedule } from "../../src/domain/ProverGasSchedule.ts"
import { type SignedTransfer, signTransfer, Transfer } from "../../src/domain/Transfer.ts"
import { type ExecutionRules, genesisBlock } from "../../src/ledger/Execution.ts"
import { StateTree } from "../../src/ledger/StateTree.ts"

export const rules: ExecutionRules = { chainId: 1_818_717_805n, slots: 2, schedule: devnetSchedule }
export const depth = 4
export const price = ProverPrice.make(10n)
export const fee = 160_000n
export const conditions = { proverPrice: price, signalMultiplier: 1_000_000n, timestamp: 0n }

const keys = new Map<number, SpendingKey>()
export const keyOf = (index: number): SpendingKey => {
  const key = keys.get(index) ?? spendingKeyFrom(`test/${index}`)
  keys.set(index, key)
  return key
}
export const ownerAt = (index: number): Owner => ownerOf(keyOf(index).publicKey)

export const account = (index: number, balance: bigint, nonce = 0n) =>
  new Account({ owner: ownerAt(index), balance: Wei.make(balance), nonce: Nonce.make(nonce) })

/** A tree with the given balances at the leaves 0, 1, … */
export const treeOf = (...balances: ReadonlyArray<bigint>): StateTree =>
  StateTree.of(depth, balances.map((balance, i) => [AccountIndex.make(i), account(i, balance)] as const))

export const genesisOf = (tree: StateTree) => genesisBlock(rules, tree, conditions).header

/** A transfer signed by the sender's key; the fields not given make it a plain one. */
export const transfer = (
  fields: { from: number; to: number; amount: bigint; nonce?: bigint; cap?: bigint; toOwner?: Owner },
  key: SpendingKey = keyOf(fields.from),
  chainId = rules.chainId
): SignedTransfer =>
  signTransfer(
    new Transfer({
      from: AccountIndex.make(fields.from),
      to: AccountIndex.make(fields.to),
      toOwner: fields.toOwner ?? ownerAt(fields.to),
      amount: Wei.make(fields.amount),
      maxProverFee: Wei.make(fields.cap ?? 2n * fee),
      nonce: Nonce.make(fields.nonce ?? 0n)
    }),
    key,
    chainId
  )

export const total = (tree: StateTree): bigint => [...tree.accounts()].reduce((sum, [, each]) => sum + each.balance, 0n)

/** Asserts some fields of a branded record without naming the brands. */
export const includes = (actual: unknown, expected: Readonly<Record<string, unknown>>): void => assert.deepInclude(actual, expected)
