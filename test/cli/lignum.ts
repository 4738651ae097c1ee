/** Runs the `lignum` command as a person would, in a process group of its own. */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

export interface Ended {
  /** `null` when it was killed. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly ended: Promise<Ended>
  /** Kills the command and everything that it started, without a warning. */
  readonly killAll: () => void
  /** Asks it to stop, as Ctrl-C does. */
  readonly interrupt: () => void
  /** What it has written to stderr so far. */
  readonly seen: () => string
}

/** Starts `lignum` with these arguments. */
export const lignum = (args: ReadonlyArray<string>, env: Record<string, string> = {}): Running => {
  const child = spawn(process.execPath, [join(root, "src", "main.ts"), ...args], {
    cwd: root,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()))
  const signalAll = (signal: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, signal)
    } catch {
      // It has ended by itself.
    }
  }
  return {
    ended: new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr }))),
    killAll: () => signalAll("SIGKILL"),
    interrupt: () => child.kill("SIGINT"),
    seen: () => stderr
  }
}

/** The JSON object that a `--json` command prints as its last line. */
export const lastLine = ({ stderr, stdout }: Ended): unknown => {
  const line = stdout.trimEnd().split("\n").at(-1)
  if (line === undefined || line === "") throw new Error(`nothing was printed; stderr: ${stderr}`)
  return JSON.parse(line)
}
