/**
 * The account tree: a sparse binary Merkle tree with Poseidon2 nodes whose leaves are accounts.
 */
import type { Account, AccountIndex } from "../domain/Account.ts"
import { LeafWitness } from "../domain/BlockWitness.ts"
import { poseidon2, StateRoot, toHex32 } from "../domain/Hash.ts"

interface Leaf {
  readonly hash: bigint
  readonly account: Account
}

interface Branch {
  readonly hash: bigint
  readonly left: Node
  readonly right: Node
}

/** `null` stands for an empty subtree of any height. */
type Node = Leaf | Branch | null

const emptyHashes: Array<bigint> = [0n]

/** Root of an empty subtree of `level` levels: 0 for a leaf, H(e, e) above. */
export const emptySubtree = (level: number): bigint => {
  for (let known = emptyHashes.length; known <= level; known++) {
    emptyHashes.push(poseidon2(emptyHashes[known - 1]!, emptyHashes[known - 1]!))
  }
  return emptyHashes[level]!
}

const hashOf = (node: Node, level: number): bigint => node === null ? emptySubtree(level) : node.hash

const branch = (left: Node, right: Node, level: number): Branch => ({
  left,
  right,
  hash: poseidon2(hashOf(left, level - 1), hashOf(right, level - 1))
})

const leaf = (account: Account): Leaf => ({ hash: account.leaf, account })

// Indices have up to 32 bits, more than JavaScript's shifts take.
const isRight = (index: number, level: number): boolean => Math.floor(index / 2 ** (level - 1)) % 2 === 1

/** The root that a leaf hash and its siblings (leaf level first) lead to. */
export const rootOf = (leafHash: bigint, index: AccountIndex, siblings: ReadonlyArray<bigint>): StateRoot => {
  let hash = leafHash
  siblings.forEach((sibling, i) => {
    hash = isRight(index, i + 1) ? poseidon2(sibling, hash) : poseidon2(hash, sibling)
  })
  return StateRoot.make(toHex32(hash))
}

/**
 * An immutable account tree. An update shares all untouched subtrees with the tree it came from, so an earlier tree stays
 * usable at no cost and memory grows with the accounts, never with the updates.
 */
export class StateTree {
  /** Levels between root and leaves; there are 2^depth leaves. */
  readonly depth: number
  /** How many leaves are accounts. */
  readonly size: number
  readonly #top: Node

  private constructor(depth: number, size: number, top: Node) {
    this.depth = depth
    this.size = size
    this.#top = top
  }

  /** The tree of the given accounts; every node is hashed once. */
  static of(depth: number, accounts: Iterable<readonly [AccountIndex, Account]>): StateTree {
    const sorted = [...accounts].sort(([a], [b]) => a - b)
    const build = (from: number, to: number, level: number, offset: number): Node => {
      if (from === to) return null
      if (level === 0) return leaf(sorted[from]![1])
      const middle = offset + 2 ** (level - 1)
      let split = from
      while (split < to && sorted[split]![0] < middle) split++
      return branch(build(from, split, level - 1, offset), build(split, to, level - 1, middle), level)
    }
    return new StateTree(depth, sorted.length, build(0, sorted.length, depth, 0))
  }

  /** The state commitment that headers carry. */
  get root(): StateRoot {
    return StateRoot.make(toHex32(hashOf(this.#top, this.depth)))
  }

  /** Whether there is such a leaf. */
  has(index: AccountIndex): boolean {
    return index < 2 ** this.depth
  }

  /** The account at a leaf; `null` for an empty leaf. */
  account(index: AccountIndex): Account | null {
    return this.#descend(index, () => {})
  }

  /** A leaf's account and the siblings on its path, leaf level first. */
  witness(index: AccountIndex): LeafWitness {
    const siblings: Array<bigint> = []
    const account = this.#descend(index, (sibling, level) => siblings.unshift(hashOf(sibling, level)))
    return new LeafWitness({ account, siblings })
  }

  /** The tree with an account put at a leaf. */
  set(index: AccountIndex, account: Account): StateTree {
    this.#assertHas(index)
    let size = this.size
    const update = (node: Node, level: number): Node => {
      if (level === 0) {
        if (node === null) size++
        return leaf(account)
      }
      const { left, right } = node === null ? { left: null, right: null } : node as Branch
      return isRight(index, level)
        ? branch(left, update(right, level - 1), level)
        : branch(update(left, level - 1), right, level)
    }
    const top = update(this.#top, this.depth)
    return new StateTree(this.depth, size, top)
  }

  /** Every account with its index, in ascending order. */
  *accounts(): Generator<readonly [AccountIndex, Account]> {
    const walk = function*(node: Node, level: number, offset: number): Generator<readonly [AccountIndex, Account]> {
      if (node === null) return
      if (level === 0) return yield [offset as AccountIndex, (node as Leaf).account] as const
      const { left, right } = node as Branch
      yield* walk(left, level - 1, offset)
      yield* walk(right, level - 1, offset + 2 ** (level - 1))
    }
    yield* walk(this.#top, this.depth, 0)
  }

  #descend(index: AccountIndex, visit: (sibling: Node, level: number) => void): Account | null {
    this.#assertHas(index)
    let node = this.#top
    for (let level = this.depth; level > 0; level--) {
      const { left, right } = node === null ? { left: null, right: null } : node as Branch
      visit(isRight(index, level) ? left : right, level - 1)
      node = isRight(index, level) ? right : left
    }
    return node === null ? null : (node as Leaf).account
  }

  #assertHas(index: AccountIndex) {
    if (!this.has(index)) throw new RangeError(`account index ${index} is beyond a tree of depth ${this.depth}`)
  }
}
