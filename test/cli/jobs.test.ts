/** `lignum jobs` as a person uses it: on a node's database, on a node that runs, on the database that hosts share, and wrongly. */
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { BlockWitness } from "../../src/domain/BlockWitness.ts"
import { Jobs, OutputCheck, OutputInvalid } from "../../src/jobs/Jobs.ts"
import { blockJob } from "../../src/jobs/ProofJobs.ts"
import * as SqlJobs from "../../src/jobs/SqlJobs.ts"
import { loadVerifyingKeys } from "../../src/proofs/CircuitKeys.ts"
import type { ProofSystem } from "../../src/proofs/ProofSystem.ts"
import { verifyingKeysHash } from "../../src/proofs/VerifierKeys.ts"
import type { Database } from "../../src/store/Database.ts"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import { freshDatabase, Postgres } from "../postgres.ts"
import { alice, headers, witnesses } from "../proofs/fixture.ts"
import { lastLine, lignum } from "./lignum.ts"
import { inFolder, running } from "./nodeProcess.ts"

// Real proofs, by several processes one after the other.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 })

/** The job of block 1, which can be done, and that of block 2 with another's parent, which is in quarantine. */
const fill = Effect.gen(function*() {
  const keys = yield* loadVerifyingKeys()
  const system = { id: "groth16", verifyingKeys: verifyingKeysHash(keys) } as ProofSystem["Service"]
  const good = yield* blockJob(system, witnesses[0]!, alice)
  const bad = yield* blockJob(system, new BlockWitness({ ...witnesses[1]!, parent: headers[5]! }), alice)
  const jobs = yield* Jobs
  yield* jobs.submit([bad])
  const host = yield* jobs.host({ name: "tester", can: { proofSystems: [bad.requires.proofSystem], sizes: ["small"], slots: 1, cores: 8, memory: 65_536 } })
  const [lease] = yield* host.take(1)
  yield* host.failed(lease!, "the witness does not satisfy the circuit", false)
  yield* jobs.submit([good])
  return { good: good.id, bad: bad.id }
})

const noOutput = Layer.succeed(OutputCheck, ({ id }) => Effect.fail(new OutputInvalid({ job: id, reason: "nobody proves here" })))

const filledAt = <E, R>(database: Layer.Layer<Database, E, R>) =>
  Effect.provide(Effect.scoped(fill), SqlJobs.layer.pipe(Layer.provide([noOutput, database])))

const filledNode = (folder: string) => {
  mkdirSync(join(folder, "data"))
  return Effect.runPromise(filledAt(Layer.provide(SqliteDatabase.layer, layerSqlite(join(folder, "data", "node.db")))))
}

const run = (...args: ReadonlyArray<string>) => lignum(["jobs", ...args]).ended

/** Fails with one sentence that says so, and changes nothing. */
const refused = async (args: ReadonlyArray<string>, code: number, ...words: ReadonlyArray<RegExp>) => {
  const ended = await run(...args)
  assert.strictEqual(ended.code, code, ended.stderr)
  for (const word of words) assert.match(ended.stderr, word)
  assert.notMatch(ended.stderr, /\n\s+at /, "no stack")
}

