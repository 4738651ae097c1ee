/**
 * The jobs of a prover (`Jobs.ts`): what each is named after, what it is made from, who can do it, and what must come out of it.
 * Inputs and outputs are JSON in UTF-8.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { BlockNumber, ProverGas } from "../domain/Amount.ts"
import { BlockRef, Header } from "../domain/Block.ts"
import { BlockWitness } from "../domain/BlockWitness.ts"
import { Address, BlockHash } from "../domain/Hash.ts"
import { AncestryProof, Leaf, Proof, Statement } from "../domain/Proof.ts"
import { type OnProgress, ProofSystem, ProvingFailed } from "../proofs/ProofSystem.ts"
import { JobId, JobSpec, OutputCheck, OutputInvalid } from "./Jobs.ts"

const bytesOf = <S extends Schema.Top & { readonly DecodingServices: never; readonly EncodingServices: never }>(schema: S) => {
  const codec = Schema.fromJsonString(Schema.toCodecJson(schema))
  const encode = Schema.encodeUnknownSync(codec) as (value: S["Type"]) => string
  const decode = Schema.decodeUnknownEffect(codec) as (text: unknown) => Effect.Effect<S["Type"], Schema.SchemaError>
  return {
    encode: (value: S["Type"]): Uint8Array => new TextEncoder().encode(encode(value)),
    decode: (bytes: Uint8Array) => decode(new TextDecoder().decode(bytes))
  }
}

const inputs = {
  block: bytesOf(Schema.Struct({ witness: BlockWitness, prover: Address })),
  ancestry: bytesOf(Schema.Struct({ headers: Schema.NonEmptyArray(Header) })),
  merge: bytesOf(Schema.Struct({ statement: Statement }))
}

/** The part of a block's input that its statement follows from. */
const blockClaim = bytesOf(Schema.Struct({ witness: Schema.Struct({ parent: Header, block: Schema.Struct({ header: Header }) }), prover: Address }))

export const ProofJobKind = Schema.Literals(["block", "ancestry", "merge"])
export type ProofJobKind = typeof ProofJobKind.Type

/** What the output of a block or merge job is. */
export const proofBytes = bytesOf(Proof)
/** What the output of an ancestry job is. */
export const ancestryBytes = bytesOf(AncestryProof)

/** The statement that a block's own proof by a prover has. */
const blockStatement = (parent: Header, { hash, proverFees, proverGasUsed }: Header, prover: Address) =>
  new Statement({
    from: new BlockRef({ number: parent.number, hash: parent.hash }),
    leaves: [new Leaf({ blockHash: hash, prover, proverFees, proverGas: proverGasUsed })]
  })

export const blockJobId = ({ hash, number }: BlockRef, prover: Address): JobId => JobId.make(`block:${number}:${hash}:${prover}`)

export const ancestryJobId = (end: BlockRef, checkpoint: BlockRef): JobId => JobId.make(`ancestry:${end.number}:${end.hash}:${checkpoint.hash}`)

const NamedJob = Schema.TemplateLiteralParser([Schema.Literals(["block", "ancestry"]), ":", Schema.Int, ":", Schema.String, ":", Schema.String])
const decodeName = Schema.decodeUnknownOption(NamedJob)

/** What a block or ancestry job is about, as its id says: the block that is proved, or the one whose ancestry is. */
export const aboutOf = (id: JobId): Option.Option<{ readonly kind: "block" | "ancestry"; readonly block: BlockRef; readonly whose: string }> =>
  Option.map(decodeName(id), ([kind, , number, , hash, , whose]) => ({
    kind,
    block: new BlockRef({ number: BlockNumber.make(number), hash: BlockHash.make(hash as BlockHash) }),
    whose
  }))

/** As much as 62 transfers have: their circuit takes 2^20 constraints. */
export const defaultBigFrom = ProverGas.make(1_000_000n)

/** From how much prover gas on a job is big: only hosts that take big jobs are given it. */
export const BigFrom = Context.Reference<ProverGas>("lignum/BigFrom", { defaultValue: () => defaultBigFrom })

/** Proving takes one thread, about 100 MB for 2^15 constraints, and the memory of a thread that does nothing. */
const [cores, idleMemory, gasPerMemory] = [1, 128, 2n ** 15n / 100n]

/** A host with other keys proves what nobody can verify: it must have these. */
export const proofSystemOf = ({ id, verifyingKeys }: ProofSystem["Service"]): string => `${id}:${verifyingKeys}`

const spec = (
  kind: ProofJobKind,
  id: JobId,
  subject: string,
  options: { readonly system: ProofSystem["Service"]; readonly gas: bigint; readonly bigFrom: bigint; readonly needs: ReadonlyArray<JobId>; readonly input: Uint8Array }
) =>
  new JobSpec({
    kind,
    id,
    subject,
    size: options.gas < options.bigFrom ? "small" : "big",
    requires: { proofSystem: proofSystemOf(options.system), cores, memory: idleMemory + Number(options.gas / gasPerMemory) },
    priority: priorities[kind],
    needs: options.needs,
    input: options.input
  })

