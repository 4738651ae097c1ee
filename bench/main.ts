/**
 * Runs a bench: `npm run -s bench -- <name> [--json] [--seed N] [--runs N]`.
 *
 * Progress goes to stderr. With --json the last line of stdout is one JSON object, otherwise a table. Ends with 0 when every bar
 * holds, with 1 when one does not or the bench broke, and with 2 when it was called wrongly.
 */
import { parseArgs } from "node:util"
import { type Bench, holds, machine, toJson, toTable } from "./Report.ts"

interface Entry {
  /** What it measures, in a few words. */
  readonly summary: string
  readonly load: () => Promise<{ readonly bench: Bench }>
}

const benches: Readonly<Record<string, Entry>> = {
  proofs: { summary: "blocks proved per second by the worker pool and by bare snarkjs, and the pool's memory", load: () => import("./proofs.ts") },
  gas: { summary: "gas of state updates and checkpoints on L1", load: () => import("./gas.ts") },
  forest: { summary: "the proof forest: adding a proof and asking for the next atoms, over 100,000 unproven blocks with 300,000 proofs", load: () => import("./forest.ts") },
  race: { summary: "wasted proving and makespan of 1 to 100 provers, for each way to choose what to prove", load: () => import("./race.ts") },
  jobs: { summary: "durable jobs on SQLite and Postgres: from a job's end to the start of one that needed it, and jobs a second end to end", load: () => import("./jobs.ts") },
  failover: { summary: "a host that runs a job is killed or stopped: the time until the same job runs on another, and until another has its roles", load: () => import("./failover.ts") },
  scaling: { summary: "blocks per second of 1 to 16 hosts of one operator, each a process, with proofs of two seconds", load: () => import("./scaling.ts") }
}

const usage = (complaint: string): never => {
  const list = Object.entries(benches).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`)
  process.stderr.write(`${complaint}\n\nnpm run -s bench -- <name> [--json] [--seed N] [--runs N]\n\n${list.join("\n")}\n`)
  process.exit(2)
}

const wholeNumber = (flag: string, text: string | undefined, otherwise: number, minimum: number): number => {
  if (text === undefined) return otherwise
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= minimum ? value : usage(`--${flag} takes a whole number from ${minimum} on, not "${text}"`)
}

const readArguments = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { json: { type: "boolean", default: false }, seed: { type: "string" }, runs: { type: "string" } }
    })
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
}

const { positionals, values } = readArguments()
const [name, ...surplus] = positionals
if (name === undefined) usage("which bench?")
else if (surplus.length > 0) usage(`one bench at a time, not "${positionals.join(" ")}"`)
else {
  const entry = Object.hasOwn(benches, name) ? benches[name] : undefined
  if (entry === undefined) usage(`there is no bench "${name}"`)
  else {
    const { bench } = await entry.load()
    const options = {
      seed: wholeNumber("seed", values.seed, 1, 0),
      runs: wholeNumber("runs", values.runs, bench.runs, 1),
      progress: (line: string) => void process.stderr.write(`${line}\n`)
    }
    const on = machine()
    const measurements = await bench.measure(options)
    process.stdout.write(`${(values.json ? toJson : toTable)(name, on, options, measurements)}\n`)
    process.exitCode = measurements.bars.every(holds) ? 0 : 1
  }
}
