/**
 * A network in memory: many nodes in one process, with latency, loss, duplicates and partitions that a seed decides. Time is the
 * clock's, so that a virtual one runs through hours of it.
 *
 * Messages are bytes here as on a wire, and pass through the same checks.
 */
import { Context, Duration, Effect, FiberSet, Layer, type Scope } from "effect"
import { createHash } from "node:crypto"
import type { Proof } from "../domain/Proof.ts"
import { type SeededRandom, seededRandom } from "../ledger/SeededRandom.ts"
import { AnswerFailed, boundedAnswer, fetchFrom } from "./Fetching.ts"
import { type FetchRequest, messageCodec } from "./Messages.ts"
import { PeerId, ProofGossip } from "./ProofGossip.ts"
import { defaultReception, Reception, type ReceptionOptions } from "./Reception.ts"

export interface MemoryNetworkOptions {
  readonly seed: string
  /** How long a message takes at least. */
  readonly latency: Duration.Input
  /** By how much it may take longer. */
  readonly jitter: Duration.Input
  /** Messages of a thousand that are lost. */
  readonly loss: number
  /** Messages of a thousand that come twice. */
  readonly duplication: number
  readonly reception: ReceptionOptions
}

export const defaultMemoryNetwork: MemoryNetworkOptions = {
  seed: "gossip",
  latency: "100 millis",
  jitter: "50 millis",
  loss: 0,
  duplication: 0,
  reception: defaultReception
}

/** For how long a peer is waited for. */
const patience = "10 seconds"
/** Messages that a node knows it has seen. */
const seenMessages = 16_384

type Answer = (request: FetchRequest) => Effect.Effect<ReadonlyArray<Proof>>

interface Member {
  readonly id: PeerId
  readonly receive: (from: PeerId, bytes: Uint8Array) => void
  readonly refuses: (peer: PeerId) => boolean
  answer: Answer | undefined
  readonly changed: () => void
}

export class MemoryNetwork extends Context.Service<MemoryNetwork, {
  /** A node's place in the network, until the scope closes. */
  readonly join: (name: string) => Effect.Effect<typeof ProofGossip.Service, never, Scope.Scope>
  /** Who reaches whom from now on, by name; the order of the two does not matter. Without it everybody is everybody's peer. */
  readonly connect: (reach: (left: string, right: string) => boolean) => Effect.Effect<void>
  /** Sends bytes to all that a name reaches, whatever they are: what a liar does. */
  readonly shout: (name: string, bytes: Uint8Array) => Effect.Effect<void>
}>()("lignum/MemoryNetwork") {}

