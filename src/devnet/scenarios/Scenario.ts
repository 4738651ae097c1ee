/**
 * A scenario: a devnet that something happens to, and the outcome that must then be seen on L1 and in the nodes.
 */
import { Context, Duration, Effect, Exit, Option, Schema, type Scope, Stream, SubscriptionRef } from "effect"
import type { BlockNumber } from "../../domain/Amount.ts"
import type { Block } from "../../domain/Block.ts"
import type { Address, TransactionHash } from "../../domain/Hash.ts"
import { defaultParameters, ProtocolParameters, scaleTime } from "../../domain/ProtocolParameters.ts"
import type { PriceRule } from "../../domain/ProverPrice.ts"
import type { Credited, L1Event } from "../../l1/Events.ts"
import { followL1 } from "../../l1/Follower.ts"
import type { L1Unavailable } from "../../l1/L1.ts"
import { DevnetLedgerConfig } from "../../ledger/DevnetLedgerConfig.ts"
import { LedgerSource, type LedgerUnavailable } from "../../ledger/LedgerSource.ts"
import { oneLine } from "../../node/Supervisor.ts"
import type { RunningDevnet } from "../Devnet.ts"
import type { DevnetConfig } from "../DevnetConfig.ts"
import type { Operator } from "../Operator.ts"
import type { L1StepFailed } from "../Registration.ts"
import type { ScenarioReport, SeenStep } from "../Report.ts"
import { type ScenarioName, scenarioSummaries } from "./summaries.ts"

