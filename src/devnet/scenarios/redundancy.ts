/** RW-4: who lost the race proves the same transition by itself, and is paid for that. */
import { Duration, Effect } from "effect"
import { ProverPrice } from "../../domain/Amount.ts"
import { PriceRule } from "../../domain/ProverPrice.ts"
import { splitPot } from "../../domain/Rewards.ts"
import { devnetPriceRule } from "../../ledger/DevnetLedgerConfig.ts"
import { defaultPolicy, type DevnetConfig } from "../DevnetConfig.ts"
import { isA, mustHold, paced, type Scenario, scenarioParameters } from "./Scenario.ts"

/** A second proof of two blocks has to wait for workers that go on proving new ones. */
const parameters = scenarioParameters({ redundancyWindow: 90 })

/** At a hundred times the devnet's floor, a tenth of two blocks' fees is worth more than the L1 gas of a second proof. */
const price = new PriceRule({ ...devnetPriceRule, floor: ProverPrice.make(100n * devnetPriceRule.floor) })

const configure = (config: DevnetConfig): DevnetConfig => ({
  ...config,
  parameters,
  ledger: paced(config, Duration.seconds(10), price),
  blocksPerUpdate: 2,
  operators: Array.from({ length: 2 }, () => ({ ...defaultPolicy, exchangesProofs: false }))
})

export const redundancy: Scenario = {
  name: "redundancy",
  within: Duration.minutes(4),
  configure,
  play: Effect.fnUntraced(function*({ block, nameOf, onL1, see }) {
    // An update of idle blocks alone has no share to earn.
    const { opened, update } = yield* see("an update opens a redundancy turn", Effect.map(
      onL1((events) => {
        const opened = events.filter(isA("RedundancyOpened")).find(({ shares }) => shares.some((share) => share > 0n))
        const update = events.filter(isA("StateUpdated")).find(({ to }) => to.hash === opened?.to)
        return opened === undefined || update === undefined ? undefined : { opened, update }
      }),
      (found) =>
        [found, {
          transaction: found.update.at.transaction,
          from: found.update.from.number,
          to: found.update.to.number,
          winner: nameOf(found.update.submitter),
          holder: nameOf(found.opened.holder),
          closesAt: found.opened.closesAt
        }] as const
    ))
    yield* see("the turn is the loser's, and the winner's leaves were paid", Effect.as(
      mustHold(
        opened.holder !== update.submitter && opened.provers.every((prover) => prover === update.submitter),
        `the leaves are of ${opened.provers.map(nameOf).join(", ")}, the turn is ${nameOf(opened.holder)}'s`
      ),
      [undefined, { leaves: opened.provers.map(nameOf).join(" ") }] as const
    ))

    const { credits, proven } = yield* see("the loser proves the same blocks in time", Effect.map(
      onL1((events) => {
        const proven = events.filter(isA("RedundancyProven")).find(({ to }) => to === opened.to)
        return proven === undefined ? undefined : {
          proven,
          credits: events.filter(isA("Credited")).filter(({ at, kind }) => at.transaction === proven.at.transaction && kind === "redundancy")
        }
      }),
      (found) => [found, { transaction: found.proven.at.transaction, holder: nameOf(found.proven.holder), l1Block: found.proven.at.block }] as const
    ))

    yield* see("it is credited each block's redundancy share, to the wei", Effect.gen(function*() {
      let sum = 0n
      for (let number = update.from.number + 1; number <= update.to.number; number++) {
        const { redundancy: due } = splitPot((yield* block(number)).header.proverFees, parameters.shares, false)
        const got = credits.filter(({ account, block }) => account === opened.holder && block === number).reduce((total, { amount }) => total + amount, 0n)
        yield* mustHold(got === due, `it was credited ${got} wei for block ${number}, not ${due}`)
        sum += due
      }
      yield* mustHold(proven.earned === sum && sum > 0n, `it earned ${proven.earned} wei, not ${sum}`)
      return [undefined, { amount: sum, holder: nameOf(opened.holder) }] as const
    }))
  })
}
