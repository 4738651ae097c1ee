/**
 * The sequencers' hand on L1: brings certified checkpoints to the registry, and the prover fees that their blocks collected to
 * the vault. It is part of the black box, not of a prover's node.
 */
import { Effect, Option, Schedule, Schema, Stream } from "effect"
import { BaseError, createPublicClient, createWalletClient, http, type LocalAccount, parseEventLogs } from "viem"
import { BlockNumber } from "../domain/Amount.ts"
import { type CertifiedCheckpoint, type Checkpoint, genesisCheckpoint } from "../domain/Checkpoint.ts"
import type { Address, CheckpointId } from "../domain/Hash.ts"
import { checkpointRegistryAbi, rewardVaultAbi } from "../l1/abi.ts"
import { headersUpTo, LedgerSource } from "../ledger/LedgerSource.ts"

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

/** A checkpoint of the ledger, and the prover fees of all blocks up to it. */
interface Owed {
  readonly id: CheckpointId
  readonly number: number
  readonly fees: bigint
}

/**
 * Posts every checkpoint of the ledger, in order, for ever. What was posted and paid is read from L1 each time it starts, so
 * that nothing is paid twice whenever it was stopped.
 *
 * After a revert (CP-4) it goes on with the checkpoints that replace the dead ones. What it owes is the fees of the blocks that
 * there are, and what it paid is what it ever paid: the fees of dropped blocks lie in the vault unallocated and count toward those
 * of the blocks that come in their place. Nothing is paid again until the new chain has collected more than the old one had.
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

  /** Prover fees of the blocks behind one checkpoint up to another; none if those have been replaced meanwhile. */
  const feesOf = (after: Owed, { block }: Checkpoint) =>
    Effect.map(
      headersUpTo(ledger, after.number + 1, block),
      Option.map((headers) => headers.reduce((sum, { proverFees }) => sum + proverFees, 0n))
    )

  const run = Effect.gen(function*() {
    const genesis = yield* Effect.map(ledger.genesis, ({ header, ref }) => genesisCheckpoint(ref, header.stateRoot))
    let paid = yield* paidBefore
    let posted = yield* headNumber
    let chain: ReadonlyArray<Owed> = [{ id: genesis.id, number: genesis.number, fees: 0n }]

    const post = Effect.fnUntraced(function*({ checkpoint, certificate }: CertifiedCheckpoint) {
      const parent = chain.findLastIndex(({ id }) => id === checkpoint.parent)
      if (parent < 0) return yield* new PostingFailed({ reason: `checkpoint ${checkpoint.number} continues none of the ledger's` })
      if (parent < chain.length - 1) {
        chain = chain.slice(0, parent + 1)
        posted = yield* headNumber
      }
      const fees = yield* feesOf(chain[parent]!, checkpoint)
      if (Option.isNone(fees)) return yield* new PostingFailed({ reason: `the ledger has replaced block ${checkpoint.number}` })
      const due = chain[parent]!.fees + fees.value
      chain = [...chain, { id: checkpoint.id, number: checkpoint.number, fees: due }]
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
