/**
 * `/lignum/fetch/1`: what was missed, on a stream of its own for each page. The asker sends its request and closes its side; the
 * answer is proof messages, each after its length in four bytes, and then the end. Both are bounded, and must keep up a rate.
 */
import type { Stream } from "@libp2p/interface"
import { Clock, Duration, Effect, Result } from "effect"
import type { Proof } from "../../domain/Proof.ts"
import { AnswerFailed, boundedAnswer, frameHeader, maxAnswerBytes } from "../Fetching.ts"
import { type FetchRequest, requestCodec } from "../Messages.ts"

export const fetchProtocol = "/lignum/fetch/1"

/** Bytes of a request at most. */
export const maxRequestBytes = 1_024

export interface FetchTimes {
  /** For how long nothing need come. */
  readonly grace: Duration.Input
  /** Bytes that must come in each second behind the grace. */
  readonly bytesPerSecond: number
}

export const defaultFetchTimes: FetchTimes = { grace: "5 seconds", bytesPerSecond: 20_000 }

const failedStream = (cause: unknown) => new AnswerFailed({ reason: cause instanceof Error ? cause.message : String(cause) })

/** All bytes until the other side has ended. */
const readToEnd = (stream: Stream, most: number, { bytesPerSecond, grace }: FetchTimes, onBytes: (bytes: number) => void) =>
  Effect.gen(function*() {
    let arrived = 0
    // Before anybody reads them: much may come in one turn of the event loop.
    stream.addEventListener("message", ({ data }) => {
      onBytes(data.byteLength)
      arrived += data.byteLength
      if (arrived > most) stream.abort(new Error(`more than ${most} bytes came`))
    })
    const chunks = stream[Symbol.asyncIterator]()
    const read: Array<Uint8Array> = []
    const begun = yield* Clock.currentTimeMillis
    const graceMillis = Duration.toMillis(Duration.fromInputUnsafe(grace))
    for (let bytes = 0; ;) {
      const due = begun + graceMillis + (bytes / bytesPerSecond) * 1_000
      const chunk = yield* Effect.tryPromise({
        try: () => chunks.next(),
        catch: (cause) => arrived > most ? new AnswerFailed({ reason: `more than ${most} bytes came`, fault: "oversize" }) : failedStream(cause)
      }).pipe(
        Effect.timeoutOrElse({
          duration: Duration.millis(Math.max(due - (yield* Clock.currentTimeMillis), 0)),
          orElse: () => Effect.fail(new AnswerFailed({ reason: `only ${bytes} bytes came in time`, fault: "slow" }))
        })
      )
      if (chunk.done === true) return Buffer.concat(read)
      bytes += chunk.value.byteLength
      read.push(chunk.value.subarray())
    }
  })

/** Sends the last bytes of this side. It waits for a reader that is slow, but not long. */
const writeAll = (stream: Stream, bytes: Uint8Array, { bytesPerSecond, grace }: FetchTimes) =>
  Effect.tryPromise({
    try: async (signal) => {
      if (!stream.send(bytes)) await stream.onDrain({ signal })
      await stream.close({ signal })
    },
    catch: failedStream
  }).pipe(
    Effect.timeoutOrElse({
      duration: Duration.sum(Duration.fromInputUnsafe(grace), Duration.seconds(bytes.length / bytesPerSecond)),
      orElse: () => Effect.fail(new AnswerFailed({ reason: "it does not read its answer", fault: "slow" }))
    })
  )

const framed = (messages: ReadonlyArray<Uint8Array>): Uint8Array =>
  Buffer.concat(messages.flatMap((message) => {
    const header = Buffer.alloc(frameHeader)
    header.writeUInt32BE(message.length)
    return [header, message]
  }))

const unframed = (bytes: Buffer): Result.Result<ReadonlyArray<Uint8Array>, AnswerFailed> => {
  const messages: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length;) {
    const end = at + frameHeader <= bytes.length ? at + frameHeader + bytes.readUInt32BE(at) : Infinity
    if (end > bytes.length) return Result.fail(new AnswerFailed({ reason: "it ends within a message", fault: "malformed" }))
    messages.push(bytes.subarray(at + frameHeader, end))
    at = end
  }
  return Result.succeed(messages)
}

/** Whatever becomes of it, nothing of the stream is left. */
const released = (stream: Stream) => Effect.sync(() => stream.abort(new Error("done")))

/** The asker's side. */
export const ask = (
  open: (signal: AbortSignal) => Promise<Stream>,
  request: FetchRequest,
  times: FetchTimes,
  onBytes: (bytes: number) => void
): Effect.Effect<ReadonlyArray<Uint8Array>, AnswerFailed> =>
  Effect.acquireUseRelease(
    Effect.tryPromise({ try: open, catch: failedStream }).pipe(
      Effect.timeoutOrElse({ duration: times.grace, orElse: () => Effect.fail(new AnswerFailed({ reason: "it opens no stream", fault: "slow" })) })
    ),
    (stream) =>
      writeAll(stream, requestCodec.encode(request), times).pipe(
        Effect.andThen(readToEnd(stream, maxAnswerBytes, times, onBytes)),
        Effect.flatMap((bytes) => Effect.fromResult(unframed(bytes)))
      ),
    released
  )

/** The answering side. */
export const answerOn = (
  stream: Stream,
  answer: (request: FetchRequest) => Effect.Effect<ReadonlyArray<Proof>>,
  times: FetchTimes,
  onBytes: (bytes: number) => void
): Effect.Effect<void, AnswerFailed> =>
  Effect.gen(function*() {
    const bytes = yield* readToEnd(stream, maxRequestBytes, times, onBytes)
    const request = requestCodec.decode(bytes)
    if (Result.isFailure(request)) {
      const { failure } = request
      return yield* failure._tag === "UnknownVersion"
        ? new AnswerFailed({ reason: `it speaks version ${failure.version}` })
        : new AnswerFailed({ reason: failure.reason, fault: "malformed" })
    }
    yield* writeAll(stream, framed(boundedAnswer(yield* answer(request.success))), times)
  }).pipe(Effect.ensuring(released(stream)))
