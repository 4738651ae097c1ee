/**
 * How what was missed is fetched from peers, page by page, and answered: the part that does not depend on the network.
 */
import { Effect, Option, Random, Result, Schema } from "effect"
import type { Proof } from "../domain/Proof.ts"
import { answers, fetchAfter, type FetchRequest, maxMessageBytes, messageCodec, proofMessage } from "./Messages.ts"
import type { Fault } from "./PeerScores.ts"
import type { Judge, PeerStatus } from "./ProofGossip.ts"
import type { Reception } from "./Reception.ts"

/** Proofs and bytes in one answer at most. */
export const maxAnswerProofs = 128
export const maxAnswerBytes = 1024 * 1024

/** Peers that are asked for the same thing: one may withhold, and of several strangers all may. */
const askedPeers = 4
/** Pages that one peer is asked for in a row. */
const maxPages = 1_024

/** A peer did not answer as it should. Ask another one. */
export class AnswerFailed extends Schema.TaggedError<AnswerFailed>()("AnswerFailed", {
  reason: Schema.String,
  /** What is held against the peer; absent where it is not to blame. */
  fault: Schema.optionalKey(Schema.Literals(["malformed", "slow", "oversize"]))
}) {}

/** As many messages of a page as one answer may hold. */
export const boundedAnswer = (page: ReadonlyArray<Proof>): ReadonlyArray<Uint8Array> => {
  const messages: Array<Uint8Array> = []
  let bytes = 0
  for (const proof of page.slice(0, maxAnswerProofs)) {
    const message = messageCodec.encode(proofMessage(proof))
    bytes += message.length + frameHeader
    if (bytes > maxAnswerBytes || message.length > maxMessageBytes) break
    messages.push(message)
  }
  return messages
}

/** Bytes before each message of an answer: its length, big-endian. */
export const frameHeader = 4

const malformed = (reason: string) => new AnswerFailed({ reason, fault: "malformed" satisfies Fault })

/** The proofs of an answer, which must be what was asked for, in order. */
export const readAnswer = (request: FetchRequest, messages: ReadonlyArray<Uint8Array>): Result.Result<ReadonlyArray<Proof>, AnswerFailed> =>
  Result.gen(function*() {
    if (messages.length > maxAnswerProofs) return yield* Result.fail(malformed(`${messages.length} proofs are too many`))
    const proofs: Array<Proof> = []
    let place = request
    for (const bytes of messages) {
      const message = yield* Result.mapError(messageCodec.decode(bytes), (error) =>
        error._tag === "UnknownVersion" ? new AnswerFailed({ reason: `it speaks version ${error.version}` }) : malformed(error.reason))
      if (message.kind !== "proof" || !answers(place, message.proof)) return yield* Result.fail(malformed("it is not what was asked for"))
      place = fetchAfter(message.proof)
      proofs.push(message.proof)
    }
    return proofs
  })

/**
 * Asks peers one after another, those that deserved well first, then those of this node's own choice; each until it has no more.
 *
 * @returns how many proofs were accepted
 */
export const fetchFrom = Effect.fnUntraced(function*<P extends Pick<PeerStatus, "direction" | "id">>(
  peers: ReadonlyArray<P>,
  reception: Reception,
  ask: (peer: P, request: FetchRequest) => Effect.Effect<ReadonlyArray<Uint8Array>, AnswerFailed>,
  request: FetchRequest,
  judge: Judge
): Effect.fn.Return<number> {
  const shuffled = yield* Random.shuffle(peers)
  const isOwnChoice = ({ direction }: P) => Number(direction === "outbound")
  const inOrder = shuffled.toSorted((left, right) =>
    reception.scores.scoreOf(right.id) - reception.scores.scoreOf(left.id) || isOwnChoice(right) - isOwnChoice(left))
  // Those that stand highest may be in league. One drawn from all is always among those asked.
  const asked = [...new Set([...inOrder.slice(0, askedPeers - 1), ...shuffled])].slice(0, askedPeers)
  let accepted = 0
  const askAll = Effect.fnUntraced(function*(peer: P) {
    let place = request
    for (let page = 0; page < maxPages && !reception.scores.refuses(peer.id); page++) {
      const proofs = yield* Effect.flatMap(ask(peer, place), (messages) => Effect.fromResult(readAnswer(place, messages)))
      const verdicts = yield* Effect.forEach(proofs, (proof) =>
        reception.scores.refuses(peer.id) ? Effect.succeed(Option.none()) : Effect.asSome(reception.judge(judge, proofMessage(proof), peer.id)))
      accepted += verdicts.filter((verdict) => Option.isSome(verdict) && verdict.value === "accept").length
      const last = proofs[proofs.length - 1]
      if (last === undefined) return
      place = fetchAfter(last)
    }
  })
  for (const peer of asked) {
    yield* askAll(peer).pipe(
      Effect.catchTag("AnswerFailed", ({ fault, reason }) => {
        if (fault !== undefined) reception.scores.blame(peer.id, fault, `its answer: ${reason}`)
        return Effect.logDebug(`${peer.id} did not answer: ${reason}`)
      })
    )
  }
  return accepted
})
