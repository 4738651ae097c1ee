/** FM-2, FM-3, RW-6: proving becomes five times as dear, and the price follows before anything is lost. */
import { Context, Duration, Effect } from "effect"
import { ProverGas, ProverPrice, Wei } from "../../domain/Amount.ts"
import { signalOne } from "../../domain/Block.ts"
import { PriceRule } from "../../domain/ProverPrice.ts"
import { DevnetLedger } from "../../ledger/DevnetLedger.ts"
import { devnetPriceRule } from "../../ledger/DevnetLedgerConfig.ts"
import { LedgerSource } from "../../ledger/LedgerSource.ts"
import { TreePlanner } from "../../roles/TreePlanner.ts"
import { defaultPolicy, type DevnetConfig } from "../DevnetConfig.ts"
import { eventually, isA, mustHold, paced, type Scenario, scenarioParameters } from "./Scenario.ts"

/**
 * A block is overdue, and begins to earn a bonus, after a minute: longer than a busy machine takes for its first update. The bonus
 * grows slowly enough for the price to move first; with all of it, even a full block at the floor pays.
 */
const parameters = scenarioParameters({
  targetLag: 60,
  bonusRamp: 60,
  bonusCap: Wei.make(3_000_000_000_000_000n),
  proofDeadline: 400,
  signalEpoch: 15,
  minUpdates: 1
})

/** The price moves fast enough for minutes: a backlog raises it by a fifth in an idle block and by more in others, e^4 times at most. */
const price = new PriceRule({
  ...devnetPriceRule,
  fraction: ProverGas.make(40_000n),
  backlogWeight: { numerator: ProverGas.make(1n), denominator: ProverGas.make(1n) },
  backlogStep: ProverGas.make(24_000n),
  backlogCeiling: ProverGas.make(160_000n)
})

const configure = (config: DevnetConfig): DevnetConfig => ({
  ...config,
  parameters,
  ledger: paced(config, Duration.seconds(8), price),
  blocksPerUpdate: 2,
  operators: Array.from({ length: 2 }, () => ({ ...defaultPolicy, provingCost: 0n, flagAfter: Duration.seconds(5) }))
})

export const costShock: Scenario = {
  name: "cost-shock",
  within: Duration.seconds(280),
  configure,
  play: Effect.fnUntraced(function*({ devnet, nameOf, onL1, see }) {
    const { operators, rollup } = devnet
    // Nothing is merged: the merge share is the leaf prover's.
    const share = BigInt(parameters.shares.leaf + parameters.shares.merge)
    const blocks = Context.get(rollup, LedgerSource).blocks

    yield* see("every prover has a reputation before", Effect.map(
      onL1((events) => {
        const earned = new Set(events.filter(isA("Credited")).filter(({ kind }) => kind === "leaf").map(({ account }) => account))
        return operators.every(({ account }) => earned.has(account)) ? events.filter(isA("StateUpdated")).at(-1)! : undefined
      }),
      (update) => [undefined, { tip: update.to.number, transaction: update.at.transaction }] as const
    ))
    const { tip } = yield* Context.get(rollup, DevnetLedger).status
    const calm = yield* see("the price is near its floor before", Effect.map(
      eventually(blocks(tip.number), ({ header }) =>
        header.proverPrice <= 2n * price.floor && header.signalMultiplier === signalOne ? header : undefined),
      (header) => [header.proverPrice, { block: header.number, price: header.proverPrice, floor: price.floor }] as const
    ))

    // A block at the price of now pays twice what the provers ask, and then two fifths of it.
    const before = ProverPrice.make((calm * share) / 20_000n)
    const after = ProverPrice.make(5n * before)
    yield* Effect.forEach(operators, ({ reprice }) => reprice(after))
    const shocked = yield* see("reservation prices rise to five times, and blocks are passed over", Effect.map(
      Effect.forEach(operators, ({ name, node }) =>
        Effect.map(
          eventually(Context.get(node, TreePlanner).changes(), ({ passedOver }) => passedOver[0]),
          (block) => ({ name, block })
        ), { concurrency: "unbounded" }),
      (found) =>
        [found.map(({ block }) => block), {
          before,
          after,
          ...Object.fromEntries(found.map(({ block, name }) => [name, `block ${block.number} brings ${block.pays} wei of ${block.asked}`]))
        }] as const
    ))
    const cheap = Math.min(...shocked.map(({ number }) => number))
    const cheapHeader = (yield* eventually(blocks(shocked[0]!.number), (block) => (block.number >= cheap ? block : undefined))).header

    yield* see("two provers with reputation flag, and the multiplier rises on L1", Effect.map(
      onL1((events) => {
        const raised = events.find(isA("MultiplierRaised"))
        const flags = events.filter(isA("Flagged")).filter(({ epoch }) => epoch === raised?.epoch)
        return raised === undefined ? undefined : { raised, flags }
      }),
      ({ flags, raised }) =>
        [flags, {
          multiplier: raised.multiplier,
          epoch: raised.epoch,
          ...Object.fromEntries(flags.map(({ at, prover }) => [nameOf(prover), at.transaction]))
        }] as const
    ).pipe(Effect.tap(([flags]) => mustHold(new Set(flags.map(({ prover }) => prover)).size >= 2, "one prover's flag was enough"))))

    // What the leaf prover keeps of the price must cover the reservation price again.
    const dear = yield* see("backlog and signal raise the price of new blocks until they pay", Effect.map(
      eventually(blocks(cheapHeader.number), ({ header }) => {
        const { proverPrice, signalMultiplier } = header
        const withoutSignal = (proverPrice * signalOne) / signalMultiplier
        const pays = (proverPrice * share) / 10_000n >= after
        return pays && signalMultiplier > signalOne && withoutSignal > cheapHeader.proverPrice ? { header, withoutSignal } : undefined
      }),
      ({ header, withoutSignal }) =>
        [header, {
          block: header.number,
          before: cheapHeader.proverPrice,
          price: header.proverPrice,
          byBacklog: withoutSignal,
          signalMultiplier: header.signalMultiplier
        }] as const
    ))

    const { bonuses, update } = yield* see("the age bonus rescues a block that was too cheap", Effect.map(
      onL1((events) => {
        const update = events.filter(isA("StateUpdated")).find(({ to }) => to.number >= cheap)
        const bonuses = events.filter(isA("Credited")).filter(({ block, kind }) => kind === "bonus" && block === cheap)
        return update === undefined ? undefined : { update, bonuses }
      }),
      (found) =>
        [found, {
          transaction: found.update.at.transaction,
          block: cheap,
          amount: found.bonuses.reduce((sum, { amount }) => sum + amount, 0n),
          prover: found.bonuses.map(({ account }) => nameOf(account)).join(" ")
        }] as const
    ))
    yield* mustHold(bonuses.length > 0, `block ${cheap} was settled in ${update.at.transaction} without a bonus`)

    const done = yield* see("proving goes on beyond the first block at the new price", Effect.map(
      onL1((events) => {
        const update = events.filter(isA("StateUpdated")).find(({ to }) => to.number >= dear.number)
        return update === undefined ? undefined : { update, events }
      }),
      (found) => [found, { transaction: found.update.at.transaction, to: found.update.to.number, submitter: nameOf(found.update.submitter) }] as const
    ))
    yield* see("nothing was reverted", Effect.as(
      mustHold(!done.events.some(isA("CheckpointsReverted")), "checkpoints were reverted"),
      [undefined, { checkpoints: done.events.filter(isA("CheckpointRegistered")).length - 1 }] as const
    ))
  })
}
