/**
 * The thread that proves and verifies. Keys and compiled circuits arrive with it and stay; the curve is built once.
 *
 * Everything unexpected is left to crash the thread: the pool starts another one and the job may be tried again.
 */
import { parentPort, workerData } from "node:worker_threads"
import type { Curve, Groth16VerifyingKey, Logger } from "snarkjs"
import { encodeProof } from "./Groth16Encoding.ts"
import { type Claim, makeVerifier } from "./Groth16Verifier.ts"
import { calculateWitness, type CircuitInput, WitnessError } from "./WitnessCalculator.ts"
import type { FromWorker } from "./WorkerPool.ts"

/** What a thread knows of one circuit. */
export interface WorkerCircuit {
  /** The witness generator, compiled once for all threads. */
  readonly witnessGenerator: WebAssembly.Module
  /** The proving key in shared memory, one copy for all threads; absent where proving is left to an external prover. */
  readonly provingKey: Uint8Array | undefined
  readonly verifyingKey: Groth16VerifyingKey
}

export interface WorkerKeys {
  readonly block: WorkerCircuit
  readonly ancestry: WorkerCircuit
}

export type WorkerRequest =
  | { readonly _tag: "Prove"; readonly circuit: keyof WorkerKeys; readonly input: CircuitInput }
  | { readonly _tag: "Witness"; readonly circuit: keyof WorkerKeys; readonly input: CircuitInput }
  | { readonly _tag: "Verify"; readonly circuit: keyof WorkerKeys; readonly claims: ReadonlyArray<Claim> }

/** The proof's 256 bytes, the witness file, or why a claim does not hold (undefined when all do). */
export type WorkerReply = Uint8Array | string | undefined

/** How far a proof is when snarkjs says a line that starts so; shares of the time measured on the devnet's block circuit. */
const stages: ReadonlyArray<readonly [line: string, fraction: number, stage: string]> = [
  ["Building ABC", 0.02, "constraints"],
  ["IFFT_A", 0.06, "polynomials"],
  ["Reading A Points", 0.12, "multi-exponentiation A"],
  ["Reading B1 Points", 0.23, "multi-exponentiation B in G1"],
  ["Reading B2 Points", 0.32, "multi-exponentiation B in G2"],
  ["Reading C Points", 0.69, "multi-exponentiation C"],
  ["Reading H Points", 0.81, "multi-exponentiation H"]
]

const start = async (port: NonNullable<typeof parentPort>, keys: WorkerKeys): Promise<void> => {
  const { curves, groth16 } = await import("snarkjs")
  const curve = await curves.getCurveFromName("bn128", { singleThread: true })
  // snarkjs builds a single-threaded curve anew for every proof (160 ms), but first looks for one under this name.
  const shared = globalThis as unknown as { curve_bn128: Curve }
  shared.curve_bn128 = curve
  const verifiers = {
    block: makeVerifier(curve, keys.block.verifyingKey),
    ancestry: makeVerifier(curve, keys.ancestry.verifyingKey)
  }

  const post = (message: FromWorker<WorkerReply>) => port.postMessage(message)
  const progress = (fraction: number, stage: string) => post({ _tag: "Progress", fraction, stage })
  const listen = (): Logger => {
    let next = 0
    const debug = (line: string) => {
      const stage = stages[next]
      if (stage === undefined || !line.startsWith(stage[0])) return
      next++
      progress(stage[1], stage[2])
    }
    return { debug, info: debug, warn: () => {}, error: () => {} }
  }

  const answer = async (request: WorkerRequest): Promise<WorkerReply> => {
    if (request._tag === "Verify") return verifiers[request.circuit].refute(request.claims)
    const { provingKey, witnessGenerator } = keys[request.circuit]
    progress(0, "witness")
    const witness = calculateWitness(witnessGenerator, request.input)
    if (request._tag === "Witness") return witness
    if (provingKey === undefined) throw new Error("this thread has no proving key")
    const { proof } = await groth16.prove(provingKey, witness, listen())
    return encodeProof(proof)
  }

  const memory = () => {
    const { external, heapTotal } = process.memoryUsage()
    return external + heapTotal
  }
  port.on("message", (request: WorkerRequest) => {
    answer(request).then(
      (reply) => post({ _tag: "Done", reply, memory: memory() }),
      (error: unknown) => {
        if (error instanceof WitnessError) post({ _tag: "Refused", reason: error.message, memory: memory() })
        else process.nextTick(() => {
          throw error
        })
      }
    )
  })
  post({ _tag: "Ready" })
}

if (parentPort !== null) await start(parentPort, (workerData as { readonly keys: WorkerKeys }).keys)
