/**
 * How a node takes part in gossip over libp2p.
 */
import type { PrivateKey } from "@libp2p/interface"
import type { Duration } from "effect"
import type { HintDomain } from "../HintSignature.ts"
import { defaultReception, type ReceptionOptions } from "../Reception.ts"
import { defaultFetchTimes, type FetchTimes } from "./FetchProtocol.ts"

export interface Libp2pGossipOptions {
  /** The rollup: nodes of different ones share nothing. */
  readonly domain: HintDomain
  /** The file of the key that gives this node its peer id; without one it gets a new id at each start. */
  readonly identityFile?: string
  /** That key itself, in the place of its file. */
  readonly identity?: PrivateKey
  /** Where it listens, as multiaddresses. */
  readonly listen: ReadonlyArray<string>
  /** Peers that it holds on to, as multiaddresses. Without any it can be surrounded by one that has many names. */
  readonly bootstrap: ReadonlyArray<string>
  /** Whether it looks for peers on the local network. */
  readonly mdns: boolean
  /** Connections of its own choice that it tries to have. */
  readonly outbound: number
  /** Connections that others may open; one peer may open two. */
  readonly inbound: number
  /** Connections that one host may open in a second. Every try costs a handshake. */
  readonly inboundPerSecond: number
  /** How often gossipsub tends its mesh. */
  readonly heartbeat: Duration.Input
  /** How often missing peers are called. */
  readonly redial: Duration.Input
  /** Milliseconds in which a message that has begun must end. */
  readonly frameTime: number
  readonly fetch: FetchTimes
  readonly reception: ReceptionOptions
}

/** On the loopback interface, with nobody to call. */
export const defaultLibp2pGossip: Omit<Libp2pGossipOptions, "domain"> = {
  listen: ["/ip4/127.0.0.1/tcp/0"],
  bootstrap: [],
  mdns: false,
  outbound: 12,
  inbound: 36,
  inboundPerSecond: 10,
  heartbeat: "1 second",
  redial: "2 seconds",
  frameTime: 15_000,
  fetch: defaultFetchTimes,
  reception: defaultReception
}
