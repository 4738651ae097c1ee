/**
 * Gossip over libp2p: gossipsub on TCP with noise and yamux, and a protocol to fetch what was missed.
 *
 * gossipsub relays a message only after this node's own verdict, and its mesh prefers peers that this node thinks well of. Messages
 * are not signed by who sent them: a proof speaks for itself, a hint has its prover's signature, and a message is named by its bytes.
 */
import { TopicValidatorResult } from "@libp2p/gossipsub"
import type { Connection, Stream } from "@libp2p/interface"
import { peerIdFromPrivateKey } from "@libp2p/peer-id"
import { Effect, FiberSet, Layer, Schema, type Scope, Semaphore } from "effect"
import { fetchFrom } from "./Fetching.ts"
import { type AddressMalformed, keepAcquaintances, parseAddress } from "./libp2p/Acquaintances.ts"
import { answerOn, ask, fetchProtocol } from "./libp2p/FetchProtocol.ts"
import { ephemeralIdentity, type IdentityUnusable, loadIdentity } from "./libp2p/Identity.ts"
import { idOf, type Node, startNode, topicOf } from "./libp2p/Node.ts"
import { defaultLibp2pGossip, type Libp2pGossipOptions } from "./libp2p/Options.ts"
import { type FetchRequest, messageCodec } from "./Messages.ts"
import { PeerId, ProofGossip, type Verdict } from "./ProofGossip.ts"
import { Reception } from "./Reception.ts"

/** A node's gossip could not start. The message says what to do about it. */
export class GossipUnavailable extends Schema.TaggedError<GossipUnavailable>()("GossipUnavailable", { reason: Schema.String }) {
  override get message() {
    return `the node cannot listen for its peers: ${this.reason}; choose other addresses to listen on`
  }
}

const results: Record<Verdict, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  useless: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject
}

/** Peers that are answered at once. */
const answersAtOnce = 4
/** For how long connections may take to close. */
const stopTime = "3 seconds"

type Answer = Parameters<typeof ProofGossip.Service["serve"]>[0]

/** Starts a node; it runs until the scope closes. */
export const make = Effect.fnUntraced(function*(
  options: Libp2pGossipOptions
): Effect.fn.Return<typeof ProofGossip.Service, GossipUnavailable | IdentityUnusable | AddressMalformed, Scope.Scope> {
  const { fetch: times, identity, identityFile } = options
  const bootstrap = yield* Effect.forEach(options.bootstrap, parseAddress)
  const privateKey = identity ?? (yield* identityFile === undefined ? ephemeralIdentity : loadIdentity(identityFile))
  const self = idOf(peerIdFromPrivateKey(privateKey))
  const topic = topicOf(options.domain)
  const run = yield* FiberSet.makeRuntime<never, void, never>()

  let node: Node | undefined
  const connections = (): ReadonlyArray<Connection> => node?.getConnections() ?? []
  /** Those that take part in the rollup's gossip, each with a connection, of this node's choice where there is one. */
  const peers = () => {
    const subscribed = new Set(node?.services.pubsub.getSubscribers(topic).map(idOf))
    const outboundLast = connections()
      .filter(({ remotePeer }) => subscribed.has(idOf(remotePeer)))
      .sort((left, right) => left.direction.localeCompare(right.direction))
    const byPeer = new Map(outboundLast.map((connection) => [idOf(connection.remotePeer), connection]))
    return [...byPeer].map(([id, connection]) => ({ id, connection, direction: connection.direction }))
  }
  const reception: Reception = yield* Reception.make(options.reception, {
    self,
    addresses: () => node?.getMultiaddrs().map(String) ?? [],
    peers: () => peers().map(({ direction, id }) => ({ id, direction })),
    cutOff: ({ id, reason }) => {
      // It may come from within a stream's own event.
      queueMicrotask(() => {
        for (const connection of connections()) if (idOf(connection.remotePeer) === id) connection.abort(new Error(reason))
      })
    }
  })

  const started = yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () => startNode(options, privateKey, reception, connections),
      catch: (cause) => new GossipUnavailable({ reason: cause instanceof Error ? cause.message : String(cause) })
    }),
    (started) => Effect.ignore(Effect.timeout(Effect.tryPromise(() => Promise.resolve(started.stop())), stopTime))
  )
  node = started
  const { pubsub } = started.services
  started.addEventListener("peer:disconnect", () => reception.changed())
  // Several that were let in at the same moment may be too many together.
  started.addEventListener("connection:open", ({ detail: connection }) => {
    const inbound = connections().filter(({ direction }) => direction === "inbound")
    if (connection.direction === "inbound" && inbound.length > options.inbound) connection.abort(new Error("there is no room"))
  })
  pubsub.addEventListener("subscription-change", () => reception.changed())
  pubsub.topicValidators.set(topic, (peer, { data }) =>
    new Promise((resolve) => reception.arrive(idOf(peer), data, (verdict) => resolve(results[verdict]))))
  pubsub.subscribe(topic)

  let answer: Answer | undefined
  const answering = yield* Semaphore.make(answersAtOnce)
  const serveOne = (stream: Stream, id: PeerId) =>
    Effect.suspend(() =>
      answer === undefined || reception.scores.refuses(id) || !reception.scores.admits(id)
        ? Effect.sync(() => stream.abort(new Error("it answers nobody")))
        : answerOn(stream, answer, times, (bytes) => reception.transferred(id, bytes, 0))
    ).pipe(
      answering.withPermits(1),
      Effect.catchTag("AnswerFailed", ({ fault, reason }) =>
        Effect.sync(() => {
          if (fault !== undefined) reception.scores.blame(id, fault, `its request: ${reason}`)
        }))
    )
  yield* Effect.promise(() =>
    started.handle(fetchProtocol, (stream, { remotePeer }) => void run(serveOne(stream, idOf(remotePeer))), {
      maxInboundStreams: 2,
      maxOutboundStreams: 4
    }))

  const { outbound, redial } = options
  yield* Effect.forkScoped(keepAcquaintances(started, { bootstrap, outbound, redial }, (peer) => reception.scores.refuses(peer)))

  const askPeer = ({ connection, id }: ReturnType<typeof peers>[number], request: FetchRequest) =>
    ask((signal) => connection.newStream(fetchProtocol, { signal }), request, times, (bytes) => reception.answered(id, bytes))

  return ProofGossip.of({
    self,
    publish: (message) =>
      Effect.sync(() => {
        reception.published()
        // Whatever came of it: nobody waits for peers, and what they miss they fetch.
        pubsub.publish(topic, messageCodec.encode(message)).catch(() => undefined)
      }),
    receive: (judge) => reception.receive(judge),
    serve: (one) =>
      Effect.suspend(() => {
        answer = one
        return Effect.never
      }).pipe(
        Effect.ensuring(Effect.sync(() => {
          if (answer === one) answer = undefined
        }))
      ),
    fetch: (request, judge) => Effect.suspend(() => fetchFrom(peers(), reception, askPeer, request, judge)),
    changes: reception.changes
  })
})

/** Gossip over libp2p. */
export const layer = (
  options: Partial<Libp2pGossipOptions> & Pick<Libp2pGossipOptions, "domain">
): Layer.Layer<ProofGossip, GossipUnavailable | IdentityUnusable | AddressMalformed> =>
  Layer.effect(ProofGossip, make({ ...defaultLibp2pGossip, ...options }))
