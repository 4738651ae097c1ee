/**
 * The forest as a graph: block boundaries, and the pieces that lead from one to a later one.
 */
import type { ProofId } from "../Hash.ts"

/** A verified proof as the forest sees it: a range of the ledger's blocks. */
export interface Piece {
  readonly id: ProofId
  /** Number of the block before the first. */
  readonly from: number
  /** Number of the last block. */
  readonly to: number
}

/** A piece between the two boundaries that it joins. */
export interface Link<P extends Piece> {
  readonly piece: P
  readonly from: Boundary<P>
  readonly to: Boundary<P>
}

/** The end of a block, where pieces end and others start. */
export class Boundary<P extends Piece> {
  /** Number of the block that ends here. */
  readonly number: number
  /** Prover gas of the chain up to here, from wherever counting began. */
  readonly proverGas: bigint
  starting: Array<Link<P>> = []
  ending: Array<Link<P>> = []
  /** Where the longest piece that starts here ends; the own number if none does. */
  furthest: number

  /** In how many ways pieces lead here from the tip by a last step; one more if this is the tip. Kept by the forest. */
  supports = 0

  /** The last piece of the best tiling from the tip to here, and of how many pieces that is. Kept by `FewestPieces`. */
  last: Link<P> | undefined = undefined
  pieces = 0
  /** Whether `last` and `pieces` have to be looked at again. */
  isStale = false
  /** Whether the best tiling up to where `last` starts has become another since this boundary was solved. */
  isRerouted = false
  /** The first boundary at or beyond a question's target that the best tiling to here passes; none before the target. */
  gate: Boundary<P> | undefined = undefined

  constructor(number: number, proverGas: bigint) {
    this.number = number
    this.proverGas = proverGas
    this.furthest = number
  }

  /** Whether pieces lead here from the tip. */
  get isReached(): boolean {
    return this.supports > 0
  }
}
