/**
 * What travels between provers: verified proofs, and hints of what is being proven.
 *
 * On the wire a message is JSON in UTF-8, an object with the members `version` and `kind`. Its size is held against
 * {@link maxMessageBytes} before a byte of it is parsed. A version that this node does not speak is no fault of the sender's.
 */
import { Option, Result, Schema } from "effect"
import { BlockNumber } from "../domain/Amount.ts"
import { Address, HexBytes, ProofId } from "../domain/Hash.ts"
import { Proof } from "../domain/Proof.ts"

/** The version of messages and requests that this node speaks. */
export const messageVersion = 1

/** A message's size at most. A Groth16 proof of 64 blocks, the most that an update holds, takes 50 kB. */
export const maxMessageBytes = 128 * 1024

/** Proofs that a prover may say it has in the making: what one machine may run at once, and no more. */
export const maxCapacity = 64

/** How long a hint may speak for, in milliseconds. */
export const maxHintTime = 10 * 60_000

/** A proof for everybody. */
export class ProofMessage extends Schema.Class<ProofMessage>("lignum/ProofMessage")({
  version: Schema.Literal(messageVersion),
  kind: Schema.Literal("proof"),
  proof: Proof
}) {}

/** What is being proven: the blocks after `from` up to `to`. Numbers are enough for advice that is forgotten within minutes. */
export const HintedAtom = Schema.Struct({ from: BlockNumber, to: BlockNumber })
export type HintedAtom = typeof HintedAtom.Type

const Milliseconds = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** What a prover says about its work, before it is signed. */
export const HintFields = {
  prover: Address,
  /** Proofs that it runs at once. */
  capacity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxCapacity })),
  /** What it is proving; never more than its capacity. */
  atoms: Schema.Array(HintedAtom).check(Schema.isMaxLength(maxCapacity)),
  /** Milliseconds since 1970. The newest hint of a prover stands for all earlier ones. */
  issuedAt: Milliseconds,
  /** When it is forgotten, in milliseconds since 1970. */
  expiresAt: Milliseconds
}
const Hint = Schema.Struct(HintFields)
export type Hint = typeof Hint.Type

/** "I am proving this": advice that spares others the same work (OC-3). It is never a lock, and it expires. */
export class HintMessage extends Schema.Class<HintMessage>("lignum/HintMessage")({
  version: Schema.Literal(messageVersion),
  kind: Schema.Literal("hint"),
  ...HintFields,
  /** By the key of the prover's L1 account, see `HintSignature.ts`. */
  signature: HexBytes
}) {}

export const GossipMessage = Schema.Union([ProofMessage, HintMessage])
export type GossipMessage = typeof GossipMessage.Type

/** A proof as a message. */
export const proofMessage = (proof: Proof): ProofMessage => new ProofMessage({ version: messageVersion, kind: "proof", proof })

/**
 * Asks a peer for the proofs that it has. Answers are pages in the order of (last block, id), each with what comes after the
 * request's place in that order.
 */
export class FetchRequest extends Schema.Class<FetchRequest>("lignum/FetchRequest")({
  version: Schema.Literal(messageVersion),
  /** Only proofs that end beyond this block, or at it with a greater id than `afterId`. */
  after: BlockNumber,
  /** The last proof of the page before; absent at the start. */
  afterId: Schema.optionalKey(ProofId)
}) {}

/** A request for all proofs that end beyond a block. */
export const fetchBeyond = (block: BlockNumber): FetchRequest => new FetchRequest({ version: messageVersion, after: block })

/** A request for what comes after a proof. */
export const fetchAfter = ({ id, statement }: Proof): FetchRequest =>
  new FetchRequest({ version: messageVersion, after: statement.to.number, afterId: id })

/** Whether a proof belongs into the answer to a request. */
export const answers = ({ after, afterId }: FetchRequest, { id, statement: { to } }: Proof): boolean =>
  to.number > after || (to.number === after && afterId !== undefined && id > afterId)

/** A message's version is one that this node does not speak. It is ignored; update the node if there are many. */
export class UnknownVersion extends Schema.TaggedError<UnknownVersion>()("UnknownVersion", { version: Schema.Int }) {}

/** The bytes are no message. Whoever sent them is at fault (OC-1). */
export class MalformedMessage extends Schema.TaggedError<MalformedMessage>()("MalformedMessage", { reason: Schema.String }) {}

const Envelope = Schema.Struct({ version: Schema.Int })
const readEnvelope = Schema.decodeUnknownOption(Envelope)

const codec = <S extends Schema.Top & { readonly DecodingServices: never; readonly EncodingServices: never }>(schema: S) => {
  const wire = Schema.toCodecJson(schema)
  const toJson = Schema.encodeUnknownSync(wire)
  const fromJson = Schema.decodeUnknownResult(wire)
  return {
    encode: (value: S["Type"]): Uint8Array => new TextEncoder().encode(JSON.stringify(toJson(value))),
    decode: (bytes: Uint8Array): Result.Result<S["Type"], UnknownVersion | MalformedMessage> => {
      if (bytes.length > maxMessageBytes) return Result.fail(new MalformedMessage({ reason: `${bytes.length} bytes are too many` }))
      let json: unknown
      try {
        json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
      } catch {
        return Result.fail(new MalformedMessage({ reason: "it is not JSON" }))
      }
      const envelope = readEnvelope(json)
      if (Option.isNone(envelope)) return Result.fail(new MalformedMessage({ reason: "it has no version" }))
      const { version } = envelope.value
      if (version !== messageVersion) return Result.fail(new UnknownVersion({ version }))
      return Result.mapError(fromJson(json), ({ message }) => new MalformedMessage({ reason: message.slice(0, 200) }))
    }
  }
}

/** Messages as bytes. */
export const messageCodec = codec(GossipMessage)

/** Requests as bytes. */
export const requestCodec = codec(FetchRequest)
