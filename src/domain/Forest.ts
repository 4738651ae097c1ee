/**
 * All verified proofs over one ledger's blocks, and the heaviest tree among them (OC-2).
 *
 * Idle blocks use no prover gas and still have to be settled: of trees with equal gas, the one that reaches further counts. On one chain
 * the heaviest tree is therefore the one that reaches furthest from the tip, piece by piece without a gap; then the one of fewest pieces;
 * then the one with lower ids, where the first that differ from the tip on decide. That is a total order, so everybody who knows the same
 * proofs sees the same tree, in whatever order they came.
 *
 * Costs, over n blocks and with a window w (see {@link FewestPieces}): a piece costs O(log n) for coverage, and whether boundaries are
 * reached is passed on, O(1) for each piece that comes into reach or falls out of it. A tip that moves along the tree puts each piece
 * through that once. The first pieces of the tree cost O(w) after the tip has moved, and then what an added piece changes within w. The
 * window ends where all good ways to go on share their beginning: some tens of pieces for proofs of like length. Only ranges chosen
 * against it stretch it to the whole chain, where a question after a change costs O(n + pieces) at worst.
 */
import { Boundary, type Link, type Piece } from "./forest/Boundary.ts"
import { Coverage } from "./forest/Coverage.ts"
import { FewestPieces } from "./forest/FewestPieces.ts"
import type { ProofId } from "./Hash.ts"

export type { Piece }

export class Forest<P extends Piece> {
  /** Boundaries from `#base` to the head, by number. */
  #boundaries: Array<Boundary<P>>
  #base: number
  /** The tip does not go back behind this block. */
  #floor: number
  #tip: number
  #reach: number
  readonly #links = new Map<ProofId, Link<P>>()
  /** Of the pieces that start at or beyond the tip. */
  readonly #coverage: Coverage
  readonly #best: FewestPieces<P>

  /** @param tip number of the last block that is proven on L1 */
  constructor(tip: number) {
    this.#boundaries = [new Boundary<P>(tip, 0n)]
    this.#base = tip
    this.#floor = tip
    this.#tip = tip
    this.#reach = tip
    this.#coverage = new Coverage(tip)
    this.#best = new FewestPieces<P>(tip, (number) => this.#at(number))
    this.#support(this.#at(tip))
  }

  /** The proven tip: where the heaviest tree starts. */
  get tip(): number {
    return this.#tip
  }

  /** The newest block that was appended. */
  get head(): number {
    return this.#base + this.#boundaries.length - 1
  }

  /** How many pieces are kept. */
  get size(): number {
    return this.#links.size
  }

  /** Where the heaviest tree ends; the tip when nothing continues it (OC-2). */
  get reach(): number {
    return this.#reach
  }

  /** Prover gas that the heaviest tree covers: what trees are compared by first (OC-2). */
  get weight(): bigint {
    return this.#at(this.#reach).proverGas - this.#at(this.#tip).proverGas
  }

  /** Takes up the ledger's next block, the one after the head. */
  append(proverGas: bigint): void {
    const head = this.#boundaries[this.#boundaries.length - 1]!
    this.#boundaries.push(new Boundary<P>(head.number + 1, head.proverGas + proverGas))
  }

