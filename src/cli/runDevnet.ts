/**
 * Runs a devnet as flags say: shows it, live or line by line, and reports at its end.
 */
import { Clock, Console, Duration, Effect, Option, Redacted, Runtime, Schedule, Schema, type Scope, Stream } from "effect"
import logUpdate from "log-update"
import { requireFresh } from "../devnet/DataFolder.ts"
import { type RunningDevnet, startDevnet, untilUpdates } from "../devnet/Devnet.ts"
import { defaultDevnet, defaultPolicy, type DevnetConfig, devnetParameters, healthyLag } from "../devnet/DevnetConfig.ts"
import { emptyPicture, feed, paint } from "../devnet/Feed.ts"
import { renderFrame } from "../devnet/LiveView.ts"
import { plainLines, updateLine } from "../devnet/PlainView.ts"
import { DevnetReport, isSound, makeReport } from "../devnet/Report.ts"
import { scenarios } from "../devnet/scenarios/all.ts"
import { playScenario } from "../devnet/scenarios/Scenario.ts"
import { ether } from "../domain/Ether.ts"
import { DevnetLedgerConfig } from "../ledger/DevnetLedgerConfig.ts"
import type { DevnetFlags } from "./devnet.ts"
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

/** Runs until what was asked for is seen, or for ever; the report is printed at the end. */
export const runDevnet = Effect.fn(function*(given: DevnetFlags) {
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
  const scenario = Option.getOrUndefined(Option.map(given.scenario, (name) => scenarios[name]))
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
