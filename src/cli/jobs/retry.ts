/**
 * `lignum jobs retry`: lets a job out of quarantine.
 */
import { Console, Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { JobId, JobState } from "../../jobs/Jobs.ts"
import { job, json, openDesk, whose } from "./desk.ts"

/** The job does not wait for the operator: there is nothing to do about it. */
export class NothingToRetry extends Schema.TaggedError<NothingToRetry>()("NothingToRetry", { job: JobId, state: JobState }) {
  override get message() {
    return `${this.job} is ${this.state}: only what is quarantined or cancelled can be tried again`
  }
}

export const jobsRetry = Command.make(
  "retry",
  { job, ...whose, json },
  Effect.fn(function*({ job, json, ...given }) {
    const { desk } = yield* openDesk(given)
    const { job: { state, subject } } = yield* desk.show({ job })
    if (state !== "quarantined" && state !== "cancelled") return yield* new NothingToRetry({ job, state })
    yield* desk.retry({ job })
    yield* Console.log(json ? JSON.stringify({ job, was: state }) : `${subject} was ${state}, and waits for a host again; its attempts are forgiven`)
  }, Effect.scoped)
).pipe(Command.withDescription("Let a job out of quarantine, or take it back from being cancelled, with its attempts forgiven"))