  /**
   * Drops the blocks above a number, which the ledger replaced (CP-4), and every piece that covers any of them.
   *
   * @returns the pieces that went
   * @throws RangeError below the tip: what is proven is not replaced. After a reorganisation of L1, move the tip back first.
   */
  truncate(number: number): ReadonlyArray<P> {
    if (number < this.#tip) throw new RangeError(`block ${number} is behind the tip ${this.#tip}: proven blocks are not replaced`)
    if (number >= this.head) return []
    const gone: Array<Link<P>> = []
    for (const { ending } of this.#boundaries.splice(number + 1 - this.#base)) gone.push(...ending)
    for (const { piece } of gone) {
      this.#links.delete(piece.id)
      if (piece.from >= this.#tip) this.#coverage.remove(piece.from, piece.to)
    }
    for (const start of new Set(gone.map(({ from }) => from))) {
      start.starting = start.starting.filter(({ to }) => to.number <= number)
      start.furthest = start.starting.reduce((furthest, { to }) => Math.max(furthest, to.number), start.number)
    }
    this.#best.reset(this.#tip)
    this.#lowerReach()
    return gone.map(({ piece }) => piece)
  }

  /**
   * Adds a verified proof. Says whether it was new and can still be of use: one that ends at or behind the tip, or starts behind what
   * was forgotten, is not kept.
   *
   * @throws RangeError if the range is empty or ends beyond the head
   */
  add(piece: P): boolean {
    const { from, id, to } = piece
    if (from >= to || to > this.head) throw new RangeError(`a piece from ${from} to ${to} is no range of blocks up to ${this.head}`)
    if (to <= this.#tip || from < this.#floor || this.#links.has(id)) return false
    const link: Link<P> = { piece, from: this.#at(from), to: this.#at(to) }
    this.#links.set(id, link)
    link.from.starting.push(link)
    link.to.ending.push(link)
    link.from.furthest = Math.max(link.from.furthest, to)
    if (from >= this.#tip) this.#coverage.add(from, to)
    if (link.from.isReached) this.#support(link.to)
    return true
  }

  /** Whether a piece is kept. */
  has(id: ProofId): boolean {
    return this.#links.has(id)
  }

  /**
   * Moves the proven tip: forwards when an update settles, backwards when L1 took one back. Pieces behind it are kept until they are
   * forgotten. A tip beyond the head stands for blocks that the ledger has not shown yet: the next one to append is the one after it.
   *
   * @throws RangeError behind what was forgotten: build a new forest from there
   */
  moveTip(number: number): void {
    if (number < this.#floor) throw new RangeError(`the tip cannot go back to ${number}: what lies before block ${this.#floor} was forgotten`)
    if (number === this.#tip) return
    while (this.head < number) this.append(0n)
    const before = this.#tip
    this.#tip = number
    for (let start = before; start < number; start++) for (const { piece } of this.#at(start).starting) this.#coverage.remove(piece.from, piece.to)
    for (let start = number; start < before; start++) for (const { piece } of this.#at(start).starting) this.#coverage.add(piece.from, piece.to)
    this.#best.reset(number)
    // In this order what both tips reach never falls out of reach.
    this.#support(this.#at(number))
    this.#unsupport(this.#at(before))
    this.#lowerReach()
  }

  /**
   * Forgets what no tree can use once the tip never goes back behind a block (a final update): every piece that starts before it.
   *
   * @throws RangeError beyond the tip
   */
  forget(below: number): void {
    if (below > this.#tip) throw new RangeError(`block ${below} is beyond the tip ${this.#tip}: its proofs are still needed`)
    const ends = new Set<Boundary<P>>()
    for (let number = this.#floor; number < below; number++) {
      for (const { piece, to } of this.#at(number).starting) {
        this.#links.delete(piece.id)
        ends.add(to)
      }
      this.#at(number).starting = []
    }
    for (const end of ends) end.ending = end.ending.filter(({ from }) => from.number >= below)
    this.#floor = Math.max(this.#floor, below)
    this.#coverage.forget(this.#floor)
    // Half of them at once, so that forgetting costs O(1) for a block.
    if (2 * (this.#floor - this.#base) > this.#boundaries.length) {
      this.#boundaries = this.#boundaries.slice(this.#floor - this.#base)
      this.#base = this.#floor
    }
  }

  /** Whether a piece that starts at or beyond the tip covers a block, in the heaviest tree or not. */
  covers(number: number): boolean {
    return this.#coverage.has(number)
  }

  /**
   * The first block beyond `after` that no piece covers; `undefined` if there is none up to the head.
   *
   * A block that pieces cover may still be out of reach, where they do not join: what the tree lacks first is the block after `reach`.
   */
  uncovered(after: number): number | undefined {
    const gap = this.#coverage.firstGap(Math.max(after, this.#tip))
    return gap > this.head ? undefined : gap
  }

  /**
   * Pieces of the heaviest tree, from the tip on (OC-2).
   *
   * @param blocks over how many blocks at least, where the tree has as many; all of it if not given
   */
  heaviest(blocks = Infinity): ReadonlyArray<P> {
    return this.#best.pieces(this.#tip + blocks, this.#reach)
  }

  #at(number: number): Boundary<P> {
    return this.#boundaries[number - this.#base]!
  }

  /** One more piece leads to a boundary from where the tree reaches; with the first one, all that starts there comes into reach. */
  #support(boundary: Boundary<P>): void {
    const supported = [boundary]
    for (let next = supported.pop(); next !== undefined; next = supported.pop()) {
      this.#best.touch(next)
      if (next.supports++ > 0) continue
      this.#reach = Math.max(this.#reach, next.number)
      for (const { to } of next.starting) supported.push(to)
    }
  }

  /** One piece less leads there. Pieces lead forwards only, so that a boundary without support is out of reach, and what starts there with it. */
  #unsupport(boundary: Boundary<P>): void {
    const unsupported = [boundary]
    for (let next = unsupported.pop(); next !== undefined; next = unsupported.pop()) {
      this.#best.touch(next)
      if (--next.supports > 0) continue
      for (const { to } of next.starting) unsupported.push(to)
    }
  }

  /** Finds the end of the tree again, at or below where it was. */
  #lowerReach(): void {
    this.#reach = Math.min(this.#reach, this.head)
    while (!this.#at(this.#reach).isReached) this.#reach--
  }
}
