import { assert, describe, it } from "@effect/vitest"
import { Forest, type Piece } from "../../src/domain/Forest.ts"
import { ProofId, toHex32 } from "../../src/domain/Hash.ts"
import { type SeededRandom, seededRandom } from "../../src/ledger/SeededRandom.ts"

/** A piece whose id is a small number. */
const piece = (from: number, to: number, id = 1000 * from + to): Piece => ({ from, to, id: ProofId.make(toHex32(BigInt(id))) })

const ids = (pieces: ReadonlyArray<Piece>) => pieces.map(({ id }) => Number(id))

/** Everything that a forest knows, by definition: every list of pieces is written down and compared. */
class Oracle {
  tip: number
  floor: number
  gas: Array<bigint> = []
  pieces = new Map<ProofId, Piece>()
  readonly start: number

  constructor(tip: number) {
    this.start = this.tip = this.floor = tip
  }

  get head() {
    return this.start + this.gas.length
  }

  add(added: Piece): boolean {
    if (added.to <= this.tip || added.from < this.floor || this.pieces.has(added.id)) return false
    this.pieces.set(added.id, added)
    return true
  }

  drop(goes: (piece: Piece) => boolean): ReadonlyArray<Piece> {
    const gone = [...this.pieces.values()].filter(goes)
    for (const { id } of gone) this.pieces.delete(id)
    return gone
  }

  /** Every tree, from the tip on. */
  trees(from = this.tip): ReadonlyArray<ReadonlyArray<Piece>> {
    return [[], ...[...this.pieces.values()].filter((one) => one.from === from).flatMap((one) => this.trees(one.to).map((rest) => [one, ...rest]))]
  }

  weight(tree: ReadonlyArray<Piece>): bigint {
    return tree.reduce((sum, { from, to }) => this.gas.slice(from - this.start, to - this.start).reduce((a, b) => a + b, sum), 0n)
  }

  reach(tree: ReadonlyArray<Piece>): number {
    return tree.at(-1)?.to ?? this.tip
  }

  heaviest(): ReadonlyArray<Piece> {
    return this.trees().reduce((heaviest, tree) => {
      if (this.weight(tree) !== this.weight(heaviest)) return this.weight(tree) > this.weight(heaviest) ? tree : heaviest
      if (this.reach(tree) !== this.reach(heaviest)) return this.reach(tree) > this.reach(heaviest) ? tree : heaviest
      if (tree.length !== heaviest.length) return tree.length < heaviest.length ? tree : heaviest
      const differs = tree.findIndex(({ id }, i) => id !== heaviest[i]!.id)
      return differs >= 0 && tree[differs]!.id < heaviest[differs]!.id ? tree : heaviest
    })
  }

  covers(number: number): boolean {
    return [...this.pieces.values()].some(({ from, to }) => from >= this.tip && from < number && number <= to)
  }
}

/** Every answer of a forest, against the oracle's. */
const compare = (forest: Forest<Piece>, oracle: Oracle, say: string) => {
  const heaviest = oracle.heaviest()
  assert.deepStrictEqual(ids(forest.heaviest()), ids(heaviest), `${say}: heaviest`)
  assert.deepStrictEqual([forest.tip, forest.head, forest.reach, forest.weight, forest.size],
    [oracle.tip, oracle.head, oracle.reach(heaviest), oracle.weight(heaviest), oracle.pieces.size], say)
  for (let blocks = 0; blocks <= 4; blocks++) {
    assert.deepStrictEqual(ids(forest.heaviest(blocks)), ids(heaviest.filter(({ from }) => from < oracle.tip + blocks)), `${say}: first ${blocks}`)
  }
  for (let number = oracle.start; number <= oracle.head + 1; number++) {
    assert.strictEqual(forest.covers(number), oracle.covers(number), `${say}: covers ${number}`)
    let gap = Math.max(number, oracle.tip) + 1
    while (oracle.covers(gap)) gap++
    assert.strictEqual(forest.uncovered(number), gap > oracle.head ? undefined : gap, `${say}: uncovered after ${number}`)
  }
  for (const { id } of oracle.pieces.values()) assert.isTrue(forest.has(id), say)
}

/** A piece over any range of the chain, more often a short one. */
const randomPiece = (random: SeededRandom, lowest: number, head: number): Piece => {
  const from = lowest + random.integer(head - lowest)
  return piece(from, from + 1 + random.integer(random.chance(1, 2) ? Math.min(2, head - from) : head - from), random.integer(1_000))
}

