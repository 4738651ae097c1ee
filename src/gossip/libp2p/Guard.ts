/**
 * Stands before gossipsub's streams: counts what peers send, copies included, and cuts off whoever sends too much, a frame that is
 * longer than any may be, or half a frame and then nothing. gossipsub itself would wait, or drop the stream without a word.
 */
import type { GossipSubComponents } from "@libp2p/gossipsub"
import type { Stream, StreamMessageEvent } from "@libp2p/interface"
import { PeerId } from "../ProofGossip.ts"
import type { Reception } from "../Reception.ts"
import { FrameScanner } from "./Frames.ts"

export interface GuardOptions {
  /** Bytes of one gossipsub frame at most. */
  readonly longestFrame: number
  /** Milliseconds in which a frame that has begun must end. */
  readonly frameTime: number
}

const watch = (reception: Reception, options: GuardOptions, stream: Stream, peer: PeerId) => {
  const scanner = new FrameScanner(options.longestFrame)
  let timer: NodeJS.Timeout | undefined
  const stop = () => {
    clearTimeout(timer)
    timer = undefined
  }
  const onMessage = ({ data }: StreamMessageEvent) => {
    try {
      let ended = 0
      for (const bytes of data instanceof Uint8Array ? [data] : data) ended += scanner.push(bytes)
      reception.transferred(peer, data.byteLength, ended)
      if (!scanner.inside || ended > 0) stop()
      if (!scanner.inside || timer !== undefined) return
      timer = setTimeout(() => {
        timer = undefined
        reception.scores.blame(peer, "slow", "it sent half a message")
        stream.abort(new Error("a frame did not end in time"))
      }, options.frameTime)
    } catch (error) {
      stop()
      stream.removeEventListener("message", onMessage)
      reception.transferred(peer, data.byteLength, 0)
      reception.scores.blame(peer, "oversize", `it sent what is longer than any message may be: ${(error as Error).message}`)
      stream.abort(error as Error)
    }
  }
  stream.addEventListener("message", onMessage)
  stream.addEventListener("close", stop)
}

type Registrar = GossipSubComponents["registrar"]

/** The registrar for gossipsub, whose inbound streams are watched. */
export const guarded = (registrar: Registrar, reception: Reception, options: GuardOptions): Registrar => {
  const handle: Registrar["handle"] = (protocol, handler, handlerOptions) =>
    registrar.handle(protocol, (stream, connection) => {
      watch(reception, options, stream, PeerId.make(connection.remotePeer.toString()))
      return handler(stream, connection)
    }, handlerOptions)
  return Object.create(registrar, { handle: { value: handle } }) as Registrar
}