const make = Effect.fnUntraced(function*(options: MemoryNetworkOptions) {
  const members = new Map<PeerId, Member>()
  const underway = yield* FiberSet.make<void>()
  const latency = Duration.toMillis(Duration.fromInputUnsafe(options.latency))
  const jitter = Duration.toMillis(Duration.fromInputUnsafe(options.jitter))
  let connected: (left: string, right: string) => boolean = () => true
  let sent = 0

  const reach = (from: PeerId, to: Member) =>
    members.get(to.id) === to && !to.refuses(from) && members.get(from)?.refuses(to.id) !== true &&
    (connected(from, to.id) || connected(to.id, from))

  const nextRandom = () => seededRandom(options.seed, "message", sent++)
  const timeOf = (random: SeededRandom) => Duration.millis(latency + random.integer(jitter + 1))

  /** How long each copy of a message takes, by chance; none if it is lost. */
  const journeys = () => {
    const random = nextRandom()
    if (random.chance(options.loss, 1_000)) return []
    return Array.from({ length: random.chance(options.duplication, 1_000) ? 2 : 1 }, () => timeOf(random))
  }

  const send = (from: PeerId, to: Member, bytes: Uint8Array): Effect.Effect<void> =>
    Effect.forEach(journeys(), (time) =>
      FiberSet.run(underway, Effect.map(Effect.sleep(time), () => {
        if (reach(from, to)) to.receive(from, bytes)
      })), { discard: true })

  const join = Effect.fnUntraced(function*(name: string): Effect.fn.Return<typeof ProofGossip.Service, never, Scope.Scope> {
    const self = PeerId.make(name)
    const others = () => [...members.values()].filter((member) => member.id !== self && reach(self, member))
    const reception: Reception = yield* Reception.make(options.reception, {
      self,
      addresses: () => [`memory:${name}`],
      peers: () => others().map(({ id }) => ({ id, direction: "outbound" })),
      cutOff: () => undefined
    })
    const seen = new Set<string>()
    const run = yield* FiberSet.makeRuntime<never, void, never>()

    /** Whether it is the first time. */
    const see = (bytes: Uint8Array): boolean => {
      const id = createHash("sha256").update(bytes).digest("base64")
      if (seen.has(id)) return false
      seen.add(id)
      if (seen.size > seenMessages) for (const oldest of seen) {
        seen.delete(oldest)
        break
      }
      return true
    }

    const spread = (bytes: Uint8Array, source: PeerId) =>
      Effect.forEach(others().filter(({ id }) => id !== source), (member) => send(self, member, bytes), { discard: true })

    const member: Member = {
      id: self,
      answer: undefined,
      refuses: (peer) => reception.scores.refuses(peer),
      changed: () => reception.changed(),
      receive: (from, bytes) => {
        reception.transferred(from, bytes.length, 1)
        if (!see(bytes)) return
        reception.arrive(from, bytes, (verdict) => {
          if (verdict === "accept") run(spread(bytes, from))
        })
      }
    }
    const tellAll = Effect.sync(() => {
      for (const each of members.values()) each.changed()
    })
    yield* Effect.acquireRelease(
      Effect.andThen(Effect.sync(() => members.set(self, member)), tellAll),
      () => Effect.andThen(Effect.sync(() => members.delete(self)), tellAll)
    )

    /** There and back. As on a connection, nothing is lost on the way unless the way is. */
    const ask = (peer: Member, request: FetchRequest) =>
      Effect.gen(function*() {
        const random = nextRandom()
        yield* Effect.sleep(timeOf(random))
        if (peer.answer === undefined) return yield* new AnswerFailed({ reason: "it answers nobody" })
        const messages = boundedAnswer(yield* peer.answer(request))
        yield* Effect.sleep(timeOf(random))
        if (!reach(self, peer)) return yield* Effect.never
        reception.answered(peer.id, messages.reduce((sum, { length }) => sum + length, 0))
        return messages
      }).pipe(
        Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(new AnswerFailed({ reason: "it took too long" })) })
      )

    return ProofGossip.of({
      self,
      publish: (message) =>
        Effect.suspend(() => {
          const bytes = messageCodec.encode(message)
          if (!see(bytes)) return Effect.void
          reception.published()
          return spread(bytes, self)
        }),
      receive: (judge) => reception.receive(judge),
      serve: (answer) =>
        Effect.suspend(() => {
          member.answer = answer
          return Effect.never
        }).pipe(
          Effect.ensuring(Effect.sync(() => {
            if (member.answer === answer) member.answer = undefined
          }))
        ),
      fetch: (request, judge) =>
        Effect.suspend(() => {
          const peers = others().map((member) => ({ id: member.id, direction: "outbound" as const, member }))
          return fetchFrom(peers, reception, ({ member }, place) => ask(member, place), request, judge)
        }),
      changes: reception.changes
    })
  })

  return MemoryNetwork.of({
    join,
    connect: (reach) =>
      Effect.sync(() => {
        connected = reach
        for (const member of members.values()) member.changed()
      }),
    shout: (name, bytes) =>
      Effect.suspend(() => {
        const from = PeerId.make(name)
        const heard = [...members.values()].filter((member) => member.id !== from && reach(from, member))
        return Effect.forEach(heard, (member) => send(from, member, bytes), { discard: true })
      })
  })
})

/** A network without members. */
export const layerNetwork = (options: Partial<MemoryNetworkOptions> = {}): Layer.Layer<MemoryNetwork> =>
  Layer.effect(MemoryNetwork, make({ ...defaultMemoryNetwork, ...options }))

/** One node's place in the network. */
export const layer = (name: string): Layer.Layer<ProofGossip, never, MemoryNetwork> =>
  Layer.effect(ProofGossip, Effect.flatMap(MemoryNetwork, ({ join }) => join(name)))
