/**
 * How proofs travel between provers who do not trust each other, off-chain and off-ledger (OC-1).
 *
 * The port carries messages and keeps count of its peers. What a message is worth is the receiver's verdict, and nothing is
 * passed on before it.
 */
import { Context, Effect, Schema, Stream } from "effect"
import type { Proof } from "../domain/Proof.ts"
import type { FetchRequest, GossipMessage } from "./Messages.ts"

/** A peer's name on the network: the hash of its public key. Anybody can make as many as it likes. */
export const PeerId = Schema.NonEmptyString.pipe(Schema.brand("PeerId"))
export type PeerId = typeof PeerId.Type

/**
 * What becomes of a message:
 *
 * - `accept`: it is good and new; it is relayed, and its sender deserves well.
 * - `ignore`: it is of no use now, and nobody is to blame: it came late, or is ahead of this node's ledger.
 * - `useless`: it is of no use, and honest peers hardly ever send such: it is known since long, or of another chain.
 * - `reject`: it is invalid. Honest peers never relay such a thing, so that whoever sent it is at fault (OC-1).
 */
export type Verdict = "accept" | "ignore" | "useless" | "reject"

/** Looks at what a peer sent. It takes the time that verification takes. */
export type Judge = (message: GossipMessage, from: PeerId) => Effect.Effect<Verdict>

/** Numbers since the start. */
export const GossipCounters = Schema.Struct({
  /** Messages that came in, copies of the same left aside. */
  received: Schema.Int,
  accepted: Schema.Int,
  ignored: Schema.Int,
  useless: Schema.Int,
  rejected: Schema.Int,
  /** Messages that were no messages. */
  malformed: Schema.Int,
  /** Messages of a version that this node does not speak. */
  unknownVersions: Schema.Int,
  /** Messages that nobody looked at: there were too many, or nobody was there to judge. */
  dropped: Schema.Int,
  /** Messages of this node's own. */
  published: Schema.Int,
  /** Bytes that came in through gossip and answers, copies included. */
  bytesReceived: Schema.Int
})
export type GossipCounters = typeof GossipCounters.Type

/** Counters before anything came. */
export const noCounts: GossipCounters = {
  received: 0,
  accepted: 0,
  ignored: 0,
  useless: 0,
  rejected: 0,
  malformed: 0,
  unknownVersions: 0,
  dropped: 0,
  published: 0,
  bytesReceived: 0
}

/** A connected peer. */
export const PeerStatus = Schema.Struct({
  id: PeerId,
  /** What it earned by proofs that were new, less what it lost; below the threshold it is cut off. */
  score: Schema.Finite,
  direction: Schema.Literals(["inbound", "outbound"])
})
export type PeerStatus = typeof PeerStatus.Type

/** A peer that was cut off, and what it had cost until then. */
export const CutOff = Schema.Struct({
  id: PeerId,
  reason: Schema.String,
  /** Milliseconds since 1970. */
  at: Schema.Finite,
  /** It is refused until then. */
  until: Schema.Finite,
  /** Its messages that were rejected. */
  rejected: Schema.Int,
  /** Its messages that somebody looked at. */
  judged: Schema.Int,
  bytes: Schema.Int
})
export type CutOff = typeof CutOff.Type

/** How the network looks from here. */
export class GossipStatus extends Schema.Class<GossipStatus>("lignum/GossipStatus")({
  self: PeerId,
  /** Where this node can be reached. */
  addresses: Schema.Array(Schema.String),
  peers: Schema.Array(PeerStatus),
  /** The last peers that were cut off, newest last. */
  cutOff: Schema.Array(CutOff),
  counters: GossipCounters
}) {}

export class ProofGossip extends Context.Service<ProofGossip, {
  readonly self: PeerId
  /** Sends a message to everyone. It never waits for a slow peer, and nobody may hear it: what was missed can be fetched. */
  readonly publish: (message: GossipMessage) => Effect.Effect<void>
  /**
   * Judges what comes in for as long as it runs. While nobody does, and when there is more than can be judged, messages are dropped
   * and counted.
   */
  readonly receive: (judge: Judge) => Effect.Effect<never>
  /**
   * Answers peers that ask for proofs for as long as it runs.
   *
   * @param answer a page of proofs, in the order of the request; what is too much for one answer is left out
   */
  readonly serve: (answer: (request: FetchRequest) => Effect.Effect<ReadonlyArray<Proof>>) => Effect.Effect<never>
  /**
   * Asks several peers, one after another, until each has no more. Each proof goes through the judge. Who answers slowly, not at
   * all, or with what was not asked for is left, and loses score.
   *
   * @returns how many proofs were accepted
   */
  readonly fetch: (request: FetchRequest, judge: Judge) => Effect.Effect<number>
  /** The present status first, then every change; a slow reader misses some. */
  readonly changes: Stream.Stream<GossipStatus>
}>()("lignum/ProofGossip") {}

/** The network of a node that has no peers. */
export const lonely: typeof ProofGossip.Service = {
  self: PeerId.make("nobody"),
  publish: () => Effect.void,
  receive: () => Effect.never,
  serve: () => Effect.never,
  fetch: () => Effect.succeed(0),
  changes: Stream.concat(
    Stream.succeed(
      new GossipStatus({
        self: PeerId.make("nobody"),
        addresses: [],
        peers: [],
        cutOff: [],
        counters: noCounts
      })
    ),
    Stream.never
  )
}
