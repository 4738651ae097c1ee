/**
 * What other provers say of their work, and how far they are believed (OC-3).
 *
 * A hint is advice and never a lock: it expires, it counts for at most as many atoms as its prover runs at once, and a prover that
 * announces work and does not deliver it is soon not listened to. Whoever delivers again is. Callers take hints of registered provers
 * alone, so that a new name to lie under costs a bond.
 */
import { Schema } from "effect"
import { BlockNumber } from "../Amount.ts"
import { Address } from "../Hash.ts"
import { type AtomKey, atomKey, type Range } from "./Atom.ts"
import type { Member } from "./Rendezvous.ts"

/** A prover's word about itself. Times are in milliseconds since 1970. */
export const Hint = Schema.Struct({
  prover: Address,
  /** Proofs that it runs at once. */
  capacity: Schema.Int,
  /** What it works on now: the blocks after `from` up to `to`. */
  atoms: Schema.Array(Schema.Struct({ from: BlockNumber, to: BlockNumber })),
  issuedAt: Schema.Finite,
  expiresAt: Schema.Finite
})
export type Hint = typeof Hint.Type

/** How far hints are believed. Durations are in milliseconds. */
export interface HintRules {
  /** A hint counts for no longer than this. */
  readonly lifetime: number
  /** For how long a prover is left alone with one atom at most, however often it repeats that it works on it. */
  readonly claimLimit: number
  /** What is withdrawn within this time was no promise: two provers began the same, and one yielded. */
  readonly grace: number
  /** For how long nobody listens to a prover that broke a promise; twice as long with each further one, until it delivers. */
  readonly suspension: number
  /** A capacity beyond this is not believed. */
  readonly mostCapacity: number
}

export const defaultHintRules: HintRules = {
  lifetime: 30_000,
  claimLimit: 120_000,
  grace: 2_000,
  suspension: 60_000,
  mostCapacity: 64
}

/** An atom in flight at a peer. */
export interface Claim {
  readonly prover: Address
  /** When the peer first said so. */
  readonly since: number
  /** When it is forgotten unless the peer repeats it. */
  readonly expiresAt: number
}

/** What a peer said of one atom. */
interface Announced {
  readonly range: Range
  readonly since: number
  /** When its hints stopped to name the atom: done, and the proof is about to come, or given up. */
  withdrawnAt: number | undefined
}

interface Peer {
  readonly prover: Address
  capacity: number
  issuedAt: number
  expiresAt: number
  /** Since when it says that it could do more than it does; undefined while it is busy. */
  idleSince: number | undefined
  readonly promises: Map<AtomKey, Announced>
  /** Whether it ever delivered a proof. */
  delivered: boolean
  /** Broken promises that no delivery has made up for. */
  broken: number
  suspendedUntil: number
}

/** The longest suspension is the first one times 2 to the power of this. */
const mostDoublings = 6

/** So many times as long as this node's own proof, another prover's may take. */
const slowest = 4

const noClaims: ReadonlyArray<Claim> = []

export class Peers {
  readonly #rules: HintRules
  #me: Member
  readonly #peers = new Map<Address, Peer>()
  readonly #claims = new Map<AtomKey, Set<Peer>>()
  /** When time alone next changes who takes part. */
  #nextChange = Number.POSITIVE_INFINITY
  #members: ReadonlyArray<Member> = []
  /** Whether the members may be others than they were. */
  #changed = true
  #delivered = false
  #claimLimit: number

  /**
   * @param given provers that are taken to be there until a hint's lifetime is over, before any of them was heard
   */
  constructor(me: Member, given: ReadonlyArray<Member>, rules: HintRules, now: number) {
    this.#me = me
    this.#rules = rules
    this.#claimLimit = rules.claimLimit
    for (const { capacity, prover } of given) {
      if (prover !== me.prover) this.#update(this.#peer(prover), { capacity, issuedAt: Number.NEGATIVE_INFINITY, expiresAt: now + rules.lifetime })
    }
  }

  /** Tells how long a proof takes this node, in milliseconds. Who takes several times as long is not waited for: this node is done before. */
  expect(duration: number): void {
    this.#claimLimit = Math.min(this.#rules.claimLimit, Math.max(this.#rules.lifetime, slowest * duration))
  }

  /** This node runs so many proofs at once. */
  resize(capacity: number): void {
    this.#me = { ...this.#me, capacity }
    this.#changed = true
  }

