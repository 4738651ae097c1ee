/** ST-4 to ST-6: the race runs out, and the holder of the turn brings the update. */
import { Duration, Effect } from "effect"
import { splitPot } from "../../domain/Rewards.ts"
import { defaultPolicy, type DevnetConfig } from "../DevnetConfig.ts"
import { creditedIn, isA, mustHold, paced, type Scenario, scenarioParameters } from "./Scenario.ts"

/** Five idle hours are 30 seconds. */
const parameters = scenarioParameters({ idleFallback: 30 })

const configure = (config: DevnetConfig): DevnetConfig => ({
  ...config,
  parameters,
  ledger: paced(config, Duration.seconds(6)),
  blocksPerUpdate: 2,
  operators: Array.from({ length: 3 }, () => ({ ...defaultPolicy, settling: "turns" as const, redundancy: false }))
})

export const fallback: Scenario = {
  name: "fallback",
  within: Duration.minutes(4),
  configure,
  play: Effect.fnUntraced(function*({ block, nameOf, onL1, see }) {
    yield* see("three provers are registered for turns", Effect.map(
      onL1((events) => {
        const registered = events.filter(isA("ProverRegistered"))
        return registered.length === 3 ? registered : undefined
      }),
      (registered) => [undefined, Object.fromEntries(registered.map(({ at, prover }) => [nameOf(prover), at.transaction]))] as const
    ))

    const first = yield* see("an update comes when the race is over", onL1((events) => {
      const update = events.find(isA("StateUpdated"))
      if (update === undefined) return undefined
      return { update, turn: events.find((event) => event._tag === "UpdatedInTurn" && event.at.transaction === update.at.transaction), events }
    }).pipe(
      Effect.tap(({ turn }) => mustHold(turn !== undefined, "the first update came in the race")),
      Effect.map(({ events, update }) =>
        [{ update, events, turn: events.filter(isA("UpdatedInTurn"))[0]! }, {
          transaction: update.at.transaction,
          from: update.from.number,
          to: update.to.number,
          l1Block: update.at.block
        }] as const)
    ))

    const { events, turn, update } = first
    yield* see("it is the holder's who brings it", Effect.as(
      mustHold(turn.holder === update.submitter, `${nameOf(update.submitter)} brought it in the turn of ${nameOf(turn.holder)}`),
      [undefined, { turn: turn.turn, holder: nameOf(turn.holder) }] as const
    ))

    const credited = creditedIn(events, update.at.transaction)
    yield* see("the holder is credited the submission share", Effect.gen(function*() {
      let due = 0n
      for (let number = update.from.number + 1; number <= update.to.number; number++) {
        due += splitPot((yield* block(number)).header.proverFees, parameters.shares, false).submission
      }
      const got = credited(turn.holder, "submission")
      yield* mustHold(got === due && due > 0n, `it was credited ${got} wei of submission shares, not ${due}`)
      return [undefined, { amount: got, holder: nameOf(turn.holder), transaction: update.at.transaction }] as const
    }))
    yield* see("the holder is credited the bounty", Effect.gen(function*() {
      const got = credited(turn.holder, "bounty")
      yield* mustHold(got === parameters.fallbackBounty, `its bounty is ${got} wei, not ${parameters.fallbackBounty}`)
      return [undefined, { amount: got, holder: nameOf(turn.holder), transaction: update.at.transaction }] as const
    }))
  })
}
