/**
 * Runs a bench: `npm run -s bench -- <name> [--json] [--seed N] [--runs N]`.
 *
 * Progress goes to stderr. With --json the last line of stdout is one JSON object, otherwise a table. Ends with 0 when every bar
 * holds, with 1 when one does not or the bench broke, and with 2 when it was called wrongly.
 */
import { parseArgs } from "node:util"
import { type Bench, holds, machine, toJson, toTable } from "./Report.ts"

const benches: Readonly<Record<string, () => Promise<{ readonly bench: Bench }>>> = {
  proofs: () => import("./proofs.ts"),
  gas: () => import("./gas.ts"),
  forest: () => import("./forest.ts"),
  race: () => import("./race.ts"),
  jobs: () => import("./jobs.ts"),
  failover: () => import("./failover.ts"),
  scaling: () => import("./scaling.ts")
}

const usage = async (complaint: string): Promise<never> => {
  const list = await Promise.all(Object.entries(benches).map(async ([name, load]) => `  ${name.padEnd(12)}${(await load()).bench.summary}`))
  process.stderr.write(`${complaint}\n\nnpm run -s bench -- <name> [--json] [--seed N] [--runs N]\n\n${list.join("\n")}\n`)
  process.exit(2)
}

const wholeNumber = async (flag: string, text: string | undefined, otherwise: number, minimum: number): Promise<number> => {
  if (text === undefined) return otherwise
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= minimum ? value : await usage(`--${flag} takes a whole number from ${minimum} on, not "${text}"`)
}

const readArguments = async () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { json: { type: "boolean", default: false }, seed: { type: "string" }, runs: { type: "string" } }
    })
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
}

const { positionals, values } = await readArguments()
const [name, ...surplus] = positionals
if (name === undefined) await usage("which bench?")
else if (surplus.length > 0) await usage(`one bench at a time, not "${positionals.join(" ")}"`)
else {
  const load = Object.hasOwn(benches, name) ? benches[name] : undefined
  if (load === undefined) await usage(`there is no bench "${name}"`)
  else {
    const { bench } = await load()
    const options = {
      seed: await wholeNumber("seed", values.seed, 1, 0),
      runs: await wholeNumber("runs", values.runs, bench.runs, 1),
      progress: (line: string) => void process.stderr.write(`${line}\n`)
    }
    const on = machine()
    const measurements = await bench.measure(options)
    process.stdout.write(`${(values.json ? toJson : toTable)(name, on, options, measurements)}\n`)
    process.exitCode = measurements.bars.every(holds) ? 0 : 1
  }
}
