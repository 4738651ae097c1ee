/** RW-4: whoever brings the winner's own leaves as a redundant proof earns nothing. */
import { Duration, Effect, Schedule } from "effect"
import { BaseError, ContractFunctionRevertedError, decodeFunctionData } from "viem"
import { ProverPrice } from "../../domain/Amount.ts"
import type { RedundancyOpened, StateUpdated } from "../../l1/Events.ts"
import { rewardVaultAbi, settlementErrorsAbi, stateUpdateAbi } from "../../l1/abi.ts"
import { l1Accounts, operatorAccount } from "../Chain.ts"
import { defaultPolicy, type DevnetConfig } from "../DevnetConfig.ts"
import { clientsOf, onL1Step } from "../Registration.ts"
import { isA, mustHold, paced, type Scenario, scenarioParameters, type Stage } from "./Scenario.ts"

const parameters = scenarioParameters({ redundancyWindow: 15 })

/** The first operator works; the second one waits for its redundancy turn and has nothing of its own. */
const configure = (config: DevnetConfig): DevnetConfig => ({
  ...config,
  parameters,
  ledger: paced(config, Duration.seconds(6)),
  blocksPerUpdate: 2,
  operators: [
    { ...defaultPolicy, exchangesProofs: false, redundancy: false },
    { ...defaultPolicy, exchangesProofs: false, redundancy: false, settling: "turns", reservationPrice: ProverPrice.make((1n << 64n) - 1n) }
  ]
})

const copycatAccount = operatorAccount(1).account

/** Enough gas for two proofs; given, so that nobody estimates a call that reverts. */
const forcedGas = 3_000_000n

/** `StateUpdate.submitRedundant` with every error that it can end with. */
const redundantAbi = [...stateUpdateAbi.filter((item) => item.type === "function"), ...settlementErrorsAbi]

/** Sends the leaves of an update as a redundant proof of it, and tells how L1 answers. */
const copy = ({ devnet: { deployment, url } }: Stage, opened: RedundancyOpened, update: StateUpdated) =>
  onL1Step("sending the copied proof", async () => {
    const { client, wallet } = clientsOf(url, copycatAccount)
    const { input } = await client.getTransaction({ hash: update.at.transaction })
    const { args, functionName } = decodeFunctionData({ abi: stateUpdateAbi, data: input })
    if (functionName !== "submit") throw new Error(`the update was made by ${functionName}`)
    const { leaves, mergers, proof, system } = args[0]
    const redundancy = {
      transition: {
        from: update.from.hash,
        fromNumber: BigInt(update.from.number),
        leaves,
        shares: opened.shares,
        holder: opened.holder,
        settledAt: opened.closesAt - BigInt(parameters.redundancyWindow)
      },
      system,
      provers: leaves.map(({ prover }) => prover),
      mergers,
      // To the letter: L1 looks at whose leaves they are before it looks at the proof.
      proof
    }
    const call = { address: deployment.stateUpdate, abi: redundantAbi, functionName: "submitRedundant", args: [redundancy] } as const
    const hash = await wallet.writeContract({ ...call, chain: null, gas: forcedGas })
    const receipt = await client.waitForTransactionReceipt({ hash })
    const reason = await client.simulateContract({ ...call, account: copycatAccount }).then(
      () => "it would be taken",
      (error: unknown) => {
        const reverted = error instanceof BaseError ? error.walk((each) => each instanceof ContractFunctionRevertedError) : null
        return reverted instanceof ContractFunctionRevertedError ? reverted.data?.errorName ?? "it reverts without a word" : String(error)
      }
    )
    return { hash, status: receipt.status, gasUsed: receipt.gasUsed, l1Block: receipt.blockNumber, reason }
  })

export const copycat: Scenario = {
  name: "copycat",
  within: Duration.minutes(4),
  configure,
  play: Effect.fnUntraced(function*(stage) {
    const { devnet, nameOf, onL1, see } = stage
    const holder = devnet.operators[1]!.account
    const { opened, update } = yield* see("an update opens a redundancy turn for the copycat", Effect.map(
      onL1((events) => {
        const opened = events.filter(isA("RedundancyOpened"))
          .find((turn) => turn.holder === holder && turn.shares.some((share) => share > 0n))
        const update = events.filter(isA("StateUpdated")).find(({ to }) => to.hash === opened?.to)
        return opened === undefined || update === undefined ? undefined : { opened, update }
      }),
      (found) =>
        [found, {
          transaction: found.update.at.transaction,
          winner: nameOf(found.update.submitter),
          holder: nameOf(holder),
          share: found.opened.shares.reduce((sum, share) => sum + share, 0n)
        }] as const
    ))

    yield* see("the copied proof is on chain, reverted by RW4_NothingEarned", Effect.gen(function*() {
      const { hash, reason, status, ...receipt } = yield* copy(stage, opened, update)
      yield* mustHold(status === "reverted" && reason === "RW4_NothingEarned", `transaction ${hash} is a ${status}: ${reason}`)
      return [undefined, { transaction: hash, error: reason, ...receipt }] as const
    }))

    // Buckets lapse in the order of their windows, whole, so that as much must have lapsed as was set aside up to this update.
    yield* see("the share lapses to the protocol reserve", Effect.gen(function*() {
      const poke = onL1Step("letting shares lapse", async () => {
        const { mined, wallet } = clientsOf(devnet.url, l1Accounts.treasury)
        await mined(await wallet.writeContract({ address: devnet.deployment.vault, abi: rewardVaultAbi, chain: null, functionName: "lapse" }))
      })
      const lapsed = onL1((events) => {
        const upTo = events.findIndex((event) => event._tag === "RedundancyOpened" && event.to === opened.to)
        const due = events.slice(0, upTo).filter(isA("Reserved")).filter(({ reserve }) => reserve === "redundancy").reduce((sum, { amount }) => sum + amount, 0n)
        const lapses = events.filter(isA("Lapsed"))
        const sum = lapses.reduce((total, { amount }) => total + amount, 0n)
        return upTo >= 0 && sum >= due ? { last: lapses.at(-1)!, sum } : undefined
      })
      const { last, sum } = yield* Effect.raceFirst(lapsed, Effect.andThen(Effect.repeat(poke, Schedule.spaced(Duration.seconds(parameters.redundancyWindow))), Effect.never))
      return [undefined, { transaction: last.at.transaction, amount: sum }] as const
    }))

    yield* see("the copycat was credited nothing", Effect.map(
      onL1((events) => events.filter(isA("Credited")).filter(({ account }) => account === holder)),
      (credits) => [credits, { credits: credits.length, holder: nameOf(holder) }] as const
    ).pipe(Effect.tap(([credits]) => mustHold(credits.length === 0, `it was credited ${credits.map(({ amount, kind }) => `${amount} wei (${kind})`).join(", ")}`))))
  })
}
