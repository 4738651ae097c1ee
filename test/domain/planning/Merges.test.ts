import { assert, describe, it } from "@effect/vitest"
import type { Piece } from "../../../src/domain/Forest.ts"
import { ProofId, toHex32 } from "../../../src/domain/Hash.ts"
import { MergePieces, rulerRank, seamOf } from "../../../src/domain/planning/Merges.ts"
import { seededRandom } from "../../../src/ledger/SeededRandom.ts"

const piece = (from: number, to: number, id = 1_000 * from + to): Piece => ({ id: ProofId.make(toHex32(BigInt(id))), from, to })
const rangesOf = (atoms: ReadonlyArray<{ readonly from: number; readonly to: number }>) => atoms.map(({ from, to }) => [from, to])

const piecesOf = (most: number, ...pieces: ReadonlyArray<Piece>): MergePieces<Piece> => {
  const all = new MergePieces<Piece>(most)
  for (const one of pieces) all.add(one)
  return all
}

describe("OC-3: merges that fit together", () => {
  it("a mark's rank is how often 2 divides it, and a range's seam is its mark of highest rank", () => {
    assert.deepStrictEqual([1, 2, 3, 4, 6, 8, 96].map(rulerRank), [0, 1, 0, 2, 1, 3, 5])
    for (let from = 0; from < 40; from++) {
      for (let to = from + 2; to < 60; to++) {
        const marks = Array.from({ length: to - from - 1 }, (_, i) => from + 1 + i)
        assert.strictEqual(seamOf({ from, to }), marks.reduce((best, mark) => rulerRank(mark) > rulerRank(best) ? mark : best))
      }
      assert.strictEqual(seamOf({ from, to: from + 1 }), from + 1, "a block stands for itself")
    }
  })

  it("aligned pairs are merged, whatever is missing beside them", () => {
    const blocks = [1, 2, 4, 5, 6, 7, 8].map((number) => piece(number - 1, number))
    assert.deepStrictEqual(rangesOf(piecesOf(8, ...blocks).within(0)), [[0, 2], [4, 6], [6, 8]])
    assert.deepStrictEqual(rangesOf(piecesOf(8, piece(0, 2), piece(2, 4), piece(4, 6), piece(6, 7)).within(0)), [[0, 4]])
  })

  it("nothing is merged across the largest range, nor beyond what waits for its neighbour", () => {
    assert.deepStrictEqual(rangesOf(piecesOf(4, piece(2, 4), piece(4, 6)).within(0)), [])
    assert.deepStrictEqual(rangesOf(piecesOf(8, piece(8, 12), piece(12, 13)).within(8)), [], "block 14 is about to come")
  })

  it("a tip in the middle of a range is merged to its end, and so is a foreign piece", () => {
    assert.deepStrictEqual(rangesOf(piecesOf(8, piece(5, 6), piece(6, 8)).within(5)), [[5, 8]])
    assert.deepStrictEqual(rangesOf(piecesOf(8, piece(0, 3), piece(3, 4)).within(0)), [[0, 4]])
  })

  it("in whatever order and with whatever pieces, a window that is covered becomes one proof, by one merge less than it has pieces", () => {
    for (let seed = 0; seed < 400; seed++) {
      const random = seededRandom("merges", seed)
      const tip = random.integer(12)
      const ends: Array<number> = []
      for (let at = tip; at < 16; at = ends.at(-1)!) ends.push(Math.min(16, at + 1 + random.integer(seed % 2 === 0 ? 1 : 5)))
      const waiting = ends.map((to, i) => piece(i === 0 ? tip : ends[i - 1]!, to))
      const pieces = new MergePieces<Piece>(16)
      let merges = 0
      while (!pieces.isWhole(tip, 16)) {
        const possible = pieces.within(tip)
        if (waiting.length > 0 && (possible.length === 0 || random.chance(1, 2))) pieces.add(waiting.splice(random.integer(waiting.length), 1)[0]!)
        else {
          assert.isNotEmpty(possible, `nothing goes on with ends ${ends.join()}`)
          const { from, to } = possible[random.integer(possible.length)]!
          pieces.add(piece(from, to))
          merges++
        }
      }
      assert.strictEqual(merges, ends.length - 1)
    }
  })

  it("of two proofs of a range the one with the lower id is merged, whichever came first; what the ledger dropped is forgotten", () => {
    const [low, high, right] = [piece(0, 1, 1), piece(0, 1, 2), piece(1, 2)]
    for (const order of [[low, high, right], [high, right, low]]) {
      const pieces = piecesOf(4, ...order)
      assert.strictEqual((pieces.within(0)[0]!).left.id, low.id)
      pieces.truncate(1)
      assert.deepStrictEqual(pieces.within(0), [])
      pieces.add(right)
      pieces.forget(1)
      assert.isFalse(pieces.isWhole(0, 1))
      assert.isTrue(pieces.isWhole(1, 2))
    }
  })
})
