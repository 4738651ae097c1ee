/**
 * What every network does with what comes in: holds it against the sender's allowance, decodes it, waits for the verdict, and keeps
 * scores and counts (OC-1).
 */
import { Clock, Effect, Queue, Result, type Scope, Stream, SubscriptionRef } from "effect"
import { defaultInbox, Inbox, type InboxOptions } from "./Inbox.ts"
import { type GossipMessage, messageCodec } from "./Messages.ts"
import { defaultScores, PeerScores, type ScoreOptions } from "./PeerScores.ts"
import { type CutOff, type GossipCounters, GossipStatus, type Judge, noCounts, type PeerId, type PeerStatus, type Verdict } from "./ProofGossip.ts"

export interface ReceptionOptions {
  readonly scores: ScoreOptions
  readonly inbox: InboxOptions
  /** Messages that are judged at once. Verification is what they wait for. */
  readonly judges: number
}

export const defaultReception: ReceptionOptions = { scores: defaultScores, inbox: defaultInbox, judges: 2 }

/** A message that waits for its verdict. */
interface Arrival {
  readonly from: PeerId
  readonly message: GossipMessage
  readonly settle: (verdict: Verdict) => void
}

/** What a network tells of itself. */
export interface Surroundings {
  readonly self: PeerId
  readonly addresses: () => ReadonlyArray<string>
  readonly peers: () => ReadonlyArray<Omit<PeerStatus, "score">>
  /** Disconnects a peer and refuses it while `scores` does. */
  readonly cutOff: (cutOff: CutOff) => void
}

/** Status changes are told at most so often. */
const pause = "200 millis"

export class Reception {
  readonly scores: PeerScores
  readonly changes: Stream.Stream<GossipStatus>
  readonly #judges: number
  readonly #inbox: Inbox<Arrival>
  readonly #tokens: Queue.Queue<void>
  readonly #changed: Queue.Queue<void>
  readonly #counters: { -readonly [K in keyof GossipCounters]: number } = { ...noCounts }
  #receiving = false

