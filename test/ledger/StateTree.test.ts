import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { AccountIndex } from "../../src/domain/Account.ts"
import { poseidon2, toHex32 } from "../../src/domain/Hash.ts"
import { emptySubtree, rootOf, StateTree } from "../../src/ledger/StateTree.ts"
import { account } from "./accounts.ts"

/** The root of a full array of leaves, hashed level by level. */
const naiveRoot = (leaves: ReadonlyArray<bigint>): bigint => {
  let level = [...leaves]
  while (level.length > 1) level = level.flatMap((left, i) => i % 2 === 0 ? [poseidon2(left, level[i + 1]!)] : [])
  return level[0]!
}

const Updates = Schema.Array(Schema.Tuple([
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 7 })),
  Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 1n << 90n }))
])).check(Schema.isMaxLength(8))

describe("StateTree", () => {
  it.prop("updates lead to the root, the paths and the accounts of the full tree, in any order of building", [Updates], ([updates]) => {
    const leaves = Array.from({ length: 8 }, () => 0n)
    let tree = StateTree.of(3, [])
    for (const [index, balance] of updates) {
      const changed = account(index, balance)
      tree = tree.set(AccountIndex.make(index), changed)
      leaves[index] = changed.leaf
    }
    assert.strictEqual(tree.root, toHex32(naiveRoot(leaves)))
    assert.strictEqual(StateTree.of(3, [...tree.accounts()].reverse()).root, tree.root)
    assert.strictEqual(tree.size, new Set(updates.map(([index]) => index)).size)
    for (let i = 0; i < 8; i++) {
      const index = AccountIndex.make(i)
      const witness = tree.witness(index)
      assert.strictEqual(witness.account?.leaf ?? 0n, leaves[i])
      assert.strictEqual(tree.account(index), witness.account)
      assert.strictEqual(rootOf(leaves[i]!, index, witness.siblings), tree.root)
    }
  }, { arbitrary: { runs: 15 } })

  it("an empty leaf is 0, an empty subtree hashes its two empty halves", () => {
    assert.strictEqual(emptySubtree(0), 0n)
    assert.strictEqual(emptySubtree(2), poseidon2(poseidon2(0n, 0n), poseidon2(0n, 0n)))
    assert.strictEqual(StateTree.of(5, []).root, toHex32(emptySubtree(5)))
  })

  it("an earlier tree is untouched by later updates", () => {
    const first = StateTree.of(8, [[AccountIndex.make(3), account(3, 5n)]])
    const root = first.root
    const second = first.set(AccountIndex.make(3), account(3, 6n)).set(AccountIndex.make(200), account(4, 1n))
    assert.strictEqual(first.root, root)
    assert.strictEqual(first.account(AccountIndex.make(3))?.balance, 5n)
    assert.isNull(first.account(AccountIndex.make(200)))
    assert.notStrictEqual(second.root, root)
    assert.strictEqual(second.size, 2)
  })

  it("reaches the last leaf of the deepest tree", () => {
    const last = AccountIndex.make(2 ** 32 - 1)
    const tree = StateTree.of(32, [[AccountIndex.make(0), account(0, 1n)]]).set(last, account(1, 2n))
    const { siblings } = tree.witness(last)
    assert.strictEqual(siblings.length, 32)
    assert.strictEqual(rootOf(account(1, 2n).leaf, last, siblings), tree.root)
    assert.deepStrictEqual([...tree.accounts()].map(([index]) => index), [0, last])
    assert.strictEqual(StateTree.of(32, tree.accounts()).root, tree.root)
  })

  it("an index beyond the tree is a mistake of the caller", () => {
    const tree = StateTree.of(3, [])
    assert.isFalse(tree.has(AccountIndex.make(8)))
    assert.throws(() => tree.account(AccountIndex.make(8)), RangeError)
    assert.throws(() => tree.set(AccountIndex.make(8), account(0, 1n)), RangeError)
  })
})
