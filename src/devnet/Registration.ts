/**
 * What operators and the rollup do once on L1 before anything else: bonds and the protocol reserve's first money.
 */
import { Effect, Schema } from "effect"
import { BaseError, createPublicClient, createWalletClient, http, type LocalAccount, parseEventLogs } from "viem"
import { proverRegistryAbi, rewardVaultAbi } from "../l1/abi.ts"
import type { Wei } from "../domain/Amount.ts"
import type { DevnetChain } from "./Chain.ts"

/** A transaction that the devnet needs before it can start did not succeed on L1. Start again; what succeeded is not done twice. */
export class L1StepFailed extends Schema.TaggedError<L1StepFailed>()("L1StepFailed", {
  step: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.step} failed on L1: ${this.reason}. Start again: what succeeded is not done twice.`
  }
}

/** A client that reads, and one that sends and waits until L1 has executed. */
export const clientsOf = (url: string, account: LocalAccount) => {
  const transport = http(url)
  const client = createPublicClient({ transport, cacheTime: 0, pollingInterval: 100 })
  const wallet = createWalletClient({ transport, account })
  const mined = async (hash: `0x${string}`) => {
    const { status } = await client.waitForTransactionReceipt({ hash })
    if (status !== "success") throw new Error(`transaction ${hash} was reverted`)
    return hash
  }
  return { client, wallet, mined }
}

/** Runs a step on L1. */
export const onL1Step = <A>(step: string, task: () => Promise<A>) =>
  Effect.tryPromise({
    try: task,
    catch: (error) => new L1StepFailed({ step, reason: error instanceof BaseError ? error.shortMessage : String(error) })
  })

/** Registers a prover for turns with the bond (ST-6), unless it is registered. Nothing else may send from the account meanwhile. */
export const registerProver = Effect.fnUntraced(function*({ deployment, url }: DevnetChain, account: LocalAccount) {
  const { client, mined, wallet } = clientsOf(url, account)
  const registry = { address: deployment.provers, abi: proverRegistryAbi } as const
  yield* onL1Step(`registering prover ${account.address}`, async () => {
    if (await client.readContract({ ...registry, functionName: "isRegistered", args: [account.address] })) return
    const bond = await client.readContract({ ...registry, functionName: "bond" })
    await mined(await wallet.writeContract({ ...registry, chain: null, functionName: "register", value: bond }))
  })
})

/**
 * Brings what an account has paid into the protocol reserve up to an amount. What it paid is read from the vault's events, so that a
 * devnet that goes on pays nothing again; the account therefore pays for nothing else.
 */
export const endowReserve = Effect.fnUntraced(function*({ deployment, url }: DevnetChain, account: LocalAccount, amount: Wei) {
  const { client, mined, wallet } = clientsOf(url, account)
  yield* onL1Step("endowing the protocol reserve", async () => {
    const logs = await client.getLogs({ address: deployment.vault, fromBlock: BigInt(deployment.block) })
    const paid = parseEventLogs({ abi: rewardVaultAbi, eventName: "Funded", logs, strict: true })
      .filter(({ args }) => args.by === account.address)
      .reduce((sum, { args }) => sum + args.amount, 0n)
    if (paid >= amount) return
    await mined(await wallet.writeContract({ address: deployment.vault, abi: rewardVaultAbi, chain: null, functionName: "endow", value: amount - paid }))
  })
})
