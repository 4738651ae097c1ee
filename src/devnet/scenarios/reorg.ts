/** ND-3: L1 takes back what a node has settled. */
import { Context, Duration, Effect, Fiber, Schedule } from "effect"
import { createTestClient, http } from "viem"
import type { CheckpointRegistered, L1Event, StateUpdated } from "../../l1/Events.ts"
import { L1 } from "../../l1/L1.ts"
import { CheckpointWatcher } from "../../roles/CheckpointWatcher.ts"
import { defaultPolicy, type DevnetConfig } from "../DevnetConfig.ts"
import { onL1Step } from "../Registration.ts"
import { eventually, isA, mustHold, paced, type Scenario, scenarioParameters, type Stage } from "./Scenario.ts"

const depth = 5

const configure = (config: DevnetConfig): DevnetConfig => ({
  ...config,
  parameters: scenarioParameters({}),
  ledger: paced(config, Duration.seconds(6)),
  blocksPerUpdate: 2,
  operators: [defaultPolicy, defaultPolicy]
})

/** What the newest L1 blocks hold that the scenario takes back. */
interface Doomed {
  readonly latest: number
  readonly fork: number
  readonly update: StateUpdated
  readonly checkpoint: CheckpointRegistered
}

const doomedAt = (events: ReadonlyArray<L1Event>, latest: number): Doomed | undefined => {
  const fork = latest - depth
  const update = events.filter(isA("StateUpdated")).find(({ at }) => at.block > fork)
  const checkpoint = events.filter(isA("CheckpointRegistered")).find(({ at }) => at.block > fork)
  // Later registrations, bonds and endowment must stay: there is nobody who brings them again.
  const stays = events.every((event) => event.at.block <= fork || (event._tag !== "ProverRegistered" && event._tag !== "ValidatorSetChanged"))
  return update === undefined || checkpoint === undefined || !stays ? undefined : { latest, fork, update, checkpoint }
}

/** What may be taken back now: the newest L1 blocks hold it, and every node has seen them. */
const findDoomed = ({ devnet }: Stage) =>
  Effect.gen(function*() {
    const l1 = Context.get(devnet.rollup, L1)
    const { number } = yield* l1.latest
    const events = yield* l1.events(l1.deployedAt, number)
    const found = doomedAt(events, number)
    if (found === undefined) return undefined
    const updates = events.filter(isA("StateUpdated")).length
    yield* Effect.forEach(devnet.operators, ({ node }) =>
      eventually(Context.get(node, CheckpointWatcher).changes(), (view) => (view.updates >= updates ? view : undefined)))
    // They have taken their time; meanwhile L1 may have gone on.
    return (yield* l1.latest).number === number ? found : undefined
  })

/** Takes the newest blocks back as soon as they hold a checkpoint and an update. */
const takeBack = (stage: Stage) =>
  Effect.gen(function*() {
    const doomed = yield* stage.onL1((events) => events.some(isA("StateUpdated")) ? true : undefined).pipe(
      Effect.andThen(findDoomed(stage)),
      Effect.repeat({ schedule: Schedule.spaced("100 millis"), until: (found) => found !== undefined })
    )
    yield* onL1Step("taking L1 blocks back", () =>
      createTestClient({ mode: "anvil", transport: http(stage.devnet.url) }).request({ method: "anvil_reorg" as never, params: [depth, []] as never }))
    return doomed!
  })

/** Every block paid by one update, and no leaf of it credited twice. */
const paidOnce = (events: ReadonlyArray<L1Event>) => {
  const credits = events.filter(isA("Credited")).map(({ account, block, kind }) => `${kind} of block ${block} to ${account}`)
  const updates = events.filter(isA("StateUpdated"))
  return {
    twice: credits.filter((credit, i) => credits.indexOf(credit) !== i),
    broken: updates.filter(({ from }, i) => i > 0 && from.hash !== updates[i - 1]!.to.hash),
    credits: credits.length,
    updates: updates.length
  }
}

export const reorg: Scenario = {
  name: "reorg",
  within: Duration.minutes(4),
  configure,
  play: Effect.fnUntraced(function*(stage) {
    const { devnet, onL1, see } = stage
    /** Each operator's view goes from more updates to fewer. */
    const wentBack = yield* Effect.forEach(devnet.operators, ({ name, node }) => {
      let most = 0
      return Effect.forkScoped(eventually(Context.get(node, CheckpointWatcher).changes(), ({ tip, updates }) => {
        if (updates < most) return [name, tip.number] as const
        most = updates
        return undefined
      }))
    })
    const doomed = yield* see("L1 takes five blocks back that hold a checkpoint and an update", Effect.map(
      takeBack(stage),
      (found) =>
        [found, {
          l1Blocks: `${found.fork + 1} to ${found.latest}`,
          update: found.update.at.transaction,
          to: found.update.to.number,
          checkpoint: found.checkpoint.checkpoint.number,
          registration: found.checkpoint.at.transaction
        }] as const
    ))
    yield* see("every node goes back to the fork", Effect.map(
      Effect.forEach(wentBack, (fiber) => Fiber.join(fiber)),
      (tips) => [undefined, Object.fromEntries(tips.map(([name, tip]) => [name, `tip ${tip}`]))] as const
    ))
    yield* see("the checkpoint is on L1 again", Effect.map(
      onL1((events) =>
        events.filter(isA("CheckpointRegistered")).find(({ at, checkpoint }) =>
          checkpoint.id === doomed.checkpoint.checkpoint.id && at.blockHash !== doomed.checkpoint.at.blockHash)),
      ({ at }) => [undefined, { transaction: at.transaction, l1Block: at.block }] as const
    ))
    const again = yield* see("the blocks of the update are settled again", Effect.map(
      onL1((events) => {
        const covers = events.filter(isA("StateUpdated")).find(({ at, to }) => to.number >= doomed.update.to.number && at.blockHash !== doomed.update.at.blockHash)
        return covers === undefined ? undefined : { covers, events }
      }),
      (found) => [found, { transaction: found.covers.at.transaction, from: found.covers.from.number, to: found.covers.to.number, l1Block: found.covers.at.block }] as const
    ))
    yield* see("the tip is on the same chain", Effect.gen(function*() {
      const { to } = again.covers
      const header = (yield* stage.block(to.number)).header
      yield* mustHold(header.hash === to.hash, `block ${to.number} is ${to.hash} on L1 and ${header.hash} in the ledger`)
      yield* mustHold(
        to.number !== doomed.update.to.number || to.hash === doomed.update.to.hash,
        `block ${to.number} was ${doomed.update.to.hash} before and is ${to.hash}`
      )
      return [undefined, { number: to.number, hash: to.hash }] as const
    }))
    yield* see("no update and no credit came twice", Effect.gen(function*() {
      const { broken, credits, twice, updates } = paidOnce(again.events)
      yield* mustHold(broken.length === 0, `${broken.length} updates do not start where the one before ended`)
      yield* mustHold(twice.length === 0, `credited twice: ${twice.join(", ")}`)
      return [undefined, { updates, credits }] as const
    }))
  })
}
