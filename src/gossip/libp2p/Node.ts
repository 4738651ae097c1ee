/**
 * The libp2p node below the gossip: TCP, noise, yamux, gossipsub, and who may connect.
 */
import { gossipsub, type GossipSub, StrictNoSign } from "@libp2p/gossipsub"
import { identify } from "@libp2p/identify"
import type { Connection, Libp2p, PrivateKey } from "@libp2p/interface"
import { mdns } from "@libp2p/mdns"
import { noise } from "@libp2p/noise"
import { tcp } from "@libp2p/tcp"
import { yamux } from "@libp2p/yamux"
import { Duration } from "effect"
import { createLibp2p } from "libp2p"
import type { HintDomain } from "../HintSignature.ts"
import { maxMessageBytes } from "../Messages.ts"
import { PeerId } from "../ProofGossip.ts"
import type { Reception } from "../Reception.ts"
import { guarded } from "./Guard.ts"
import type { Libp2pGossipOptions } from "./Options.ts"

/** Bytes of one gossipsub frame at most. A peer that missed much asks for several messages at once. */
export const longestFrame = 8 * maxMessageBytes

/** The topic of a rollup. */
export const topicOf = ({ chainId, stateUpdate }: HintDomain): string => `/lignum/${chainId}/${stateUpdate}`

export const idOf = (peer: { readonly toString: () => string }): PeerId => PeerId.make(peer.toString())

/** gossipsub's own score of a peer starts from this node's; small debts leave it in the mesh. */
const meshScore = (score: number) => (score > -20 && score < 0 ? 0 : score)

const makeGossipsub = (options: Libp2pGossipOptions, reception: Reception) => {
  const topic = topicOf(options.domain)
  const make = gossipsub({
    globalSignaturePolicy: StrictNoSign,
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    // Own proofs go to all peers, so that a mesh of liars keeps none of them back.
    floodPublish: true,
    allowedTopics: [topic],
    heartbeatInterval: Duration.toMillis(Duration.fromInputUnsafe(options.heartbeat)),
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    maxInboundDataLength: longestFrame,
    maxOutboundBufferSize: 4 * longestFrame,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 1_024,
      maxIhaveMessageIDs: 1_024,
      maxIwantMessageIDs: 1_024,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 16
    },
    // An answer may wait for its verdict, and is none the less kept.
    gossipsubIWantFollowupMs: 30_000,
    scoreThresholds: {
      gossipThreshold: -40,
      publishThreshold: -60,
      graylistThreshold: -80,
      acceptPXThreshold: 1_000,
      opportunisticGraftThreshold: 5
    },
    scoreParams: {
      appSpecificScore: (peer) => meshScore(reception.scores.scoreOf(idOf(peer))),
      appSpecificWeight: 1,
      // Many operators may share a host; one with many names is held off by scores and by the room for inbound connections.
      IPColocationFactorWeight: 0,
      behaviourPenaltyWeight: -1,
      behaviourPenaltyThreshold: 6,
      behaviourPenaltyDecay: 0.9,
      topics: {
        [topic]: {
          topicWeight: 1,
          timeInMeshWeight: 0,
          timeInMeshQuantum: 1_000,
          timeInMeshCap: 1,
          firstMessageDeliveriesWeight: 0.5,
          firstMessageDeliveriesDecay: 0.9,
          firstMessageDeliveriesCap: 20,
          // A quiet rollup has few messages; who brings none is not at fault.
          meshMessageDeliveriesWeight: 0,
          meshMessageDeliveriesDecay: 0.5,
          meshMessageDeliveriesCap: 1,
          meshMessageDeliveriesThreshold: 1,
          meshMessageDeliveriesWindow: 10,
          meshMessageDeliveriesActivation: 5_000,
          meshFailurePenaltyWeight: 0,
          meshFailurePenaltyDecay: 0.5,
          invalidMessageDeliveriesWeight: -10,
          invalidMessageDeliveriesDecay: 0.9
        }
      }
    }
  })
  return ({ connectionManager, logger, peerId, peerStore, privateKey, registrar }: Parameters<typeof make>[0]) =>
    make({
      connectionManager,
      logger,
      peerId,
      peerStore,
      privateKey,
      registrar: guarded(registrar, reception, { longestFrame, frameTime: options.frameTime })
    })
}

export type Node = Libp2p<{ pubsub: GossipSub }>

/** Milliseconds after which a peer that others opened a connection from must have earned something, if somebody else wants its place. */
const probation = 30_000

/** Whether there is room for a connection that somebody opens. A peer without merits, the one that is here longest, gives way. */
const hasRoom = (connections: ReadonlyArray<Connection>, most: number, reception: Reception): boolean => {
  const inbound = connections.filter(({ direction }) => direction === "inbound")
  if (inbound.length < most) return true
  const [oldest] = inbound
    .filter(({ remotePeer, timeline }) => timeline.open < Date.now() - probation && reception.scores.scoreOf(idOf(remotePeer)) <= 0)
    .sort((left, right) => left.timeline.open - right.timeline.open)
  oldest?.abort(new Error("its place is taken"))
  return oldest !== undefined
}

/** @param connections those that the node has at the moment; none while it starts */
export const startNode = (
  options: Libp2pGossipOptions,
  privateKey: PrivateKey,
  reception: Reception,
  connections: () => ReadonlyArray<Connection>
): Promise<Node> =>
  createLibp2p({
    privateKey,
    addresses: { listen: [...options.listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxInboundStreams: 16, maxOutboundStreams: 64, streamOptions: { maxStreamWindowSize: longestFrame } })],
    peerDiscovery: options.mdns ? [mdns()] : [],
    connectionManager: {
      maxConnections: options.inbound + 2 * options.outbound,
      inboundConnectionThreshold: options.inboundPerSecond,
      maxIncomingPendingConnections: 10
    },
    connectionGater: {
      denyDialPeer: (peer) => reception.scores.refuses(idOf(peer)),
      denyInboundConnection: () => !hasRoom(connections(), options.inbound, reception),
      denyInboundEncryptedConnection: (peer) =>
        reception.scores.refuses(idOf(peer)) || connections().filter(({ remotePeer }) => remotePeer.equals(peer)).length >= 2
    },
    services: { identify: identify(), pubsub: makeGossipsub(options, reception) }
  })
