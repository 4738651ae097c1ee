import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { BlockNumber, ProverPrice } from "../../src/domain/Amount.ts"
import type { SignedTransfer } from "../../src/domain/Transfer.ts"
import { executeBlock } from "../../src/ledger/Execution.ts"
import { accountAfter, admit, afterBlock, type Mempool, transferLifetime } from "../../src/ledger/Mempool.ts"
import { account, conditions, fee, genesisOf, includes, rules, transfer, treeOf } from "./accounts.ts"

const tree = treeOf(100n * fee, 100n * fee, 100n * fee)
const since = BlockNumber.make(0)
const admitAll = (mempool: Mempool, capacity: number, ...arrivals: ReadonlyArray<SignedTransfer>) =>
  arrivals.reduce((pool, signed) => Result.getOrThrow(admit(rules, tree, pool, capacity, { signed, since })), mempool)
const refusal = (mempool: Mempool, signed: SignedTransfer, capacity = 8) => {
  const result = admit(rules, tree, mempool, capacity, { signed, since })
  return Result.isFailure(result) ? (result.failure._tag === "MempoolFull" ? "MempoolFull" : result.failure.reason) : "admitted"
}
const names = (mempool: Mempool) => mempool.map(({ signed: { transfer } }) => `${transfer.from}/${transfer.nonce}`)
const from = (sender: number, nonce: bigint, cap = 2n * fee) => transfer({ from: sender, to: 2, amount: 1n, nonce, cap })

describe("admission", () => {
  it("takes a sender's transfers in the order of their nonces", () => {
    const pool = admitAll([], 8, from(0, 0n), from(0, 1n))
    assert.strictEqual(refusal(pool, from(0, 3n)), "NonceAhead")
    assert.strictEqual(refusal(pool, from(0, 2n)), "admitted")
    assert.strictEqual(refusal([], from(0, 1n)), "NonceAhead")
  })

  it("FM-5: a cap below the price may wait", () => {
    assert.strictEqual(refusal([], from(0, 0n, 1n)), "admitted")
  })

  it("what waits already is taken as spent, at its cap", () => {
    const rest = 100n * fee - 2n * fee - 1n
    const pool = admitAll([], 8, from(0, 0n))
    const next = (amount: bigint) => transfer({ from: 0, to: 2, amount, nonce: 1n, cap: fee })
    assert.strictEqual(refusal(pool, next(rest - fee + 1n)), "BalanceTooLow")
    assert.strictEqual(refusal(pool, next(rest - fee)), "admitted")
    includes(accountAfter(account(0, 100n * fee), pool), { balance: rest, nonce: 1n })
    includes(accountAfter(account(0, 1n), pool), { balance: 0n, nonce: 1n })
  })

  it("turns away what can never be executed", () => {
    assert.strictEqual(refusal([], from(5, 0n)), "SenderMissing")
    assert.strictEqual(refusal([], transfer({ from: 0, to: 2, amount: 1n }, undefined, 7n)), "SignatureInvalid")
  })

  it("a higher cap replaces a transfer of the same nonce, an equal one does not", () => {
    const pool = admitAll([], 2, from(0, 0n), from(0, 1n))
    assert.strictEqual(refusal(pool, from(0, 0n), 2), "NonceUsed")
    const replaced = admitAll(pool, 2, from(0, 0n, 3n * fee))
    assert.deepStrictEqual(names(replaced), ["0/1", "0/0"])
    assert.strictEqual(replaced[1]?.signed.transfer.maxProverFee, 3n * fee)
  })

  it("a full mempool gives up its lowest cap, with what its sender has behind it, for a higher one only", () => {
    const pool = admitAll([], 3, from(0, 0n, fee), from(0, 1n, 9n * fee), from(1, 0n))
    assert.strictEqual(refusal(pool, from(2, 0n, fee), 3), "MempoolFull")
    assert.deepStrictEqual(names(admitAll(pool, 3, from(2, 0n))), ["1/0", "2/0"])
    assert.strictEqual(refusal(pool, from(0, 2n), 3), "MempoolFull", "a sender does not push out its own, nor an equal cap")
  })
})

describe("after a block", () => {
  const run = (pool: Mempool, proverPrice = conditions.proverPrice) =>
    executeBlock(rules, genesisOf(tree), tree, pool.map(({ signed }) => signed), { ...conditions, proverPrice })

  it("keeps what was not executed", () => {
    const pool = admitAll([], 8, from(0, 0n), from(1, 0n), from(0, 1n))
    assert.deepStrictEqual(names(afterBlock(pool, run(pool))), ["0/1"])
    assert.deepStrictEqual(names(afterBlock(pool, run(pool, ProverPrice.make(1000n)))), names(pool))
  })

  it("drops what was refused for good, and what the sender has behind it", () => {
    const pool: Mempool = [transfer({ from: 0, to: 2, amount: 200n * fee }), from(0, 1n), from(1, 0n, 1n)].map((signed) => ({ signed, since }))
    const made = run(pool)
    assert.deepStrictEqual(made.refused.map(({ refusal }) => refusal.reason), ["BalanceTooLow"])
    assert.deepStrictEqual(names(afterBlock(pool, made)), ["1/0"])
  })

  it("drops what waited too long", () => {
    const pool = admitAll([], 8, from(0, 0n, 1n), from(0, 1n)).map((pending, i) => ({ ...pending, since: BlockNumber.make(i * 1000) }))
    const at = (number: number) => {
      const { block, ...made } = run(pool)
      return afterBlock(pool, { ...made, block: { ...block, number: BlockNumber.make(number) } as typeof block })
    }
    assert.deepStrictEqual(names(at(transferLifetime - 1)), ["0/0", "0/1"])
    assert.deepStrictEqual(names(at(transferLifetime)), [])
  })
})
