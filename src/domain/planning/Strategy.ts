/**
 * What to prove next (OC-3): what a strategy may look at, and what it answers.
 */
import { Schema } from "effect"
import { Wei } from "../Amount.ts"
import type { Piece } from "../Forest.ts"
import { Address } from "../Hash.ts"
import type { PassedOver } from "../ReservationPrice.ts"
import { type Atom, describeRange, type Range } from "./Atom.ts"
import type { Claim } from "./Peers.ts"
import type { Member, Rendezvous } from "./Rendezvous.ts"

/** Why an atom is taken or passed over. Times are in milliseconds. */
export const Reason = Schema.TaggedUnion({
  /** Taken: the oldest that nobody has proven. */
  Oldest: {},
  /** Taken: nothing holds up the next update or merge more. */
  Critical: {},
  /** Taken: by rendezvous it is this node's among so many provers. */
  Assigned: { provers: Schema.Int },
  /** Taken: its holder does not come to it, and of the others it is this node's turn. */
  Helps: { holder: Address },
  /** Taken: it was begun before this planner, by this node. */
  Begun: {},
  /** Taken although it is covered: this node's own proof of it earns the redundancy share (RW-4). */
  Turn: {},
  /** Passed over: this node works on it. */
  Running: { since: Schema.Finite },
  /** Passed over: a peer works on it and is believed until then. */
  InFlight: { prover: Address, since: Schema.Finite, expiresAt: Schema.Finite },
  /** Passed over: by rendezvous it is another prover's. */
  LeftTo: { holder: Address },
  /** Passed over: its leaf would earn less now than the reservation price asks, both in wei. */
  DoesNotPay: { pays: Wei, asked: Wei },
  /** Passed over: it waits for the operator (ND-4). */
  Quarantined: {}
})
export type Reason = typeof Reason.Type

/** A reason for people (ND-5). */
export const explain = (reason: Reason, nameOf: (prover: Address) => string = (prover) => prover): string => {
  switch (reason._tag) {
    case "Oldest":
      return "it is the oldest without a proof"
    case "Critical":
      return "nothing holds up the next update more"
    case "Assigned":
      return reason.provers === 1 ? "no other prover is known" : `it is this node's among ${reason.provers} provers`
    case "Helps":
      return `${nameOf(reason.holder)} does not come to it`
    case "Begun":
      return "it was begun already"
    case "Turn":
      return "it is proven once more for the redundancy share"
    case "Running":
      return "this node works on it"
    case "InFlight":
      return `${nameOf(reason.prover)} works on it`
    case "LeftTo":
      return `it is left to ${nameOf(reason.holder)} for now`
    case "DoesNotPay":
      return `it brings ${reason.pays} wei, the reservation price asks ${reason.asked} wei`
    case "Quarantined":
      return "it waits in quarantine for the operator"
  }
}

/** A decision about one atom. */
export interface Decision<P extends Piece = Piece> {
  readonly atom: Atom<P>
  /** Whether this node is to work on it as soon as a worker is free. */
  readonly take: boolean
  readonly reason: Reason
}

export const describeDecision = ({ atom, reason }: Decision): string => `${describeRange(atom)}: ${explain(reason)}`

/** Everything that a strategy may look at. Times are in milliseconds since 1970. */
export interface PlanningSituation<P extends Piece = Piece> {
  readonly now: number
  readonly me: Address
  /** Workers that have nothing to do. */
  readonly free: number
  /** Since when a worker has had nothing to do although this node looked for work; undefined while all are busy. */
  readonly idleSince: number | undefined
  /**
   * The atoms that nobody has proven, the most critical first: blocks of the horizon, so that merges have something to merge; merges
   * within it, smallest first; blocks beyond. It ends some rounds ahead, however many blocks wait.
   *
   * @param horizon how many blocks, from the first window on that is not one proof yet
   */
  readonly atoms: (horizon: number) => Iterable<Atom<P>>
  /** Since when an atom has been left to its holder; now, if it is new. */
  readonly leftSince: (range: Range) => number
  /** What speaks against an atom whoever else works on it: it runs here, does not pay, or is quarantined. */
  readonly obstacle: (atom: Atom<P>) => Reason | undefined
  /** The peer that works on it, as far as it is believed. */
  readonly claim: (range: Range) => Claim | undefined
  /** The provers that take part, this node among them, and whose atom is whose. */
  readonly rendezvous: Rendezvous
  /** The members that could do more than they do, by their own word; this node among them. */
  readonly idle: () => ReadonlyArray<Member>
  /** How long a holder is waited for before others help, each after one such time more. */
  readonly grace: number
}

/**
 * A way to choose. It answers lazily, the most urgent atom first: the caller stops when it has heard enough. An atom that was passed
 * over may come once more, taken, when nothing better is left.
 */
export interface Strategy {
  readonly name: StrategyName
  /** Whether it yields to a peer that works on the same. */
  readonly listens: boolean
  readonly choose: <P extends Piece>(situation: PlanningSituation<P>) => Iterable<Decision<P>>
}

export const StrategyName = Schema.Literals(["greedy", "rendezvous", "critical-path"])
export type StrategyName = typeof StrategyName.Type

/** The reason for an atom that does not pay. */
export const doesNotPay = ({ asked, pays }: PassedOver): Reason => ({ _tag: "DoesNotPay", pays, asked })