/** The tree of fewest pieces over all of a chain that is too long to write every tree down: counted from its end, chosen from its start. */
const fewestPieces = (pieces: Iterable<Piece>, head: number): ReadonlyArray<Piece> => {
  const starting = Map.groupBy(pieces, ({ from }) => from)
  const left = Array.from({ length: head + 1 }, () => Infinity)
  left[head] = 0
  for (let from = head - 1; from >= 0; from--) for (const { to } of starting.get(from) ?? []) left[from] = Math.min(left[from]!, left[to]! + 1)
  const tree: Array<Piece> = []
  for (let at = 0; at < head; at = tree.at(-1)!.to) {
    const shortest = starting.get(at)!.filter(({ to }) => left[to] === left[at]! - 1)
    tree.push(shortest.reduce((lowest, one) => (one.id < lowest.id ? one : lowest)))
  }
  return tree
}

const permutations = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  items.length === 0 ? [[]] : items.flatMap((one, i) => permutations(items.toSpliced(i, 1)).map((rest) => [one, ...rest]))

const forestOf = (blocks: number, pieces: ReadonlyArray<Piece> = [], tip = 0) => {
  const forest = new Forest<Piece>(tip)
  for (let block = 0; block < blocks; block++) forest.append(16_000n)
  for (const one of pieces) forest.add(one)
  return forest
}

