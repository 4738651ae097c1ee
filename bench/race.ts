/**
 * Provers that share out a backlog without talking about it first: how much of their proving is wasted, and how long they take over
 * what no plan could beat, for each way to choose (OC-3). Virtual time, real planners and forests; see `RaceModel.ts`.
 */
import type { StrategyName } from "../src/domain/planning/Strategy.ts"
import { race, type RaceOptions, type RaceResult } from "./RaceModel.ts"
import { type Bar, type Bench, type BenchOptions, type Measurements, median } from "./Report.ts"

const backlog = 1_000
/** Blocks of one update on the devnet: larger proofs are of no use. */
const mergeUpTo = 16

const equal = (provers: number) => Array.from({ length: provers }, () => 1)

const named = (provers: number) => provers === 1 ? "1 prover" : `${provers} provers`

interface Case extends Omit<RaceOptions, "seed" | "strategy"> {
  readonly name: string
  readonly strategies: ReadonlyArray<StrategyName>
}

const all: ReadonlyArray<StrategyName> = ["rendezvous", "critical-path", "greedy"]
const only: ReadonlyArray<StrategyName> = ["rendezvous"]

const cases: ReadonlyArray<Case> = [
  ...[1, 2, 10, 100].map((provers) => ({ name: named(provers), strategies: all, capacities: equal(provers), blocks: backlog, mergeUpTo: 0 })),
  ...[1, 2, 10, 100].map((provers) => ({ name: `${named(provers)}, merges`, strategies: only, capacities: equal(provers), blocks: backlog, mergeUpTo })),
  { name: "10 provers, 200 blocks, merges", strategies: all, capacities: equal(10), blocks: 200, mergeUpTo },
  { name: "capacities 1 to 4", strategies: only, capacities: equal(100).map((_, i) => 1 + i % 4), blocks: backlog, mergeUpTo: 0 },
  { name: "10 of 100 die", strategies: only, capacities: equal(100), blocks: backlog, mergeUpTo: 0, deaths: { count: 10, at: 50_000 } },
  { name: "5 % of messages lost", strategies: only, capacities: equal(100), blocks: backlog, mergeUpTo: 0, loss: 50 },
  { name: "a liar hints everything", strategies: only, capacities: equal(100), blocks: backlog, mergeUpTo: 0, liars: 1 }
]

const rounded = (value: number) => Number(value.toPrecision(4))

/** The bars: of the default strategy, where a backlog waits for one prover or for a hundred. */
const barsOf = (name: string, results: ReadonlyArray<RaceResult>): ReadonlyArray<Bar> => {
  const waste = rounded(100 * median(results.map(({ waste }) => waste)))
  const ratio = rounded(median(results.map(({ ratio }) => ratio)))
  const bars = (atMostWaste: number, atMostRatio: number) => [
    { id: `${name}: waste`, value: waste, unit: "%", atMost: atMostWaste },
    { id: `${name}: makespan / lower bound`, value: ratio, unit: "x", atMost: atMostRatio }
  ]
  switch (name) {
    case "1 prover":
    case "1 prover, merges":
      return bars(0, 1.02)
    case "100 provers":
    case "100 provers, merges":
      return bars(10, 1.1)
    default:
      return []
  }
}

const measure = ({ progress, runs, seed }: BenchOptions): Measurements => {
  const bars: Array<Bar> = []
  const races = cases.flatMap(({ name, strategies, ...options }) =>
    strategies.map((strategy) => {
      progress(`${name}, ${strategy}`)
      const results = Array.from({ length: runs }, (_, run) => race({ ...options, seed: `${seed}/${run}`, strategy }))
      if (strategy === "rendezvous") bars.push(...barsOf(name, results))
      const middle = (of: (result: RaceResult) => number) => rounded(median(results.map(of)))
      return {
        name,
        strategy,
        blocks: options.blocks,
        wastePercent: middle(({ waste }) => 100 * waste),
        makespanSeconds: middle(({ makespan }) => makespan),
        lowerBoundSeconds: middle(({ lowerBound }) => lowerBound),
        ratio: middle(({ ratio }) => ratio),
        leastShare: middle(({ shares }) => Math.min(...shares)),
        greatestShare: middle(({ shares }) => Math.max(...shares))
      }
    }))
  return { bars, details: { races } }
}

export const bench: Bench = {
  runs: 1,
  measure: (options) => Promise.resolve(measure(options))
}
