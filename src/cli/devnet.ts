/**
 * `lignum devnet`: a whole rollup on this machine, proving and settling until it is stopped.
 */
import { Clock, Console, Duration, Effect, Option, Redacted, Runtime, Schedule, Schema, type Scope, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import logUpdate from "log-update"
import { requireFresh } from "../devnet/DataFolder.ts"
import { type RunningDevnet, startDevnet, untilUpdates } from "../devnet/Devnet.ts"
import { defaultDevnet, defaultPolicy, type DevnetConfig, devnetParameters, healthyLag, maxBlocksPerUpdate, maxHosts, maxOperators } from "../devnet/DevnetConfig.ts"
import { emptyPicture, feed, paint } from "../devnet/Feed.ts"
import { renderFrame } from "../devnet/LiveView.ts"
import { ether, plainLines, updateLine } from "../devnet/PlainView.ts"
import { DevnetReport, isSound, makeReport } from "../devnet/Report.ts"
import { scenarios } from "../devnet/scenarios/all.ts"
import { playScenario } from "../devnet/scenarios/Scenario.ts"
import { maxValidators } from "../domain/QuorumCertificate.ts"
import { DevnetLedgerConfig } from "../ledger/DevnetLedgerConfig.ts"
import { plainLine, toStderr, withLog } from "./log.ts"

/** An invariant does not hold: the report says which. Nothing is more worth reporting. */
class InvariantBroken extends Schema.TaggedError<InvariantBroken>()("InvariantBroken", { names: Schema.Array(Schema.String) }) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    return `these invariants do not hold: ${this.names.join(", ")}. Please report it with the data folder.`
  }
}

/** A database for several hosts was named, and there is one host. */
class HostsMissing extends Schema.TaggedError<HostsMissing>()("HostsMissing", {}) {
  override get message() {
    return "--postgres is the database that several hosts share, and there is one host: say how many with --hosts, or leave --postgres out"
  }
}

/** A scenario's outcome was not seen, or not all of it: the report says what was. */
class ScenarioFailed extends Schema.TaggedError<ScenarioFailed>()("ScenarioFailed", { name: Schema.String, missing: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    return `scenario ${this.name}: not seen: ${this.missing}`
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
  operators: whole(
    "operators",
    `Prover operators, each a whole node in a process of its own, with an L1 account and a store, ${maxOperators} at most`,
    defaultDevnet.operators.length,
    maxOperators
  ),
  hosts: whole(
    "hosts",
    `Hosts of the first operator, each a process; more than one share a Postgres, which runs in the data folder; ${maxHosts} at most`,
    defaultDevnet.hosts,
    maxHosts
  ),
  postgres: Flag.String("postgres").pipe(
    Flag.withSchema(Schema.String.check(
      Schema.makeFilter((text: string) => (URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)) || "an address like postgres://user:password@host:5432/database")
    )),
    Flag.withDescription("A database of yours for those hosts to share, empty or of this devnet, in the place of the one in the data folder"),
    Flag.optional
  ),
  scenario: Flag.ChoiceWithValue("scenario", scenarios.map((scenario) => [scenario.name, scenario] as const)).pipe(
    Flag.withDescription(
      "Play a scenario, which sets times, parameters and operators itself, and end with 0 only if its outcome was seen" +
        // As far to the right as the descriptions of the other flags.
        scenarios.map(({ name, summary }) => `\n${" ".repeat(37)}${name}: ${summary}`).join("")
    ),
    Flag.optional
  ),
  workers: Flag.Int("workers").pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 256 }))),
    Flag.withDescription("Proofs at once of each host; the cores are shared out if not given, at least one to each"),
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
    Flag.withDescription("What proving costs an operator, in wei per prover gas: where prices leave less, its node flags on L1; never if not given"),
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

/** Prints one line per thing that happens. */
const showLines = (devnet: RunningDevnet) => {
  let picture = emptyPicture(devnet.operators)
  return Stream.runForEach(feed(devnet), (news) => {
    const lines = plainLines(picture, news)
    picture = paint(picture, news)
    return Effect.forEach(lines, (line) => Effect.logInfo(line), { discard: true })
  })
}

/** Redraws the terminal four times a second. */
const showLive = (devnet: RunningDevnet, log: ReadonlyArray<string>): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const since = yield* Clock.currentTimeMillis
    let picture = emptyPicture(devnet.operators)
    yield* Effect.forkScoped(Stream.runForEach(feed(devnet), (news) => Effect.sync(() => (picture = paint(picture, news)))))
    yield* Effect.addFinalizer(() => Effect.sync(() => logUpdate.done()))
    const draw = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.sync(() =>
        logUpdate(renderFrame(picture, { title: `L1 at ${devnet.url}`, now, since, columns: process.stdout.columns, log: log.slice(-3) }))
      ))
    return yield* Effect.repeat(draw, Schedule.spaced("250 millis"))
  }).pipe(Effect.asVoid)

