/**
 * Durable jobs: what is to be proven, by whichever host can. They survive the death of every process; none is lost, and none is done
 * twice but where a host died over it (ND-3, ND-4).
 *
 * A job goes from `blocked` (on jobs that it needs) to `ready`, `running` under a lease, and `done`. `cancelled` is not a failure:
 * nobody needs it any more. `quarantined` waits for the operator, with its input.
 */
import { Context, Effect, type Option, Schema, type Scope, type Stream, Struct } from "effect"

/** A job's identity is what it is about, never who does it or when (OC-5): the same job submitted again is the same job. */
export const JobId = Schema.NonEmptyString.pipe(Schema.brand("lignum/JobId"))
export type JobId = typeof JobId.Type

/** Which hosts it is for: small jobs fit on any. */
export const JobSize = Schema.Literals(["small", "big"])
export type JobSize = typeof JobSize.Type

export class JobSpec extends Schema.Class<JobSpec>("lignum/JobSpec")({
  id: JobId,
  /** What is done with the input, as in `block`. */
  kind: Schema.NonEmptyString,
  /** For people, as in "the proof of block 6". */
  subject: Schema.String,
  size: JobSize,
  /** What a host must have. */
  requires: Schema.Struct({ proofSystem: Schema.String, cores: Schema.Int, memory: Schema.Int /* MiB */ }),
  /** Higher is sooner; among equals, what was submitted first. */
  priority: Schema.Int,
  /** Jobs that must be done before; their outputs are given to whoever does this one. */
  needs: Schema.Array(JobId),
  /** What it is made from: kept until the job is forgotten, so that it can be replayed. */
  input: Schema.Uint8Array
}) {}

export const JobState = Schema.Literals(["blocked", "ready", "running", "done", "cancelled", "quarantined"])
export type JobState = typeof JobState.Type

/** How a lease ended. `lost`: the host went away. `returned`: it gave the job back, for another to do. */
export const AttemptOutcome = Schema.Literals(["running", "done", "failed", "cancelled", "lost", "returned"])
export type AttemptOutcome = typeof AttemptOutcome.Type

export const Attempt = Schema.Struct({
  number: Schema.Int,
  host: Schema.String,
  /** Milliseconds since 1970, by the database's clock. */
  startedAt: Schema.Finite,
  endedAt: Schema.NullOr(Schema.Finite),
  outcome: AttemptOutcome,
  reason: Schema.String
})
export type Attempt = typeof Attempt.Type

/** A job without its bytes. */
export class Job extends Schema.Class<Job>("lignum/Job")({
  ...Struct.omit(JobSpec.fields, ["input"]),
  state: JobState,
  /** Why it is cancelled or quarantined, what it is blocked on, or that no host can do it (ND-5). */
  reason: Schema.String,
  submittedAt: Schema.Finite,
  attempts: Schema.Array(Attempt)
}) {}

/** How a job ends, for those who wait for it. */
export type Outcome =
  | { readonly _tag: "Done"; readonly output: Uint8Array }
  | { readonly _tag: "Cancelled"; readonly reason: string }
  | { readonly _tag: "Quarantined"; readonly attempts: number; readonly reason: string }

/** What a host can do. */
export const Capabilities = Schema.Struct({
  proofSystems: Schema.Array(Schema.String),
  sizes: Schema.Array(JobSize),
  /** Jobs at once. */
  slots: Schema.Int,
  cores: Schema.Int,
  /** MiB. */
  memory: Schema.Int
})
export type Capabilities = typeof Capabilities.Type

/** The right to do a job, until it ends. */
export interface Lease {
  readonly job: JobId
  readonly attempt: number
  readonly spec: JobSpec
  /** The outputs of what it needs, in the order of `needs`. */
  readonly needed: ReadonlyArray<Uint8Array>
}

/** How a running job gets on, as its host says. */
export const Progress = Schema.Struct({ job: JobId, attempt: Schema.Int, stage: Schema.String, fraction: Schema.Finite, since: Schema.Finite })
export type Progress = typeof Progress.Type

/** A host, as the others see it. */
export class HostView extends Schema.Class<HostView>("lignum/HostView")({
  name: Schema.String,
  can: Capabilities,
  /** Whether it takes no more work: it is about to stop. */
  draining: Schema.Boolean,
  /** Its newest heartbeat, by the database's clock. */
  seenAt: Schema.Finite,
  running: Schema.Array(Progress)
}) {}

/** An output is not what the job asks for. The attempt counts as a failure, and another host tries. */
export class OutputInvalid extends Schema.TaggedError<OutputInvalid>()("OutputInvalid", { job: JobId, reason: Schema.String }) {
  override get message() {
    return `what was made for ${this.job} is not valid: ${this.reason}`
  }
}

/** Looks at every output before it is accepted, whoever it is from (OC-1). Without one, nothing is accepted. */
export class OutputCheck extends Context.Service<OutputCheck, (spec: JobSpec, output: Uint8Array) => Effect.Effect<void, OutputInvalid>>()("lignum/OutputCheck") {}

