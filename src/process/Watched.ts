/**
 * Servers that this process runs as children, and that end when it ends, however it ends.
 */
import { Effect, type Scope } from "effect"
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"

/** Ends the child when the pipe to us closes, which also happens when we are killed; and ends itself when the child does. */
const watchdog = (signal: string) => [
  `exec 3<&0`,
  `"$@" 3<&- & child=$!`,
  `trap 'kill -${signal} $child' TERM INT`,
  `{ read -r _ <&3; kill -${signal} $child; } 2>/dev/null & reader=$!`,
  `wait $child`,
  `kill $reader 2>/dev/null`
].join("\n")

/** How a program is run. */
export interface WatchedOptions {
  /** What ends it in order. */
  readonly signal?: "TERM" | "INT"
  /** Whom it runs as; whoever we are, if not given. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a program until the scope closes, and then waits for its end. */
export const runWatched = (
  [program, ...args]: readonly [string, ...Array<string>],
  { env, signal = "TERM", user }: WatchedOptions = {}
): Effect.Effect<ChildProcessWithoutNullStreams, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => spawn("sh", ["-c", watchdog(signal), "sh", program, ...args], { stdio: ["pipe", "pipe", "pipe"], ...user, env: env ?? process.env })),
    (child) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.stdin.end()
      })
  )