const printReport = Effect.fnUntraced(function*(report: DevnetReport, json: boolean) {
  if (json) yield* Console.log(yield* Schema.encodeEffect(Schema.fromJsonString(Schema.toCodecJson(DevnetReport)))(report))
  else {
    for (const update of report.updates) yield* Console.log(updateLine(update))
    yield* Console.log(`${report.checkpoints} checkpoints, ${report.blocksProven} blocks proven, ${report.proofsVerified} proofs verified by L1`)
    for (const { blocksProven, credited, leaves, name, updates } of report.operators) {
      yield* Console.log(`${name} proved ${blocksProven} blocks, was paid for ${leaves}, brought ${updates} updates, and was credited ${ether(credited)}`)
    }
    for (const { account, credited, operator } of report.credits) {
      if (operator === null) yield* Console.log(`${account} was credited ${ether(credited)}`)
    }
    for (const { evidence, step } of report.scenario?.seen ?? []) {
      yield* Console.log(`seen: ${step} (${Object.entries(evidence).map(([name, value]) => `${name} ${value}`).join(", ")})`)
    }
  }
  const broken = Object.entries(report.invariants).flatMap(([name, holds]) => (holds ? [] : [name]))
  if (!isSound(report)) return yield* new InvariantBroken({ names: broken })
  const { scenario } = report
  if (scenario !== undefined && scenario.missing !== null) return yield* new ScenarioFailed({ name: scenario.name, missing: scenario.missing })
})

export const devnet = Command.make(
  "devnet",
  flags,
  Effect.fn(function*(given) {
    const ledger = new DevnetLedgerConfig({
      seed: given.seed,
      blockTime: given.blockTime,
      checkpointInterval: given.checkpointInterval,
      validators: given.validators
    })
    const pace = { ledger, blocksPerUpdate: given.blocksPerUpdate }
    const asked: DevnetConfig = {
      data: Option.getOrUndefined(given.data),
      ...pace,
      operators: Array.from({ length: given.operators }, () => ({
        ...defaultPolicy,
        provingCost: Option.getOrUndefined(given.provingCost),
        flagAfter: Duration.seconds(healthyLag(pace))
      })),
      hosts: given.hosts,
      postgres: Option.getOrUndefined(Option.map(given.postgres, Redacted.make)),
      workers: Option.getOrUndefined(given.workers),
      patience: defaultDevnet.patience,
      parameters: devnetParameters(pace),
      endowment: defaultDevnet.endowment,
      l1Port: given.l1Port,
      rpcPort: Option.getOrUndefined(given.rpcPort),
      keys: given.keys,
      proverCommand: Option.getOrUndefined(given.proverCommand)
    }
    const scenario = Option.getOrUndefined(given.scenario)
    if (scenario !== undefined) yield* requireFresh(asked.data, scenario.name)
    const config = scenario === undefined ? asked : scenario.configure(asked)
    if (config.postgres !== undefined && config.hosts === 1) return yield* new HostsMissing()
    const live = !given.json && process.stdout.isTTY
    const log: Array<string> = []
    const write = live ? (line: string) => void log.push(line) : toStderr

    const run = Effect.gen(function*() {
      if (live) toStderr("starting the devnet: L1, contracts, proving keys …")
      const running = yield* startDevnet(config)
      if (!given.json) yield* Effect.forkScoped(live ? showLive(running, log) : showLines(running))
      const played = scenario === undefined ? undefined : yield* Effect.raceFirst(playScenario(scenario, running), running.run)
      // A scenario that failed has nothing more to wait for, and one that was seen to its end is over unless more is asked for.
      if (played === undefined || played.missing === null) {
        const until = Option.match(given.untilUpdates, {
          onNone: () => (played === undefined ? Effect.never : Effect.void),
          onSome: (count) => untilUpdates(count)(running)
        })
        yield* Effect.raceFirst(until, running.run)
      }
      return yield* Effect.raceFirst(makeReport(running, played), running.run)
    })
    const report = yield* Effect.scoped(run).pipe(withLog(given.json ? "Warn" : "Info", (line) => write(plainLine(line))))
    yield* printReport(report, given.json)
  })
).pipe(
  Command.withDescription("Run a rollup, its L1 and prover nodes on this machine, until Ctrl-C"),
  Command.withExamples([
    { command: "lignum devnet", description: "Prove and settle, live in the terminal" },
    { command: "lignum devnet --until-updates 2 --json", description: "Stop after two state updates and print what happened" },
    { command: "lignum devnet --operators 1", description: "One prover operator, with the whole machine" },
    { command: "lignum devnet --operators 1 --hosts 3", description: "One prover operator on three hosts, any of which may die" },
    { command: "lignum devnet --scenario fallback --json", description: "Play a scenario and print what was seen" },
    { command: "lignum devnet --data ./devnet", description: "Keep everything in a folder, and go on from it next time" }
  ])
)
