/**
 * What one connection may cost the other end, whoever is there: the length of a message, and the calls that are under way at once.
 */
import { Array as Arr, Effect, Exit, Schema } from "effect"
import { RpcMessage, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"

/** Bytes. The longest messages are the witnesses of full blocks, and lists of proofs. */
export const maxMessage = 16 * 1024 * 1024

/** Calls with a deadline that a client has under way on a connection. */
export const maxCalls = 64

/** Calls without one: they wait for something, as for a proof. */
export const maxWaits = 1_024

/** Calls and streams that a server has under way for a connection. A client of ours never comes near; what it gave up may take a moment to end. */
const maxServed = 4 * (maxCalls + maxWaits)

const newline = 10

const inMiB = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

/** Something was sent that no client or server of ours sends. The connection is closed. */
class LimitExceeded extends Error {}

/**
 * The socket, read in whole lines, and closed as soon as one is longer than a message may be: no more of it than that is ever in memory,
 * and none is looked through twice.
 *
 * @param from whom the log line blames
 */
export const limitMessages = (socket: Socket.Socket, from: string): Socket.Socket =>
  Socket.make({
    writer: socket.writer,
    reader: Effect.map(socket.reader, (reader) => {
      let begun: Array<Uint8Array> = []
      let length = 0
      const tooLong = Effect.andThen(
        Effect.logWarning(`${from} sent a message of more than ${inMiB(maxMessage)}: its connection is closed`),
        Effect.fail(new Socket.SocketError({ reason: new Socket.SocketReadError({ cause: new LimitExceeded("the message is too long") }) }))
      )
      const pull: typeof reader.pull = Effect.flatMap(reader.pull, (frames) => {
        const whole: Array<Uint8Array> = []
        for (const frame of frames) {
          const bytes = typeof frame === "string" ? Buffer.from(frame) : frame
          const end = bytes.lastIndexOf(newline) + 1
          if (length + (end === 0 ? bytes.length : bytes.indexOf(newline)) > maxMessage) return tooLong
          if (end > 0) {
            whole.push(Buffer.concat([...begun, bytes.subarray(0, end)]))
            begun = []
            length = 0
          }
          begun.push(bytes.subarray(end))
          length += bytes.length - end
        }
        return Arr.isArrayNonEmpty(whole) ? Effect.succeed(whole) : pull
      })
      return { ...reader, pull }
    })
  })

const encodeDefect = Schema.encodeSync(Schema.toCodecJson(Schema.Exit(Schema.Never, Schema.Never, Schema.Defect())))

type Message = RpcMessage.FromClientEncoded | RpcMessage.FromServerEncoded

/**
 * One line of JSON per message. An answer that is too long is a defect of its call alone, and so is a question; who begins more calls
 * than a connection may have under way is disconnected.
 *
 * @param log is told of the latter
 */
export const limitedJson = (log: (text: string) => void, most = { message: maxMessage, served: maxServed }) =>
  RpcSerialization.RpcSerialization.of({
    ...RpcSerialization.ndjson,
    makeUnsafe: () => {
      // What comes in was measured before.
      const parser = RpcSerialization.makeNdjson({ maxBufferSize: "unbounded" }).makeUnsafe()
      const served = new Set<string | number | symbol>()
      return {
        decode: (data) => {
          const messages = parser.decode(data) as ReadonlyArray<Message>
          for (const message of messages) {
            // What is sent for no answer, as none of our clients does, cannot be seen to end.
            if (message._tag === "Request") served.add(message.isNotification === true || message.discard === true ? Symbol() : message.id)
          }
          if (served.size > most.served) {
            log(`a client has more than ${most.served} calls under way: its connection is closed`)
            // The one error for which the protocol closes it.
            throw new RpcSerialization.MaxBufferSizeExceeded({ maxBufferSize: most.served })
          }
          return messages
        },
        encode: (unknown) => {
          const message = unknown as Message
          if (message._tag === "Exit") served.delete(message.requestId)
          const text = parser.encode(message)
          if (text === undefined || text.length <= most.message) return text
          const error = new LimitExceeded(`a message of ${inMiB(text.length)} is longer than a connection carries (${inMiB(most.message)})`)
          if (message._tag !== "Exit" && message._tag !== "Chunk") throw error
          return parser.encode({ _tag: "Exit", requestId: message.requestId, exit: encodeDefect(Exit.die(error)) })
        }
      }
    }
  })
