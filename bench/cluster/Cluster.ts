/**
 * A cluster for benches: a Postgres of its own, host processes (`host.ts`), and this process, which submits jobs as a prover pool does.
 */
import { Context, Effect, FileSystem, Layer, Option, Redacted, Schema, Stream, SubscriptionRef } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as ClusterClient from "../../src/cluster/ClusterClient.ts"
import { startPostgres } from "../../src/devnet/PostgresServer.ts"
import { toAddress } from "../../src/domain/Hash.ts"
import { Jobs } from "../../src/jobs/Jobs.ts"
import { blockJob } from "../../src/jobs/ProofJobs.ts"
import { ProofSystem } from "../../src/proofs/ProofSystem.ts"
import { RoleLeases } from "../../src/store/RoleLeases.ts"
import * as ModelProofs from "../../src/simulation/ModelProofs.ts"
import { fullBlocks } from "../Blocks.ts"
import { HostOptions, HostSays } from "./HostProtocol.ts"

const program = fileURLToPath(new URL("host.ts", import.meta.url))

/** A host began a proof. */
export interface Beginning {
  readonly host: string
  /** In whose name: every job of a bench is for another prover. */
  readonly prover: string
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface BenchHost {
  readonly name: string
  /** Sends it a signal and waits for its end; answers when it was sent, and when the process was gone. */
  readonly end: (signal: NodeJS.Signals) => Effect.Effect<{ readonly sent: number; readonly gone: number }>
}

const now = () => performance.timeOrigin + performance.now()

const exited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

export interface ClusterOptions {
  readonly seed: string
  /** What a proof takes. */
  readonly milliseconds: number
  readonly drainMilliseconds: number
  /** Whether the hosts can have control roles. */
  readonly control: boolean
}

/** Starts a cluster without hosts; everything of it ends with the scope. */
export const startCluster = Effect.fnUntraced(function*(options: ClusterOptions) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "lignum-bench-" })
  // Postgres may run as nobody.
  yield* fs.chmod(folder, 0o711)
  const { url } = yield* startPostgres({ folder: join(folder, "postgres"), settings: { max_connections: "400" } })
  const secret = randomBytes(32)
  const begun = yield* SubscriptionRef.make<ReadonlyArray<Beginning>>([])
  const run = Effect.runSyncWith(yield* Effect.context())

  const clients = yield* Layer.build(Layer.merge(ClusterClient.layer(url, Redacted.make(secret)), ModelProofs.layer()))
  const system = Context.get(clients, ProofSystem)
  const witness = fullBlocks(`cluster/${options.seed}`, 1).blocks[0]!.witness
  let jobsMade = 0

  /** Starts a host, and waits until it runs. */
  const startBenchHost = Effect.fnUntraced(function*(name: string) {
    const told = Schema.encodeSync(HostOptions)({
      name,
      database: Redacted.value(url),
      secret: secret.toString("hex"),
      milliseconds: options.milliseconds,
      drainMilliseconds: options.drainMilliseconds,
      control: options.control
    })
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, ["--no-warnings", program, told], { stdio: ["pipe", "pipe", "inherit"] })),
      (child) => exited(child) ? Effect.void : Effect.promise(async () => {
        child.kill("SIGKILL")
        await once(child, "exit")
      })
    )
    yield* Effect.callback<void, Error>((resume) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const heard = Schema.decodeSync(HostSays)(line)
        if (heard.says === "runs") return resume(Effect.void)
        run(SubscriptionRef.update(begun, (all) => [...all.slice(-99), { host: name, prover: heard.prover, at: heard.at }]))
      })
      child.once("exit", (code, signal) => resume(Effect.fail(new Error(`the host ${name} ended with ${signal ?? code} before it ran`))))
    })
    return {
      name,
      end: (signal) =>
        Effect.promise(async () => {
          const sent = now()
          child.kill(signal)
          await once(child, "exit")
          return { sent, gone: now() }
        })
    } satisfies BenchHost
  })

  return {
    jobs: Context.get(clients, Jobs),
    leases: Context.get(clients, RoleLeases),
    startHost: startBenchHost,
    /** Another job. The blocks are all the same; the provers are not. */
    nextJob: Effect.suspend(() => {
      const prover = toAddress(`0x${(++jobsMade).toString(16).padStart(40, "0")}`)
      return Effect.map(blockJob(system, witness, prover), (spec) => ({ spec, prover }))
    }),
    /** Waits until a host other than those begins a job of a prover. */
    beginning: (prover: string, notBy: ReadonlyArray<string> = []) =>
      SubscriptionRef.changes(begun).pipe(
        Stream.map((all) => all.findLast((one) => one.prover === prover && !notBy.includes(one.host))),
        Stream.filter((found) => found !== undefined),
        Stream.runHead,
        Effect.map(Option.getOrThrow)
      )
  }
})

export type Cluster = Effect.Success<ReturnType<typeof startCluster>>