/** An update waits for an ancestry proof and for nothing else; what is put together was proven already. */
const priorities = { block: 0, merge: 1, ancestry: 2 } as const

/** A prover's own proof of a block. */
export const blockJob = Effect.fnUntraced(function*(system: ProofSystem["Service"], witness: BlockWitness, prover: Address) {
  const { block } = witness
  const gas = block.header.proverGasUsed
  return spec("block", blockJobId(block.ref, prover), `the proof of block ${block.number}`, {
    system,
    gas,
    bigFrom: yield* BigFrom,
    needs: [],
    input: inputs.block.encode({ witness, prover })
  })
})

/** A proof that the first of these headers is an ancestor of the last. */
export const ancestryJob = Effect.fnUntraced(function*(system: ProofSystem["Service"], headers: readonly [Header, ...Array<Header>]) {
  const [first] = headers
  const last = headers[headers.length - 1]!
  return spec("ancestry", ancestryJobId(first, last), `the ancestry of block ${first.number} up to block ${last.number}`, {
    system,
    gas: 0n,
    bigFrom: yield* BigFrom,
    needs: [],
    input: inputs.ancestry.encode({ headers })
  })
})

/**
 * One proof of what two other jobs, neighbours, prove. For proof systems where that is work: with Groth16 proofs are put together
 * where they are needed.
 */
export const mergeJob = Effect.fnUntraced(function*(system: ProofSystem["Service"], left: JobId, right: JobId, statement: Statement) {
  const { from, to } = statement
  return spec("merge", JobId.make(`merge:${to.number}:${from.hash}:${to.hash}:${left}:${right}`), `the proof of blocks ${from.number + 1} to ${to.number}`, {
    system,
    gas: statement.proverGas,
    bigFrom: yield* BigFrom,
    needs: [left, right],
    input: inputs.merge.encode({ statement })
  })
})

/** Another version wrote it, or something broke it; another host may be able to read it. */
const unreadable = (subject: string) => ({ message }: Schema.SchemaError) =>
  new ProvingFailed({ subject, reason: `the input cannot be read: ${message}`, retry: true })

/**
 * Does a job, here.
 *
 * @param needed the outputs of the jobs that it needs, in order
 * @returns its output
 */
export const perform = Effect.fnUntraced(function*(
  system: ProofSystem["Service"],
  { input, kind, subject }: JobSpec,
  needed: ReadonlyArray<Uint8Array>,
  onProgress: OnProgress
): Effect.fn.Return<Uint8Array, ProvingFailed> {
  const read = <A>(decoded: Effect.Effect<A, Schema.SchemaError>) => Effect.mapError(decoded, unreadable(subject))
  switch (kind) {
    case "block": {
      const { prover, witness } = yield* read(inputs.block.decode(input))
      return proofBytes.encode(yield* system.proveBlock(witness, prover, onProgress))
    }
    case "ancestry": {
      const { headers } = yield* read(inputs.ancestry.decode(input))
      return ancestryBytes.encode(yield* system.proveAncestry(headers, onProgress))
    }
    case "merge": {
      const [left, right] = yield* read(Effect.forEach(needed, proofBytes.decode))
      if (left === undefined || right === undefined) {
        return yield* new ProvingFailed({ subject, reason: `it takes two proofs and was given ${needed.length}`, retry: false })
      }
      return proofBytes.encode(yield* system.merge(left, right))
    }
    default:
      return yield* new ProvingFailed({ subject, reason: `this version of lignum does not know jobs of the kind ${kind}`, retry: true })
  }
})

const sameStatement = Schema.toEquivalence(Statement)

/** Whether an output is a valid proof of exactly what its job asks for (OC-1). */
const check = Effect.fnUntraced(function*(system: ProofSystem["Service"], { id, input, kind }: JobSpec, output: Uint8Array) {
  const invalid = ({ message }: { readonly message: string }) => new OutputInvalid({ job: id, reason: message })
  const other = invalid({ message: "it proves something else than the job asks for" })
  if (kind === "ancestry") {
    const { headers } = yield* Effect.mapError(inputs.ancestry.decode(input), invalid)
    const proof = yield* Effect.mapError(ancestryBytes.decode(output), invalid)
    if (proof.end !== headers[0].hash || proof.checkpointBlock !== headers[headers.length - 1]!.hash) return yield* other
    return yield* Effect.mapError(system.verifyAncestry(proof), invalid)
  }
  const asked = kind === "block"
    ? Effect.map(blockClaim.decode(input), ({ prover, witness: { block, parent } }) => blockStatement(parent, block.header, prover))
    : Effect.map(inputs.merge.decode(input), ({ statement }) => statement)
  const statement = yield* Effect.mapError(asked, invalid)
  const proof = yield* Effect.mapError(proofBytes.decode(output), invalid)
  if (!sameStatement(proof.statement, statement)) return yield* other
  return yield* Effect.mapError(system.verify(proof), invalid)
})

/** Verifies outputs with the proof system of this process. */
export const proofCheck: Layer.Layer<OutputCheck, never, ProofSystem> = Layer.effect(
  OutputCheck,
  Effect.map(ProofSystem, (system) => OutputCheck.of((spec, output) => check(system, spec, output)))
)
