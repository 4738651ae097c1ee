/**
 * Everything that is tested, in the order from cheap to dear. The last line counts: `N passed, N failed`.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

interface Count {
  readonly passed: number
  readonly failed: number
}

const root = fileURLToPath(new URL("..", import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), "lignum-test-"))
const binary = (name: string) => join(root, "node_modules", ".bin", name)

/** Runs a command to its end with its output in view. */
const run = (command: string, args: ReadonlyArray<string>): boolean =>
  spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] }).status === 0

/** A check that passes or fails as one. */
const check = (command: string, ...args: ReadonlyArray<string>) => (): Count =>
  run(command, args) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }

const vitest = (name: string, ...args: ReadonlyArray<string>) => (): Count => {
  const report = join(scratch, `${name}.json`)
  const ended = run(binary("vitest"), ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...args])
  try {
    const { numFailedTests, numFailedTestSuites, numPassedTests } = JSON.parse(readFileSync(report, "utf8")) as {
      readonly numPassedTests: number
      readonly numFailedTests: number
      readonly numFailedTestSuites: number
    }
    // A file that cannot be loaded has no tests to fail.
    return { passed: numPassedTests, failed: Math.max(numFailedTests, numFailedTestSuites, ended ? 0 : 1) }
  } catch {
    return { passed: 0, failed: 1 }
  }
}

const forge = (): Count => {
  const { status, stdout } = spawnSync(binary("forge"), ["test"], {
    cwd: root,
    encoding: "utf8",
    // A change of gas has to be meant: commit the new snapshots with it.
    env: { ...process.env, FORGE_SNAPSHOT_CHECK: "true" },
    stdio: ["ignore", "pipe", "inherit"]
  })
  process.stdout.write(stdout)
  const summary = /(\d+) tests passed, (\d+) failed/.exec(stdout)
  if (summary === null) return { passed: 0, failed: 1 }
  const failed = Number(summary[2])
  return { passed: Number(summary[1]), failed: status === 0 ? failed : Math.max(failed, 1) }
}

const steps: ReadonlyArray<readonly [name: string, step: () => Count]> = [
  ["types", check(binary("tsc"), "--noEmit")],
  ["lint", check(binary("oxlint"), "--deny-warnings")],
  ["Solidity lint", check(binary("solhint"), "--max-warnings", "0", "contracts/src/**/*.sol")],
  ["Solidity format", check(binary("forge"), "fmt", "--check")],
  ["rules", check(process.execPath, "test/rules.ts")],
  ["flake", check(process.execPath, "test/flake/check.ts")],
  ["contracts", forge],
  ["units", vitest("units", "--exclude", "test/e2e/**")],
  ["end to end", vitest("e2e", "--no-file-parallelism", "test/e2e")]
]

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !steps.some(([each]) => each === name))
if (unknown.length > 0) {
  console.error(`unknown step ${unknown.join(", ")}; there are: ${steps.map(([name]) => name).join(", ")}`)
  process.exit(2)
}

let passed = 0
let failed = 0
for (const [name, step] of steps) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  console.log(`\n== ${name}`)
  const count = step()
  passed += count.passed
  failed += count.failed
  if (count.failed > 0) console.log(`== ${name}: ${count.failed} failed`)
}
rmSync(scratch, { recursive: true, force: true })
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
