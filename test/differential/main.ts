/**
 * Holds the contracts against the pure settlement: `npm run -s differential -- [--histories N] [--events N] [--seed S] [--json]`.
 *
 * Progress goes to stderr. With --json the last line of stdout is one JSON object. Ends with 0 when all histories agree, with 1
 * when one does not, and with 2 when it was called wrongly.
 */
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { described, differential, plain } from "./Differential.ts"

const usage = (complaint: string): never => {
  process.stderr.write(`${complaint}\n\nnpm run -s differential -- [--histories N] [--events N] [--seed S] [--json]\n`)
  process.exit(2)
}

const readArguments = () => {
  try {
    return parseArgs({
      options: {
        histories: { type: "string", default: "200" },
        events: { type: "string", default: "60" },
        seed: { type: "string", default: "1" },
        json: { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
}

const positive = (flag: string, text: string): number => {
  const value = Number(text)
  return Number.isSafeInteger(value) && value > 0 ? value : usage(`--${flag} takes a whole number from 1 on, not "${text}"`)
}

const values = readArguments()
const options = {
  histories: positive("histories", values.histories),
  events: positive("events", values.events),
  seed: values.seed,
  progress: (line: string) => void process.stderr.write(`${line}\n`)
}
options.progress(`seed ${options.seed}`)
const { calls, coverage, failure, histories, seconds } = await Effect.runPromise(Effect.scoped(differential(options)))
if (failure !== undefined) process.stderr.write(`${described(failure)}\n`)
if (values.json) {
  const result = { seed: options.seed, histories, calls, seconds, agree: failure === undefined, failure, coverage: coverage.counts }
  process.stdout.write(`${JSON.stringify(result, plain)}\n`)
} else {
  for (const [name, count] of Object.entries(coverage.counts)) process.stdout.write(`${String(count).padStart(8)}  ${name}\n`)
  process.stdout.write(`${histories} histories, ${calls} calls, ${seconds.toFixed(1)} s: ${failure === undefined ? "they agree" : "they differ"}\n`)
}
process.exitCode = failure === undefined ? 0 : 1
