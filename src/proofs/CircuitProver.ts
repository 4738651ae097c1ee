/**
 * The proving step alone: circuit inputs in, 256 unverified bytes out.
 */
import { Effect, Schema } from "effect"
import type { CircuitName } from "./CircuitParameters.ts"
import type { WorkerReply, WorkerRequest } from "./Groth16Worker.ts"
import type { CircuitInput } from "./WitnessCalculator.ts"
import type { JobRefused, OnJobProgress, WorkerLost, WorkerPool } from "./WorkerPool.ts"

/** No proof came out. `retry` tells whether the same inputs may succeed another time. */
export class NotProved extends Schema.TaggedError<NotProved>()("NotProved", {
  reason: Schema.String,
  retry: Schema.Boolean
}) {
  override get message() {
    return this.reason
  }
}

/** Proves one circuit at a time, several beside each other. Nothing that comes out is verified yet. */
export interface CircuitProver {
  /** How many proofs run at once; further calls wait their turn. */
  readonly capacity: number
  /**
   * The proof in L1's encoding. Progress runs from 0 to below 1.
   *
   * Interrupting it stops the work at once.
   */
  readonly prove: (circuit: CircuitName, input: CircuitInput, onProgress: OnJobProgress) => Effect.Effect<Uint8Array, NotProved>
}

/** Threads that run `Groth16Worker.ts`. */
export type Groth16Workers = WorkerPool<WorkerRequest, WorkerReply>

/** How a worker's failure counts: a lost worker says nothing about the inputs, a refusal says everything. */
export const notProved = (error: WorkerLost | JobRefused): NotProved =>
  new NotProved({ reason: error.reason, retry: error._tag === "WorkerLost" })

/** The bytes that a worker answered. */
export const expectBytes = (reply: WorkerReply): Effect.Effect<Uint8Array> =>
  reply instanceof Uint8Array ? Effect.succeed(reply) : Effect.die(new Error("the worker answered something else than bytes"))

/** snarkjs on worker threads. */
export const workerProver = (workers: Groth16Workers): CircuitProver => ({
  capacity: workers.size,
  prove: (circuit, input, onProgress) =>
    workers.run({ _tag: "Prove", circuit, input }, onProgress).pipe(
      Effect.mapError(notProved),
      Effect.flatMap(expectBytes)
    )
})
