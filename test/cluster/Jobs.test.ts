/** Commands on jobs, placed among real hosts on a real Postgres; proofs are models that take time. */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option } from "effect"
import type { Job, JobSpec, Jobs } from "../../src/jobs/Jobs.ts"
import { Database } from "../../src/store/Database.ts"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { freshDatabase, Postgres } from "../postgres.ts"
import { connectJobs, jobSpecs, proverHost, quietly } from "./hosts.ts"

const allDone = Effect.fnUntraced(function*(jobs: Jobs["Service"], specs: ReadonlyArray<JobSpec>) {
  const outcomes = yield* Effect.forEach(specs, ({ id }) => jobs.outcome(id), { concurrency: "unbounded" })
  assert.deepStrictEqual(new Set(outcomes.map(({ _tag }) => _tag)), new Set(["Done"]))
  return yield* Effect.forEach(specs, ({ id }) => Effect.map(jobs.get(id), Option.getOrThrow))
})

const outcomesOf = ({ attempts }: Job) => attempts.map(({ host, outcome }) => `${host} ${outcome}`)

const running = (jobs: Jobs["Service"], { id }: JobSpec) =>
  jobs.get(id).pipe(Effect.delay("20 millis"), Effect.repeat({ until: Option.exists(({ state }) => state === "running") }))

layer(Layer.merge(Postgres.layer, quietly), { excludeTestServices: true })("commands on jobs", (it) => {
  it.effect("wait in the database for a host; every job is done once, and nothing of them is left when they are forgotten", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      const jobs = yield* connectJobs(url)
      const specs = yield* jobSpecs(12)
      const early = yield* Effect.forkChild(jobs.submit(specs), { startImmediately: true })
      yield* Effect.sleep("500 millis")
      assert.isUndefined(early.pollUnsafe(), "nobody is there to do it")
      yield* proverHost(url, "a", { milliseconds: 30 })
      yield* proverHost(url, "b", { milliseconds: 30 })
      yield* Fiber.join(early)
      for (const job of yield* allDone(jobs, specs)) assert.strictEqual(job.attempts.length, 1)

      const { sql } = Context.get(yield* Layer.build(PostgresDatabase.layer(url)), Database)
      const left = Effect.map(
        sql<{ messages: bigint; blobs: bigint }>`SELECT (SELECT count(*) FROM cluster_messages) AS messages, (SELECT count(*) FROM blobs) AS blobs`,
        ([row]) => [Number(row!.messages), Number(row!.blobs)]
      )
      assert.isTrue((yield* left).every((count) => count >= 12))
      yield* jobs.forget(specs.map(({ id }) => id))
      assert.deepStrictEqual(yield* left, [0, 0])
    }))

  it.effect("go to hosts that take jobs of that size", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      const jobs = yield* connectJobs(url)
      yield* proverHost(url, "little", { milliseconds: 10, sizes: ["small"] })
      const [small, big] = [yield* jobSpecs(3), yield* jobSpecs(3, "big")]
      const late = yield* Effect.forkChild(jobs.submit(big), { startImmediately: true })
      yield* jobs.submit(small)
      yield* allDone(jobs, small)
      assert.isUndefined(late.pollUnsafe())
      yield* proverHost(url, "large", { milliseconds: 10, sizes: ["small", "big"] })
      yield* Fiber.join(late)
      for (const job of yield* allDone(jobs, big)) assert.deepStrictEqual(outcomesOf(job), ["large done"])
    }))

  it.effect("cancel, and take back from being cancelled", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      const jobs = yield* connectJobs(url)
      yield* proverHost(url, "a", { milliseconds: 4_000 })
      const [one] = yield* jobSpecs(1)
      yield* jobs.submit([one!])
      yield* jobs.cancel([one!.id], "nobody needs it")
      assert.deepStrictEqual(yield* jobs.outcome(one!.id), { _tag: "Cancelled", reason: "nobody needs it" })
      yield* jobs.retry(one!.id)
      yield* allDone(jobs, [one!])
    }))

  it.effect("a host that stops finishes what it proves, or gives it back", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      const jobs = yield* connectJobs(url)
      const specs = yield* jobSpecs(2)
      const patient = yield* proverHost(url, "patient", { milliseconds: 800 })
      yield* jobs.submit([specs[0]!])
      yield* running(jobs, specs[0]!)
      yield* patient.stop
      assert.deepStrictEqual((yield* allDone(jobs, [specs[0]!])).map(outcomesOf), [["patient done"]])

      const hasty = yield* proverHost(url, "hasty", { milliseconds: 60_000, drainWithin: "100 millis" })
      yield* jobs.submit([specs[1]!])
      yield* running(jobs, specs[1]!)
      yield* proverHost(url, "next", { milliseconds: 10 })
      yield* hasty.stop
      assert.deepStrictEqual((yield* allDone(jobs, [specs[1]!])).map(outcomesOf), [["hasty returned", "next done"]])
    }))
})
