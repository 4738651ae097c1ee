/** gossipsub's frames, made by hand: what its own implementation would not send. */
import type { Stream } from "@libp2p/interface"
import { multiaddr } from "@multiformats/multiaddr"
import { Effect } from "effect"
import { topicOf } from "../../../src/gossip/libp2p/Node.ts"
import type { Gossip } from "../conformance.ts"
import { addressOf, type BarePeer, domain } from "../peers.ts"

const varint = (value: number): ReadonlyArray<number> => value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...varint(Math.floor(value / 0x80))]

const field = (number: number, bytes: Uint8Array): Uint8Array => Uint8Array.from([(number << 3) | 2, ...varint(bytes.length), ...bytes])

/** The length of a frame, as it stands before it. */
export const frameLength = (bytes: number): Uint8Array => Uint8Array.from(varint(bytes))

/** A frame with one message for the topic. */
export const messageFrame = (data: Uint8Array): Uint8Array => {
  const message = Buffer.concat([field(2, data), field(4, new TextEncoder().encode(topicOf(domain)))])
  const rpc = field(2, message)
  return Buffer.concat([frameLength(rpc.length), rpc])
}

/** A stream of gossipsub's protocol to a node, on which anything can be sent. */
export const rawStream = (liar: BarePeer, to: Gossip): Effect.Effect<Stream> =>
  Effect.flatMap(addressOf(to), (address) => Effect.promise(() => liar.node.dialProtocol(multiaddr(address), "/meshsub/1.2.0")))

/** Sends bytes at the speed of the reader; it ends when the stream does. */
export const pour = (stream: Stream, pieces: Iterable<Uint8Array>): Effect.Effect<void> =>
  Effect.promise(async (signal) => {
    try {
      for (const piece of pieces) {
        if (signal.aborted) return
        if (!stream.send(piece)) await stream.onDrain({ signal })
      }
    } catch {
      // The other side has had enough.
    }
  })
