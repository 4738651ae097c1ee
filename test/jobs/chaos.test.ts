/**
 * Jobs over real processes that are killed and stopped, and over a real Postgres that is restarted: none is lost, and each is done once.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Redacted, Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { startPostgres } from "../../src/devnet/PostgresServer.ts"
import { type Job, type Jobs } from "../../src/jobs/Jobs.ts"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import { brisk, bytesOf, chain, openJobs } from "./conformance.ts"

interface HostProcess {
  readonly child: ChildProcess
  readonly lines: Array<string>
  /** Waits until it has said something so often. */
  readonly until: (word: string, times: number) => Effect.Effect<void>
}

/** Runs a host until the scope closes or somebody kills it. */
const runHost = Effect.fnUntraced(function*(...words: ReadonlyArray<string>): Effect.fn.Return<HostProcess, never, Scope.Scope> {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["--no-warnings", new URL("hostProcess.ts", import.meta.url).pathname, ...words], { stdio: ["ignore", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const lines: Array<string> = []
  const told = new Set<() => void>()
  createInterface(child.stdout).on("line", (line) => {
    lines.push(line)
    for (const each of told) each()
  })
  const until = (word: string, times: number) =>
    Effect.callback<void>((resume) => {
      const look = () => {
        if (lines.filter((line) => line.startsWith(word)).length < times) return
        told.delete(look)
        resume(Effect.void)
      }
      told.add(look)
      look()
    })
  return { child, lines, until }
})

const assertAllDone = (all: ReadonlyArray<Job>, count: number) => {
  assert.deepStrictEqual(new Set(all.map(({ id }) => id)).size, count)
  for (const { attempts, id, state } of all) {
    assert.strictEqual(state, "done", id)
    assert.isAtMost(attempts.filter(({ outcome }) => outcome === "done").length, 1, id)
    assert.deepStrictEqual(attempts.filter(({ outcome }) => !["done", "lost", "cancelled"].includes(outcome)), [])
  }
}

const outcomes = Effect.fnUntraced(function*(jobs: Jobs["Service"], count: number) {
  for (const { id } of chain(count)) assert.deepStrictEqual(yield* jobs.outcome(id), { _tag: "Done", output: bytesOf(`output of ${id}`) })
  return yield* jobs.list({ states: ["blocked", "ready", "running", "done", "cancelled", "quarantined"], most: 9_999 })
})

describe("kill -9", () => {
  it.live("ND-1: on SQLite, what a node has said is on record when it comes again", () =>
    Effect.gen(function*() {
      const file = join(yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped(), "node.db")
      const count = 60
      const said: Array<string> = []
      for (const lives of [15, 40]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const host = yield* runHost(file, "node", String(count))
          yield* host.until("", lives)
          host.child.kill("SIGKILL")
          said.push(...host.lines)
        }))
      }
      const last = yield* runHost(file, "node", String(count))
      // What an earlier life did, it may not have had the time to say.
      yield* last.until("ended", count)
      last.child.kill("SIGKILL")
      said.push(...last.lines)
      const jobs = yield* openJobs(SqliteDatabase.layer.pipe(Layer.provide(layerSqlite(file))))
      const all = yield* outcomes(jobs, count)
      assertAllDone(all, count)
      for (const line of said) {
        const [word, id, attempt] = line.split(" ")
        if (word === "done") assert.strictEqual(all.find((job) => job.id === id)!.attempts.find(({ number }) => number === Number(attempt))!.outcome, "done", line)
      }
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 120_000)

  it.live("ND-3: on Postgres, hosts die and freeze and the server is restarted, and every job is done, by one of them", () =>
    Effect.gen(function*() {
      const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
      chmodSync(folder, 0o755)
      const server = yield* startPostgres({ folder })
      const url = Redacted.value(server.url)
      const jobs = yield* openJobs(PostgresDatabase.layer(server.url), brisk)
      const count = 300
      yield* jobs.submit(chain(count))

      const [killed, frozen] = [yield* runHost(url, "killed"), yield* runHost(url, "frozen")]
      yield* killed.until("done", 20)
      yield* frozen.until("took", 20)
      killed.child.kill("SIGKILL")
      frozen.child.kill("SIGSTOP")
      const heir = yield* runHost(url, "heir")
      yield* heir.until("done", 20)
      frozen.child.kill("SIGCONT")
      yield* frozen.until("took", 30)
      yield* server.crash
      yield* Effect.sleep(1_000)
      yield* server.startAgain
      assertAllDone(yield* outcomes(jobs, count), count)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)), 240_000)
})
