/**
 * Plays scenarios one after the other, all of them or those that are named, and prints what came of each. It ends with 0 only if every
 * outcome was seen.
 */
import { Schema } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { DevnetReport } from "../src/devnet/Report.ts"
import { scenarioNames } from "../src/devnet/scenarios/summaries.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

interface Played {
  readonly name: string
  readonly seconds: number
  readonly code: number | null
  readonly steps: number
  /** Why it did not end with 0; empty if it did. */
  readonly reason: string
}

const play = (name: string): Played => {
  const start = performance.now()
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(root, "src", "main.ts"), "devnet", "--scenario", name, "--json"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28
  })
  const seconds = (performance.now() - start) / 1000
  const line = stdout.trimEnd().split("\n").at(-1) ?? ""
  const report = line === "" ? undefined : Schema.decodeUnknownSync(Schema.fromJsonString(Schema.toCodecJson(DevnetReport)))(line)
  const reason = status === 0 ? "" : stderr.trimEnd().split("\n").at(-1) ?? "it said nothing"
  return { name, seconds, code: status, steps: report?.scenario?.seen.length ?? 0, reason }
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !scenarioNames.some((each) => each === name))
if (unknown.length > 0) {
  console.error(`unknown scenario ${unknown.join(", ")}; there are: ${scenarioNames.join(", ")}`)
  process.exit(2)
}

const row = (...cells: ReadonlyArray<string>) => cells.map((cell, i) => cell.padEnd([16, 8, 8, 6][i] ?? 0)).join(" ").trimEnd()
console.log(row("scenario", "outcome", "time", "steps"))
let failed = 0
for (const name of scenarioNames) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const { code, reason, seconds, steps } = play(name)
  if (code !== 0) failed++
  console.log(row(name, code === 0 ? "seen" : "NOT SEEN", `${seconds.toFixed(0)} s`, String(steps), reason))
}
process.exitCode = failed > 0 ? 1 : 0
