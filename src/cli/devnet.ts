/**
 * `lignum devnet`: a whole rollup on this machine, proving and settling until it is stopped.
 */
import { Clock, Console, Duration, Effect, Logger, type LogLevel, Option, References, Runtime, Schedule, Schema, type Scope, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import logUpdate from "log-update"
import { availableParallelism } from "node:os"
import { startDevnet, untilUpdates } from "../devnet/Devnet.ts"
import { defaultDevnet, type DevnetConfig, maxBlocksPerUpdate } from "../devnet/DevnetConfig.ts"
import { emptyPicture, feed, paint, type Picture } from "../devnet/Feed.ts"
import { renderFrame } from "../devnet/LiveView.ts"
import { plainLines, updateLine } from "../devnet/PlainView.ts"
import { DevnetReport, isSound, makeReport } from "../devnet/Report.ts"
import { maxValidators } from "../domain/QuorumCertificate.ts"
import { DevnetLedgerConfig } from "../ledger/DevnetLedgerConfig.ts"

/** An invariant does not hold: the report says which. Nothing is more worth reporting. */
class InvariantBroken extends Schema.TaggedError<InvariantBroken>()("InvariantBroken", { names: Schema.Array(Schema.String) }) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    return `these invariants do not hold: ${this.names.join(", ")}. Please report it with the data folder.`
  }
}

/** A whole number within bounds; its description ends with the default. */
const whole = (name: string, description: string, fallback: number, maximum: number) =>
  Flag.Int(name).pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))),
    Flag.withDescription(`${description} (default ${fallback})`),
    Flag.withDefault(fallback)
  )

const { ledger: defaults } = defaultDevnet

const flags = {
  data: Flag.String("data").pipe(
    Flag.withDescription("Folder to keep everything in, and to go on from; a temporary one if not given"),
    Flag.optional
  ),
  untilUpdates: Flag.Int("until-updates").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isGreaterThan(0))),
    Flag.withDescription("Stop when L1 has had so many state updates, counted from the data folder's first start"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Say nothing but one JSON object, as the last line, when it stops"),
    Flag.withDefault(false)
  ),
  seed: Flag.String("seed").pipe(
    Flag.withDescription(`What keys, traffic and quorums derive from (default "${defaults.seed}")`),
    Flag.withDefault(defaults.seed)
  ),
  blockTime: Flag.String("block-time").pipe(
    Flag.withSchema(Schema.DurationFromString.check(
      Schema.makeFilter((time: Duration.Duration) => Duration.toMillis(time) >= 100 || "a duration of at least 100 millis")
    )),
    Flag.withDescription(`Time from block to block, as in "500 millis" (default "${Duration.toSeconds(defaults.blockTime)} seconds")`),
    Flag.withDefault(defaults.blockTime)
  ),
  checkpointInterval: whole("checkpoint-interval", "Blocks from checkpoint to checkpoint", defaults.checkpointInterval, 1_000_000),
  validators: whole("validators", `Validators that certify checkpoints, ${maxValidators} at most`, defaults.validators, maxValidators),
  blocksPerUpdate: whole(
    "blocks-per-update",
    `Blocks that a state update covers, or a multiple of it, ${maxBlocksPerUpdate} at most`,
    defaultDevnet.blocksPerUpdate,
    maxBlocksPerUpdate
  ),
  workers: Flag.Int("workers").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 256 }))),
    Flag.withDescription("Proofs at once; as many as there are cores if not given"),
    Flag.optional
  ),
  l1Port: Flag.Int("l1-port").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
    Flag.withDescription("Port of the L1 chain on loopback (default 0: picks a free one)"),
    Flag.withDefault(defaultDevnet.l1Port)
  ),
  rpcPort: Flag.Int("rpc-port").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
    Flag.withDescription("Port on loopback where the node answers `lignum quote` (0 picks a free one); its address goes into rpc.json, too. None if not given"),
    Flag.optional
  ),
  provingCost: Flag.String("proving-cost").pipe(
    Flag.withSchema(Schema.BigIntFromString.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: (1n << 64n) - 1n }))),
    Flag.withDescription("What proving costs the operator, in wei per prover gas: where prices leave less, the node flags on L1; never if not given"),
    Flag.optional
  ),
  keys: Flag.String("keys").pipe(
    Flag.withDescription("Folder of the proving keys"),
    Flag.withDefault(defaultDevnet.keys)
  ),
  proverCommand: Flag.String("prover-command").pipe(
    Flag.withDescription("A program with rapidsnark's command line that takes the proving step"),
    Flag.optional
  )
}

