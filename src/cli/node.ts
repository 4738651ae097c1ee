/**
 * `lignum node`: one prover node, until it is stopped.
 */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { startNode } from "../node/Node.ts"
import { readNodeConfig } from "../node/NodeConfig.ts"
import { plainLine, toStderr, withLog } from "./log.ts"

/** How long a node that lost whoever started it may take to stop: nobody is left to kill it. */
const lastGasp = 10_000

/** Ends when standard input does: when the process at its other end closes it, or is gone, however it ended. */
const inputClosed = Effect.callback<void>((resume) => {
  process.stdin.resume().once("close", () => {
    setTimeout(() => process.exit(1), lastGasp).unref()
    resume(Effect.void)
  })
})

export const node = Command.make(
  "node",
  {
    config: Flag.String("config").pipe(Flag.withDescription("The node's configuration, a JSON file; docs/node.md describes it")),
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Write the log to standard output, one JSON object per line: time, level, message"),
      Flag.withDefault(false)
    ),
    attached: Flag.Boolean("attached").pipe(
      Flag.withDescription("Stop when standard input ends, as it does when whoever started the node is gone"),
      Flag.withDefault(false)
    )
  },
  Effect.fn(function*(given) {
    const write = given.json ? (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`) : undefined
    yield* Effect.gen(function*() {
      const { supervisor } = yield* startNode(yield* readNodeConfig(given.config))
      yield* given.attached ? Effect.raceFirst(inputClosed, supervisor.run) : supervisor.run
    }).pipe(Effect.scoped, withLog("Info", write ?? ((line) => toStderr(plainLine(line)))))
  })
).pipe(
  Command.withDescription("Run one prover node of a rollup: prove, settle, and be paid, until it is stopped"),
  Command.withExamples([
    { command: "lignum node --config prover.json", description: "With a log for people on standard error" },
    { command: "lignum node --config prover.json --json", description: "With a log for machines on standard output" }
  ])
)