describe("OC-2: the heaviest tree", () => {
  it("is what writing down every tree finds, through every history of blocks, proofs, tips, reverts and reorganisations", () => {
    const happened = { added: 0, known: 0, truncated: 0, back: 0, forgotten: 0, deepest: 0 }
    for (let history = 0; history < 200; history++) {
      const random = seededRandom("forest", history)
      const start = random.integer(2) * 1_000
      const oracle = new Oracle(start)
      const forest = new Forest<Piece>(start)
      for (let event = 0; event < 40; event++) {
        const chance = random.integer(100)
        if (oracle.head === oracle.start || (chance < 35 && oracle.head - oracle.start < 12)) {
          const gas = BigInt(random.integer(3))
          oracle.gas.push(gas)
          forest.append(gas)
        } else if (chance < 78) {
          const added = randomPiece(random, oracle.start, oracle.head)
          // A proof is content: the same id with another range is another proof.
          if ([...oracle.pieces.values()].some(({ from, id, to }) => id === added.id && (from !== added.from || to !== added.to))) continue
          const isNew = oracle.add(added)
          assert.strictEqual(forest.add(added), isNew)
          assert.isFalse(forest.add(added), "never twice")
          happened[isNew ? "added" : "known"]++
        } else if (chance < 82) {
          const number = oracle.tip + random.integer(oracle.head - oracle.tip + 1)
          const gone = oracle.drop(({ to }) => to > number)
          oracle.gas.length = number - oracle.start
          assert.deepStrictEqual(ids(forest.truncate(number)).sort(), ids(gone).sort())
          happened.truncated += gone.length
        } else if (chance < 95) {
          const tree = oracle.heaviest()
          const along = tree.length > 0 && random.chance(3, 4)
          const number = along ? tree[random.integer(Math.min(tree.length, 2))]!.to : oracle.floor + random.integer(oracle.head - oracle.floor + 1)
          if (number < oracle.tip) happened.back++
          oracle.tip = number
          forest.moveTip(number)
        } else {
          oracle.floor += random.integer(oracle.tip - oracle.floor + 1)
          happened.forgotten += oracle.drop(({ from }) => from < oracle.floor).length
          forest.forget(oracle.floor)
        }
        compare(forest, oracle, `history ${history}, event ${event}`)
        happened.deepest = Math.max(happened.deepest, oracle.heaviest().length)
      }
    }
    for (const [what, count] of Object.entries(happened)) assert.isAbove(count, 4, what)
  })

  it("is the same in every order in which the same proofs can come", () => {
    for (let history = 0; history < 12; history++) {
      const random = seededRandom("forest/orders", history)
      const oracle = new Oracle(0)
      for (let block = 0; block < 6; block++) oracle.gas.push(BigInt(random.integer(2)))
      while (oracle.pieces.size < 6) oracle.add(piece(...random.choose(2, 7) as [number, number], 10 * oracle.pieces.size + random.integer(10)))
      for (const order of permutations([...oracle.pieces.values()])) {
        const forest = new Forest<Piece>(0)
        for (const gas of oracle.gas) forest.append(gas)
        for (const one of order) {
          forest.add(one)
          forest.heaviest(2)
        }
        compare(forest, oracle, `history ${history}`)
      }
    }
  })

  it("is found from its beginning alone where it is long, whatever was asked before", () => {
    for (const longest of [2, 3, 9, 40, 3_000]) {
      const random = seededRandom("forest/long", longest)
      const head = 3_000
      // Pairs reach from end to end; which other boundaries are reached, and how, changes with every piece.
      const known = Array.from({ length: head / 2 }, (_, i) => piece(2 * i, 2 * i + 2, 2 * i))
      const forest = forestOf(head, known)
      for (let added = 0; added < 2_000; added++) {
        // A part of them near the tip, where answers are kept.
        const from = random.integer(random.chance(1, 2) ? 300 : head)
        const one = piece(from, Math.min(from + 1 + random.integer(longest), head), random.integer(1_000) * 2_000 + added)
        if (forest.add(one)) known.push(one)
        if (added % 25 !== 0) continue
        const expected = fewestPieces(known, head)
        for (const blocks of [1 + random.integer(20), 1 + random.integer(200)]) {
          assert.deepStrictEqual(ids(forest.heaviest(blocks)), ids(expected.filter(({ from }) => from < blocks)), `up to ${longest}: first ${blocks} of ${added}`)
        }
      }
      const tree = fewestPieces(known, head)
      assert.deepStrictEqual(ids(forest.heaviest()), ids(tree))
      // A tip that moves along the tree leaves the rest of it as it was.
      const middle = tree.length >> 1
      forest.moveTip(tree[middle]!.to)
      assert.deepStrictEqual(ids(forest.heaviest()), ids(tree.slice(middle + 1)))
    }
  })

  it("takes more prover gas before fewer pieces, and fewer pieces before lower ids", () => {
    const forest = forestOf(3, [piece(0, 1, 1), piece(1, 2, 2)])
    assert.deepStrictEqual(ids(forest.heaviest()), [1, 2])
    forest.add(piece(0, 2, 9))
    assert.deepStrictEqual(ids(forest.heaviest()), [9])
    forest.add(piece(0, 2, 8))
    assert.deepStrictEqual(ids(forest.heaviest()), [8])
    forest.add(piece(2, 3, 7))
    assert.deepStrictEqual(ids(forest.heaviest()), [8, 7])
    assert.strictEqual(forest.weight, 48_000n)
  })

  it("lets the first ids that differ decide, not the last", () => {
    const forest = forestOf(5, [piece(0, 1, 20), piece(1, 4, 9), piece(0, 3, 30), piece(3, 4, 1)])
    assert.deepStrictEqual(ids(forest.heaviest()), [20, 9])
    forest.add(piece(0, 2, 10))
    assert.deepStrictEqual(ids(forest.heaviest()), [20, 9], "a lower id that leads nowhere")
    forest.add(piece(2, 4, 99))
    assert.deepStrictEqual(ids(forest.heaviest()), [10, 99])
    forest.add(piece(4, 5, 0))
    assert.deepStrictEqual(ids(forest.heaviest(1)), [10])
  })

  it("counts idle blocks, which use no prover gas", () => {
    const forest = new Forest<Piece>(0)
    forest.append(0n)
    forest.append(0n)
    forest.add(piece(0, 1))
    forest.add(piece(1, 2))
    assert.strictEqual(forest.heaviest().length, 2)
    assert.strictEqual(forest.reach, 2)
  })

  it("does not see over a gap", () => {
    const forest = forestOf(4, [piece(1, 4)])
    assert.deepStrictEqual(forest.heaviest(), [])
    assert.strictEqual(forest.reach, 0)
    forest.add(piece(0, 1))
    assert.deepStrictEqual(ids(forest.heaviest()), ids([piece(0, 1), piece(1, 4)]))
    assert.strictEqual(forest.reach, 4)
  })
})

