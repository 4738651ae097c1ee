/**
 * The Groth16 proof system on the curve of snarkjs: one 256-byte proof per block, bundles instead of merges (ST-3, ST-7).
 *
 * L1 verifies a whole bundle in one batched pairing equation, so putting neighbours together costs nothing and pays nothing
 * (RW-2).
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Fiber, Layer, Option, Schedule, Scope } from "effect"
import os from "node:os"
import { bytesToHex, hexToBytes } from "viem/utils"
import { BlockRef, type Header } from "../domain/Block.ts"
import type { HexBytes } from "../domain/Hash.ts"
import { AncestryProof, concatStatements, Leaf, Proof, Statement } from "../domain/Proof.ts"
import { ancestryInput, ancestrySignals, blockInput, blockSignals } from "./CircuitInputs.ts"
import type { CircuitKey, CircuitKeys } from "./CircuitKeys.ts"
import { parametersOf } from "./CircuitManifest.ts"
import type { CircuitName } from "./CircuitParameters.ts"
import { type CircuitProver, type Groth16Workers, workerProver } from "./CircuitProver.ts"
import * as ExternalProver from "./ExternalProver.ts"
import { aggregate } from "./Groth16Aggregation.ts"
import { proofLength } from "./Groth16Encoding.ts"
import type { WorkerCircuit, WorkerKeys, WorkerReply, WorkerRequest } from "./Groth16Worker.ts"
import { ProofInvalid, ProofSystem, ProvingFailed } from "./ProofSystem.ts"
import { verifyingKeysHash } from "./VerifierKeys.ts"
import * as WorkerPool from "./WorkerPool.ts"

export interface Groth16Options {
  /** From `loadKeys`: proving keys lie in shared memory, one copy for all threads. */
  readonly keys: CircuitKeys
  /** Proofs at once on threads of this process; as many as there are cores unless said otherwise. */
  readonly workers?: number
  /** Niceness of the threads that prove, 0 to 19; verification is not slowed down. */
  readonly niceness?: number
  /** Leaves the proving step to another program; `workers` is then of no account. */
  readonly externalProver?: ExternalProver.ExternalProverOptions
  /** Blocks that one update may hold: what L1 verifies in one transaction at 57,000 gas a block. The same for every node of a rollup. */
  readonly maxLeaves?: number
  /** Bytes of heap and buffers above which a worker is replaced after its proof. A block of 2^15 constraints takes about 100 MB. */
  readonly workerMemoryLimit?: number
}

const defaultMaxLeaves = 64
const defaultMemoryLimit = 1_000_000_000

/** Verified claims that are remembered, by about a kilobyte each. */
const rememberedClaims = 4_096

/**
 * snarkjs drags a browser-worker emulation along that takes any thread for one of its own and runs the script named here.
 * An empty one keeps it quiet.
 */
const quietEmulation = { mod: "data:text/javascript," }

const workerCircuit = ({ provingKey, verifyingKey, witnessGenerator }: CircuitKey, provesHere: boolean) =>
  Effect.promise(async (): Promise<WorkerCircuit> => ({
    witnessGenerator: await WebAssembly.compile(Uint8Array.from(witnessGenerator)),
    provingKey: provesHere ? provingKey : undefined,
    verifyingKey
  }))

const startWorkers = (name: string, size: number, keys: WorkerKeys, memoryLimit: number, niceness = 0) =>
  WorkerPool.make<WorkerRequest, WorkerReply>({
    name,
    size,
    script: new URL("./Groth16Worker.ts", import.meta.url),
    workerData: { ...quietEmulation, keys, niceness },
    memoryLimit
  })

/** A claim as text: equal texts are equal claims, so one that was verified need not be verified again. */
const claimText = (circuit: CircuitName, signals: ReadonlyArray<bigint>, proof: string) => `${circuit} ${signals.join(" ")} ${proof}`

type Signals = ReadonlyArray<ReadonlyArray<bigint>>

