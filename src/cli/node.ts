/**
 * `lignum node`: one prover node, or one host of an operator that has several, until it is stopped.
 */
import { Duration, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { HostUnfit } from "../cluster/HostSettings.ts"
import { isJoining, joining, settingsOf } from "./joining.ts"
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

/** What is left to a host that is told to stop when it has given back what it did not finish. */
const farewell = Duration.seconds(10)

/** A second signal ends a host that is still at its proofs, and so does its own bound, if something does not come to an end. */
const boundStop = (drainWithin: Duration.Duration) =>
  Effect.sync(() => {
    let signals = 0
    const heard = () => {
      if (++signals > 1) process.exit(0)
      setTimeout(() => process.exit(1), Duration.toMillis(Duration.sum(drainWithin, farewell))).unref()
    }
    process.on("SIGTERM", heard).on("SIGINT", heard)
  })

/** Starts what is asked for; answers what never ends well. */
const start = Effect.fnUntraced(function*({ config, ...given }: { readonly config: Option.Option<string> } & Parameters<typeof settingsOf>[0]) {
  // A refused flag need not wait for all of the node to be loaded.
  const load = Effect.promise(() => Promise.all([import("../cluster/OperatorHost.ts"), import("../node/Node.ts"), import("../node/NodeConfig.ts")]))
  if (Option.isNone(config)) {
    const settings = yield* settingsOf(given)
    yield* boundStop(settings.drainWithin)
    const [{ joinOperator }] = yield* load
    return (yield* joinOperator(settings)).run
  }
  if (isJoining(given)) return yield* new HostUnfit({ reason: "with --config, the configuration says all that the other flags would: put it there" })
  const [{ startFirstHost }, { startNode }, { readNodeConfig }] = yield* load
  const told = yield* readNodeConfig(config.value)
  if (told.cluster === undefined) return (yield* startNode(told)).supervisor.run
  yield* boundStop(told.cluster.drainWithin)
  return (yield* startFirstHost(told, told.cluster)).run
})

export const node = Command.make(
  "node",
  {
    config: Flag.String("config").pipe(Flag.withDescription("The node's configuration, a JSON file; docs/node.md describes it"), Flag.optional),
    ...joining,
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Write the log to standard output, one JSON object per line: time, level, message"),
      Flag.withDefault(false)
    ),
    attached: Flag.Boolean("attached").pipe(
      Flag.withDescription("Stop when standard input ends, as it does when whoever started the node is gone"),
      Flag.withDefault(false)
    )
  },
  Effect.fn(function*({ attached, json, ...given }) {
    const write = json ? (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`) : undefined
    yield* Effect.gen(function*() {
      const run = yield* start(given)
      yield* attached ? Effect.raceFirst(inputClosed, run) : run
    }).pipe(Effect.scoped, withLog("Info", write ?? ((line) => toStderr(plainLine(line)))))
  })
).pipe(
  Command.withDescription("Run one prover node of a rollup, or one of several hosts of it: prove, settle, and be paid, until it is stopped"),
  Command.withExamples([
    { command: "lignum node --config prover.json", description: "With a log for people on standard error" },
    { command: "lignum node --config prover.json --json", description: "With a log for machines on standard output" },
    { command: "lignum node --role prover --join postgres://lignum:…@db/lignum --keys ./keys", description: "One more host of an operator, which proves" }
  ])
)
