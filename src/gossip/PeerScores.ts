/**
 * What peers are worth to this node (OC-1): they earn by proofs that were new and valid, lose by their faults, and are cut off below
 * a threshold.
 *
 * Identities cost nothing, so that what a stranger may cost is bounded before it has earned anything: a few false proofs, and a rate
 * of messages and bytes.
 */
import type { CutOff, PeerId } from "./ProofGossip.ts"

/** A fault of a peer's. */
export type Fault = "useless" | "excess" | "malformed" | "slow" | "invalid" | "oversize"

/** An allowance that fills up steadily. */
export interface Rate {
  readonly perSecond: number
  /** What it holds at most. */
  readonly burst: number
}

export interface ScoreOptions {
  /** What a proof earns that was new and valid. */
  readonly delivered: number
  /** A score at most: merits of long ago buy no licence. */
  readonly most: number
  /** What each fault costs. */
  readonly costs: Readonly<Record<Fault, number>>
  /** Whoever falls to this score is cut off. */
  readonly threshold: number
  /** Merits and faults are half forgotten after so many milliseconds. */
  readonly halfLife: number
  /** For how many milliseconds a peer is refused at first; twice as long each further time. */
  readonly refusal: number
  readonly longestRefusal: number
  /** Messages and bytes of one peer; each message beyond them is an excess. */
  readonly messages: Rate
  readonly bytes: Rate
}

const minute = 60_000

export const defaultScores: ScoreOptions = {
  delivered: 5,
  most: 100,
  costs: { useless: 2, excess: 5, malformed: 30, slow: 35, invalid: 35, oversize: 200 },
  threshold: -100,
  halfLife: 10 * minute,
  refusal: 10 * minute,
  longestRefusal: 24 * 60 * minute,
  messages: { perSecond: 100, burst: 500 },
  bytes: { perSecond: 500_000, burst: 4_000_000 }
}

/** Bytes that a message counts for on top of its own: even the smallest takes some work. */
const messageWork = 256

/** Peers that are remembered. Those that were refused longest ago, or did nothing, go first. */
const remembered = 4_096
/** Cut-offs that can be told. */
const told = 64

interface Account {
  score: number
  /** When the score was right, in milliseconds. */
  at: number
  messages: number
  bytes: number
  /** When the allowances were right. */
  filledAt: number
  refusedUntil: number
  refusals: number
  readonly total: { judged: number; rejected: number; bytes: number }
}

export class PeerScores {
  readonly #accounts = new Map<PeerId, Account>()
  readonly #options: ScoreOptions
  readonly #now: () => number
  readonly #onCutOff: (cutOff: CutOff) => void
  #cutOff: ReadonlyArray<CutOff> = []

  /** @param now milliseconds since 1970 */
  constructor(options: ScoreOptions, now: () => number, onCutOff: (cutOff: CutOff) => void) {
    this.#options = options
    this.#now = now
    this.#onCutOff = onCutOff
  }

  /** The last peers that were cut off, newest last. */
  get cutOff(): ReadonlyArray<CutOff> {
    return this.#cutOff
  }

  /** A peer's score now; zero for a stranger. */
  scoreOf(peer: PeerId): number {
    const account = this.#accounts.get(peer)
    return account === undefined ? 0 : this.#decayed(account)
  }

  /** Whether a peer is refused now. */
  refuses(peer: PeerId): boolean {
    return (this.#accounts.get(peer)?.refusedUntil ?? 0) > this.#now()
  }

  /** Somebody looked at a message of a peer's. */
  judged(peer: PeerId, rejected: boolean): void {
    const { total } = this.#account(peer)
    total.judged++
    if (rejected) total.rejected++
  }

  /** A peer brought a proof that was new and valid. */
  delivered(peer: PeerId): void {
    const account = this.#account(peer)
    account.score = Math.min(this.#decayed(account) + this.#options.delivered, this.#options.most)
    account.at = this.#now()
  }

  /** Bytes came from a peer that this node asked for. */
  answered(peer: PeerId, bytes: number): void {
    this.#account(peer).total.bytes += bytes
  }

  /** Bytes came from a peer, and with them the ends of so many messages, copies included. */
  transferred(peer: PeerId, bytes: number, messages: number): void {
    const account = this.#account(peer)
    this.#fill(account)
    account.total.bytes += bytes
    account.bytes -= bytes + messages * messageWork
    // Each tenth of a second's worth beyond the allowance is an excess, in however many pieces it comes.
    for (; account.bytes < 0 && !this.refuses(peer); account.bytes += this.#options.bytes.perSecond / 10) {
      this.blame(peer, "excess", "it sent more bytes than it may")
    }
  }

  /** A message came from a peer; whether it may still send one. */
  admits(peer: PeerId): boolean {
    const account = this.#account(peer)
    this.#fill(account)
    if (account.messages >= 1) {
      account.messages--
      return true
    }
    this.blame(peer, "excess", "it sent more messages than it may")
    return false
  }

  /** A peer did what it should not. It is cut off when that was too much. */
  blame(peer: PeerId, fault: Fault, reason: string): void {
    if (this.refuses(peer)) return
    const { costs, longestRefusal, refusal, threshold } = this.#options
    const account = this.#account(peer)
    const now = this.#now()
    account.score = this.#decayed(account) - costs[fault]
    account.at = now
    if (account.score > threshold) return
    account.refusedUntil = now + Math.min(refusal * 2 ** account.refusals++, longestRefusal)
    // When it comes back it is a stranger again, with a longer refusal ahead of it.
    account.score = 0
    const cutOff = { id: peer, reason, at: now, until: account.refusedUntil, ...account.total }
    this.#cutOff = [...this.#cutOff, cutOff].slice(-told)
    this.#onCutOff(cutOff)
  }

  #decayed({ at, score }: Account): number {
    return score * 2 ** ((at - this.#now()) / this.#options.halfLife)
  }

  #fill(account: Account): void {
    const { bytes, messages } = this.#options
    const now = this.#now()
    const seconds = (now - account.filledAt) / 1_000
    account.messages = Math.min(account.messages + seconds * messages.perSecond, messages.burst)
    account.bytes = Math.min(account.bytes + seconds * bytes.perSecond, bytes.burst)
    account.filledAt = now
  }

  #account(peer: PeerId): Account {
    const known = this.#accounts.get(peer)
    if (known !== undefined) return known
    if (this.#accounts.size >= remembered) this.#forgetSome()
    const now = this.#now()
    const account: Account = {
      score: 0,
      at: now,
      messages: this.#options.messages.burst,
      bytes: this.#options.bytes.burst,
      filledAt: now,
      refusedUntil: 0,
      refusals: 0,
      total: { judged: 0, rejected: 0, bytes: 0 }
    }
    this.#accounts.set(peer, account)
    return account
  }

  #forgetSome(): void {
    const worth = (account: Account) => Math.max(account.refusedUntil - this.#now(), Math.abs(this.#decayed(account)))
    const byWorth = [...this.#accounts].sort(([, left], [, right]) => worth(left) - worth(right))
    for (const [peer] of byWorth.slice(0, remembered / 4)) this.#accounts.delete(peer)
  }
}