/** Verifies bundles on a thread of its own, so that neither proofs in the making nor the event loop stand in the way. */
const makeVerification = Effect.fn("Groth16.makeVerification")(function*(verifiers: Groth16Workers) {
  const scope = yield* Scope.Scope
  const verified = new Set<string>()
  const remember = (claim: string) => {
    verified.delete(claim)
    verified.add(claim)
    if (verified.size > rememberedClaims) verified.delete(verified.values().next().value!)
  }

  /** Succeeds when `bytes` is one proof for each list of public signals, all valid. */
  return Effect.fn("Groth16.verifyBundle")(function*(circuit: CircuitName, signals: Signals, bytes: HexBytes) {
    const digits = 2 * proofLength
    if (bytes.length !== 2 + digits * signals.length) {
      return yield* new ProofInvalid({ reason: `${signals.length} proofs take ${proofLength * signals.length} bytes, not ${(bytes.length - 2) / 2}` })
    }
    const claims = signals.map((each, index) => {
      const proof = bytes.slice(2 + digits * index, 2 + digits * (index + 1))
      return { signals: each, proof, text: claimText(circuit, each, proof) }
    })
    const unknown = claims.filter(({ text }) => !verified.has(text))
    if (unknown.length > 0) {
      const request: WorkerRequest = {
        _tag: "Verify",
        circuit,
        claims: unknown.map((claim) => ({ signals: claim.signals, proof: hexToBytes(`0x${claim.proof}`) }))
      }
      // In a fiber of its own: whoever loses interest must not kill the thread that others wait for. It is done in no time.
      const refutation = yield* verifiers.run(request).pipe(
        Effect.retry(Schedule.exponential("200 millis").pipe(Schedule.upTo({ times: 5 }))),
        Effect.orDie,
        Effect.forkIn(scope),
        Effect.flatMap(Fiber.join)
      )
      if (refutation !== undefined) return yield* new ProofInvalid({ reason: String(refutation) })
    }
    for (const { text } of claims) remember(text)
  })
})

const toProvingFailed = (subject: string) => (error: { readonly message: string; readonly retry?: boolean }) =>
  new ProvingFailed({ subject, reason: error.message, retry: error.retry ?? false })

const make = Effect.fn("Groth16.make")(function*(options: Groth16Options) {
  const { externalProver, keys, maxLeaves = defaultMaxLeaves, workerMemoryLimit = defaultMemoryLimit } = options
  const parameters = parametersOf(keys.manifest)
  const program = externalProver === undefined ? undefined : yield* ExternalProver.find(externalProver.command)
  const provesHere = program === undefined
  const workerKeys: WorkerKeys = {
    block: yield* workerCircuit(keys.block, provesHere),
    ancestry: yield* workerCircuit(keys.ancestry, provesHere)
  }
  const size = provesHere ? options.workers ?? os.availableParallelism() : externalProver?.concurrency ?? 1
  const [workers, verifiers] = yield* Effect.all([
    startWorkers("prover", size, workerKeys, workerMemoryLimit, options.niceness),
    startWorkers("verifier", 1, workerKeys, workerMemoryLimit)
  ], { concurrency: 2 })
  const circuits: CircuitProver = provesHere
    ? workerProver(workers)
    : yield* ExternalProver.make(program, size, { block: keys.block.provingKey, ancestry: keys.ancestry.provingKey }, workers)
  const verifyBundle = yield* makeVerification(verifiers)
  const keysHash = verifyingKeysHash({ block: keys.block.verifyingKey, ancestry: keys.ancestry.verifyingKey })

  const verify = Effect.fn("Groth16.verify")(function*(proof: Proof) {
    if (proof.system !== "groth16") return yield* new ProofInvalid({ reason: `it is a ${proof.system} proof` })
    if (proof.statement.leaves.length > maxLeaves) {
      return yield* new ProofInvalid({ reason: `it covers ${proof.statement.leaves.length} blocks, more than the ${maxLeaves} of one update` })
    }
    yield* verifyBundle("block", blockSignals(proof.statement), proof.bytes)
  })

  const verifyAncestry = Effect.fn("Groth16.verifyAncestry")(function*(proof: AncestryProof) {
    if (proof.system !== "groth16") return yield* new ProofInvalid({ reason: `it is a ${proof.system} proof` })
    if (proof.via.length >= maxLeaves) return yield* new ProofInvalid({ reason: `it has more than ${maxLeaves} links` })
    yield* verifyBundle("ancestry", ancestrySignals(proof), proof.bytes)
  })

  // The built-in prover is deterministic in what matters: inputs whose proof does not verify will not do better again.
  const unverified = (subject: string) => (error: ProofInvalid) =>
    new ProvingFailed({ subject, reason: `what came out does not verify: ${error.reason}`, retry: !provesHere })

  const proveBlock: ProofSystem["Service"]["proveBlock"] = Effect.fn("Groth16.proveBlock")(function*(witness, prover, onProgress) {
    const { parent, block: { header } } = witness
    const subject = `block ${header.number}`
    const input = yield* Effect.fromResult(blockInput(witness, prover, parameters.block)).pipe(
      Effect.mapError((reason) => new ProvingFailed({ subject, reason, retry: false }))
    )
    yield* onProgress({ fraction: 0, stage: "waiting" })
    const bytes = yield* circuits.prove("block", input, (fraction, stage) => onProgress({ fraction: fraction * provingShare, stage })).pipe(
      Effect.mapError(toProvingFailed(subject))
    )
    yield* onProgress({ fraction: provingShare, stage: "verification" })
    const proof = new Proof({
      system: "groth16",
      statement: new Statement({
        from: new BlockRef({ number: parent.number, hash: parent.hash }),
        leaves: [new Leaf({ blockHash: header.hash, prover, proverFees: header.proverFees, proverGas: header.proverGasUsed })]
      }),
      bytes: bytesToHex(bytes)
    })
    yield* verify(proof).pipe(Effect.mapError(unverified(subject)))
    yield* onProgress({ fraction: 1, stage: "done" })
    return proof
  })

  const proveAncestry: ProofSystem["Service"]["proveAncestry"] = Effect.fn("Groth16.proveAncestry")(function*(headers, onProgress) {
    const subject = `ancestry of block ${headers.at(-1)?.number ?? "?"} back to block ${headers[0]?.number ?? "?"}`
    const broken = chainFault(headers)
    if (broken !== undefined) return yield* new ProvingFailed({ subject, reason: broken, retry: false })
    yield* onProgress({ fraction: 0, stage: "waiting" })
    const links = linksOf(headers, parameters.ancestry.maxHeaders)
    const fractions = links.map(() => 0)
    const bytes = yield* Effect.forEach(links, (link, index) =>
      circuits.prove("ancestry", ancestryInput(link, parameters.ancestry), (fraction, stage) => {
        fractions[index] = fraction
        return onProgress({
          fraction: provingShare * fractions.reduce((sum, each) => sum + each, 0) / links.length,
          stage: `link ${index + 1} of ${links.length}: ${stage}`
        })
      }).pipe(Effect.mapError(toProvingFailed(subject))), { concurrency: "unbounded" })
    yield* onProgress({ fraction: provingShare, stage: "verification" })
    const proof = new AncestryProof({
      system: "groth16",
      end: headers[0]!.hash,
      via: links.slice(1).map((link) => link[0]!.hash),
      checkpointBlock: headers.at(-1)!.hash,
      bytes: concat(bytes.map((each) => bytesToHex(each)))
    })
    yield* verifyAncestry(proof).pipe(Effect.mapError(unverified(subject)))
    yield* onProgress({ fraction: 1, stage: "done" })
    return proof
  })

  const merge: ProofSystem["Service"]["merge"] = Effect.fn("Groth16.merge")(function*(left, right) {
    const ends = (proof: Proof) => `${proof.statement.from.number} to ${proof.statement.to.number}`
    const subject = `merge of blocks after ${ends(left)} and after ${ends(right)}`
    const statement = concatStatements(left.statement, right.statement)
    if (Option.isNone(statement)) {
      return yield* new ProvingFailed({ subject, reason: "the second does not start where the first ends", retry: false })
    }
    const proof = new Proof({ system: "groth16", statement: statement.value, bytes: concat([left.bytes, right.bytes]) })
    // Free for leaves that were verified here before; the others would be found out by L1 otherwise, for gas.
    yield* verify(proof).pipe(Effect.mapError(toProvingFailed(subject)))
    return proof
  })

  return ProofSystem.of({
    id: "groth16",
    verifyingKeys: keysHash,
    capacity: circuits.capacity,
    mergeWork: false,
    maxLeaves,
    proveBlock,
    proveAncestry,
    merge,
    verify,
    verifyAncestry,
    encodeForL1: (proof, ancestry) => aggregate(keysHash, proof, ancestry)
  })
})

