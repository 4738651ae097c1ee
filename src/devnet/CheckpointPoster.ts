/**
 * The sequencers' hand on L1: brings certified checkpoints to the registry, and the prover fees that their blocks collected to
 * the vault. It is part of the black box, not of a prover's node.
 */
import { Effect, Schedule, Schema, Stream } from "effect"
import { BaseError, createPublicClient, createWalletClient, http, type LocalAccount, parseEventLogs } from "viem"
import { BlockNumber } from "../domain/Amount.ts"
import type { CertifiedCheckpoint } from "../domain/Checkpoint.ts"
import type { Address } from "../domain/Hash.ts"
import { checkpointRegistryAbi, rewardVaultAbi } from "../l1/abi.ts"
import { LedgerSource } from "../ledger/LedgerSource.ts"

/** A checkpoint or its fees did not reach L1; the poster looks where L1 stands and goes on from there. */
class PostingFailed extends Schema.TaggedError<PostingFailed>()("PostingFailed", { reason: Schema.String }) {
  override get message() {
    return `posting to L1 failed: ${this.reason}`
  }
}

export interface PosterOptions {
  readonly url: string
  readonly account: LocalAccount
  readonly registry: Address
  readonly vault: Address
  readonly deployedAt: number
}

const attempt = <A>(request: () => Promise<A>) =>
  Effect.tryPromise({
    try: request,
    catch: (error) => new PostingFailed({ reason: error instanceof BaseError ? error.shortMessage : String(error) })
  })

/**
 * Posts every checkpoint of the ledger, in order, for ever. What was posted and paid is read from L1 each time it starts, so
 * that nothing is paid twice whenever it was stopped.
 */
export const postCheckpoints = Effect.fnUntraced(function*(options: PosterOptions) {
  const ledger = yield* LedgerSource
  const transport = http(options.url)
  const client = createPublicClient({ transport, cacheTime: 0, pollingInterval: 100 })
  const wallet = createWalletClient({ transport, account: options.account })
  const vault = { address: options.vault, abi: rewardVaultAbi, chain: null } as const
  const registry = { address: options.registry, abi: checkpointRegistryAbi, chain: null } as const

  const mined = (hash: `0x${string}`) =>
    attempt(() => client.waitForTransactionReceipt({ hash })).pipe(
      Effect.flatMap(({ status }) =>
        status === "success" ? Effect.void : Effect.fail(new PostingFailed({ reason: `transaction ${hash} was reverted` })))
    )

  const paidBefore = attempt(async () => {
    const logs = await client.getLogs({ address: options.vault, fromBlock: BigInt(options.deployedAt) })
    return parseEventLogs({ abi: rewardVaultAbi, eventName: "Funded", logs, strict: true })
      .filter(({ args }) => args.by === options.account.address)
      .reduce((sum, { args }) => sum + args.amount, 0n)
  })

  const headNumber = attempt(async () => {
    const id = await client.readContract({ ...registry, functionName: "headId" })
    const [number] = await client.readContract({ ...registry, functionName: "record", args: [id] })
    return Number(number)
  })

  const feesOf = (after: number, upTo: number) =>
    ledger.blocks(BlockNumber.make(after + 1)).pipe(
      Stream.take(upTo - after),
      Stream.runFold(() => 0n, (sum, { header }) => sum + header.proverFees)
    )

  const run = Effect.gen(function*() {
    let paid = yield* paidBefore
    const posted = yield* headNumber
    let due = 0n
    let summedTo = 0

    const post = Effect.fnUntraced(function*({ checkpoint, certificate }: CertifiedCheckpoint) {
      due += yield* feesOf(summedTo, checkpoint.number)
      summedTo = checkpoint.number
      if (checkpoint.number <= posted) return
      if (due > paid) {
        yield* mined(yield* attempt(() => wallet.writeContract({ ...vault, functionName: "fund", value: due - paid })))
        paid = due
      }
      const head = yield* attempt(() => client.readContract({ ...registry, functionName: "headId" }))
      if (checkpoint.parent !== head) {
        return yield* new PostingFailed({ reason: `checkpoint ${checkpoint.number} does not continue the registry's head ${head}` })
      }
      const preimage = {
        parentId: checkpoint.parent,
        number: BigInt(checkpoint.number),
        blockHash: checkpoint.blockHash,
        stateRoot: checkpoint.stateRoot
      }
      const hash = yield* attempt(() =>
        wallet.writeContract({ ...registry, functionName: "register", args: [preimage, certificate.signers, certificate.signature] })
      )
      yield* mined(hash)
    })

    return yield* Stream.runForEach(ledger.checkpoints(BlockNumber.make(0)), post)
  })

  return yield* run.pipe(
    Effect.tapError((error) => Effect.logWarning(error.message)),
    Effect.retry(Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")]))
  )
})
