/**
 * Atoms: the pieces of work that provers share out. An atom is one block, or the merge of two neighbouring proofs (OC-3).
 */
import type { Piece } from "../Forest.ts"

/** Blocks after `from` up to and including `to`, by number: what an atom's proof covers. */
export interface Range {
  readonly from: number
  readonly to: number
}

export interface BlockAtom extends Range {
  readonly kind: "block"
}

export interface MergeAtom<P extends Piece = Piece> extends Range {
  readonly kind: "merge"
  readonly left: P
  readonly right: P
}

export type Atom<P extends Piece = Piece> = BlockAtom | MergeAtom<P>

export const blockAtom = (number: number): BlockAtom => ({ kind: "block", from: number - 1, to: number })

export const mergeAtom = <P extends Piece>(left: P, right: P): MergeAtom<P> => ({ kind: "merge", from: left.from, to: right.to, left, right })

/** More blocks than one proof ever covers. */
const longest = 2 ** 16

/** Names an atom by its range: whoever makes the same range does the same job, from whatever it is made. */
export type AtomKey = number

export const atomKey = ({ from, to }: Range): AtomKey => from * longest + Math.min(to - from, longest - 1)

/** The block of an atom, or the two ends of what is merged, for people. */
export const describeRange = ({ from, to }: Range): string => to - from === 1 ? `block ${to}` : `blocks ${from + 1} to ${to}`