/** Log lines, one each, without a stack. */
const withLogger = (minimum: LogLevel.LogLevel, write: (line: string) => void) => <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const logger = Logger.make(({ date, logLevel, message }) => {
    const text = (Array.isArray(message) ? message : [message]).map(String).join(" ")
    write(`${date.toISOString().slice(11, 19)} ${logLevel === "Info" ? "" : `${logLevel.toUpperCase()} `}${text}`)
  })
  return effect.pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, minimum))
}

const toStderr = (line: string) => {
  process.stderr.write(`${line}\n`)
}

type Running = Effect.Success<ReturnType<typeof startDevnet>>

/** Prints one line per thing that happens. */
const showLines = ({ context, supervisor }: Running) => {
  let picture = emptyPicture
  return feed(supervisor).pipe(
    Stream.runForEach((news) => {
      const lines = plainLines(picture, news)
      picture = paint(picture, news)
      return Effect.forEach(lines, (line) => Effect.logInfo(line), { discard: true })
    }),
    Effect.provideContext(context)
  )
}

/** Redraws the terminal four times a second. */
const showLive = ({ context, supervisor, url }: Running, log: ReadonlyArray<string>): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const since = yield* Clock.currentTimeMillis
    let picture: Picture = emptyPicture
    yield* Effect.forkScoped(Stream.runForEach(feed(supervisor), (news) => Effect.sync(() => (picture = paint(picture, news)))))
    yield* Effect.addFinalizer(() => Effect.sync(() => logUpdate.done()))
    const draw = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.sync(() =>
        logUpdate(renderFrame(picture, { title: `L1 at ${url}`, now, since, columns: process.stdout.columns, log: log.slice(-3) }))
      ))
    return yield* Effect.repeat(draw, Schedule.spaced("250 millis"))
  }).pipe(Effect.provideContext(context), Effect.asVoid)

const printReport = Effect.fnUntraced(function*(report: DevnetReport, json: boolean) {
  if (json) yield* Console.log(yield* Schema.encodeEffect(Schema.fromJsonString(Schema.toCodecJson(DevnetReport)))(report))
  else {
    for (const update of report.updates) yield* Console.log(updateLine(update))
    yield* Console.log(`${report.checkpoints} checkpoints, ${report.blocksProven} blocks proven, ${report.proofsVerified} proofs verified by L1`)
  }
  const broken = Object.entries(report.invariants).flatMap(([name, holds]) => (holds ? [] : [name]))
  if (!isSound(report)) return yield* new InvariantBroken({ names: broken })
})

export const devnet = Command.make(
  "devnet",
  flags,
  Effect.fn(function*(given) {
    const config: DevnetConfig = {
      data: Option.getOrUndefined(given.data),
      ledger: new DevnetLedgerConfig({
        seed: given.seed,
        blockTime: given.blockTime,
        checkpointInterval: given.checkpointInterval,
        validators: given.validators
      }),
      workers: Option.getOrElse(given.workers, () => availableParallelism()),
      blocksPerUpdate: given.blocksPerUpdate,
      patience: defaultDevnet.patience,
      l1Port: given.l1Port,
      rpcPort: Option.getOrUndefined(given.rpcPort),
      provingCost: Option.getOrUndefined(given.provingCost),
      keys: given.keys,
      proverCommand: Option.getOrUndefined(given.proverCommand)
    }
    const live = !given.json && process.stdout.isTTY
    const log: Array<string> = []
    const write = live ? (line: string) => void log.push(line) : toStderr

    const run = Effect.gen(function*() {
      if (live) toStderr("starting the devnet: L1, contracts, proving keys …")
      const running = yield* startDevnet(config)
      if (!given.json) yield* Effect.forkScoped(live ? showLive(running, log) : showLines(running))
      const done = Option.match(given.untilUpdates, { onNone: () => Effect.never, onSome: untilUpdates })
      yield* Effect.raceFirst(done, running.supervisor.run).pipe(Effect.provideContext(running.context))
      return yield* Effect.provideContext(makeReport, running.context)
    })
    const report = yield* Effect.scoped(run).pipe(withLogger(given.json ? "Warn" : "Info", write))
    yield* printReport(report, given.json)
  })
).pipe(
  Command.withDescription("Run a rollup, its L1 and a prover node on this machine, until Ctrl-C"),
  Command.withExamples([
    { command: "lignum devnet", description: "Prove and settle, live in the terminal" },
    { command: "lignum devnet --until-updates 2 --json", description: "Stop after two state updates and print what happened" },
    { command: "lignum devnet --data ./devnet", description: "Keep everything in a folder, and go on from it next time" }
  ])
)
