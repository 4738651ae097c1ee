/**
 * Durable jobs: how long it takes from a job that is done to one that needed it and runs, and how many jobs a second go from their
 * submission to their output in the submitter's hands. On SQLite in one process; on Postgres with the worker in a second process.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Deferred, Effect, FileSystem, Layer, Redacted } from "effect"
import { once } from "node:events"
import { chmodSync } from "node:fs"
import { join } from "node:path"
import { startPostgres } from "../src/devnet/PostgresServer.ts"
import { JobId, type Jobs } from "../src/jobs/Jobs.ts"
import { runWatched } from "../src/process/Watched.ts"
import type { Database } from "../src/store/Database.ts"
import * as PostgresDatabase from "../src/store/PostgresDatabase.ts"
import { layerSqlite } from "../src/store/Sqlite.ts"
import * as SqliteDatabase from "../src/store/SqliteDatabase.ts"
import { doAtOnce, job, jobBytes, openJobs, type Place } from "./jobs/setting.ts"
import { type Bench, type BenchOptions, type Measurements, median } from "./Report.ts"

const inFlight = [1, 64, 512] as const
type InFlight = (typeof inFlight)[number]

/** Jobs that are measured at each depth, after a warm-up of as many. */
const counts: Readonly<Record<InFlight, number>> = { 1: 300, 64: 6_000, 512: 12_000 }
/** Jobs of the chain whose hops are measured. */
const chainLength = 300

const rounded = (value: number) => Number(value.toPrecision(4))

const spread = (times: ReadonlyArray<number>) => {
  const sorted = [...times].sort((left, right) => left - right)
  const at = (part: number) => rounded(sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)]!)
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

interface World {
  readonly jobs: Jobs["Service"]
  /** Where the host is that does what this process submits. */
  readonly place: Place
  /** Whom the host in this process tells whenever it takes a job. */
  readonly takes: { listener: () => void }
}

/** Jobs a second, with so many under way at every moment. */
const throughput = Effect.fnUntraced(function*({ jobs, place }: World, label: string, depth: InFlight) {
  const run = Effect.fnUntraced(function*(name: string, count: number) {
    let next = 0
    const one = Effect.gen(function*() {
      while (next < count) {
        const spec = job(`${label}/${name}/${next++}`, place)
        yield* jobs.submit([spec])
        yield* jobs.outcome(spec.id)
      }
    })
    const start = performance.now()
    yield* Effect.all(Array.from({ length: depth }, () => one), { concurrency: "unbounded", discard: true })
    return count / (performance.now() - start) * 1_000
  })
  yield* run("warm", Math.ceil(counts[depth] / 3))
  return rounded(yield* run("measured", counts[depth]))
})

/**
 * Milliseconds of a hop, by a chain in which every job needs the one before and costs nothing to do: from one start in this process
 * to the next one in it there lies one hop, or two where every other job is done in the other process.
 */
const hops = Effect.fnUntraced(function*({ jobs, place, takes }: World, label: string) {
  const between = place === "here" ? 1 : 2
  const times: Array<number> = []
  const ended = yield* Deferred.make<void>()
  let before: number | undefined
  takes.listener = () => {
    const now = performance.now()
    if (before !== undefined) times.push((now - before) / between)
    before = now
    if (times.length === chainLength) Deferred.doneUnsafe(ended, Effect.void)
  }
  const ids = Array.from({ length: chainLength * between + 1 }, (_, at) => `${label}/hop/${at}`)
  const chain = ids.map((id, at) => job(id, at % between === 0 ? "here" : "there", at === 0 ? [] : [JobId.make(ids[at - 1]!)]))
  // The first one last: the chain is on record before it begins to move.
  yield* jobs.submit(chain.slice(1))
  yield* jobs.submit(chain.slice(0, 1))
  yield* Deferred.await(ended)
  takes.listener = () => {}
  return spread(times)
})

const measureWorld = Effect.fnUntraced(function*(world: World, label: string, progress: BenchOptions["progress"]) {
  const hop = yield* hops(world, label)
  const perSecond: Record<number, number> = {}
  for (const depth of inFlight) perSecond[depth] = yield* throughput(world, `${label}/${depth}`, depth)
  const found = { hop, perSecond }
  progress(`${label}: ${JSON.stringify(found)}`)
  return found
})

/** A world whose own host runs in this process. */
const openWorld = Effect.fnUntraced(function*(database: Layer.Layer<Database, unknown>, place: Place) {
  const jobs = yield* openJobs(database)
  const takes = { listener: () => {} }
  const ready = yield* Deferred.make<void>()
  yield* Effect.forkScoped(doAtOnce(jobs, "here", () => Deferred.doneUnsafe(ready, Effect.void), () => takes.listener()))
  yield* Deferred.await(ready)
  return { jobs, place, takes }
})

const temporaryFolder = Effect.gen(function*() {
  const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "lignum-bench-" })
  // Postgres runs as another user than root.
  chmodSync(folder, 0o755)
  return folder
})

const onSqlite = Effect.fnUntraced(function*(synchronous: "NORMAL" | "FULL", progress: BenchOptions["progress"]) {
  const file = layerSqlite(join(yield* temporaryFolder, "node.db"), { synchronous })
  return yield* measureWorld(yield* openWorld(SqliteDatabase.layer.pipe(Layer.provide(file)), "here"), `SQLite, synchronous = ${synchronous}`, progress)
}, Effect.scoped)

const onPostgres = Effect.fnUntraced(function*(progress: BenchOptions["progress"]) {
  const { url } = yield* startPostgres({ folder: yield* temporaryFolder, settings: { synchronous_commit: "on", fsync: "on" } })
  const world = yield* openWorld(PostgresDatabase.layer(url), "there")
  const worker = yield* runWatched([process.execPath, "--no-warnings", new URL("jobs/worker.ts", import.meta.url).pathname, Redacted.value(url)])
  worker.stderr.pipe(process.stderr)
  yield* Effect.promise(() => once(worker.stdout, "data"))
  return yield* measureWorld(world, "Postgres, worker in another process", progress)
}, Effect.scoped)

const measureJobs = async ({ progress, runs }: BenchOptions): Promise<Measurements> => {
  const measured: Array<Readonly<Record<"sqlite" | "sqliteFull" | "postgres", Effect.Success<ReturnType<typeof measureWorld>>>>> = []
  for (let run = 0; run < runs; run++) {
    measured.push(await Effect.runPromise(Effect.gen(function*() {
      return {
        sqlite: yield* onSqlite("NORMAL", progress),
        sqliteFull: yield* onSqlite("FULL", progress),
        postgres: yield* onPostgres(progress)
      }
    }).pipe(Effect.provide(NodeServices.layer))))
  }
  const of = (value: (one: (typeof measured)[number]) => number) => median(measured.map(value))
  return {
    bars: [
      { id: "hop-sqlite-p50", value: of(({ sqlite }) => sqlite.hop.p50), unit: "ms", atMost: 10 },
      { id: "hop-postgres-p50", value: of(({ postgres }) => postgres.hop.p50), unit: "ms", atMost: 30 },
      { id: "jobs-sqlite-64", value: of(({ sqlite }) => sqlite.perSecond[64]!), unit: "jobs/s", atLeast: 3_200 },
      { id: "jobs-postgres-64", value: of(({ postgres }) => postgres.perSecond[64]!), unit: "jobs/s", atLeast: 1_500 }
    ],
    details: { inputBytes: jobBytes, chainLength, counts, measured }
  }
}

export const bench: Bench = {
  runs: 3,
  measure: measureJobs
}
