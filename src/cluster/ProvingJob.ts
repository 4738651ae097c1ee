/**
 * What is commanded about one job: a sharded entity with stored messages, placed among the hosts that take jobs of its size. Of two
 * commands on one job the first is done first, wherever they come from. A command that finds no such host alive waits in the database for one.
 *
 * How a job is, is in `Jobs` alone. So a command that is done twice, as may happen when its host dies over it, does no harm.
 */
import { Effect, Layer, Option, Schedule, Schema, Struct } from "effect"
import { type ClusterError, ClusterSchema, Entity, EntityAddress, EntityId, MessageStorage, Sharding } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { dropBlobs, hashOf, putBlobs } from "../jobs/JobRows.ts"
import { type JobId, Jobs, type JobSize, JobSpec, JobUnknown } from "../jobs/Jobs.ts"
import { Database } from "../store/Database.ts"

/** A job by its input's hash: bytes go to the database once, and do not travel with commands. */
const Submission = Schema.Struct({ ...Struct.omit(JobSpec.fields, ["input"]), input: Schema.String })

/** The entity of a job is in the group of its size. */
const entityIdOf = (size: JobSize, job: JobId): string => `${size}/${job}`

export const ProvingJob = Entity.make("ProvingJob", [
  Rpc.make("submit", { payload: { job: Submission } }),
  Rpc.make("cancel", { payload: { job: JobSpec.fields.id, reason: Schema.String } }),
  Rpc.make("retry", { payload: { job: JobSpec.fields.id }, error: JobUnknown })
]).annotateRpcs(ClusterSchema.Persisted, true).annotate(ClusterSchema.ShardGroup, (id) => id.slice(0, id.indexOf("/")))

/** Does the commands, on a host that takes jobs of some size. */
export const handlers: Layer.Layer<never, never, Jobs | Database | Sharding.Sharding> = ProvingJob.toLayer(Effect.gen(function*() {
  const jobs = yield* Jobs
  const { read, sql } = yield* Database
  const bytesOf = (hash: string) => Effect.orDie(read(sql<{ bytes: Uint8Array }>`SELECT bytes FROM blobs WHERE hash = ${hash}`))
  return ProvingJob.of({
    submit: ({ payload: { job } }) =>
      Effect.gen(function*() {
        const [blob] = yield* bytesOf(job.input)
        // Whoever submitted it keeps the input there until it is on record: this was done before, and the job is forgotten.
        if (blob !== undefined) yield* jobs.submit([new JobSpec({ ...job, input: blob.bytes })])
      }),
    cancel: ({ payload: { job, reason } }) => jobs.cancel([job], reason),
    retry: ({ payload: { job } }) => jobs.retry(job)
  })
}))

type Unsent = ClusterError.MailboxFull | ClusterError.AlreadyProcessingMessage | ClusterError.PersistenceError | ClusterError.EntityNotAssignedToRunner

const unsent = ["MailboxFull", "AlreadyProcessingMessage", "PersistenceError", "EntityNotAssignedToRunner"]

const isUnsent = (error: { readonly _tag: string }): error is Unsent => unsent.includes(error._tag)

/** What did not get through is said again: every command may be. */
const insist = <A, E extends { readonly _tag: string }>(command: Effect.Effect<A, E>): Effect.Effect<A, Exclude<E, Unsent>> =>
  command.pipe(
    Effect.retry({ while: isUnsent, schedule: Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")]) })
  ) as Effect.Effect<A, Exclude<E, Unsent>>

/** Commands that are on their way at once. */
const atOnce = { concurrency: 64, discard: true } as const

/** `Jobs` as a host or a tool of the cluster has it: commands go to the jobs' entities, and all else to the database. */
export const layer: Layer.Layer<Jobs, never, Jobs | Database | Sharding.Sharding | MessageStorage.MessageStorage> = Layer.effect(
  Jobs,
  Effect.gen(function*() {
    const jobs = yield* Jobs
    const { commit, sql } = yield* Database
    const messages = yield* MessageStorage.MessageStorage
    const sharding = yield* Sharding.Sharding
    const entity = yield* ProvingJob.client

    const sizesOf = (ids: ReadonlyArray<JobId>) =>
      Effect.map(Effect.forEach(ids, (id) => jobs.get(id), { concurrency: 8 }), (found) => found.flatMap(Option.toArray))

    const putInputs = (specs: ReadonlyArray<JobSpec>) =>
      Effect.orDie(commit(Effect.as(putBlobs(sql, specs.map(({ input }) => ({ hash: hashOf(input), bytes: input }))), { result: undefined, news: [] })))

    /** Not tried again where it is unknown whether it was done: a use too many keeps bytes, one too few loses them. */
    const letGo = (specs: ReadonlyArray<JobSpec>) => Effect.ignore(sql.withTransaction(dropBlobs(sql, specs.map(({ input }) => hashOf(input)))))

    const submitOne = (spec: JobSpec) => {
      const { input, ...job } = spec
      return insist(entity(entityIdOf(spec.size, spec.id)).submit({ job: { ...job, input: hashOf(input) } }))
    }

    return Jobs.of({
      ...jobs,
      submit: (specs) =>
        specs.length === 0
          ? Effect.void
          : putInputs(specs).pipe(Effect.andThen(Effect.forEach(specs, submitOne, atOnce)), Effect.andThen(letGo(specs))),
      cancel: (ids, reason) =>
        Effect.flatMap(sizesOf(ids), (known) =>
          Effect.forEach(known, ({ id, size }) => insist(entity(entityIdOf(size, id)).cancel({ job: id, reason })), atOnce)),
      retry: (id) =>
        Effect.flatMap(jobs.get(id), (known) =>
          Option.isNone(known) ? Effect.fail(new JobUnknown({ job: id })) : insist(entity(entityIdOf(known.value.size, id)).retry({ job: id }))),
      forget: (ids) =>
        Effect.gen(function*() {
          const known = yield* sizesOf(ids)
          yield* jobs.forget(ids)
          // What was commanded about them goes with them.
          yield* Effect.forEach(known, Effect.fnUntraced(function*({ id, size }) {
            if (Option.isSome(yield* jobs.get(id))) return
            const entityId = EntityId.make(entityIdOf(size, id))
            yield* Effect.ignore(messages.clearAddress(EntityAddress.make({ entityId, entityType: ProvingJob.type, shardId: sharding.getShardId(entityId, size) })))
          }), { concurrency: 8, discard: true })
        })
    })
  })
)
