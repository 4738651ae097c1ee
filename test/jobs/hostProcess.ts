/**
 * A host as a process of its own, to be killed, stopped and started by tests: it does whatever jobs it can, and says what it does.
 *
 * `node hostProcess.ts <postgres url or SQLite file> <name> [<jobs to submit>]`
 */
import { Effect, Layer, Redacted } from "effect"
import { writeSync } from "node:fs"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import { brisk, bytesOf, can, chain, openJobs } from "./conformance.ts"

const [place, name, submitted] = process.argv.slice(2) as [string, string, string | undefined]

const database = place.startsWith("postgres://")
  ? PostgresDatabase.layer(Redacted.make(place))
  : SqliteDatabase.layer.pipe(Layer.provide(layerSqlite(place)))

/** Before anything else can happen to this process. */
const say = (...words: ReadonlyArray<string>) => writeSync(1, `${words.join(" ")}\n`)

const program = Effect.gen(function*() {
  const jobs = yield* openJobs(database, brisk)
  const host = yield* jobs.host({ name, can })
  say("ready")
  if (submitted !== undefined) {
    yield* Effect.forkScoped(Effect.gen(function*() {
      for (const spec of chain(Number(submitted))) {
        yield* jobs.submit([spec])
        say("submitted", spec.id)
      }
      for (const { id } of chain(Number(submitted))) {
        yield* jobs.outcome(id)
        say("ended", id)
      }
    }))
  }
  const work = Effect.gen(function*() {
    for (const lease of yield* host.take(2)) {
      say("took", lease.job, String(lease.attempt))
      yield* Effect.sleep(10)
      if (yield* host.done(lease, bytesOf(`output of ${lease.job}`))) say("done", lease.job, String(lease.attempt))
    }
  })
  yield* Effect.all([Effect.forever(work), Effect.forever(work)], { concurrency: 2 })
})

process.once("SIGTERM", () => process.exit(0))
await Effect.runPromise(Effect.scoped(program).pipe(Effect.tapCause((cause) => Effect.logError(cause))))
