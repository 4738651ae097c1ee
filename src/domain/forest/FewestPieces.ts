/**
 * The best tiling from the tip to any boundary: fewest pieces, then lower ids, the first that differ deciding (OC-2).
 *
 * The best tiling to a boundary is the best one to where its last piece starts, and that piece. So boundaries are solved in order, but
 * only as far as a question needs: as soon as the best tilings to all places from which the tree may go on begin with the same pieces,
 * those pieces are certain, whatever follows (as in a Viterbi decoder). What was solved is kept, and an added piece makes only those
 * boundaries be looked at again whose best tiling it may change, when somebody asks.
 */
import { BinaryHeap } from "../BinaryHeap.ts"
import type { Boundary, Link, Piece } from "./Boundary.ts"

/** Blocks that are solved at first; then twice as many, until the answer is certain. */
const firstWindow = 64
/** A window that is more than this part of the tree is not worth looking through: then all of it is solved. */
const largestPart = 1 / 8

/** Whether the tiling that ends with one piece is better than that with another; both end at one boundary. */
const isBetter = <P extends Piece>(one: Link<P>, other: Link<P>): boolean => {
  if (one.from.pieces !== other.from.pieces) return one.from.pieces < other.from.pieces
  // Both are equally long, so that walking back in step ends where they part, at the tip if not before.
  let [a, b] = [one, other]
  while (a.from !== b.from) [a, b] = [a.from.last!, b.from.last!]
  return a.piece.id < b.piece.id
}

export class FewestPieces<P extends Piece> {
  readonly #at: (number: number) => Boundary<P>
  #tip: number
  /** Up to here every boundary is solved, except for the stale ones and what follows from them. */
  #solvedTo: number
  readonly #stale = new BinaryHeap<Boundary<P>>((one, other) => one.number < other.number)
  /** The boundaries up to `#solvedTo` that are reached, in order. */
  #reached: Array<Boundary<P>> = []
  /** How many blocks the last answers took. */
  #window = firstWindow

  /** @param at the boundary at a number from the tip on */
  constructor(tip: number, at: (number: number) => Boundary<P>) {
    this.#at = at
    this.#tip = tip
    this.#solvedTo = tip - 1
  }

  /** Begins anew from a tip. */
  reset(tip: number): void {
    for (let stale = this.#stale.pop(); stale !== undefined; stale = this.#stale.pop()) stale.isStale = false
    this.#tip = tip
    this.#solvedTo = tip - 1
    this.#reached = []
    this.#window = firstWindow
  }

  /** Has a boundary looked at again: a piece that leads there was added, or its start was reached or is so no more. */
  touch(boundary: Boundary<P>): void {
    if (boundary.number > this.#solvedTo || boundary.isStale) return
    boundary.isStale = true
    this.#stale.push(boundary)
  }

  /**
   * The pieces of the heaviest tree from the tip on, at least those over the blocks up to `target`.
   *
   * @param reach the last boundary that is reached from the tip
   */
  pieces(target: number, reach: number): ReadonlyArray<P> {
    const pieces: Array<P> = []
    for (let { last } = this.#certainAt(Math.min(target, reach), reach); last !== undefined; last = last.from.last) {
      if (last.from.number < target) pieces.push(last.piece)
    }
    return pieces.reverse()
  }

  /** A boundary at or beyond the target that the heaviest tree passes, with its best tiling. */
  #certainAt(target: number, reach: number): Boundary<P> {
    let gated = 0
    for (;; this.#window *= 2) {
      const window = Math.max(target - this.#tip, this.#window)
      const to = window > (reach - this.#tip) * largestPart ? reach : this.#tip + window
      this.#solve(to)
      if (to === reach) return this.#at(reach)
      for (const end = this.#countReached(to); gated < end; gated++) {
        const boundary = this.#reached[gated]!
        boundary.gate = boundary.number < target ? undefined : boundary.last?.from.gate ?? boundary
      }
      const gate = this.#onlyGate(gated, to)
      if (gate !== undefined) return gate
    }
  }

  /** The gate of all best tilings that may go on beyond `to`; none while they have several. */
  #onlyGate(gated: number, to: number): Boundary<P> | undefined {
    let only: Boundary<P> | undefined
    for (let index = gated - 1; index >= 0; index--) {
      const { furthest, gate } = this.#reached[index]!
      if (furthest <= to) continue
      if (gate === undefined || (only !== undefined && only !== gate)) return undefined
      only = gate
    }
    return only
  }

  /** How many boundaries of `#reached` are not beyond a number. */
  #countReached(number: number): number {
    let [from, to] = [0, this.#reached.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (this.#reached[middle]!.number <= number) from = middle + 1
      else to = middle
    }
    return from
  }

  #solve(to: number): void {
    for (let first = this.#stale.first; first !== undefined && first.number <= to; first = this.#stale.first) {
      this.#stale.pop()
      const wasReached = first.last !== undefined
      if (!this.#solveAt(first)) continue
      if (!wasReached) this.#reached.splice(this.#countReached(first.number), 0, first)
      for (const link of first.starting) {
        if (link.to.last === link) link.to.isRerouted = true
        this.touch(link.to)
      }
    }
    while (this.#solvedTo < to) {
      const next = this.#at(++this.#solvedTo)
      this.#solveAt(next)
      if (next.isReached) this.#reached.push(next)
    }
  }

  /** Finds the best last piece of a boundary when everything before it is solved. Says whether its best tiling became another. */
  #solveAt(boundary: Boundary<P>): boolean {
    let best: Link<P> | undefined
    for (const link of boundary.ending) {
      if (link.from.isReached && (best === undefined || isBetter(link, best))) best = link
    }
    const pieces = best === undefined ? 0 : best.from.pieces + 1
    const differs = best !== boundary.last || pieces !== boundary.pieces || boundary.isRerouted
    boundary.last = best
    boundary.pieces = pieces
    boundary.isStale = false
    boundary.isRerouted = false
    return differs
  }
}