describe("OC-3: what no proof covers", () => {
  it("is found up to the head, beyond gaps and over them", () => {
    const forest = forestOf(6, [piece(2, 4), piece(3, 4)])
    assert.deepStrictEqual([1, 2, 3, 4, 5].map((n) => forest.covers(n)), [false, false, true, true, false])
    assert.deepStrictEqual([0, 1, 2, 4, 5, 6].map((n) => forest.uncovered(n)), [1, 2, 5, 5, 6, undefined])
    forest.append(0n)
    assert.strictEqual(forest.uncovered(6), 7)
  })

  it("counts a piece that starts behind the tip as if it were not there, until the tip comes back", () => {
    const forest = forestOf(4, [piece(0, 3)])
    forest.moveTip(1)
    assert.strictEqual(forest.uncovered(1), 2)
    assert.isFalse(forest.covers(3))
    forest.moveTip(0)
    assert.strictEqual(forest.uncovered(0), 4)
    assert.strictEqual(forest.reach, 3)
  })

  it("keeps its answers while the chain grows and is forgotten for a long time", () => {
    for (const lag of [10, 700]) {
      const start = 1_000_000
      const forest = new Forest<Piece>(start)
      for (let number = start + 1; number <= start + 4_000; number++) {
        forest.append(1n)
        if (number % 3 !== 0) forest.add(piece(number - 1, number, number))
        if (number % 100 !== 0 || number - lag - 10 < start) continue
        forest.moveTip(number - lag)
        forest.forget(number - lag - 10)
        const open: Array<number> = []
        for (let gap = forest.uncovered(0); gap !== undefined; gap = forest.uncovered(gap)) open.push(gap)
        assert.deepStrictEqual(open, Array.from({ length: lag }, (_, i) => number - lag + 1 + i).filter((n) => n % 3 === 0))
        assert.isAtMost(forest.size, lag + 10)
      }
    }
  })
})

describe("the forest's edges", () => {
  it("CP-4: drops the proofs over blocks that were replaced, says which, and takes proofs of the new ones", () => {
    const [one, two, over, three] = [piece(0, 1), piece(1, 2), piece(0, 3), piece(2, 3)]
    const forest = forestOf(3, [one, two, over, three])
    assert.deepStrictEqual(ids(forest.truncate(1)).sort(), ids([two, over, three]).sort())
    assert.deepStrictEqual(ids(forest.heaviest()), ids([one]))
    assert.deepStrictEqual([forest.head, forest.reach], [1, 1])
    assert.throws(() => forest.add(two), /no range of blocks up to 1/)
    forest.append(16_000n)
    assert.isTrue(forest.add(two), "it is new again")
    assert.deepStrictEqual(ids(forest.heaviest()), ids([one, two]))
    assert.deepStrictEqual(forest.truncate(7), [], "there is nothing above the head")
  })

  it("keeps what lies behind the tip for the tip's return, until it is forgotten", () => {
    const pieces = [piece(0, 1), piece(1, 2), piece(2, 3)]
    const forest = forestOf(3, pieces)
    forest.moveTip(2)
    assert.deepStrictEqual(ids(forest.heaviest()), ids(pieces.slice(2)))
    assert.isFalse(forest.add(piece(0, 2)), "it ends at the tip")
    forest.moveTip(0)
    assert.deepStrictEqual(ids(forest.heaviest()), ids(pieces))
    forest.moveTip(2)
    forest.forget(1)
    assert.isFalse(forest.has(pieces[0]!.id))
    forest.moveTip(1)
    assert.deepStrictEqual(ids(forest.heaviest()), ids(pieces.slice(1)))
    assert.isFalse(forest.add(piece(0, 3)), "it starts behind what was forgotten")
  })

  it("takes a tip that the ledger has not shown yet", () => {
    const forest = forestOf(2, [piece(0, 2)])
    forest.moveTip(5)
    assert.deepStrictEqual([forest.head, forest.reach, forest.uncovered(0)], [5, 5, undefined])
    forest.append(16_000n)
    assert.isTrue(forest.add(piece(5, 6)))
    assert.strictEqual(forest.reach, 6)
  })

  it("refuses what cannot be", () => {
    const forest = forestOf(4, [], 3)
    assert.throws(() => forest.add(piece(4, 4)), RangeError)
    assert.throws(() => forest.add(piece(6, 8)), RangeError)
    assert.throws(() => forest.moveTip(2), /was forgotten/)
    assert.throws(() => forest.truncate(2), /behind the tip/)
    assert.throws(() => forest.forget(4), /beyond the tip/)
  })
})
