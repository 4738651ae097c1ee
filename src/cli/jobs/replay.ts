/**
 * `lignum jobs replay`: does a job again, here, and says what happens. It changes nothing.
 */
import { Clock, Console, Effect, Layer, Option, Runtime, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { JobId, OutputCheck } from "../../jobs/Jobs.ts"
import { perform, proofCheck, proofSystemOf } from "../../jobs/ProofJobs.ts"
import { loadKeys } from "../../proofs/CircuitKeys.ts"
import * as Groth16 from "../../proofs/Groth16.ts"
import { ProofSystem } from "../../proofs/ProofSystem.ts"
import { job, json, openDesk, whose } from "./desk.ts"
import { seconds } from "./lines.ts"

/** With other keys than the job is for, a replay says nothing about it. */
export class ReplayImpossible extends Schema.TaggedError<ReplayImpossible>()("ReplayImpossible", { job: JobId, reason: Schema.String }) {
  override get message() {
    return `${this.job} cannot be replayed: ${this.reason}`
  }
}

/** The job fails here, too. */
export class ReplayFailed extends Schema.TaggedError<ReplayFailed>()("ReplayFailed", { subject: Schema.String, reason: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 1

  override get message() {
    return `${this.subject} fails here, too: ${this.reason}`
  }
}

export const jobsReplay = Command.make(
  "replay",
  {
    job,
    ...whose,
    keys: Flag.String("keys").pipe(Flag.withDescription("Folder of the proving keys; the node's own if not given, with --config"), Flag.optional),
    json
  },
  Effect.fn(function*({ job, json, keys, ...given }) {
    const { desk, node } = yield* openDesk(given)
    const { needed, spec } = yield* desk.material({ job })
    const impossible = (reason: string) => new ReplayImpossible({ job, reason })
    if (needed.length < spec.needs.length) return yield* impossible(`it needs ${spec.needs.length} other jobs, of which ${needed.length} are done`)
    const folder = Option.getOrElse(keys, () => node?.proving.keys)
    if (folder === undefined) return yield* impossible("say with --keys DIR where the proving keys are")
    const proofs = Layer.unwrap(Effect.map(loadKeys(folder), (keys) => Groth16.layer({ keys, workers: 1 })))
    const failure = yield* Effect.gen(function*() {
      const system = yield* ProofSystem
      if (proofSystemOf(system) !== spec.requires.proofSystem) {
        return yield* impossible(`it is for ${spec.requires.proofSystem}, and the keys in ${folder} are ${proofSystemOf(system)}`)
      }
      const check = yield* OutputCheck
      const begun = yield* Clock.currentTimeMillis
      const result = yield* Effect.result(Effect.flatMap(perform(system, spec, needed, () => Effect.void), (output) => Effect.as(check(spec, output), output)))
      const milliseconds = (yield* Clock.currentTimeMillis) - begun
      const { succeeds, ...facts } = result._tag === "Success"
        ? { succeeds: true, outputBytes: result.success.length }
        : { succeeds: false, reason: result.failure.reason }
      if (json) yield* Console.log(JSON.stringify({ job, succeeds, milliseconds, ...facts }))
      else if (succeeds) yield* Console.log(`${spec.subject} was made here in ${seconds(milliseconds)}, and is valid; nothing was changed`)
      return result._tag === "Failure" ? new ReplayFailed({ subject: spec.subject, reason: result.failure.reason }) : undefined
    }).pipe(Effect.provide(Layer.provideMerge(proofCheck, proofs)))
    if (failure !== undefined) return yield* failure
  }, Effect.scoped)
).pipe(
  Command.withDescription("Do a job again on this machine, from its kept input, and say what happens; nothing is changed"),
  Command.withExamples([
    { command: "lignum jobs replay block:6:0x…:0x… --config prover.json", description: "Why does this block fail?" }
  ])
)
