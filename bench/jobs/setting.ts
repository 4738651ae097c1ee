/**
 * Jobs that cost nothing to do, and a host that does them at once: what is left is what it costs to have them durable.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { type Capabilities, JobId, Jobs, JobSpec, OutputCheck } from "../../src/jobs/Jobs.ts"
import * as SqlJobs from "../../src/jobs/SqlJobs.ts"
import type { Database } from "../../src/store/Database.ts"

/** As many jobs as this at once, and some to spare. */
export const slots = 1_024

/** Which of two hosts a job is for. */
export type Place = "here" | "there"

/** Bytes of an input and of an output: more than a Groth16 proof has. */
export const jobBytes = 512

const bytes = new Uint8Array(jobBytes)

export const job = (id: string, place: Place, needs: ReadonlyArray<JobId> = []): JobSpec => {
  const input = new Uint8Array(jobBytes)
  new TextEncoder().encodeInto(id, input)
  const requires = { proofSystem: place, cores: 1, memory: 1 }
  return new JobSpec({ id: JobId.make(id), kind: "bench", subject: id, size: "small", requires, priority: 0, needs, input })
}

const check = Layer.succeed(OutputCheck, OutputCheck.of(() => Effect.void))

export const openJobs = (database: Layer.Layer<Database, unknown>): Effect.Effect<Jobs["Service"], never, Scope.Scope> =>
  Layer.build(SqlJobs.layer.pipe(Layer.provide(check), Layer.provide(database), Layer.orDie)).pipe(Effect.map((built) => Context.get(built, Jobs)))

/** Takes jobs and reports each as done, for ever. */
export const doAtOnce = Effect.fnUntraced(function*(jobs: Jobs["Service"], place: Place, onReady: () => void, onTaken: () => void = () => {}) {
  const can: Capabilities = { proofSystems: [place], sizes: ["small"], slots, cores: 1, memory: 1 }
  const host = yield* jobs.host({ name: place, can })
  const scope = yield* Effect.scope
  onReady()
  return yield* Effect.forever(Effect.flatMap(host.take(slots), (leases) =>
    Effect.forEach(leases, (lease) => {
      onTaken()
      const output = bytes.slice()
      new TextEncoder().encodeInto(lease.job, output)
      return Effect.forkIn(host.done(lease, output), scope, { startImmediately: true })
    }, { discard: true })
  ))
})
