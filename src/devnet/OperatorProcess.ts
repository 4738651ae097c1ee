/**
 * An operator's node as a process of its own, which ends with this one, however this one ends.
 */
import { Duration, Effect, Option, Schema, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../main.ts", import.meta.url))

/** A node's process ended by itself. It is started again; if it goes on ending, its last words say why. */
export class ProcessEnded extends Schema.TaggedError<ProcessEnded>()("ProcessEnded", { how: Schema.String, said: Schema.String }) {
  override get message() {
    return `its process ended with ${this.how}: ${this.said === "" ? "it said nothing" : this.said}`
  }
}

/** How long a process may take to stop before it is killed. */
const stopPatience = Duration.seconds(8)

/** What is passed on of its log: longer lines are cut, and more lines than this within a second are counted only. */
const limits = { length: 400, perSecond: 20 }

const NodeLine = Schema.fromJsonString(Schema.Struct({ level: Schema.String, message: Schema.String }))

const decodeLine = Schema.decodeUnknownOption(NodeLine)

const cut = (text: string): string => text.length <= limits.length ? text : `${text.slice(0, limits.length)}…`

/** Writes what a process logs into this one's log, under a name. */
const passOn = (name: string, log: (effect: Effect.Effect<void>) => void, output: Readable) => {
  let second = 0
  let count = 0
  createInterface({ input: output }).on("line", (line) => {
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) {
      if (count > limits.perSecond) log(Effect.logWarning(`${name}: ${count - limits.perSecond} more lines`))
      second = now
      count = 0
    }
    if (++count > limits.perSecond) return
    const { level, message } = Option.getOrElse(decodeLine(line), () => ({ level: "WARN", message: line }))
    const write = level === "INFO" ? Effect.logInfo : level === "WARN" ? Effect.logWarning : Effect.logError
    log(write(`${name}: ${cut(message)}`))
  })
}

const exited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** Asks a process to stop, and kills it if it does not. */
const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (exited(child)) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGTERM")
  }).pipe(
    Effect.timeoutOrElse({ duration: stopPatience, orElse: () => Effect.sync(() => child.kill("SIGKILL")) })
  )

/**
 * Starts `lignum node` on a configuration and stops it when the scope closes. What it answers fails when the process ends by itself.
 */
export const startProcess = Effect.fnUntraced(function*(
  name: string,
  config: string
): Effect.fn.Return<{ readonly pid: number; readonly ended: Effect.Effect<never, ProcessEnded> }, ProcessEnded, Scope.Scope> {
  const run = Effect.runForkWith(yield* Effect.context())
  const child = yield* Effect.acquireRelease(
    // It reads nothing: its input ends when this process does.
    Effect.sync(() => spawn(process.execPath, [main, "node", "--config", config, "--json", "--attached"], { stdio: ["pipe", "pipe", "pipe"] })),
    stop
  )
  let said = ""
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (line.trim() !== "") said = cut(line.replace(/^lignum: /, ""))
  })
  passOn(name, (effect) => void run(effect), child.stdout)
  const ended = Effect.callback<never, ProcessEnded>((resume) => {
    const fail = (how: string) => resume(Effect.fail(new ProcessEnded({ how, said })))
    const report = () => fail(child.signalCode ?? `code ${child.exitCode}`)
    if (exited(child)) return report()
    child.once("error", (error) => fail(error.message))
    // Its last words may come after it is gone.
    child.once("close", report)
  })
  if (child.pid === undefined) return yield* ended
  return { pid: child.pid, ended }
})
