/**
 * Who proves what, by rendezvous (OC-3): whoever knows the same provers computes the same answer, without a word between them.
 *
 * Every prover has a score for every atom, drawn by hashing and weighted by its capacity. Pure highest-random-weight choice would
 * leave some with twice as many atoms as others, so atoms are given out in rounds: a round has as many atoms as all provers run at
 * once, and each atom in turn goes to the best score among those whose capacity is not used up in the round. So shares follow
 * capacities exactly, neighbouring atoms go to different provers, and nobody has to know what is done already: what is an atom's
 * holder follows from its number and the provers alone.
 */
import type { Address } from "../Hash.ts"
import type { Atom } from "./Atom.ts"
import { rulerRank, seamOf } from "./Merges.ts"

/** A prover that takes part, and how many proofs it runs at once. */
export interface Member {
  readonly prover: Address
  readonly capacity: number
}

/** The finalizer of MurmurHash3: every bit of the input moves every bit of the output. */
const mixed = (word: number): number => {
  let h = word
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** FNV-1a of an address. */
const hash = (prover: Address): number => {
  let h = 0x811c9dc5
  for (let i = 2; i < prover.length; i++) h = Math.imul(h ^ prover.charCodeAt(i), 0x01000193)
  return h >>> 0
}

/**
 * Where an atom stands in rendezvous: atoms of one level are given out in rounds of their own, so that nobody gets those that wait for
 * each other. A block's level is 0; a merge's tells how many blocks are below it.
 */
interface Place {
  readonly level: number
  /** From 0 on, along the chain. */
  readonly index: number
}

const placeOf = (atom: Atom): Place => {
  if (atom.kind === "block") return { level: 0, index: atom.to - 1 }
  const seam = seamOf(atom)
  const rank = rulerRank(seam)
  return { level: rank + 1, index: Math.floor(seam / 2 ** (rank + 1)) }
}

/** A draw between 0 and 1 that belongs to a prover and an atom. */
const draw = (proverHash: number, { index, level }: Place): number =>
  (mixed(mixed(mixed(proverHash ^ Math.imul(level, 0x9e3779b9)) ^ index) ^ Math.floor(index / 2 ** 32)) + 0.5) / 2 ** 32

/** Weighted rendezvous: with scores -w / ln(u), the chance of the best score is the share of the weight. */
const weigh = (proverHash: number, capacity: number, place: Place): number => -capacity / Math.log(draw(proverHash, place))

export class Rendezvous {
  readonly members: ReadonlyArray<Member>
  /** All that the members run at once: the atoms of a round. */
  readonly capacity: number
  readonly #hashes: ReadonlyArray<number>
  /** Holders by level and round, as indices of members. */
  readonly #rounds: Array<Map<number, Uint16Array>> = []

  /** @param members those who take part, in any order; at least one */
  constructor(members: ReadonlyArray<Member>) {
    this.members = [...members].sort((a, b) => (a.prover < b.prover ? -1 : 1))
    this.capacity = members.reduce((sum, { capacity }) => sum + capacity, 0)
    this.#hashes = this.members.map(({ prover }) => hash(prover))
  }

  /** Whose atom it is. */
  holder(atom: Atom): Address {
    const { index, level } = placeOf(atom)
    const round = Math.floor(index / this.capacity)
    const rounds = this.#rounds[level] ??= new Map()
    let holders = rounds.get(round)
    if (holders === undefined) {
      holders = this.#match(level, round)
      // A planner asks for the next rounds again and again, and never for old ones.
      if (rounds.size >= roundsKept) rounds.delete(rounds.keys().next().value!)
      rounds.set(round, holders)
    }
    return this.members[holders[index - round * this.capacity]!]!.prover
  }

  #match(level: number, round: number): Uint16Array {
    const left = this.members.map(({ capacity }) => capacity)
    const holders = new Uint16Array(this.capacity)
    for (let position = 0; position < this.capacity; position++) {
      const place = { level, index: round * this.capacity + position }
      let best = -1
      let bestScore = Number.NEGATIVE_INFINITY
      for (let i = 0; i < left.length; i++) {
        if (left[i]! === 0) continue
        const score = weigh(this.#hashes[i]!, this.members[i]!.capacity, place)
        if (score > bestScore) [best, bestScore] = [i, score]
      }
      holders[position] = best
      left[best]!--
    }
    return holders
  }
}

const roundsKept = 1_024

/** How many of some provers come before one of them for an atom that its holder, whether it is among them or not, does not take. */
export const comeBefore = (prover: Address, atom: Atom, among: ReadonlyArray<Member>, holder: Address): number => {
  const place = placeOf(atom)
  const score = (member: Member) => weigh(hash(member.prover), member.capacity, place)
  const own = among.find((member) => member.prover === prover)
  if (own === undefined) return among.length
  const ownScore = score(own)
  return among.reduce((before, member) => {
    if (member.prover === holder) return before
    const other = score(member)
    return other > ownScore || (other === ownScore && member.prover < prover) ? before + 1 : before
  }, 0)
}

/** Somebody's work on an atom. */
export interface Work {
  readonly prover: Address
  /** In milliseconds since 1970. */
  readonly since: number
}

/**
 * Of two provers that work on the same atom, whether the first goes on: who began clearly earlier, and within the grace, chance
 * decides. Both come to the same answer, and among any number of provers one is left.
 */
export const goesOn = (atom: Atom, first: Work, second: Work, grace: number): boolean => {
  const rank = ({ prover, since }: Work) => since - grace * draw(hash(prover), placeOf(atom))
  const [a, b] = [rank(first), rank(second)]
  return a === b ? first.prover < second.prover : a < b
}
