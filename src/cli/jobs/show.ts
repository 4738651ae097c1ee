/**
 * `lignum jobs show`: everything about one job but its bytes.
 */
import { Console, Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { type Attempt } from "../../jobs/Jobs.ts"
import { JobDetails } from "../../jobs/JobsDesk.ts"
import { job, json, openDesk, whose } from "./desk.ts"
import { moment, seconds, table } from "./lines.ts"

const encode = Schema.encodeSync(Schema.fromJsonString(Schema.toCodecJson(JobDetails)))

const attemptRow = ({ endedAt, host, number, outcome, reason, startedAt }: Attempt): ReadonlyArray<string> =>
  [`${number}`, host, moment(startedAt), endedAt === null ? "-" : seconds(endedAt - startedAt), outcome, reason]

const lines = ({ inputBytes, job, outputBytes }: JobDetails): ReadonlyArray<string> => [
  job.id,
  "",
  ...table([
    ["subject", job.subject],
    ["state", job.reason === "" ? job.state : `${job.state}: ${job.reason}`],
    ["size", `${job.size}; it takes ${job.requires.cores} cores and ${job.requires.memory} MiB`],
    ["proof system", job.requires.proofSystem],
    ["needs", job.needs.length === 0 ? "no other job" : job.needs.join(", ")],
    ["submitted", moment(job.submittedAt)],
    ["bytes", `${inputBytes} in, ${outputBytes ?? "none"} out`]
  ]),
  "",
  ...job.attempts.length === 0 ? ["it was not tried yet"] : table([["attempt", "host", "started", "took", "ended", "why"], ...job.attempts.map(attemptRow)])
]

export const jobsShow = Command.make(
  "show",
  { job, ...whose, json },
  Effect.fn(function*({ job, json, ...given }) {
    const { desk } = yield* openDesk(given)
    const details = yield* desk.show({ job })
    if (json) return yield* Console.log(encode(details))
    for (const line of lines(details)) yield* Console.log(line)
  }, Effect.scoped)
).pipe(Command.withDescription("Show one job: its state and why, every attempt with its host and how it ended"))