  #peer(prover: Address): Peer {
    const known = this.#peers.get(prover)
    if (known !== undefined) return known
    const peer: Peer = {
      prover,
      capacity: 0,
      issuedAt: Number.NEGATIVE_INFINITY,
      expiresAt: Number.NEGATIVE_INFINITY,
      idleSince: undefined,
      promises: new Map(),
      delivered: false,
      broken: 0,
      suspendedUntil: Number.NEGATIVE_INFINITY
    }
    this.#peers.set(prover, peer)
    return peer
  }

  #update(peer: Peer, { capacity, expiresAt, issuedAt }: Pick<Peer, "capacity" | "expiresAt" | "issuedAt">): void {
    const believed = Math.min(Math.max(Math.floor(capacity), 0), this.#rules.mostCapacity)
    if (peer.expiresAt === Number.NEGATIVE_INFINITY || peer.capacity !== believed) this.#changed = true
    peer.capacity = believed
    peer.issuedAt = issuedAt
    peer.expiresAt = expiresAt
    this.#nextChange = Math.min(this.#nextChange, expiresAt)
  }

  #release(peer: Peer, key: AtomKey): void {
    peer.promises.delete(key)
    const others = this.#claims.get(key)
    others?.delete(peer)
    if (others?.size === 0) this.#claims.delete(key)
  }

  #breaks(peer: Peer, now: number): void {
    peer.suspendedUntil = now + this.#rules.suspension * 2 ** Math.min(peer.broken, mostDoublings)
    peer.broken++
    for (const key of peer.promises.keys()) this.#release(peer, key)
    this.#nextChange = Math.min(this.#nextChange, peer.suspendedUntil)
    this.#changed = true
  }

  /**
   * Takes up a hint of a registered prover. One that is older than the last, or over, changes nothing.
   *
   * @param isOpen whether an atom still waits for a proof
   */
  hear(hint: Hint, now: number, isOpen: (range: Range) => boolean): void {
    const { lifetime, grace } = this.#rules
    const expiresAt = Math.min(hint.expiresAt, hint.issuedAt + lifetime, now + lifetime)
    const peer = this.#peer(hint.prover)
    if (hint.prover === this.#me.prover || expiresAt <= now || hint.issuedAt <= peer.issuedAt) return
    this.#update(peer, { ...hint, expiresAt })
    if (peer.suspendedUntil > now) return
    const named = new Map(hint.atoms.slice(0, peer.capacity).map((range) => [atomKey(range), range]))
    for (const [key, promise] of peer.promises) {
      if (!isOpen(promise.range)) this.#release(peer, key)
      else if (named.has(key)) {
        if (now - promise.since > this.#claimLimit) return this.#breaks(peer, now)
        promise.withdrawnAt = undefined
      } else if (now - promise.since <= grace) this.#release(peer, key)
      else {
        promise.withdrawnAt ??= now
        this.#nextChange = Math.min(this.#nextChange, promise.withdrawnAt + lifetime)
      }
    }
    for (const [key, range] of named) {
      if (peer.promises.has(key) || !isOpen(range)) continue
      peer.promises.set(key, { range, since: Math.min(hint.issuedAt, now), withdrawnAt: undefined })
      const others = this.#claims.get(key)
      if (others === undefined) this.#claims.set(key, new Set([peer]))
      else others.add(peer)
    }
    peer.idleSince = named.size < peer.capacity ? peer.idleSince ?? now : undefined
  }

  /** A prover's proof was kept: its word is good. */
  delivered(prover: Address, range: Range): void {
    if (prover === this.#me.prover) {
      if (!this.#delivered) this.#changed = true
      this.#delivered = true
      return
    }
    const peer = this.#peers.get(prover)
    if (peer === undefined) return
    this.#release(peer, atomKey(range))
    if (!peer.delivered || peer.suspendedUntil > 0) this.#changed = true
    peer.delivered = true
    peer.broken = Math.max(peer.broken - 1, 0)
    peer.suspendedUntil = Number.NEGATIVE_INFINITY
  }

  /** An atom waited for its holder, who says that it has time, and still does: that is a broken promise, too. */
  letPass(prover: Address, openSince: number, now: number): void {
    const peer = this.#peers.get(prover)
    if (peer?.idleSince === undefined || peer.suspendedUntil > now) return
    if (now - Math.max(openSince, peer.idleSince) > this.#claimLimit) this.#breaks(peer, now)
  }

  /** Lets time pass: what is over is forgotten, and promises that were not kept are held against their provers. */
  advance(now: number, isOpen: (range: Range) => boolean): void {
    if (now < this.#nextChange) return
    this.#nextChange = Number.POSITIVE_INFINITY
    this.#changed = true
    for (const peer of this.#peers.values()) {
      let broken = false
      for (const [key, { range, withdrawnAt }] of peer.promises) {
        const judged = withdrawnAt === undefined ? peer.expiresAt : withdrawnAt + this.#rules.lifetime
        if (judged > now) this.#nextChange = Math.min(this.#nextChange, judged)
        else {
          broken ||= isOpen(range)
          this.#release(peer, key)
        }
      }
      if (broken) this.#breaks(peer, now)
      for (const change of [peer.expiresAt, peer.suspendedUntil]) if (change > now) this.#nextChange = Math.min(this.#nextChange, change)
    }
  }

  /** The peers that work on an atom, as far as they are believed. */
  claims(range: Range, now: number): ReadonlyArray<Claim> {
    const { grace } = this.#rules
    const key = atomKey(range)
    const peers = this.#claims.get(key)
    if (peers === undefined) return noClaims
    return [...peers].flatMap(({ expiresAt, promises, prover }) => {
      const { since, withdrawnAt } = promises.get(key)!
      const ends = Math.min(expiresAt, since + this.#claimLimit, withdrawnAt === undefined ? Number.POSITIVE_INFINITY : withdrawnAt + grace)
      return ends > now ? [{ prover, since, expiresAt: ends }] : []
    })
  }

  /** Whether a peer says that it could do more than it does. */
  isIdle(prover: Address): boolean {
    return this.#peers.get(prover)?.idleSince !== undefined
  }

  /**
   * Who takes part, this node included. Whoever has not delivered a proof yet counts as one that runs one at a time, this node, too:
   * that is how the others see it. The array is the same one as long as nothing changed.
   */
  members(now: number): ReadonlyArray<Member> {
    if (!this.#changed) return this.#members
    this.#changed = false
    const members = [{ prover: this.#me.prover, capacity: this.#delivered ? this.#me.capacity : 1 }]
    for (const { capacity, delivered, expiresAt, prover, suspendedUntil } of this.#peers.values()) {
      if (expiresAt > now && suspendedUntil <= now && capacity > 0) members.push({ prover, capacity: delivered ? capacity : 1 })
    }
    const isSame = members.length === this.#members.length &&
      members.every(({ capacity, prover }, i) => prover === this.#members[i]!.prover && capacity === this.#members[i]!.capacity)
    if (!isSame) this.#members = members
    return this.#members
  }
}
