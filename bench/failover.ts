/**
 * What a host's end costs: three hosts of one operator, each a process, over a real Postgres. The one that runs a job is killed, or told
 * to stop, and the time until the same job runs elsewhere is taken; and until another has the settler, where it had that.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Option, Schedule } from "effect"
import { seededRandom } from "../src/ledger/SeededRandom.ts"
import type { RoleLeases } from "../src/store/RoleLeases.ts"
import { type BenchHost, type Cluster, startCluster } from "./cluster/Cluster.ts"
import { type Bench, type BenchOptions, type Measurements, median } from "./Report.ts"

const hostCount = 3
/** Ends of either kind in a run. */
const ends = 10
/** Longer than any of it takes. */
const proofTime = 600_000
const drainBound = 1_000
const role = "settler"

const spread = (values: ReadonlyArray<number>) => ({
  p50: Math.round(median(values)),
  max: Math.round(Math.max(...values)),
  all: values.map(Math.round)
})

/** Who has the role, as soon as somebody has it. */
const holderOf = (leases: RoleLeases["Service"]) =>
  leases.holder(role).pipe(
    Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: Option.isSome }),
    Effect.map(Option.getOrThrow)
  )

/** Three hosts; one that ended is started again. */
const keepHosts = Effect.fnUntraced(function*({ startHost }: Cluster) {
  const hosts = new Map<string, BenchHost>()
  const start = Effect.fnUntraced(function*(name: string) {
    hosts.set(name, yield* startHost(name))
  })
  yield* Effect.forEach(Array.from({ length: hostCount }, (_, i) => `host-${i + 1}`), start, { discard: true })
  return { start, end: (name: string, signal: NodeJS.Signals) => hosts.get(name)!.end(signal) }
})

/** One end of the host that runs a job; times are in milliseconds from the signal on. */
interface End {
  /** Until the same job ran elsewhere. */
  readonly job: number
  /** Until another host had the settler; not if this one did not have it. */
  readonly role: number | undefined
}

const endOne = Effect.fnUntraced(function*({ beginning, jobs, leases, nextJob }: Cluster, hosts: Effect.Success<ReturnType<typeof keepHosts>>, signal: NodeJS.Signals, pause: number) {
  const { prover, spec } = yield* nextJob
  yield* jobs.submit([spec])
  const { host } = yield* beginning(prover)
  // Heartbeats are wherever they are.
  yield* Effect.sleep(pause)
  const before = yield* holderOf(leases)
  const { sent } = yield* hosts.end(host, signal)
  const elsewhere = yield* beginning(prover, [host])
  const after = before.host === host ? yield* Effect.repeat(holderOf(leases), { schedule: Schedule.spaced("50 millis"), until: ({ epoch }) => epoch > before.epoch }) : undefined
  yield* jobs.cancel([spec.id], "it was run often enough")
  yield* hosts.start(host)
  return { job: elsewhere.at - sent, role: after === undefined ? undefined : after.takenAt - sent } satisfies End
})

const program = ({ progress, runs, seed }: BenchOptions) =>
  Effect.gen(function*() {
    const cluster = yield* startCluster({ seed: String(seed), milliseconds: proofTime, drainMilliseconds: drainBound, control: true })
    const hosts = yield* keepHosts(cluster)
    const random = seededRandom("failover", seed)
    const endMany = (signal: NodeJS.Signals) =>
      Effect.forEach(Array.from({ length: ends * runs }), (_, i) =>
        Effect.tap(endOne(cluster, hosts, signal, 200 + random.integer(1_000)), (one) =>
          Effect.sync(() => progress(`${signal} ${i + 1} of ${ends * runs}: job after ${one.job.toFixed(0)} ms${one.role === undefined ? "" : `, ${role} after ${one.role.toFixed(0)} ms`}`))))
    const killed = yield* endMany("SIGKILL")
    const stopped = yield* endMany("SIGTERM")
    const jobs = spread(killed.map(({ job }) => job))
    const afterDrain = spread(stopped.map(({ job }) => job - drainBound))
    const rolesOf = (all: ReadonlyArray<End>) => all.flatMap(({ role }) => role ?? [])
    return {
      bars: [
        { id: "killed-p50", value: jobs.p50, unit: "ms", atMost: 5_000 },
        { id: "killed-max", value: jobs.max, unit: "ms", atMost: 5_000 },
        { id: "stopped-after-drain-max", value: afterDrain.max, unit: "ms", atMost: 1_000 }
      ],
      details: {
        unit: "ms",
        hosts: hostCount,
        drainMilliseconds: drainBound,
        killed: { job: jobs, [role]: spread(rolesOf(killed)) },
        stopped: { afterDrain, [role]: spread(rolesOf(stopped)) }
      }
    } satisfies Measurements
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

export const bench: Bench = {
  runs: 1,
  measure: (options) => Effect.runPromise(program(options))
}
