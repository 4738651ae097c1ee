/**
 * Everything that happens in a devnet, as one stream of news, and the picture that it adds up to.
 */
import { Effect, Queue, Stream } from "effect"
import type { Block } from "../domain/Block.ts"
import type { CheckpointRegistered, CheckpointsReverted, L1Event } from "../l1/Events.ts"
import { followL1 } from "../l1/Follower.ts"
import type { CheckpointId } from "../domain/Hash.ts"
import { L1, type L1Unavailable } from "../l1/L1.ts"
import { LedgerSource, type LedgerUnavailable } from "../ledger/LedgerSource.ts"
import { BlockNumber } from "../domain/Amount.ts"
import type { ChildStatus, Supervisor } from "../node/Supervisor.ts"
import { FeeController, type PriceView } from "../roles/FeeController.ts"
import { type PoolStatus, ProverPool } from "../roles/ProverPool.ts"
import { type AuditReport, RewardAuditor } from "../roles/RewardAuditor.ts"
import { Settler, type SettlerStatus } from "../roles/Settler.ts"
import { type PlannerView, TreePlanner } from "../roles/TreePlanner.ts"
import { describeUpdate, type SettledUpdate } from "./Report.ts"

export type News =
  | { readonly _tag: "Block"; readonly block: Block }
  | { readonly _tag: "Checkpoint"; readonly event: CheckpointRegistered }
  | { readonly _tag: "Revert"; readonly event: CheckpointsReverted }
  | { readonly _tag: "Update"; readonly update: SettledUpdate }
  | { readonly _tag: "Pool"; readonly status: PoolStatus }
  | { readonly _tag: "Planner"; readonly view: PlannerView }
  | { readonly _tag: "Settler"; readonly status: SettlerStatus }
  | { readonly _tag: "Price"; readonly view: PriceView }
  | { readonly _tag: "Audit"; readonly report: AuditReport }
  | { readonly _tag: "Roles"; readonly roles: ReadonlyArray<ChildStatus> }

/** What a person wants to see at a glance. */
export interface Picture {
  /** The newest blocks, oldest first; none that was replaced. */
  readonly blocks: ReadonlyArray<Block>
  /** Numbers of the checkpoints on L1 that no revert removed. */
  readonly checkpoints: ReadonlySet<number>
  readonly updates: ReadonlyArray<SettledUpdate>
  readonly pool: PoolStatus | undefined
  readonly planner: PlannerView | undefined
  readonly settler: SettlerStatus | undefined
  readonly price: PriceView | undefined
  readonly audit: AuditReport | undefined
  readonly roles: ReadonlyArray<ChildStatus>
}

export const emptyPicture: Picture = {
  blocks: [],
  checkpoints: new Set(),
  updates: [],
  pool: undefined,
  planner: undefined,
  settler: undefined,
  price: undefined,
  audit: undefined,
  roles: []
}

const shownBlocks = 64

/** The picture after a piece of news. */
export const paint = (picture: Picture, news: News): Picture => {
  switch (news._tag) {
    case "Block":
      return { ...picture, blocks: [...picture.blocks.filter(({ number }) => number < news.block.number).slice(1 - shownBlocks), news.block] }
    case "Checkpoint":
      return { ...picture, checkpoints: new Set(picture.checkpoints).add(news.event.checkpoint.number) }
    case "Revert":
      return { ...picture, checkpoints: new Set([...picture.checkpoints].filter((number) => number <= news.event.headNumber)) }
    case "Update":
      return { ...picture, updates: [...picture.updates, news.update] }
    case "Pool":
      return { ...picture, pool: news.status }
    case "Planner":
      return { ...picture, planner: news.view }
    case "Settler":
      return { ...picture, settler: news.status }
    case "Price":
      return { ...picture, price: news.view }
    case "Audit":
      return { ...picture, audit: news.report }
    case "Roles":
      return { ...picture, roles: news.roles }
  }
}

/** Checkpoints, updates and reverts as they appear on L1. One that L1 takes back and brings again is news once. */
const l1News = Effect.fnUntraced(function*(queue: Queue.Queue<News>) {
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
        return describeUpdate(event, checkpoints.get(event.continuedBy)!).pipe(
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

/** All news of a running devnet: the present state of everything first. */
export const feed = (supervisor: Supervisor): Stream.Stream<
  News,
  LedgerUnavailable,
  L1 | LedgerSource | ProverPool | TreePlanner | Settler | FeeController | RewardAuditor
> =>
  Stream.unwrap(Effect.gen(function*() {
    const ledger = yield* LedgerSource
    const pool = yield* ProverPool
    const planner = yield* TreePlanner
    const settler = yield* Settler
    const fees = yield* FeeController
    const auditor = yield* RewardAuditor
    const onL1 = yield* Queue.unbounded<News>()
    yield* Effect.forkScoped(l1News(onL1))
    return Stream.mergeAll<News, LedgerUnavailable, never>([
      Stream.map(ledger.blocks(BlockNumber.make(1)), (block): News => ({ _tag: "Block", block })),
      Stream.fromQueue(onL1),
      Stream.map(pool.changes(), (status): News => ({ _tag: "Pool", status })),
      Stream.map(planner.changes(), (view): News => ({ _tag: "Planner", view })),
      Stream.map(settler.changes(), (status): News => ({ _tag: "Settler", status })),
      Stream.map(fees.changes(), (view): News => ({ _tag: "Price", view })),
      Stream.map(auditor.changes(), (report): News => ({ _tag: "Audit", report })),
      Stream.map(supervisor.changes, (roles): News => ({ _tag: "Roles", roles }))
    ], { concurrency: "unbounded" })
  }))
