/**
 * What durable jobs promise, on whichever database: F1 to F10 are the faults that others' job brokers were found to have.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option, type Scope } from "effect"
import { type Capabilities, JobId, Jobs, JobSpec, LeaseTerms, OutputCheck, OutputInvalid, type Terms } from "../../src/jobs/Jobs.ts"
import * as SqlJobs from "../../src/jobs/SqlJobs.ts"
import type { Database } from "../../src/store/Database.ts"

export const bytesOf = (text: string) => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

export const can: Capabilities = { proofSystems: ["model"], sizes: ["small", "big"], slots: 64, cores: 4, memory: 4_096 }

export const spec = (id: string, more: Partial<ConstructorParameters<typeof JobSpec>[0]> = {}) =>
  new JobSpec({
    id: JobId.make(id),
    kind: "test",
    subject: `the job ${id}`,
    size: "small",
    requires: { proofSystem: "model", cores: 1, memory: 16 },
    priority: 0,
    needs: [],
    input: bytesOf(`input of ${id}`),
    ...more
  })

export const ids = (...names: ReadonlyArray<string>) => names.map((name) => JobId.make(name))

/** Whatever begins with "output" is valid. */
export const outputCheck = Layer.succeed(
  OutputCheck,
  OutputCheck.of((job, output) => textOf(output).startsWith("output") ? Effect.void : Effect.fail(new OutputInvalid({ job: job.id, reason: "it is no output" })))
)

/** Jobs of a process of their own on a database. */
export const openJobs = (database: Layer.Layer<Database, unknown>, terms?: Terms): Effect.Effect<Jobs["Service"], never, Scope.Scope> =>
  Layer.build(SqlJobs.layer.pipe(Layer.provide(outputCheck), Layer.provide(database), Layer.orDie)).pipe(
    Effect.map((built) => Context.get(built, Jobs)),
    terms === undefined ? (open) => open : Effect.provideService(LeaseTerms, { sqlite: terms, postgres: terms })
  )

/** A database that outlives those who use it: every layer is another process's way to it. */
export type Place = Effect.Effect<{ readonly open: () => Layer.Layer<Database, unknown> }, never, Scope.Scope>

export const conformance = (name: string, place: Place) => {
  const test = (title: string, body: (world: { readonly process: (terms?: Terms) => Effect.Effect<Jobs["Service"], never, Scope.Scope> }) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(title, () => Effect.flatMap(place, ({ open }) => body({ process: (terms) => openJobs(open(), terms) })).pipe(Effect.scoped))

  describe(name, () => {
    test("a job goes from its submission to its outcome", ({ process }) =>
      Effect.gen(function*() {
        const jobs = yield* process()
        const host = yield* jobs.host({ name: "a", can })
        const waiting = yield* Effect.forkChild(host.take(5), { startImmediately: true })
        yield* jobs.submit([spec("one")])
        const [lease] = yield* Fiber.join(waiting)
        assert.strictEqual(textOf(lease!.spec.input), "input of one")
        assert.isTrue(yield* host.done(lease!, bytesOf("output of one")))
        assert.deepStrictEqual(yield* jobs.outcome(JobId.make("one")), { _tag: "Done", output: bytesOf("output of one") })
        const job = Option.getOrThrow(yield* jobs.get(JobId.make("one")))
        assert.deepStrictEqual([job.state, job.attempts.length, job.attempts[0]!.outcome], ["done", 1, "done"])
      }))
  })
}
