import { assert, describe, it } from "@effect/vitest"
import { readWitness } from "./ConstraintSystem.ts"
import {
  type Block,
  type BlockOptions,
  buildBlock,
  headerHash,
  Ledger,
  parentOf,
  PROVER,
  sign,
  type SignedTransfer,
  type Transfer,
  TRANSFER_GAS,
  type Wallet,
  wallet
} from "./LedgerOracle.ts"
import { computeWitness } from "./Witness.ts"

const alice = wallet("alice")
const bob = wallet("bob")
const carol = wallet("carol")
const ether = 10n ** 18n
const price = 1_000n
const fee = TRANSFER_GAS * price

const ledgerOf = (...accounts: ReadonlyArray<readonly [index: number, owner: Wallet, balance: bigint, nonce: bigint]>) =>
  new Ledger(accounts.map(([index, { owner }, balance, nonce]) => [index, { owner, balance, nonce }]))

const pay = (signer: Wallet, transfer: Partial<Transfer>): SignedTransfer =>
  sign(signer, { from: 3, to: 7, toOwner: bob.owner, amount: 5n, maxProverFee: fee, nonce: 0n, ...transfer })

/** Proves that the circuit takes a block and that its witness carries the expected public inputs. */
const accepts = async (ledger: Ledger, transfers: ReadonlyArray<SignedTransfer>, options?: BlockOptions): Promise<Block> => {
  const parent = parentOf(ledger)
  const block = buildBlock(ledger, parent, transfers, options)
  const witness = readWitness(await computeWitness("block", block.inputs))
  assert.deepStrictEqual(witness.slice(0, 6), [
    1n,
    headerHash(parent),
    headerHash(block.header),
    PROVER,
    block.header.proverFees,
    TRANSFER_GAS * BigInt(transfers.length)
  ])
  return block
}

describe("blocks that the circuit takes", () => {
  it("a full block", async () => {
    const ledger = ledgerOf([3, alice, ether, 0n], [7, bob, ether, 4n])
    const { header, ledger: after } = await accepts(ledger, [
      pay(alice, {}),
      pay(bob, { from: 7, to: 3, toOwner: alice.owner, amount: ether / 2n, nonce: 4n })
    ])
    assert.strictEqual(header.proverFees, 2n * fee)
    assert.deepStrictEqual(after.accounts.get(3), { owner: alice.owner, balance: ether - 5n - fee + ether / 2n, nonce: 1n })
    assert.deepStrictEqual(after.accounts.get(7), { owner: bob.owner, balance: ether + 5n - ether / 2n - fee, nonce: 5n })
  })

  it("one transfer beside an unused slot", async () => {
    await accepts(ledgerOf([3, alice, ether, 0n], [7, bob, 0n, 4n]), [pay(alice, {})])
  })

  it("an empty block, which leaves the state as it is", async () => {
    const ledger = ledgerOf([3, alice, ether, 0n])
    const { header } = await accepts(ledger, [])
    assert.strictEqual(header.stateRoot, ledger.root)
    assert.strictEqual(header.proverFees, 0n)
  })

  it("an empty block over the empty state", async () => {
    await accepts(ledgerOf(), [])
  })

  it("the creation of an account, which spends in the same block what it received", async () => {
    const { ledger } = await accepts(ledgerOf([3, alice, ether, 0n]), [
      pay(alice, { to: 255, toOwner: carol.owner, amount: fee + 9n }),
      pay(carol, { from: 255, to: 0, toOwner: bob.owner, amount: 9n })
    ])
    assert.deepStrictEqual(ledger.accounts.get(255), { owner: carol.owner, balance: 0n, nonce: 1n })
    assert.deepStrictEqual(ledger.accounts.get(0), { owner: bob.owner, balance: 9n, nonce: 0n })
  })

  it("a transfer to oneself, which costs the fee and nothing else", async () => {
    const { ledger } = await accepts(ledgerOf([3, alice, ether, 0n]), [
      pay(alice, { to: 3, toOwner: alice.owner, amount: ether - fee })
    ])
    assert.deepStrictEqual(ledger.accounts.get(3), { owner: alice.owner, balance: ether - fee, nonce: 1n })
  })

  it("the exact balance, to the last wei", async () => {
    const { ledger } = await accepts(ledgerOf([3, alice, 5n + fee, 0n], [7, bob, 0n, 0n]), [pay(alice, {})])
    assert.strictEqual(ledger.accounts.get(3)!.balance, 0n)
  })

  it("the widest amount, cap and nonce, and a recipient filled to the brim", async () => {
    const widest = 2n ** 96n - 1n
    const lastNonce = 2n ** 64n - 1n
    const { ledger } = await accepts(ledgerOf([3, alice, widest, lastNonce], [7, bob, fee, 0n]), [
      pay(alice, { amount: widest - fee, maxProverFee: widest, nonce: lastNonce })
    ])
    assert.strictEqual(ledger.accounts.get(7)!.balance, widest)
  })

  it("nothing, sent to an empty leaf", async () => {
    await accepts(ledgerOf([3, alice, fee, 0n]), [pay(alice, { amount: 0n })])
  })

  it("FM-5: prices from nothing to the widest", async () => {
    await accepts(ledgerOf([3, alice, ether, 0n]), [pay(alice, { maxProverFee: 0n })], { price: 0n })
    const highest = 2n ** 64n - 1n
    await accepts(ledgerOf([3, alice, 2n ** 90n, 0n]), [pay(alice, { maxProverFee: TRANSFER_GAS * highest })], { price: highest })
  })
})
