/**
 * Which neighbouring proofs to merge, so that the merges of strangers fit together (OC-3).
 *
 * Where two pieces meet, the number of the left one's last block has a rank: how often 2 divides it, as the marks of a ruler have
 * lengths. A pair is merged when neither of its outer ends has a lower rank than the place where it meets. From single blocks that
 * makes aligned ranges of 2, 4, 8 … blocks, whoever starts; a tip or a foreign piece in the middle of a range only makes its halves
 * uneven. Nothing is merged across a multiple of the largest range.
 */
import type { Piece } from "../Forest.ts"
import { type MergeAtom, mergeAtom } from "./Atom.ts"

/** How often 2 divides a number; without end for 0. */
export const rulerRank = (number: number): number => {
  if (number === 0) return Number.POSITIVE_INFINITY
  let rank = 0
  for (let rest = number; rest % 2 === 0; rest /= 2) rank++
  return rank
}

/** The place at which the last merge of a range meets, however it came about: the mark of highest rank within. A single block's is its own number. */
export const seamOf = ({ from, to }: { readonly from: number; readonly to: number }): number => {
  let seam = to
  // The first multiple of ever higher powers of 2, as long as there is one within.
  for (let step = 1, mark = from + 1; mark < to; step *= 2, mark = (Math.floor(from / step) + 1) * step) seam = mark
  return seam
}

/** The pieces that start behind one block: by where they end, and the one that reaches furthest. */
interface Siblings<P extends Piece> {
  readonly byEnd: Map<number, P>
  furthest: P
}

/** All pieces by their ranges. Of proofs of the same range, the one with the lowest id counts: everybody merges the same. */
export class MergePieces<P extends Piece> {
  readonly #byStart = new Map<number, Siblings<P>>()
  /** The largest aligned range that is merged, in blocks: a power of two. */
  readonly window: number

  /** @param most blocks of one proof at most */
  constructor(most: number) {
    this.window = 2 ** Math.floor(Math.log2(Math.max(most, 1)))
  }

  add(piece: P): void {
    const siblings = this.#byStart.get(piece.from)
    if (siblings === undefined) {
      this.#byStart.set(piece.from, { byEnd: new Map([[piece.to, piece]]), furthest: piece })
      return
    }
    const known = siblings.byEnd.get(piece.to)
    if (known !== undefined && known.id <= piece.id) return
    siblings.byEnd.set(piece.to, piece)
    if (piece.to >= siblings.furthest.to) siblings.furthest = piece
  }

  /** Forgets what reaches beyond a block: the ledger replaced it (CP-4). */
  truncate(number: number): void {
    this.#keep(({ to }) => to <= number)
  }

  /** Forgets what ends at or before a block: nobody merges it any more. */
  forget(number: number): void {
    this.#keep(({ to }) => to > number)
  }

  #keep(stays: (piece: P) => boolean): void {
    for (const [from, { byEnd }] of this.#byStart) {
      const kept = [...byEnd.values()].filter(stays)
      if (kept.length === byEnd.size) continue
      this.#byStart.delete(from)
      for (const piece of kept) this.add(piece)
    }
  }

  /** The piece that reaches furthest from a block. */
  #furthest(from: number): P | undefined {
    return this.#byStart.get(from)?.furthest
  }

  /** Whether one piece covers all blocks after `from` up to `to`. */
  isWhole(from: number, to: number): boolean {
    const furthest = this.#furthest(from)
    return furthest !== undefined && furthest.to >= to
  }

  /**
   * The merges that are possible now within one window, the oldest first.
   *
   * @param from where the window begins: a multiple of its length, or the tip
   */
  within(from: number): ReadonlyArray<MergeAtom<P>> {
    const end = (Math.floor(from / this.window) + 1) * this.window
    const merges: Array<MergeAtom<P>> = []
    let run: Array<P> = []
    const close = () => {
      for (let i = 1; i < run.length; i++) {
        const [left, right] = [run[i - 1]!, run[i]!]
        const rank = rulerRank(left.to)
        // Of equal ranks, which only foreign pieces have side by side, the left one goes first.
        const isLowest = (left.from === from || rank < rulerRank(left.from)) && rank <= rulerRank(right.to)
        if (isLowest && right.to - left.from <= this.window) merges.push(mergeAtom(left, right))
      }
      run = []
    }
    for (let at = from; at < end;) {
      const piece = this.#furthest(at)
      if (piece === undefined || piece.to > end) close()
      else run.push(piece)
      at = piece?.to ?? at + 1
    }
    close()
    return merges
  }
}
