/**
 * Everything that happens in a devnet, as one stream of news, and the picture that it adds up to.
 */
import { Context, Effect, Queue, Stream } from "effect"
import type { Block } from "../domain/Block.ts"
import type { CheckpointRegistered, CheckpointsReverted, L1Event } from "../l1/Events.ts"
import { followL1 } from "../l1/Follower.ts"
import type { Address, CheckpointId } from "../domain/Hash.ts"
import { L1, type L1Unavailable } from "../l1/L1.ts"
import { LedgerSource, type LedgerUnavailable } from "../ledger/LedgerSource.ts"
import { BlockNumber } from "../domain/Amount.ts"
import { NodeService } from "../node/NodeService.ts"
import type { ChildStatus } from "../node/Supervisor.ts"
import { FeeController, type PriceView } from "../roles/FeeController.ts"
import { type ExchangeView, ProofExchange } from "../roles/ProofExchange.ts"
import { type PoolStatus, ProverPool } from "../roles/ProverPool.ts"
import { type AuditReport, RewardAuditor } from "../roles/RewardAuditor.ts"
import { Settler, type SettlerStatus } from "../roles/Settler.ts"
import { type PlannerView, TreePlanner } from "../roles/TreePlanner.ts"
import type { RunningDevnet } from "./Devnet.ts"
import type { Operator } from "./Operator.ts"
import { describeUpdate, type SettledUpdate } from "./Report.ts"

/** What changed at one operator. */
export type OperatorNews =
  | { readonly _tag: "Pool"; readonly status: PoolStatus }
  | { readonly _tag: "Planner"; readonly view: PlannerView }
  | { readonly _tag: "Settler"; readonly status: SettlerStatus }
  | { readonly _tag: "Price"; readonly view: PriceView }
  | { readonly _tag: "Audit"; readonly report: AuditReport }
  | { readonly _tag: "Exchange"; readonly view: ExchangeView }
  | { readonly _tag: "Roles"; readonly roles: ReadonlyArray<ChildStatus> }
  | { readonly _tag: "Hosts"; readonly hosts: ReadonlyArray<ChildStatus> }

export type News =
  | { readonly _tag: "Block"; readonly block: Block }
  | { readonly _tag: "Checkpoint"; readonly event: CheckpointRegistered }
  | { readonly _tag: "Revert"; readonly event: CheckpointsReverted }
  | { readonly _tag: "Update"; readonly update: SettledUpdate }
  | { readonly _tag: "Operator"; readonly account: Address; readonly news: OperatorNews }

/** One operator's node at a glance. */
export interface OperatorPicture {
  readonly name: string
  readonly account: Address
  readonly pool: PoolStatus | undefined
  readonly planner: PlannerView | undefined
  readonly settler: SettlerStatus | undefined
  readonly price: PriceView | undefined
  readonly audit: AuditReport | undefined
  readonly exchange: ExchangeView | undefined
  readonly roles: ReadonlyArray<ChildStatus>
  /** How the processes are that all this runs in. */
  readonly hosts: ReadonlyArray<ChildStatus>
}

/** What a person wants to see at a glance. */
export interface Picture {
  /** The newest blocks, oldest first; none that was replaced. */
  readonly blocks: ReadonlyArray<Block>
  /** Numbers of the checkpoints on L1 that no revert removed. */
  readonly checkpoints: ReadonlySet<number>
  readonly updates: ReadonlyArray<SettledUpdate>
  readonly operators: ReadonlyArray<OperatorPicture>
}

/** The picture before any news. */
export const emptyPicture = (operators: ReadonlyArray<Pick<Operator, "account" | "name">>): Picture => ({
  blocks: [],
  checkpoints: new Set(),
  updates: [],
  operators: operators.map(({ account, name }) => ({
    name,
    account,
    pool: undefined,
    planner: undefined,
    settler: undefined,
    price: undefined,
    audit: undefined,
    exchange: undefined,
    roles: [],
    hosts: []
  }))
})

/** An account as people know it: an operator's name, or its first digits. */
export const nameOf = ({ operators }: Picture, account: Address): string =>
  operators.find((operator) => operator.account === account)?.name ?? `${account.slice(0, 8)}…`

/** Whose leaves an update was paid for, as in "prover-1 ×2, prover-3". */
export const leavesOf = (picture: Picture, { provers }: SettledUpdate): string =>
  [...Map.groupBy(provers, (prover) => nameOf(picture, prover))]
    .map(([name, leaves]) => (leaves.length === 1 ? name : `${name} ×${leaves.length}`))
    .join(", ")

/** The view of the operator that knows of the most proofs. */
export const furthestPlanner = ({ operators }: Picture): PlannerView | undefined =>
  operators.reduce<PlannerView | undefined>(
    (furthest, { planner }) =>
      furthest === undefined || (planner !== undefined && planner.provenTo.number > furthest.provenTo.number) ? planner : furthest,
    undefined
  )

const shownBlocks = 64

const paintOperator = (operator: OperatorPicture, news: OperatorNews): OperatorPicture => {
  switch (news._tag) {
    case "Pool":
      return { ...operator, pool: news.status }
    case "Planner":
      return { ...operator, planner: news.view }
    case "Settler":
      return { ...operator, settler: news.status }
    case "Price":
      return { ...operator, price: news.view }
    case "Audit":
      return { ...operator, audit: news.report }
    case "Exchange":
      return { ...operator, exchange: news.view }
    case "Roles":
      return { ...operator, roles: news.roles }
    case "Hosts":
      return { ...operator, hosts: news.hosts }
  }
}

