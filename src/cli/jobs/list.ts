/**
 * `lignum jobs list`: which jobs there are, and how they are.
 */
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { Job, JobState } from "../../jobs/Jobs.ts"
import { json, openDesk, whose } from "./desk.ts"
import { hostOf, moment, table } from "./lines.ts"

const encode = Schema.encodeSync(Schema.fromJsonString(Schema.toCodecJson(Schema.Struct({ jobs: Schema.Array(Job) }))))

const lines = (jobs: ReadonlyArray<Job>): ReadonlyArray<string> =>
  table([
    ["state", "size", "attempts", "submitted", "host", "subject", "id"],
    ...jobs.map((job) => [job.state, job.size, `${job.attempts.length}`, moment(job.submittedAt), hostOf(job), job.subject, job.id])
  ])

/** Why some of them do not go on: one line each. */
const remarks = (jobs: ReadonlyArray<Job>): ReadonlyArray<string> =>
  jobs.flatMap(({ reason, state, subject }) => reason === "" || state === "done" ? [] : [`${subject} is ${state}: ${reason}`])

export const jobsList = Command.make(
  "list",
  {
    ...whose,
    state: Flag.Literals("state", JobState.literals).pipe(Flag.withDescription("Only those of one state"), Flag.optional),
    most: Flag.Int("most").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 }))),
      Flag.withDescription("No more than so many (default 100)"),
      Flag.withDefault(100)
    ),
    json
  },
  Effect.fn(function*({ json, most, state, ...given }) {
    const { desk } = yield* openDesk(given)
    const jobs = yield* desk.list({ states: Option.isSome(state) ? [state.value] : JobState.literals, most })
    if (json) return yield* Console.log(encode({ jobs }))
    if (jobs.length === 0) return yield* Console.log(Option.isSome(state) ? `no job is ${state.value}` : "there are no jobs")
    for (const line of [...lines(jobs), "", ...remarks(jobs)]) yield* Console.log(line)
  }, Effect.scoped)
).pipe(
  Command.withDescription("List the jobs of a node, or of an operator's hosts"),
  Command.withExamples([
    { command: "lignum jobs list --config prover.json", description: "All of a node's" },
    { command: "lignum jobs list --join-file database.url --state quarantined", description: "Those that wait for you" }
  ])
)