/** Milliseconds. */
export interface Terms {
  /** Between two signs of life of a host. */
  readonly heartbeat: number
  /** A host that was silent for so long is taken for dead; it must be longer than any pause of a live one. */
  readonly expiry: number
}

/** How long leases last, by the database. Hosts of an embedded one live and die with it: there, silence is not how one learns of it. */
export const LeaseTerms = Context.Reference<Readonly<Record<"sqlite" | "postgres", Terms>>>("lignum/LeaseTerms", {
  defaultValue: () => ({ sqlite: { heartbeat: 30_000, expiry: 180_000 }, postgres: { heartbeat: 750, expiry: 3_500 } })
})

/** A host's side: leases, and reports under them. A report that comes too late changes nothing, but a valid output always counts (OC-5). */
export interface Host {
  readonly name: string
  /** Takes jobs that this host can do, the most urgent first; waits until there is at least one. No more than that many. */
  readonly take: (most: number) => Effect.Effect<ReadonlyArray<Lease>>
  /** Leases of this host that ended without it: stop the work. */
  readonly revoked: Stream.Stream<{ readonly job: JobId; readonly attempt: number; readonly why: "cancelled" | "expired" | "done by another" }>
  /** Goes along with the next heartbeat. */
  readonly progress: (progress: Progress) => Effect.Effect<void>
  /** Answers whether this is what ended the job. */
  readonly done: (lease: Pick<Lease, "job" | "attempt">, output: Uint8Array) => Effect.Effect<boolean, OutputInvalid>
  /** Answers whether it counted. `retry: false`: no other attempt can succeed, and the job is quarantined. */
  readonly failed: (lease: Pick<Lease, "job" | "attempt">, reason: string, retry: boolean) => Effect.Effect<boolean>
  /** Gives jobs back, for others to do at once. */
  readonly giveBack: (leases: ReadonlyArray<Pick<Lease, "job" | "attempt">>) => Effect.Effect<void>
  /** Takes no more from now on, and says so. */
  readonly drain: Effect.Effect<void>
}

/** There is no such job. `lignum jobs list` shows those that there are. */
export class JobUnknown extends Schema.TaggedError<JobUnknown>()("JobUnknown", { job: Schema.String }) {
  override get message() {
    return `there is no job ${this.job}: \`lignum jobs list\` shows those that there are`
  }
}

/** How many jobs there are in each state, and who does them. */
export interface JobsView {
  readonly counts: Readonly<Record<JobState, number>>
  readonly hosts: ReadonlyArray<HostView>
  /** Ready jobs that no live host can do, with what is missing (ND-5). */
  readonly unroutable: ReadonlyArray<{ readonly job: JobId; readonly missing: string }>
}

export class Jobs extends Context.Service<Jobs, {
  /**
   * Puts jobs on record; when it answers they are durable. A known one stays as it is, but that its priority may rise; one that was
   * cancelled is ready again; one that is quarantined stays there.
   */
  readonly submit: (jobs: ReadonlyArray<JobSpec>) => Effect.Effect<void>
  /** Waits for a job's end, however many processes die meanwhile. Interrupting stops the waiting, not the job. */
  readonly outcome: (job: JobId) => Effect.Effect<Outcome, JobUnknown>
  /** Nobody needs them any more; hosts that work on them stop at once (OC-4). Those that depend on them are cancelled, too. */
  readonly cancel: (jobs: ReadonlyArray<JobId>, reason: string) => Effect.Effect<void>
  /** Takes a job out of quarantine, or back from being cancelled, with its attempts forgiven. */
  readonly retry: (job: JobId) => Effect.Effect<void, JobUnknown>
  /** Forgets jobs that ended, with their bytes; those that others still need stay. */
  readonly forget: (jobs: ReadonlyArray<JobId>) => Effect.Effect<void>
  readonly list: (which: { readonly states: ReadonlyArray<JobState>; readonly most: number }) => Effect.Effect<ReadonlyArray<Job>>
  readonly get: (job: JobId) => Effect.Effect<Option.Option<Job>>
  readonly input: (job: JobId) => Effect.Effect<Uint8Array, JobUnknown>
  readonly output: (job: JobId) => Effect.Effect<Option.Option<Uint8Array>>
  /** The present state and every later one, at most a few times a second. */
  readonly changes: Stream.Stream<JobsView>
  /**
   * This process as a host, until the scope closes; then what it still holds is given back. A host of the same name takes the
   * place of an earlier one, whose leases are lost at once, unless it shows the session of that one: then it goes on with them.
   */
  readonly host: (who: { readonly name: string; readonly can: Capabilities; readonly session?: string }) => Effect.Effect<
    Host & { readonly session: string; readonly held: ReadonlyArray<Lease> },
    never,
    Scope.Scope
  >
}>()("lignum/Jobs") {}
