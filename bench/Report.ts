/**
 * What every bench reports, so that scripts and people can read one as they read another.
 */
import os from "node:os"

/** A measured value and the bar it has to clear: at most, or at least, so much. */
export interface Bar {
  readonly id: string
  /** Median over the runs. */
  readonly value: number
  readonly unit: string
  readonly atMost?: number
  readonly atLeast?: number
}

/** What a bench found. `details` is free in form; the report carries its keys beside the bars. */
export interface Measurements {
  readonly bars: ReadonlyArray<Bar>
  readonly details: Readonly<Record<string, unknown>>
}

export interface BenchOptions {
  /** The same seed gives the same inputs. */
  readonly seed: number
  /** How often everything is measured. */
  readonly runs: number
  /** Tells whoever waits what is going on. */
  readonly progress: (line: string) => void
}

/** A bench; each lies in a file of its own. */
export interface Bench {
  /** Runs unless the caller asks for another number. */
  readonly runs: number
  readonly measure: (options: BenchOptions) => Promise<Measurements>
}

/** The middle value; of two middle ones, their mean. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Whether the value clears its bar. */
export const holds = ({ atLeast, atMost, value }: Bar): boolean =>
  !Number.isNaN(value) && (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast)

/** The machine that was measured on; figures of different machines do not compare. */
export const machine = () => ({
  cpu: os.cpus()[0]?.model ?? "unknown",
  cores: os.availableParallelism(),
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  platform: `${os.platform()} ${os.arch()}`,
  node: process.version,
  /** Load in the last minute: above the number of cores, somebody else was at work. */
  load: Number(os.loadavg()[0]!.toFixed(2))
})

export type Machine = ReturnType<typeof machine>

/** The report as one line of JSON. */
export const toJson = (bench: string, on: Machine, { runs, seed }: Pick<BenchOptions, "runs" | "seed">, { bars, details }: Measurements): string =>
  JSON.stringify({ bench, machine: on, seed, runs, bars: bars.map((bar) => ({ ...bar, holds: holds(bar) })), ...details })

const figure = (value: number) => Number.isInteger(value) ? String(value) : value.toPrecision(4)

/** The report as a table. */
export const toTable = (bench: string, on: Machine, { runs, seed }: Pick<BenchOptions, "runs" | "seed">, { bars, details }: Measurements): string => {
  const rows = bars.map((bar) => [
    bar.id,
    `${figure(bar.value)} ${bar.unit}`,
    bar.atMost !== undefined ? `at most ${figure(bar.atMost)}` : bar.atLeast !== undefined ? `at least ${figure(bar.atLeast)}` : "",
    holds(bar) ? "holds" : "FAILS"
  ])
  const table = [["what", "median", "bar", ""], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return [
    `${bench}: ${runs} runs, seed ${seed}`,
    `${on.cores} x ${on.cpu}, ${on.memoryGiB} GiB, ${on.platform}, Node ${on.node}, load ${on.load}`,
    "",
    ...table.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd()),
    "",
    ...Object.entries(details).map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
  ].join("\n")
}