/** The picture after a piece of news. */
export const paint = (picture: Picture, news: News): Picture => {
  switch (news._tag) {
    case "Block":
      // A block may replace those from its number on (CP-4).
      return { ...picture, blocks: [...picture.blocks.filter(({ number }) => number < news.block.number).slice(1 - shownBlocks), news.block] }
    case "Checkpoint":
      return { ...picture, checkpoints: new Set(picture.checkpoints).add(news.event.checkpoint.number) }
    case "Revert":
      return { ...picture, checkpoints: new Set([...picture.checkpoints].filter((number) => number <= news.event.headNumber)) }
    case "Update":
      return { ...picture, updates: [...picture.updates, news.update] }
    case "Operator":
      return {
        ...picture,
        operators: picture.operators.map((operator) => (operator.account === news.account ? paintOperator(operator, news.news) : operator))
      }
  }
}

/** Checkpoints, updates and reverts as they appear on L1. One that L1 takes back and brings again is news once. */
const l1News = Effect.fnUntraced(function*(url: string, queue: Queue.Queue<News>) {
  const l1 = yield* L1
  const checkpoints = new Map<CheckpointId, CheckpointRegistered["checkpoint"]>()
  const told = new Set<string>()
  const tell = (key: string, news: Effect.Effect<News, L1Unavailable>) =>
    told.has(key)
      ? Effect.void
      : Effect.flatMap(news, (item) => Effect.andThen(Effect.sync(() => told.add(key)), Queue.offer(queue, item))).pipe(
        Effect.catch((error) => Effect.logWarning(error.message))
      )
  const step = (state: null, event: L1Event): Effect.Effect<null> => {
    switch (event._tag) {
      case "CheckpointRegistered":
        checkpoints.set(event.checkpoint.id, event.checkpoint)
        return event.checkpoint.number === 0
          ? Effect.succeed(state)
          : Effect.as(tell(event.checkpoint.id, Effect.succeed({ _tag: "Checkpoint", event })), state)
      case "CheckpointsReverted":
        return Effect.as(tell(`${event.generation} ${event.head} ${event.tip}`, Effect.succeed({ _tag: "Revert", event })), state)
      case "StateUpdated":
        return describeUpdate(url, event, checkpoints.get(event.continuedBy)!).pipe(
          Effect.provideService(L1, l1),
          Effect.map((update): News => ({ _tag: "Update", update })),
          (news) => Effect.as(tell(event.to.hash, news), state)
        )
      default:
        return Effect.succeed(state)
    }
  }
  return yield* followL1({ initial: null, step, publish: () => Effect.void })
})

const operatorNews = ({ account, node }: Operator): Stream.Stream<News> =>
  Stream.mergeAll<OperatorNews, never, never>([
    Stream.map(Context.get(node, ProverPool).changes(), (status): OperatorNews => ({ _tag: "Pool", status })),
    Stream.map(Context.get(node, TreePlanner).changes(), (view): OperatorNews => ({ _tag: "Planner", view })),
    Stream.map(Context.get(node, Settler).changes(), (status): OperatorNews => ({ _tag: "Settler", status })),
    Stream.map(Context.get(node, FeeController).changes(), (view): OperatorNews => ({ _tag: "Price", view })),
    Stream.map(Context.get(node, RewardAuditor).changes(), (report): OperatorNews => ({ _tag: "Audit", report })),
    Stream.map(Context.get(node, ProofExchange).changes(), (view): OperatorNews => ({ _tag: "Exchange", view })),
    Stream.map(Context.get(node, NodeService).changes(), ({ roles }): OperatorNews => ({ _tag: "Roles", roles }))
  ], { concurrency: "unbounded" }).pipe(Stream.map((news): News => ({ _tag: "Operator", account, news })))

const hostNews = (operators: ReadonlyArray<Operator>, processes: Stream.Stream<ReadonlyArray<ChildStatus>>): Stream.Stream<News> =>
  Stream.flatMap(processes, (all) =>
    Stream.fromIterable(operators.map(({ account, hosts }): News => ({
      _tag: "Operator",
      account,
      news: { _tag: "Hosts", hosts: all.filter((status) => hosts.some(({ name }) => name === status.name)) }
    }))))

/** All news of a running devnet: the present state of everything first. */
export const feed = ({ operators, processes, rollup, url }: RunningDevnet): Stream.Stream<News, LedgerUnavailable> =>
  Stream.unwrap(Effect.gen(function*() {
    const onL1 = yield* Queue.unbounded<News>()
    yield* Effect.forkScoped(Effect.provideContext(l1News(url, onL1), rollup))
    return Stream.mergeAll<News, LedgerUnavailable, never>([
      Stream.map(Context.get(rollup, LedgerSource).blocks(BlockNumber.make(1)), (block): News => ({ _tag: "Block", block })),
      Stream.fromQueue(onL1),
      ...operators.map(operatorNews),
      hostNews(operators, processes)
    ], { concurrency: "unbounded" })
  }))
