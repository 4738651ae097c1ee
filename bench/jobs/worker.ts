/**
 * The other process of the benches of jobs: a host that does whatever comes, at once. It ends with its standard input.
 */
import { Effect, Redacted } from "effect"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { doAtOnce, openJobs } from "./setting.ts"

process.stdin.resume().once("close", () => process.exit(0))

const [url] = process.argv.slice(2) as [string]
await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  const jobs = yield* openJobs(PostgresDatabase.layer(Redacted.make(url)))
  yield* doAtOnce(jobs, "there", () => process.stdout.write("ready\n"))
})))