/** Something was seen that the scenario's description rules out. */
export class OutcomeContradicted extends Schema.TaggedError<OutcomeContradicted>()("OutcomeContradicted", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** Fails the step that is being waited for, unless a statement about what was found holds. */
export const mustHold = (holds: boolean, reason: string): Effect.Effect<void, OutcomeContradicted> =>
  holds ? Effect.void : Effect.fail(new OutcomeContradicted({ reason }))

export type ScenarioError = OutcomeContradicted | L1StepFailed | L1Unavailable | LedgerUnavailable

/** What was found, by what it is: amounts in wei, hashes, numbers, names of operators. */
export type Evidence = Readonly<Record<string, string | number | bigint>>

/** What a scenario plays on. */
export interface Stage {
  readonly devnet: RunningDevnet
  /** Waits for one part of the outcome, and keeps its evidence. The step's name completes "not seen: …". */
  readonly see: <A, E, R = never>(step: string, watch: Effect.Effect<readonly [found: A, evidence: Evidence], E, R>) => Effect.Effect<A, E, R>
  /** All events of the contracts on L1's present chain, and again after every L1 block. */
  readonly events: Stream.Stream<ReadonlyArray<L1Event>>
  /** Waits until the events hold something. */
  readonly onL1: <A>(find: (events: ReadonlyArray<L1Event>) => A | undefined) => Effect.Effect<A>
  /** An account as people know it. */
  readonly nameOf: (account: Address) => string
  /** The ledger's block at a height, once it is made. */
  readonly block: (number: number) => Effect.Effect<Block, LedgerUnavailable>
}

export interface Scenario {
  readonly name: ScenarioName
  /** Everything must have been seen so long after the start. */
  readonly within: Duration.Duration
  /** The devnet that it takes: times, parameters, operators. */
  readonly configure: (config: DevnetConfig) => DevnetConfig
  /** Does what happens, and sees what comes of it. */
  readonly play: (stage: Stage) => Effect.Effect<void, ScenarioError, Scope.Scope>
}

const text = (evidence: Evidence): SeenStep["evidence"] =>
  Object.fromEntries(Object.entries(evidence).map(([name, value]) => [name, String(value)]))

/** What a view of a node must be, waited for in its stream of changes. */
export const eventually = <A, B, E>(changes: Stream.Stream<A, E>, find: (view: A) => B | undefined): Effect.Effect<B, E> =>
  changes.pipe(
    Stream.map(find),
    Stream.filter((found) => found !== undefined),
    Stream.runHead,
    // Views of a node change for ever.
    Effect.flatMap((found) => Option.isSome(found) ? Effect.succeed(found.value as B) : Effect.never)
  )

/**
 * Parameters for a devnet that is watched for minutes. No block becomes old enough for a turn, a bonus or a revert on a busy machine
 * unless the scenario says otherwise; turns are long enough to put an update together.
 */
export const scenarioParameters = (changes: Partial<ConstructorParameters<typeof ProtocolParameters>[0]>): ProtocolParameters =>
  new ProtocolParameters({
    ...scaleTime(defaultParameters, 600),
    idleFallback: 300,
    turnLength: 15,
    targetLag: 300,
    bonusRamp: 60,
    proofDeadline: 600,
    ...changes
  })

/** The ledger with another block time, a checkpoint at every second block, and another price rule where one is given. */
export const paced = ({ ledger }: DevnetConfig, blockTime: Duration.Duration, price: PriceRule = ledger.price): DevnetLedgerConfig =>
  new DevnetLedgerConfig({ ...ledger, blockTime, checkpointInterval: 2, price })

/** Holds for one kind of event. */
export const isA = <Tag extends L1Event["_tag"]>(tag: Tag) => (event: L1Event): event is Extract<L1Event, { readonly _tag: Tag }> =>
  event._tag === tag

/** What an account was credited in a transaction for one kind of deed, in wei. */
export const creditedIn = (events: ReadonlyArray<L1Event>, transaction: TransactionHash) => (account: Address, kind: Credited["kind"]): bigint =>
  events.filter(isA("Credited"))
    .filter((credit) => credit.at.transaction === transaction && credit.account === account && credit.kind === kind)
    .reduce((sum, { amount }) => sum + amount, 0n)

/** Plays a scenario on a devnet that was configured for it. It never fails: the report says what was not seen, and why. */
export const playScenario = Effect.fnUntraced(function*(
  scenario: Scenario,
  devnet: RunningDevnet
): Effect.fn.Return<ScenarioReport, never, Scope.Scope> {
  const history = yield* SubscriptionRef.make<ReadonlyArray<L1Event>>([])
  yield* followL1<ReadonlyArray<L1Event>>({
    initial: [],
    step: (events, event) => Effect.succeed([...events, event]),
    publish: (events) => SubscriptionRef.set(history, events)
  }).pipe(Effect.provideContext(devnet.rollup), Effect.forkScoped)

  const seen: Array<SeenStep> = []
  let waitedFor = "its first step"
  const ledger = Context.get(devnet.rollup, LedgerSource)
  const stage: Stage = {
    devnet,
    see: (step, watch) =>
      Effect.suspend(() => {
        waitedFor = step
        return watch
      }).pipe(
        Effect.tap(([, evidence]) => {
          seen.push({ step, evidence: text(evidence) })
          return Effect.logInfo(`seen: ${step} (${Object.entries(evidence).map(([name, value]) => `${name} ${value}`).join(", ")})`)
        }),
        Effect.map(([found]) => found)
      ),
    events: SubscriptionRef.changes(history),
    onL1: (find) => eventually(SubscriptionRef.changes(history), find),
    nameOf: (account) => devnet.operators.find((operator) => operator.account === account)?.name ?? account,
    block: (number) => eventually(ledger.blocks(number as BlockNumber), (block) => (block.number === number ? block : undefined))
  }
  yield* Effect.logInfo(`scenario ${scenario.name}: ${scenarioSummaries[scenario.name]}`)
  const exit = yield* Effect.exit(Effect.timeoutOption(Effect.scoped(scenario.play(stage)), scenario.within))
  const missing = Exit.isFailure(exit)
    ? `${waitedFor}: ${oneLine(exit.cause)}`
    : Option.isNone(exit.value)
    ? `${waitedFor}, within ${Duration.format(scenario.within)}`
    : null
  return { name: scenario.name, seen, missing }
})

/** The operator with an account. */
export const operatorOf = (devnet: RunningDevnet, account: Address): Effect.Effect<Operator, OutcomeContradicted> => {
  const found = devnet.operators.find((operator) => operator.account === account)
  return found === undefined ? Effect.fail(new OutcomeContradicted({ reason: `${account} is no operator's account` })) : Effect.succeed(found)
}