  private constructor(
    options: ReceptionOptions,
    surroundings: Surroundings,
    now: () => number,
    tokens: Queue.Queue<void>,
    changed: Queue.Queue<void>,
    changes: Stream.Stream<GossipStatus>
  ) {
    this.scores = new PeerScores(options.scores, now, (cutOff) => {
      for (const arrival of this.#inbox.drop(cutOff.id)) this.#drop(arrival)
      surroundings.cutOff(cutOff)
      this.changed()
    })
    this.#inbox = new Inbox(options.inbox, (peer) => this.scores.scoreOf(peer) > 0)
    this.#judges = options.judges
    this.#tokens = tokens
    this.#changed = changed
    this.changes = changes
  }

  /** Until the scope closes. */
  static readonly make = Effect.fnUntraced(function*(
    options: ReceptionOptions,
    surroundings: Surroundings
  ): Effect.fn.Return<Reception, never, Scope.Scope> {
    const clock = yield* Clock.Clock
    const tokens = yield* Queue.unbounded<void>()
    const changed = yield* Queue.sliding<void>(1)
    const { addresses, peers, self } = surroundings
    const status = yield* SubscriptionRef.make(new GossipStatus({ self, addresses: [], peers: [], cutOff: [], counters: noCounts }))
    const tell: Effect.Effect<void> = Effect.suspend(() =>
      SubscriptionRef.set(
        status,
        new GossipStatus({
          self,
          addresses: addresses(),
          peers: peers().map((peer) => ({ ...peer, score: reception.scores.scoreOf(peer.id) })),
          cutOff: reception.scores.cutOff,
          counters: { ...reception.#counters }
        })
      ))
    // Who begins to listen hears how things are now.
    const changes = Stream.unwrap(Effect.as(tell, SubscriptionRef.changes(status)))
    const reception = new Reception(options, surroundings, () => clock.currentTimeMillisUnsafe(), tokens, changed, changes)
    yield* Effect.forkScoped(Effect.forever(Queue.take(changed).pipe(Effect.andThen(tell), Effect.andThen(Effect.sleep(pause)))))
    return reception
  })

  /** The status is another one: a peer came or went. */
  changed(): void {
    Queue.offerUnsafe(this.#changed, undefined)
  }

  /** Bytes came from a peer that this node asked for. */
  answered(from: PeerId, bytes: number): void {
    this.#counters.bytesReceived += bytes
    this.scores.answered(from, bytes)
  }

  /** Bytes came from a peer, and with them the ends of so many messages. */
  transferred(from: PeerId, bytes: number, messages: number): void {
    this.#counters.bytesReceived += bytes
    this.scores.transferred(from, bytes, messages)
  }

  published(): void {
    this.#counters.published++
    this.changed()
  }

  /**
   * A message came that this node has not seen.
   *
   * @param settle hears what becomes of it, once
   */
  arrive(from: PeerId, bytes: Uint8Array, settle: (verdict: Verdict) => void): void {
    this.#counters.received++
    this.changed()
    if (this.scores.refuses(from) || !this.scores.admits(from)) {
      this.#counters.dropped++
      return settle("ignore")
    }
    const decoded = messageCodec.decode(bytes)
    if (Result.isFailure(decoded)) {
      if (decoded.failure._tag === "UnknownVersion") {
        this.#counters.unknownVersions++
        return settle("ignore")
      }
      this.#counters.malformed++
      this.scores.blame(from, "malformed", `it sent what is no message: ${decoded.failure.reason}`)
      return settle("reject")
    }
    const arrival = { from, message: decoded.success, settle }
    if (!this.#receiving) return this.#drop(arrival)
    const displaced = this.#inbox.put(from, arrival)
    if (displaced !== undefined) this.#drop(displaced)
    if (displaced !== arrival) Queue.offerUnsafe(this.#tokens, undefined)
  }

  /** Judges one message that did not wait in the inbox, as those of an answer do not. */
  judge(judge: Judge, message: GossipMessage, from: PeerId): Effect.Effect<Verdict> {
    return Effect.map(judge(message, from), (verdict) => {
      this.#account(message, from, verdict)
      return verdict
    })
  }

  /** Judges what arrives for as long as it runs. */
  receive(judge: Judge): Effect.Effect<never> {
    const next = Effect.andThen(Queue.take(this.#tokens), Effect.suspend(() => {
      const arrival = this.#inbox.take()
      // It was displaced, or its sender was cut off.
      if (arrival === undefined) return Effect.void
      return this.judge(judge, arrival.message, arrival.from).pipe(
        Effect.map(arrival.settle),
        Effect.onError(() => Effect.sync(() => this.#drop(arrival)))
      )
    }))
    return Effect.suspend(() => {
      this.#receiving = true
      return Effect.all(Array.from({ length: this.#judges }, () => Effect.forever(next)), { concurrency: "unbounded" })
    }).pipe(
      Effect.andThen(Effect.never),
      Effect.ensuring(Effect.sync(() => {
        this.#receiving = false
        for (let left = this.#inbox.take(); left !== undefined; left = this.#inbox.take()) this.#drop(left)
      }))
    )
  }

  #drop({ settle }: Arrival): void {
    this.#counters.dropped++
    this.changed()
    settle("ignore")
  }

  #account({ kind }: GossipMessage, from: PeerId, verdict: Verdict): void {
    this.scores.judged(from, verdict === "reject")
    this.changed()
    switch (verdict) {
      case "accept":
        this.#counters.accepted++
        // A hint costs its prover nothing, so that it earns nothing either.
        if (kind === "proof") this.scores.delivered(from)
        return
      case "ignore":
        this.#counters.ignored++
        return
      case "useless":
        this.#counters.useless++
        return this.scores.blame(from, "useless", "it sent what is of no use")
      case "reject":
        this.#counters.rejected++
        return this.scores.blame(from, "invalid", `it sent ${kind === "proof" ? "proofs that do not hold" : "hints that nobody signed"}`)
    }
  }
}
