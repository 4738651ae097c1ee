/**
 * An operator's host as a process of its own, which ends with this one, however this one ends.
 */
import { Duration, Effect, Latch, Option, Schema, type Scope, Stream, SubscriptionRef } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import type { Child } from "../node/Supervisor.ts"

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

interface RunningProcess {
  readonly pid: number
  /** Fails when the process ends by itself. */
  readonly ended: Effect.Effect<never, ProcessEnded>
}

/** Starts `lignum node` and stops it when the scope closes. */
const startProcess = Effect.fnUntraced(function*(name: string, args: ReadonlyArray<string>): Effect.fn.Return<RunningProcess, ProcessEnded, Scope.Scope> {
  const run = Effect.runForkWith(yield* Effect.context())
  const child = yield* Effect.acquireRelease(
    // It reads nothing: its input ends when this process does.
    Effect.sync(() => spawn(process.execPath, [main, "node", ...args, "--json", "--attached"], { stdio: ["pipe", "pipe", "pipe"] })),
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

/** A host's process, which is started again whenever it ends. */
export interface HostProcess {
  readonly name: string
  /** Its process id; while it is down, that of its next life. */
  readonly pid: Effect.Effect<number>
  /** Sends it a signal, waits for its end, and keeps it down until the scope closes. Answers what it ended with, as in `code 0`. */
  readonly takeDown: (signal: NodeJS.Signals) => Effect.Effect<string, never, Scope.Scope>
  /** For a supervisor. */
  readonly child: Child
}

/**
 * A host's process to be.
 *
 * @param args of `lignum node`, asked for before each start; the start waits for them
 */
export const makeHostProcess = Effect.fnUntraced(function*(name: string, args: Effect.Effect<ReadonlyArray<string>>): Effect.fn.Return<HostProcess> {
  const mayRun = yield* Latch.make(true)
  const present = yield* SubscriptionRef.make<RunningProcess | undefined>(undefined)
  const life = mayRun.await.pipe(
    Effect.andThen(args),
    Effect.flatMap((words) => startProcess(name, words)),
    Effect.tap((process) => SubscriptionRef.set(present, process)),
    Effect.flatMap(({ ended }) => ended),
    Effect.ensuring(SubscriptionRef.set(present, undefined)),
    Effect.scoped
  )
  const running = SubscriptionRef.changes(present).pipe(
    Stream.filter((process) => process !== undefined),
    Stream.runHead,
    Effect.map(Option.getOrThrow)
  )
  return {
    name,
    pid: Effect.map(running, ({ pid }) => pid),
    takeDown: (signal) =>
      Effect.gen(function*() {
        const { ended, pid } = yield* running
        yield* Effect.acquireRelease(mayRun.close, () => mayRun.open)
        // It may have ended by itself meanwhile.
        yield* Effect.ignore(Effect.try({ try: () => process.kill(pid, signal), catch: String }))
        return (yield* Effect.flip(ended)).how
      }),
    // It is its own matter how long a start waits: others are not to wait with it.
    child: { name, start: Effect.succeed(life) }
  }
})
