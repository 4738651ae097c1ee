/**
 * Messages that wait for a verdict: bounded in total and for each peer, and taken in turns, so that a peer that floods makes nobody
 * wait but itself.
 *
 * Identities cost nothing. So peers that have earned something have every other turn to themselves, however many strangers there are.
 */
import type { PeerId } from "./ProofGossip.ts"

export interface InboxOptions {
  /** Messages of one peer that may wait. */
  readonly perPeer: number
  /** Messages that may wait in all. */
  readonly total: number
}

export const defaultInbox: InboxOptions = { perPeer: 64, total: 512 }

export class Inbox<A> {
  /** The peer whose turn was longest ago comes first. None is empty. */
  readonly #waiting = new Map<PeerId, Array<A>>()
  readonly #options: InboxOptions
  readonly #hasMerits: (peer: PeerId) => boolean
  #size = 0
  #strangersTurn = false

  constructor(options: InboxOptions, hasMerits: (peer: PeerId) => boolean) {
    this.#options = options
    this.#hasMerits = hasMerits
  }

  get size(): number {
    return this.#size
  }

  /** Puts a message in. Answers the one that has no place: this one, another peer's that has the most, or none. */
  put(from: PeerId, message: A): A | undefined {
    const own = this.#waiting.get(from)
    if (own !== undefined && own.length >= this.#options.perPeer) return message
    let displaced: A | undefined
    if (this.#size >= this.#options.total) {
      const [longest, messages] = [...this.#waiting].reduce((most, each) => (each[1].length > most[1].length ? each : most))
      if (messages.length <= (own?.length ?? 0) + 1) return message
      displaced = messages.pop()
      this.#size--
      if (messages.length === 0) this.#waiting.delete(longest)
    }
    if (own === undefined) this.#waiting.set(from, [message])
    else own.push(message)
    this.#size++
    return displaced
  }

  /** The next message in turn. */
  take(): A | undefined {
    const wanted = !this.#strangersTurn
    this.#strangersTurn = wanted
    const peers = [...this.#waiting.keys()]
    const next = peers.find((peer) => this.#hasMerits(peer) === wanted) ?? peers[0]
    if (next === undefined) return undefined
    const messages = this.#waiting.get(next)!
    const message = messages.shift()
    this.#size--
    this.#waiting.delete(next)
    if (messages.length > 0) this.#waiting.set(next, messages)
    return message
  }

  /** Drops what a peer sent. Answers what was dropped. */
  drop(from: PeerId): ReadonlyArray<A> {
    const messages = this.#waiting.get(from) ?? []
    this.#waiting.delete(from)
    this.#size -= messages.length
    return messages
  }
}
