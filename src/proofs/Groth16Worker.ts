/**
 * The thread that proves and verifies. Keys and compiled circuits arrive with it and stay; the curve is built once.
 *
 * Everything unexpected is left to crash the thread: the pool starts another one and the job may be tried again.
 */
import { setPriority } from "node:os"
import { parentPort, workerData } from "node:worker_threads"
import type { Groth16VerifyingKey } from "snarkjs"
import { makeProver } from "./Groth16Prover.ts"
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

const start = async (port: NonNullable<typeof parentPort>, keys: WorkerKeys): Promise<void> => {
  const { curves } = await import("snarkjs")
  const curve = await curves.getCurveFromName("bn128", { singleThread: true })
  const verifiers = {
    block: makeVerifier(curve, keys.block.verifyingKey),
    ancestry: makeVerifier(curve, keys.ancestry.verifyingKey)
  }

  const provers = {
    block: keys.block.provingKey && makeProver(curve, keys.block.provingKey),
    ancestry: keys.ancestry.provingKey && makeProver(curve, keys.ancestry.provingKey)
  }

  const post = (message: FromWorker<WorkerReply>) => port.postMessage(message)
  const progress = (fraction: number, stage: string) => post({ _tag: "Progress", fraction, stage })
  const answer = async (request: WorkerRequest): Promise<WorkerReply> => {
    if (request._tag === "Verify") return verifiers[request.circuit].refute(request.claims)
    progress(0, "witness")
    const witness = calculateWitness(keys[request.circuit].witnessGenerator, request.input)
    if (request._tag === "Witness") return witness
    const prover = provers[request.circuit]
    if (prover === undefined) throw new Error("this thread has no proving key")
    return prover.prove(witness, progress)
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

if (parentPort !== null) {
  const { keys, niceness } = workerData as { readonly keys: WorkerKeys; readonly niceness: number }
  // On Linux it is this thread's alone, and those that it starts: the process's others answer as fast as ever.
  if (niceness > 0) setPriority(niceness)
  await start(parentPort, keys)
}
