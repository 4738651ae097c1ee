/**
 * Keeps connections of this node's own choice. Who only waits for others to come can be surrounded by one of many names; who always
 * holds on to some that it chose itself cannot be cut off from them.
 */
import type { Libp2p } from "@libp2p/interface"
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr"
import { Clock, Duration, Effect, Schema } from "effect"
import { PeerId } from "../ProofGossip.ts"

/** An address cannot be read. Write it as in /ip4/203.0.113.7/tcp/9000/p2p/12D3Koo…; a node prints its own when it starts. */
export class AddressMalformed extends Schema.TaggedError<AddressMalformed>()("AddressMalformed", { address: Schema.String }) {
  override get message() {
    return `${this.address} is no address of a peer; write it as in /ip4/203.0.113.7/tcp/9000/p2p/12D3Koo…`
  }
}

/** Reads an address. */
export const parseAddress = (address: string): Effect.Effect<Multiaddr, AddressMalformed> =>
  Effect.try({ try: () => multiaddr(address), catch: () => new AddressMalformed({ address }) })

export interface AcquaintanceOptions {
  /** Addresses that are always held on to. */
  readonly bootstrap: ReadonlyArray<Multiaddr>
  /** Connections of this node's own choice, those to `bootstrap` included; more peers are called while there are fewer. */
  readonly outbound: number
  /** How often it looks whether somebody is missing. */
  readonly redial: Duration.Input
}

/** An address is tried again after this, and twice as long after each further failure. */
const firstPause = 1_000
const longestPause = 60_000
/** Peers that are remembered; on a local network anybody may announce as many as it likes. */
const mostAcquaintances = 256
/** For how long a call may ring. */
const dialTime = 5_000

/** An address with what came of calling it. */
interface Acquaintance {
  readonly address: Multiaddr
  readonly always: boolean
  peer: string | undefined
  failures: number
  nextTry: number
}

const peerIn = (address: Multiaddr): string | undefined =>
  address.getComponents().findLast(({ name }) => name === "p2p")?.value

/** Calls those that are missing, for as long as it runs. */
export const keepAcquaintances = (node: Libp2p, options: AcquaintanceOptions, refuses: (peer: PeerId) => boolean): Effect.Effect<never> =>
  Effect.gen(function*() {
    const acquaintances = new Map<string, Acquaintance>()
    const meet = (address: Multiaddr, always: boolean) => {
      const key = peerIn(address) ?? address.toString()
      if (key === node.peerId.toString() || acquaintances.has(key)) return
      acquaintances.set(key, { address, always, peer: peerIn(address), failures: 0, nextTry: 0 })
    }
    for (const address of options.bootstrap) meet(address, true)

    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const onDiscovery: Parameters<typeof node.addEventListener<"peer:discovery">>[1] = (event) => {
          if (!("detail" in event)) return
          const { id, multiaddrs } = event.detail
          const [first] = multiaddrs
          if (first === undefined || acquaintances.size >= mostAcquaintances) return
          meet(peerIn(first) === undefined ? first.encapsulate(`/p2p/${id}`) : first, false)
        }
        node.addEventListener("peer:discovery", onDiscovery)
        return onDiscovery
      }),
      (listener) => Effect.sync(() => node.removeEventListener("peer:discovery", listener))
    )

    const outbound = () => node.getConnections().filter(({ direction }) => direction === "outbound").length
    const isMissing = ({ peer }: Acquaintance) =>
      peer === undefined || (!refuses(PeerId.make(peer)) && !node.getConnections().some(({ remotePeer }) => remotePeer.toString() === peer))

    const call = (acquaintance: Acquaintance) =>
      Effect.tryPromise((signal) => node.dial(acquaintance.address, { signal: AbortSignal.any([signal, AbortSignal.timeout(dialTime)]) })).pipe(
        Effect.match({
          onSuccess: ({ remotePeer }) => {
            acquaintance.peer = remotePeer.toString()
            acquaintance.failures = 0
          },
          onFailure: () => void acquaintance.failures++
        }),
        Effect.andThen(Clock.currentTimeMillis),
        Effect.map((now) => {
          acquaintance.nextTry = now + Math.min(firstPause * 2 ** acquaintance.failures, longestPause)
        })
      )

    const look = Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const missing = [...acquaintances.values()].filter((each) => each.nextTry <= now && isMissing(each))
      const wanted = missing.filter(({ always }) => always)
      const others = missing.filter(({ always }) => !always).slice(0, Math.max(options.outbound - outbound() - wanted.length, 0))
      yield* Effect.forEach([...wanted, ...others], call, { concurrency: 8, discard: true })
    })
    return yield* Effect.forever(Effect.andThen(look, Effect.sleep(options.redial)))
  }).pipe(Effect.scoped)
