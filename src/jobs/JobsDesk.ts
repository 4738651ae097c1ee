/**
 * Jobs as their operator sees them: looks at them, lets them out of quarantine, and fetches them for a replay (ND-4). It takes no
 * part in their being done.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { Job, JobId, Jobs, JobSpec, JobState, JobUnknown } from "./Jobs.ts"

/** A job with the sizes of its bytes. */
export class JobDetails extends Schema.Class<JobDetails>("lignum/JobDetails")({
  job: Job,
  inputBytes: Schema.Int,
  /** `null` until it is done. */
  outputBytes: Schema.NullOr(Schema.Int)
}) {}

/** A job as a host is given it. */
export class JobMaterial extends Schema.Class<JobMaterial>("lignum/JobMaterial")({
  spec: JobSpec,
  /** The outputs of the jobs that it needs, in order, as far as they are there. */
  needed: Schema.Array(Schema.Uint8Array)
}) {}

export const JobsRpcs = RpcGroup.make(
  /** Jobs of some states, the newest first; no more than so many. */
  Rpc.make("list", { payload: { states: Schema.Array(JobState), most: Schema.Int }, success: Schema.Array(Job) }),
  Rpc.make("show", { payload: { job: JobId }, success: JobDetails, error: JobUnknown }),
  /** Takes a job out of quarantine, or back from being cancelled, with its attempts forgiven. */
  Rpc.make("retry", { payload: { job: JobId }, error: JobUnknown }),
  Rpc.make("material", { payload: { job: JobId }, success: JobMaterial, error: JobUnknown })
)

export class JobsDesk extends Context.Service<JobsDesk, RoleShape<typeof JobsRpcs>>()("lignum/JobsDesk") {
  /** The desk of a node in another process. */
  static readonly layerRemote: Layer.Layer<JobsDesk, never, RoleTransport> = connectRole("jobs", JobsRpcs, JobsDesk)

  static readonly layer = Layer.effect(
    JobsDesk,
    Effect.map(Jobs, (jobs) => {
      const known = (job: JobId) => Effect.flatMap(jobs.get(job), (found) =>
        Option.isSome(found) ? Effect.succeed(found.value) : Effect.fail(new JobUnknown({ job })))
      return JobsDesk.of({
        list: jobs.list,
        show: Effect.fn("JobsDesk.show")(function*({ job }) {
          const [input, output] = yield* Effect.all([jobs.input(job), jobs.output(job)])
          return new JobDetails({
            job: yield* known(job),
            inputBytes: input.length,
            outputBytes: Option.getOrNull(Option.map(output, ({ length }) => length))
          })
        }),
        retry: ({ job }) => jobs.retry(job),
        material: Effect.fn("JobsDesk.material")(function*({ job }) {
          const found = yield* known(job)
          const needed = yield* Effect.forEach(found.needs, jobs.output)
          return new JobMaterial({ spec: new JobSpec({ ...found, input: yield* jobs.input(job) }), needed: needed.flatMap(Option.toArray) })
        })
      })
    })
  )
}
