/**
 * How proving scales with hosts: 1 to 16 processes of one operator, each of which proves one block at a time, in two seconds of waiting.
 * What is measured is everything around that: submitting, placing, leasing, reporting and accepting, over one Postgres.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Queue } from "effect"
import { type Cluster, startCluster } from "./cluster/Cluster.ts"
import { type Bench, type BenchOptions, type Measurements, median } from "./Report.ts"

const hostCounts = [1, 2, 4, 8, 16]
/** What a proof takes, in milliseconds. */
const proofTime = 2_000
/** Jobs that are submitted and not done, for each host: one that it does, and one for when that is done. */
const inFlight = 2
/** Proofs of each host before anything is measured, and those that are. */
const [warmUp, rounds] = [2, 10]

const rounded = (value: number) => Number(value.toPrecision(4))

/** Blocks per second of so many hosts, all at work. */
const rate = Effect.fnUntraced(function*({ jobs, nextJob }: Cluster, hosts: number) {
  const accepted = yield* Queue.unbounded<number>()
  const prove = Effect.gen(function*() {
    const { spec } = yield* nextJob
    yield* jobs.submit([spec])
    const outcome = yield* jobs.outcome(spec.id)
    if (outcome._tag !== "Done") return yield* Effect.die(new Error(`${spec.id} was not done: ${outcome._tag}`))
    yield* Queue.offer(accepted, performance.now())
  })
  for (let i = 0; i < inFlight * hosts; i++) yield* Effect.forkScoped(Effect.forever(prove))
  const times: Array<number> = []
  while (times.length < (warmUp + rounds) * hosts) times.push(yield* Queue.take(accepted))
  // From one proof of a host to its tenth after: how the hosts lie to each other does not matter then.
  const [first, last] = [times[warmUp * hosts - 1]!, times[(warmUp + rounds) * hosts - 1]!]
  return (rounds * hosts * 1_000) / (last - first)
}, Effect.scoped)

const program = ({ progress, runs, seed }: BenchOptions) =>
  Effect.gen(function*() {
    const cluster = yield* startCluster({ seed: String(seed), milliseconds: proofTime, drainMilliseconds: 0, control: false })
    const measured: Array<{ readonly hosts: number; readonly rates: ReadonlyArray<number>; readonly rate: number }> = []
    let started = 0
    for (const hosts of hostCounts) {
      while (started < hosts) yield* cluster.startHost(`host-${++started}`)
      const rates: Array<number> = []
      for (let run = 0; run < runs; run++) {
        rates.push(rounded(yield* rate(cluster, hosts)))
        progress(`${hosts} hosts, run ${run + 1} of ${runs}: ${rates.at(-1)} blocks/s`)
      }
      measured.push({ hosts, rates, rate: median(rates) })
    }
    const alone = measured[0]!.rate
    return {
      bars: [{ id: `efficiency-${hostCounts.at(-1)}-hosts`, value: rounded(measured.at(-1)!.rate / (hostCounts.at(-1)! * alone)), unit: "x", atLeast: 0.95 }],
      details: {
        unit: "blocks/s",
        proofMilliseconds: proofTime,
        hosts: measured.map((one) => ({ ...one, efficiency: rounded(one.rate / (one.hosts * alone)) }))
      }
    } satisfies Measurements
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

export const bench: Bench = {
  runs: 1,
  measure: (options) => Effect.runPromise(program(options))
}