/** Share of a block's progress that is over when the proof comes out and is yet to be verified. */
const provingShare = 0.99

const concat = (parts: ReadonlyArray<HexBytes>): HexBytes => `0x${parts.map((part) => part.slice(2)).join("")}`

/** Why the headers are no chain that needs a proof. */
const chainFault = (headers: ReadonlyArray<Header>): string | undefined => {
  if (headers.length < 2) return "a block needs no proof that it descends from itself"
  const stray = headers.find((header, index) => index > 0 && header.parentHash !== headers[index - 1]!.hash)
  return stray === undefined ? undefined : `header ${stray.number} does not name the one before as its parent`
}

/** The chain cut into links of at most `maxHeaders` steps; each starts with the header that the one before ended with. */
const linksOf = (headers: ReadonlyArray<Header>, maxHeaders: number): ReadonlyArray<ReadonlyArray<Header>> =>
  Array.from({ length: Math.ceil((headers.length - 1) / maxHeaders) }, (_, link) => headers.slice(link * maxHeaders, (link + 1) * maxHeaders + 1))

/**
 * Proves and verifies with the given keys. Workers are ready when the layer is built, and gone with its scope.
 *
 * Fails when a worker cannot start (the keys are not usable: build them again) or when the external prover is missing.
 *
 * ```ts
 * const proofs = Layer.unwrap(Effect.map(loadKeys(directory), (keys) => Groth16.layer({ keys })))
 * ```
 */
export const layer = (
  options: Groth16Options
): Layer.Layer<ProofSystem, WorkerPool.WorkerLost | ExternalProver.ExternalProverFailed> =>
  Layer.effect(ProofSystem, make(options)).pipe(Layer.provide(NodeServices.layer))
