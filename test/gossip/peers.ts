/** Nodes and bare peers on the loopback interface, in real time. */
import { gossipsub, type GossipSub, StrictNoSign } from "@libp2p/gossipsub"
import { identify } from "@libp2p/identify"
import type { Libp2p } from "@libp2p/interface"
import { noise } from "@libp2p/noise"
import { tcp } from "@libp2p/tcp"
import { yamux } from "@libp2p/yamux"
import { multiaddr } from "@multiformats/multiaddr"
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, type Scope } from "effect"
import { createLibp2p } from "libp2p"
import { test } from "vitest"
import type { HintDomain } from "../../src/gossip/HintSignature.ts"
import { topicOf } from "../../src/gossip/libp2p/Node.ts"
import { make } from "../../src/gossip/Libp2pGossip.ts"
import { defaultLibp2pGossip, type Libp2pGossipOptions } from "../../src/gossip/libp2p/Options.ts"
import { prover } from "../domain/builders.ts"
import { quietly } from "../simulation/virtual.ts"
import { type Gossip, statusOf } from "./conformance.ts"

export const domain: HintDomain = { chainId: 31_337n, stateUpdate: prover(77) }

/** A node with short waits, that may be called often. */
export const startGossip = (options: Partial<Libp2pGossipOptions> = {}): Effect.Effect<Gossip, never, Scope.Scope> =>
  Effect.orDie(make({ ...defaultLibp2pGossip, domain, heartbeat: "200 millis", redial: "200 millis", inboundPerSecond: 1_000, ...options }))

/** Where a node listens. */
export const addressOf = (gossip: Gossip): Effect.Effect<string> =>
  Effect.gen(function*() {
    for (;;) {
      const [address] = (yield* statusOf(gossip)).addresses
      if (address !== undefined) return address
      yield* Effect.sleep("20 millis")
    }
  })

/** Waits up to two minutes: other programs may need the machine, too. */
export const until = Effect.fnUntraced(function*<E, R>(what: string, condition: Effect.Effect<boolean, E, R>) {
  for (let tries = 0; tries < 2_400; tries++) {
    if (yield* condition) return
    yield* Effect.sleep("50 millis")
  }
  assert.fail(`${what}: never`)
})

/** A peer that is no node: it speaks the protocols and does whatever a test has in mind. */
export interface BarePeer {
  readonly node: Libp2p<{ pubsub: GossipSub }>
  readonly id: string
  /** Connects to a node; answers once gossipsub may send to it. */
  readonly dial: (to: Gossip) => Effect.Effect<void>
  readonly publish: (bytes: Uint8Array) => Effect.Effect<void>
}

export const barePeer: Effect.Effect<BarePeer, never, Scope.Scope> = Effect.gen(function*() {
  const topic = topicOf(domain)
  const node = yield* Effect.acquireRelease(
    Effect.promise(() =>
      createLibp2p({
        addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        connectionManager: { inboundConnectionThreshold: 1_000 },
        services: {
          identify: identify(),
          pubsub: gossipsub({
            globalSignaturePolicy: StrictNoSign,
            allowPublishToZeroTopicPeers: true,
            heartbeatInterval: 200,
            // It relays nothing, and thinks well of everybody.
            asyncValidation: true
          })
        }
      })
    ),
    (node) => Effect.promise(() => Promise.resolve(node.stop()))
  )
  const { pubsub } = node.services
  pubsub.subscribe(topic)
  return {
    node,
    id: node.peerId.toString(),
    dial: (to) =>
      Effect.gen(function*() {
        const address = yield* addressOf(to)
        yield* Effect.promise(() => node.dial(multiaddr(address)))
        yield* until("gossipsub is connected", Effect.sync(() => pubsub.getSubscribers(topic).some((peer) => peer.toString() === to.self)))
      }),
    publish: (bytes) => Effect.promise(() => pubsub.publish(topic, bytes).then(() => undefined, () => undefined))
  }
})

/** A test in real time. */
export const live = <A, E>(name: string, program: () => Effect.Effect<A, E, Scope.Scope>): void =>
  test(name, async () => {
    const exit = await Effect.runPromiseExit(Effect.scoped(program()).pipe(Effect.provide(quietly)))
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  })
