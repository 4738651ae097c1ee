/**
 * How much of `contracts/src` the contracts' tests run through. Fails below the bars; prints what is missing.
 *
 * Coverage is counted on code that is barely optimised, so that source lines can be told apart: gas tests do not run here, and
 * fuzz tests run shorter than in `npm test`. Lines inside assembly blocks are left out: the compiler's source maps do not reach
 * into them, and the statement around them is counted.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { contractNames } from "../src/l1/ContractBuild.ts"

/** Least share of lines and branches that must be run through, in percent. */
const bars = { lines: 98, branches: 95 }

interface Tally {
  hit: number
  found: number
}

interface FileCoverage {
  readonly file: string
  readonly lines: Tally
  readonly branches: Tally
  readonly missing: ReadonlyArray<string>
}

const root = fileURLToPath(new URL("..", import.meta.url))
const source = "contracts/src/"

/** Numbers of the lines inside assembly blocks, counted from one. A block ends where its indentation does. */
const assemblyOf = (file: string): ReadonlySet<number> => {
  const inside = new Set<number>()
  let indentation: string | undefined
  for (const [index, line] of readFileSync(join(root, file), "utf8").split("\n").entries()) {
    if (indentation !== undefined && line === `${indentation}}`) indentation = undefined
    if (indentation !== undefined) inside.add(index + 1)
    indentation ??= /^(\s*)assembly .*\{$/.exec(line)?.[1]
  }
  return inside
}

/** Reads one file's record of an LCOV report: `DA:line,hits` and `BRDA:line,block,branch,hits`. */
const coverageOf = (record: string): FileCoverage | undefined => {
  const file = /^SF:(.+)$/m.exec(record)?.[1]
  if (file === undefined || !file.startsWith(source)) return undefined
  const assembly = assemblyOf(file)
  const read = (pattern: RegExp) =>
    [...record.matchAll(pattern)].flatMap(([, line, hits]) => assembly.has(Number(line)) ? [] : [{ line: Number(line), hit: hits !== "0" && hits !== "-" }])
  const lines = read(/^DA:(\d+),(\d+)/gm)
  const branches = read(/^BRDA:(\d+),\d+,\d+,(\S+)/gm)
  const tally = (all: ReadonlyArray<{ readonly hit: boolean }>): Tally => ({ hit: all.filter(({ hit }) => hit).length, found: all.length })
  return {
    file: file.slice(source.length),
    lines: tally(lines),
    branches: tally(branches),
    missing: [...lines.filter(({ hit }) => !hit).map(({ line }) => `line ${line}`), ...branches.filter(({ hit }) => !hit).map(({ line }) => `a branch of line ${line}`)]
  }
}

const percent = ({ found, hit }: Tally): number => found === 0 ? 100 : hit * 100 / found
const show = (tally: Tally): string => `${percent(tally).toFixed(1).padStart(5)} % ${`(${tally.hit}/${tally.found})`.padEnd(11)}`

const scratch = mkdtempSync(join(tmpdir(), "lignum-coverage-"))
const report = join(scratch, "lcov.info")
const { status } = spawnSync(
  join(root, "node_modules", ".bin", "forge"),
  ["coverage", "--ir-minimum", "--exclude-tests", "--no-match-test", "test_gas", "--report", "lcov", "--report-file", report],
  {
    cwd: root,
    // Artifacts and gas snapshots of code that nobody deploys stay apart from those of `forge test`.
    env: {
      ...process.env,
      FOUNDRY_OUT: "build/forge-coverage",
      FOUNDRY_CACHE_PATH: "build/forge-coverage-cache",
      FOUNDRY_SNAPSHOTS: "build/forge-coverage-snapshots",
      // One way of compiling for all: forge counts what was compiled by one of them only.
      FOUNDRY_ADDITIONAL_COMPILER_PROFILES: "[]",
      FOUNDRY_COMPILATION_RESTRICTIONS: "[]",
      FOUNDRY_FUZZ_RUNS: "16",
      FOUNDRY_INVARIANT_DEPTH: "32"
    },
    stdio: ["ignore", "inherit", "inherit"]
  }
)
if (status !== 0) {
  console.error(`forge coverage ended with ${status}: the tests above must pass first`)
  rmSync(scratch, { recursive: true, force: true })
  process.exit(1)
}
const files = readFileSync(report, "utf8").split("end_of_record").flatMap((record) => coverageOf(record) ?? []).sort((a, b) => a.file < b.file ? -1 : 1)
rmSync(scratch, { recursive: true, force: true })

const sum = (pick: (file: FileCoverage) => Tally): Tally =>
  files.map(pick).reduce((total, { found, hit }) => ({ hit: total.hit + hit, found: total.found + found }), { hit: 0, found: 0 })
const total = { lines: sum(({ lines }) => lines), branches: sum(({ branches }) => branches) }

console.log(`\n${"".padEnd(28)} lines               branches`)
for (const { branches, file, lines, missing } of files) {
  console.log(`${file.padEnd(28)} ${show(lines)} ${show(branches)}`)
  for (const each of missing) console.log(`    not run through: ${each}`)
}
console.log(`${"all".padEnd(28)} ${show(total.lines)} ${show(total.branches)}   bars: ${bars.lines} % of lines, ${bars.branches} % of branches`)

const uncounted = contractNames.filter((name) => !files.some(({ file }) => file === `${name}.sol`))
if (uncounted.length > 0) console.error(`forge did not count ${uncounted.join(", ")}`)
const below = percent(total.lines) < bars.lines || percent(total.branches) < bars.branches
if (below) console.error("coverage is below its bar: test what is listed above, or remove it")
process.exitCode = below || uncounted.length > 0 ? 1 : 0
