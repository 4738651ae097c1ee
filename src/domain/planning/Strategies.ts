/**
 * The ways to choose what to prove next (OC-3).
 */
import type { Piece } from "../Forest.ts"
import type { Address } from "../Hash.ts"
import type { Atom } from "./Atom.ts"
import { comeBefore, type Member } from "./Rendezvous.ts"
import type { Decision, PlanningSituation, Reason, Strategy, StrategyName } from "./Strategy.ts"

/** The horizon within which blocks come before merges: as many blocks as all provers prove in so many rounds. */
const horizonRounds = 4

/** What speaks against an atom for a node that listens to the others. */
const hindrance = <P extends Piece>({ claim, obstacle }: PlanningSituation<P>, atom: Atom<P>): Reason | undefined => {
  const found = obstacle(atom)
  if (found !== undefined) return found
  const claimed = claim(atom)
  return claimed === undefined ? undefined : { _tag: "InFlight", ...claimed }
}

const decision = <P extends Piece>(atom: Atom<P>, against: Reason | undefined, inFavour: Reason): Decision<P> =>
  against === undefined ? { atom, take: true, reason: inFavour } : { atom, take: false, reason: against }

/** Oldest first, whatever others do: the naive racer. */
const greedy: Strategy = {
  name: "greedy",
  listens: false,
  choose: function*(situation) {
    for (const atom of situation.atoms(1)) yield decision(atom, situation.obstacle(atom), { _tag: "Oldest" })
  }
}

/** What holds up the next update most, unless a peer works on it. */
const criticalPath: Strategy = {
  name: "critical-path",
  listens: true,
  choose: function*(situation) {
    for (const atom of situation.atoms(horizonRounds * situation.rendezvous.capacity)) {
      yield decision(atom, hindrance(situation, atom), { _tag: "Critical" })
    }
  }
}

/**
 * What is this node's by rendezvous, the most critical first. What is another prover's is left to it, for a while: a holder that falls
 * two rounds behind, or that leaves this node nothing else to do, is helped. Helpers come one after the other, so that the next one hears
 * of the first; so whoever dies or lies, in the end somebody takes every atom.
 */
const rendezvous: Strategy = {
  name: "rendezvous",
  listens: true,
  choose: function*<P extends Piece>(situation: PlanningSituation<P>) {
    const { free, grace, idleSince, me, now } = situation
    const { capacity, members } = situation.rendezvous
    const mine: Reason = { _tag: "Assigned", provers: members.length }
    let left: Array<{ readonly atom: Atom<P>; readonly holder: Address }> = []
    let wanted = 0

    /** Of what was left to others, what this node takes on, where so many helpers may have come already. */
    const helped = function*(among: ReadonlyArray<Member>, helpers: (atom: Atom<P>) => number): Generator<Decision<P>> {
      const rest: typeof left = []
      for (const each of left) {
        const { atom, holder } = each
        const allowed = helpers(atom)
        if (allowed > 0 && comeBefore(me, atom, among, holder) < allowed) {
          wanted++
          yield { atom, take: true, reason: { _tag: "Helps", holder } }
        } else rest.push(each)
      }
      left = rest
    }

    for (const atom of situation.atoms(horizonRounds * capacity)) {
      const against = hindrance(situation, atom)
      const holder = situation.rendezvous.holder(atom)
      if (against === undefined && holder !== me) {
        left.push({ atom, holder })
        yield { atom, take: false, reason: { _tag: "LeftTo", holder } }
        continue
      }
      if (against === undefined) {
        if (atom.kind === "block" && left.length > 0 && left[0]!.atom.to <= atom.to - 2 * capacity) {
          const roundsLate = (late: Atom) => Math.floor((atom.to - late.to) / capacity) - 1 - (late.kind === "merge" ? horizonRounds : 0)
          yield* helped(members, roundsLate)
        }
        wanted++
      }
      yield decision(atom, against, mine)
    }
    if (idleSince === undefined || wanted >= free) return
    yield* helped(situation.idle(), (atom) => Math.floor((now - Math.max(idleSince, situation.leftSince(atom))) / grace))
  }
}

export const strategies: Readonly<Record<StrategyName, Strategy>> = { greedy, rendezvous, "critical-path": criticalPath }