describe("lignum jobs", () => {
  it("ND-4: lists, shows, replays and retries the jobs of a node that does not run", () =>
    inFolder(async (folder, config) => {
      const { bad, good } = await filledNode(folder)
      const list = await run("list", "--config", config)
      assert.strictEqual(list.code, 0, list.stderr)
      for (const word of [/^state +size/, /ready .*the proof of block 1/, /quarantined .*tester .*the proof of block 2/, /does not satisfy/]) assert.match(list.stdout, word)
      const { jobs } = lastLine(await run("list", "--config", config, "--state", "quarantined", "--json")) as { jobs: ReadonlyArray<{ id: string }> }
      assert.deepStrictEqual(jobs.map(({ id }) => id), [bad])

      const show = await run("show", bad, "--config", config)
      for (const word of [/groth16:0x/, /attempt +host/, /1 +tester .*failed +the witness does not satisfy/, /MiB/]) assert.match(show.stdout, word)

      await refused(["replay", bad, "--config", config], 1, /block 2 fails here, too/)
      const replayed = await run("replay", good, "--config", config, "--json")
      assert.strictEqual(replayed.code, 0, replayed.stderr)
      assert.deepInclude(lastLine(replayed) as object, { job: good, succeeds: true })
      const details = lastLine(await run("show", good, "--config", config, "--json")) as { job: { state: string; attempts: ReadonlyArray<unknown> }; outputBytes: unknown }
      assert.deepInclude(details, { outputBytes: null }, "a replay changes nothing")
      assert.deepInclude(details.job, { state: "ready", attempts: [] })

      assert.strictEqual((await run("retry", bad, "--config", config)).code, 0)
      await refused(["retry", bad, "--config", config], 2, /is ready: only what is quarantined or cancelled/)
    }))

  it("asks the node while it runs", () =>
    inFolder(async (folder, config) => {
      const { bad } = await filledNode(folder)
      const { child, ended } = await running(config)
      try {
        const show = await run("show", bad, "--config", config, "--json")
        assert.strictEqual((lastLine(show) as { job: { id: string } }).job.id, bad, show.stderr)
        await refused(["show", "block:none", "--config", config], 2, /no job block:none/, /jobs list/)
        const closed = join(folder, "closed.json")
        const { rpc: _, ...rest } = JSON.parse(readFileSync(config, "utf8")) as { readonly rpc: unknown }
        writeFileSync(closed, JSON.stringify(rest))
        await refused(["list", "--config", closed], 2, /the node runs/, /"rpc" section/)
      } finally {
        child.kill("SIGTERM")
        await ended
      }
    }))

  it("reads the database that an operator's hosts share", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        const url = yield* freshDatabase
        const { bad } = yield* filledAt(PostgresDatabase.layer(url))
        const listed = yield* Effect.promise(() => run("list", "--join", Redacted.value(url), "--state", "quarantined", "--json"))
        assert.deepStrictEqual((lastLine(listed) as { jobs: ReadonlyArray<{ id: string }> }).jobs.map(({ id }) => id), [bad])
        const file = join(folder, "database.url")
        writeFileSync(file, Redacted.value(url), { mode: 0o600 })
        const replay = yield* Effect.promise(() => run("replay", bad, "--join-file", file))
        assert.strictEqual(replay.code, 2)
        assert.match(replay.stderr, /--keys DIR/)
      }).pipe(Effect.scoped, Effect.provide(Postgres.layer), Effect.runPromise)))

  it("wrong use ends with exit code 2 and a sentence with the way out", () =>
    inFolder(async (folder, config) => {
      await refused(["list"], 2, /--config FILE/, /--join URL/)
      await refused(["list", "--config", config, "--join", "postgres://nowhere"], 2, /say whose jobs/)
      await refused(["list", "--config", config], 2, /node\.db/, /never ran/)
      await filledNode(folder)
      await refused(["show", "block:7", "--config", config], 2, /no job block:7/, /jobs list/)
      await refused(["replay", "block:7", "--config", config], 2, /no job block:7/)
      await refused(["retry", "block:7", "--config", config], 2, /no job block:7/)
      await refused(["list", "--config", config, "--state", "asleep"], 2, /state/)
      await refused(["list", "--config", config, "--most", "0"], 2, /most/)
      await refused(["show", "--config", config], 2, /job/)
      await refused(["list", "--join", "postgres://127.0.0.1:9/none"], 2, /127\.0\.0\.1|refused|database/)
      const file = join(folder, "url")
      writeFileSync(file, "postgres://127.0.0.1:9/none", { mode: 0o644 })
      await refused(["list", "--join-file", file], 2, /others may read/, /chmod 600/)
    }))
})
