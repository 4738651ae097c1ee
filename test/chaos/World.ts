/**
 * What chaos is let loose on: a real Postgres, and hosts that are processes, each with its own way to it and its own disk.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Duration, Effect, FileSystem, Layer, Redacted, Stream } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { appendFileSync, chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { type PostgresServer, startPostgres } from "../../src/devnet/PostgresServer.ts"
import { JobId, Jobs } from "../../src/jobs/Jobs.ts"
import { proofCheck } from "../../src/jobs/ProofJobs.ts"
import * as SqlJobs from "../../src/jobs/SqlJobs.ts"
import { ProofSystem } from "../../src/proofs/ProofSystem.ts"
import * as ModelProofs from "../../src/simulation/ModelProofs.ts"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import type { HostOptions } from "./host.ts"
import { type Line, openNetwork } from "./Network.ts"

/** A small disk of its own, where this process may mount one; otherwise a folder, whose only file cannot be written while it is "full". */
const openDisk = Effect.fnUntraced(function*(folder: string) {
  mkdirSync(folder, { recursive: true })
  const mounted = yield* Effect.acquireRelease(
    Effect.sync(() => {
      try {
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "lignum-chaos", folder], { stdio: "pipe" })
        return true
      } catch {
        return false
      }
    }),
    (mounted) => Effect.sync(() => mounted && execFileSync("umount", [folder], { stdio: "pipe" }))
  )
  const ballast = join(folder, mounted ? "ballast" : "proofs")
  return {
    folder,
    fill: Effect.sync(() => {
      // A directory in the file's place cannot be written, whoever tries.
      if (!mounted) {
        rmSync(ballast, { force: true })
        return void mkdirSync(ballast)
      }
      try {
        for (;;) appendFileSync(ballast, Buffer.alloc(1_024))
      } catch {
        return
      }
    }),
    empty: Effect.sync(() => {
      rmSync(ballast, { recursive: true, force: true })
      rmSync(join(folder, "proofs"), { recursive: true, force: true })
    })
  }
})

/** What hosts have said: proofs begun and finished, by job; and those that had no time to be heard from, though nobody stopped them. */
export interface Said {
  readonly begun: Map<string, number>
  readonly finished: Map<string, number>
  readonly stoodStill: Set<string>
  /** Whether the database took longer to answer than a host may be silent. */
  databaseSlow: boolean
}

const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1)

export interface ChaosHost {
  readonly name: string
  readonly line: Line
  readonly disk: Effect.Success<ReturnType<typeof openDisk>>
  /** Where its process ends, it is started again. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Milliseconds after which a process that ended is started again, as an operator's init system does. */
const restartPause = 300

const openHost = Effect.fnUntraced(function*(options: HostOptions, line: Line, said: Said, log: string) {
  const command = [...line.prefix, process.execPath, "--no-warnings", new URL("host.ts", import.meta.url).pathname, JSON.stringify(options)]
  let child: ChildProcess
  let over = false
  const start = () => {
    if (over) return
    child = spawn(command[0]!, command.slice(1), { stdio: ["pipe", "pipe", "pipe"] })
    child.stderr!.on("data", (chunk: Buffer) => appendFileSync(log, chunk))
    createInterface(child.stdout!).on("line", (text) => {
      const [word, what] = text.split(" ")
      if (word === "stood-still") said.stoodStill.add(options.name)
      else count(word === "begins" ? said.begun : said.finished, what!)
    })
    child.once("exit", () => void setTimeout(start, restartPause).unref())
  }
  yield* Effect.acquireRelease(Effect.sync(start), () =>
    Effect.callback<void>((resume) => {
      over = true
      if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
      child.once("exit", () => resume(Effect.void)).kill("SIGKILL")
    }))
  return { name: options.name, signal: (signal: NodeJS.Signals) => Effect.sync(() => void child.kill(signal)) }
})

export interface World {
  readonly network: string
  readonly postgres: PostgresServer
  readonly hosts: ReadonlyArray<ChaosHost>
  readonly said: Said
  readonly jobs: Jobs["Service"]
  readonly system: ProofSystem["Service"]
  /** Waits until all hosts are there, and forgets which of them stood still before. */
  readonly allThere: Effect.Effect<void>
  /** What the hosts logged. */
  readonly log: string
}

/**
 * Starts everything; all of it ends with the scope.
 *
 * @param clockOffsets one for each host, in milliseconds
 */
export const openWorld = Effect.fnUntraced(function*(options: { readonly clockOffsets: ReadonlyArray<number>; readonly proofTime: number; readonly slots: number }) {
  const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "lignum-chaos-" })
  chmodSync(folder, 0o755)
  const postgres = yield* startPostgres({ folder: join(folder, "postgres") })
  const network = yield* openNetwork(postgres.port)
  const system = Context.get(yield* Layer.build(ModelProofs.layer()), ProofSystem)
  const ports = PostgresDatabase.layer(postgres.url).pipe(Layer.merge(proofCheck), Layer.provideMerge(Layer.succeed(ProofSystem, system)))
  const jobs = Context.get(yield* Layer.build(SqlJobs.layer.pipe(Layer.provide(ports))), Jobs)
  const said: Said = { begun: new Map(), finished: new Map(), stoodStill: new Set(), databaseSlow: false }
  const log = join(folder, "hosts.log")
  writeFileSync(log, "")
  const hosts = yield* Effect.forEach(options.clockOffsets, Effect.fnUntraced(function*(clockOffset, index) {
    const line = yield* network.line(index)
    const disk = yield* openDisk(join(folder, `disk-${index}`))
    const url = new URL(Redacted.value(postgres.url))
    url.hostname = line.host
    url.port = String(line.port)
    const host = yield* openHost({
      name: `host-${index + 1}`,
      database: url.href,
      secret: "07".repeat(32),
      at: line.at,
      clockOffset,
      disk: disk.folder,
      proofTime: options.proofTime,
      slots: options.slots
    }, line, said, log)
    return { ...host, line, disk }
  }))
  const allThere = jobs.changes.pipe(
    Stream.filter((view) => view.hosts.filter(({ draining }) => !draining).length === hosts.length),
    Stream.runHead,
    Effect.andThen(Effect.sync(() => {
      said.stoodStill.clear()
      said.databaseSlow = false
    }))
  )
  yield* Effect.timed(jobs.output(JobId.make("none"))).pipe(
    Effect.tap(([took]) => Effect.sync(() => (said.databaseSlow ||= Duration.toMillis(took) > 1_500))),
    Effect.andThen(Effect.sleep("250 millis")),
    Effect.forever,
    Effect.forkScoped
  )
  return { network: network.kind, postgres, hosts, said, jobs, system, log, allThere } satisfies World
}, Effect.provide(NodeServices.layer))
