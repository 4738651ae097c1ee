/**
 * `npm run chaos -- --seed S --rounds N [--hosts N] [--json]`: hosts of one operator under faults drawn by the seed, on a real Postgres. It
 * ends with 1 when something was lost, done twice, or left undone.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Exit } from "effect"
import { copyFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { seededRandom } from "../../src/ledger/SeededRandom.ts"
import { drawFaults } from "./Faults.ts"
import { playRound, type RoundReport } from "./Round.ts"
import { openWorld } from "./World.ts"

const { values } = parseArgs({
  options: { seed: { type: "string", default: "chaos" }, rounds: { type: "string", default: "6" }, hosts: { type: "string", default: "4" }, json: { type: "boolean", default: false } }
})
const [rounds, hostCount] = [Number(values.rounds), Number(values.hosts)]
if (!(rounds >= 1) || !(hostCount >= 2)) {
  console.error("--rounds must be at least 1 and --hosts at least 2")
  process.exit(2)
}

const line = ({ again, attempts, faults, jobs, round, seconds, starved, violations }: RoundReport) => [
  `round ${round + 1}: ${faults.join("; ")}`,
  `  ${jobs} jobs in ${seconds.toFixed(1)} s; attempts: ${Object.entries(attempts).map(([outcome, count]) => `${count} ${outcome}`).join(", ")}; proven again: ${again}${starved.length > 0 ? `; the machine left no time for ${starved.join(", ")}` : ""}`,
  ...violations.slice(0, 10).map((violation) => `  WRONG: ${violation}`)
].join("\n")

const program = Effect.gen(function*() {
  const random = seededRandom(values.seed, "chaos")
  // Clocks are apart by up to ten seconds.
  const clockOffsets = Array.from({ length: hostCount }, () => random.integer(10_001) - 5_000)
  const world = yield* openWorld({ clockOffsets, proofTime: 300, slots: 2 })
  if (!values.json) console.log(`${hostCount} hosts over ${world.network}, clocks ${clockOffsets.map((offset) => `${offset} ms`).join(", ")} off; seed ${values.seed}`)
  const reports: Array<RoundReport> = []
  for (let round = 0; round < rounds; round++) {
    const report = yield* playRound(world, drawFaults(random, world, round), { round, trees: 12, every: 300, patience: 60_000 })
    reports.push(report)
    if (!values.json) console.log(line(report))
  }
  const wrong = reports.flatMap(({ violations }) => violations)
  if (values.json) console.log(JSON.stringify({ seed: values.seed, network: world.network, clockOffsets, rounds: reports }))
  if (wrong.length > 0) {
    const kept = `chaos-${values.seed}.log`
    copyFileSync(world.log, kept)
    console.error(`${wrong.length} things are wrong; the hosts' log is in ${kept}`)
  }
  return wrong.length
})

NodeRuntime.runMain(Effect.scoped(program), { teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) && exit.value === 0 ? 0 : 1) })
