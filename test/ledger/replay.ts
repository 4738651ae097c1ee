/**
 * The block circuit's statement, written down a second time: from witness and header alone, without tree or executor.
 */
import { assert } from "@effect/vitest"
import type { Account } from "../../src/domain/Account.ts"
import type { BlockWitness, LeafWitness } from "../../src/domain/BlockWitness.ts"
import { poseidon2 } from "../../src/domain/Hash.ts"
import { verifyMessage } from "../../src/domain/EddsaPoseidon.ts"

export const transferGas = 16_000n

const leafHash = (account: Pick<Account, "owner" | "balance" | "nonce"> | null) =>
  account === null ? 0n : poseidon2(BigInt(account.owner), account.balance, account.nonce)

const climb = (leaf: bigint, index: number, siblings: ReadonlyArray<bigint>) => {
  let hash = leaf
  let path = BigInt(index)
  for (const sibling of siblings) {
    hash = path & 1n ? poseidon2(sibling, hash) : poseidon2(hash, sibling)
    path >>= 1n
  }
  assert.strictEqual(path, 0n, "the index lies in the tree")
  return hash
}

/** Asserts that a block follows from its parent header and witness; answers the balance that left the state. */
export const replay = (witness: BlockWitness, parameters: { readonly chainId: bigint; readonly slots: number; readonly depth: number }): bigint => {
  const { block: { header, transfers }, parent } = witness
  assert.strictEqual(header.parentHash, parent.hash)
  assert.strictEqual(header.number, parent.number + 1)
  assert.isAtLeast(Number(header.timestamp), Number(parent.timestamp))
  assert.strictEqual(transfers.length, witness.transfers.length)
  assert.isAtMost(transfers.length, parameters.slots)
  const fee = transferGas * header.proverPrice
  const at = (leaf: LeafWitness) => {
    assert.strictEqual(leaf.siblings.length, parameters.depth)
    return leaf.siblings
  }
  let root = BigInt(parent.stateRoot)
  const digests: Array<bigint> = []
  transfers.forEach(({ publicKey, signature, transfer }, slot) => {
    const { recipient, sender } = witness.transfers[slot]!
    const before = sender.account
    assert.isNotNull(before)
    assert.strictEqual(BigInt(before.owner), poseidon2(...publicKey))
    assert.strictEqual(before.nonce, transfer.nonce)
    assert.isTrue(fee <= transfer.maxProverFee && before.balance >= transfer.amount + fee)
    const digest = poseidon2(
      parameters.chainId * 2n ** 128n + BigInt(transfer.from) * 2n ** 96n + BigInt(transfer.to) * 2n ** 64n + transfer.nonce,
      transfer.amount * 2n ** 96n + transfer.maxProverFee,
      BigInt(transfer.toOwner)
    )
    assert.isTrue(verifyMessage(digest, signature, publicKey))
    digests.push(digest)
    assert.strictEqual(climb(leafHash(before), transfer.from, at(sender)), root, "the sender's path opens the root")
    root = climb(
      leafHash({ owner: before.owner, balance: before.balance - transfer.amount - fee as never, nonce: before.nonce + 1n as never }),
      transfer.from,
      at(sender)
    )
    assert.strictEqual(climb(leafHash(recipient.account), transfer.to, at(recipient)), root, "the recipient's path opens the root between")
    const received = recipient.account ?? { owner: transfer.toOwner, balance: 0n, nonce: 0n }
    assert.strictEqual(received.owner, transfer.toOwner)
    assert.isTrue(received.balance + transfer.amount < 2n ** 96n)
    root = climb(poseidon2(BigInt(received.owner), received.balance + transfer.amount, received.nonce), transfer.to, at(recipient))
  })
  assert.strictEqual(BigInt(header.stateRoot), root)
  let level = Array.from({ length: parameters.slots }, (_, slot) => digests[slot] ?? 0n)
  while (level.length > 1) level = level.flatMap((left, i) => i % 2 === 0 ? [poseidon2(left, level[i + 1]!)] : [])
  assert.strictEqual(BigInt(header.transactionsRoot), level[0])
  const gas = transferGas * BigInt(transfers.length)
  assert.strictEqual(header.proverGasUsed, gas)
  assert.strictEqual(header.proverFees, gas * header.proverPrice)
  return header.proverFees
}
