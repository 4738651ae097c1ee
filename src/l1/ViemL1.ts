/**
 * L1 over JSON-RPC, by viem.
 */
import { Context, Effect, Layer, Option, type Redacted, Redacted as Secret } from "effect"
import {
  BaseError,
  type Chain,
  createPublicClient,
  defineChain,
  http,
  keccak256,
  NonceTooLowError,
  parseTransaction,
  TransactionNotFoundError,
  TransactionReceiptNotFoundError,
  type TransactionSerializedEIP1559,
  zeroAddress
} from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { Wei } from "../domain/Amount.ts"
import type { Fees } from "../domain/GasPolicy.ts"
import { type Address, type Bytes32, HexBytes, toAddress, TransactionHash } from "../domain/Hash.ts"
import { checkpointRegistryAbi, feeSignalAbi, rewardVaultAbi, stateUpdateAbi } from "./abi.ts"
import { encodeCall, type EncodedCall, updateRange, revertOf } from "./Calls.ts"
import { decodeEvents } from "./Events.ts"
import {
  CallRefused,
  L1,
  type L1Block,
  L1Unavailable,
  NonceUsed,
  type Receipt,
  type Reputation,
  type SignedTransaction,
  type Turn,
  Underpriced
} from "./L1.ts"

/** Where the contracts are, and who this node is on L1. */
export interface ViemL1Options {
  readonly url: string
  readonly chainId: number
  /** Private key of the account that sends updates and is paid. */
  readonly privateKey: Redacted.Redacted<`0x${string}`>
  readonly deployedAt: number
  readonly registry: Address
  readonly stateUpdate: Address
  readonly vault: Address
  readonly provers: Address
  readonly feeSignal: Address
}

export const ViemL1Options = Context.Service<ViemL1Options>("lignum/ViemL1Options")

/** Gas beyond the estimate that a transaction may use: state can change between estimate and inclusion. */
const gasMargin = (gas: bigint) => (gas * 12n) / 10n

/** What a transfer of ether uses. */
const transferGas = 21_000n

const shortReason = (error: unknown): string => error instanceof BaseError ? error.shortMessage : String(error)

export const layer: Layer.Layer<L1, never, ViemL1Options> = Layer.effect(
  L1,
  Effect.gen(function*() {
    const { url, chainId, privateKey, deployedAt, registry, stateUpdate, vault, provers, feeSignal } = yield* ViemL1Options
    const chain: Chain = defineChain({
      id: chainId,
      name: `L1 ${chainId}`,
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      rpcUrls: { default: { http: [url] } }
    })
    const signer = privateKeyToAccount(Secret.value(privateKey))
    const client = createPublicClient({ chain, transport: http(url, { retryCount: 0 }), cacheTime: 0, pollingInterval: 100 })

    const ask = <A>(operation: string, request: () => Promise<A>): Effect.Effect<A, L1Unavailable> =>
      Effect.tryPromise({ try: request, catch: (error) => new L1Unavailable({ operation, reason: shortReason(error) }) })

    const toBlock = (block: { readonly number: bigint; readonly hash: string; readonly timestamp: bigint }): L1Block => ({
      number: Number(block.number),
      hash: block.hash as Bytes32,
      timestamp: block.timestamp
    })

    const latest = Effect.map(ask("eth_getBlockByNumber", () => client.getBlock({ blockTag: "latest" })), toBlock)

    const block = (number: number) =>
      Effect.tryPromise({
        try: async () => Option.some(toBlock(await client.getBlock({ blockNumber: BigInt(number) }))),
        catch: (error) => error
      }).pipe(
        Effect.catch((error) =>
          error instanceof BaseError && error.name === "BlockNotFoundError"
            ? Effect.succeed(Option.none<L1Block>())
            : Effect.fail(new L1Unavailable({ operation: "eth_getBlockByNumber", reason: shortReason(error) }))
        )
      )

    const events = (from: number, to: number) =>
      Effect.map(
        ask("eth_getLogs", () =>
          client.getLogs({ address: [registry, provers, stateUpdate, vault, feeSignal], fromBlock: BigInt(from), toBlock: BigInt(to) })),
        decodeEvents
      )

    const targets = { stateUpdate, vault, feeSignal }
    const state = { address: stateUpdate, abi: stateUpdateAbi } as const

    const estimate = ({ data, to }: EncodedCall, blockTag: "latest" | "pending") =>
      Effect.tryPromise({
        try: async () => {
          const range = updateRange(data)
          if (range !== undefined) {
            // The contract takes an update that proves nothing new, and does nothing (ST-1): it is no use to send it.
            const [[, proven], [known, start]] = await Promise.all([
              client.readContract({ ...state, functionName: "tip", blockTag }),
              client.readContract({ ...state, functionName: "boundary", args: [range.from], blockTag })
            ])
            if (known && start + range.blocks <= proven) throw new CallRefused({ error: `AlreadyProven(${start + range.blocks}, ${proven})` })
          }
          return client.estimateGas({ account: signer, to, data, blockTag })
        },
        catch: (error) => {
          if (error instanceof CallRefused) return error
          const revert = revertOf(error)
          return revert === undefined
            ? new L1Unavailable({ operation: "eth_estimateGas", reason: shortReason(error) })
            : new CallRefused({ error: revert })
        }
      })

    const parsed = ({ raw }: SignedTransaction) => parseTransaction(raw as TransactionSerializedEIP1559)

    const gasMarket = Effect.map(
      ask("eth_maxPriorityFeePerGas", () => Promise.all([client.getBlock({ blockTag: "latest" }), client.estimateMaxPriorityFeePerGas()])),
      ([{ baseFeePerGas }, priorityFee]) => ({ baseFee: baseFeePerGas ?? 0n, priorityFee })
    )

    const signTo = ({ data, to }: EncodedCall, nonce: number, gas: bigint, { maxFeePerGas, maxPriorityFeePerGas }: Fees) =>
      Effect.map(
        Effect.promise(() =>
          signer.signTransaction({ type: "eip1559", chainId, nonce, to, data, gas, maxFeePerGas, maxPriorityFeePerGas })
        ),
        (raw): SignedTransaction => ({ nonce, raw: HexBytes.make(raw), hash: TransactionHash.make(keccak256(raw)) })
      )

    const nextNonce = ask("eth_getTransactionCount", () => client.getTransactionCount({ address: signer.address, blockTag: "latest" }))

    const callOf = (transaction: SignedTransaction): EncodedCall => {
      const { data, to } = parsed(transaction)
      return { to: to as Address, data: data ?? "0x" }
    }

    const knows = (hash: TransactionHash) =>
      Effect.tryPromise({ try: () => client.getTransaction({ hash }), catch: (error) => error }).pipe(
        Effect.as(true),
        Effect.catch((error) =>
          error instanceof TransactionNotFoundError
            ? Effect.succeed(false)
            : Effect.fail(new L1Unavailable({ operation: "eth_getTransactionByHash", reason: shortReason(error) }))
        )
      )

    const signal = Effect.gen(function*() {
      const { number } = yield* latest
      const at = { blockNumber: BigInt(number) } as const
      const contract = { ...at, address: feeSignal, abi: feeSignalAbi } as const
      const [epoch, multiplier, flagged, minUpdates, [reputation, updates]] = yield* ask("FeeSignal", () =>
        Promise.all([
          client.readContract({ ...contract, functionName: "epoch" }),
          client.readContract({ ...contract, functionName: "multiplier" }),
          client.readContract({ ...contract, functionName: "hasFlagged", args: [signer.address] }),
          client.readContract({ ...contract, functionName: "minUpdates" }),
          client.readContract({ ...at, address: vault, abi: rewardVaultAbi, functionName: "reputationOf", args: [signer.address] })
        ]))
      return { epoch: BigInt(epoch), multiplier, flagged, minUpdates: BigInt(minUpdates), reputation, updates }
    })

    const send = (transaction: SignedTransaction) =>
      Effect.tryPromise({
        try: () => client.sendRawTransaction({ serializedTransaction: transaction.raw }),
        catch: (error) => error
      }).pipe(
        Effect.catch((error): Effect.Effect<unknown, NonceUsed | Underpriced | L1Unavailable> => {
          const text = error instanceof BaseError ? `${error.message} ${error.details}` : String(error)
          if (/already (known|imported)/i.test(text)) return Effect.void
          // Dearer than its own fees, or no dearer than what the pool has under its nonce; every kind of node says it in words of its own.
          if (/underpriced|less than block base fee|fee too low/i.test(text)) return Effect.fail(new Underpriced({ reason: shortReason(error) }))
          return (error instanceof BaseError && error.walk((each) => each instanceof NonceTooLowError) !== null) || /nonce too low/i.test(text)
            ? Effect.fail(new NonceUsed({ nonce: transaction.nonce }))
            : Effect.fail(new L1Unavailable({ operation: "eth_sendRawTransaction", reason: shortReason(error) }))
        }),
        Effect.asVoid
      )

    const receipt = (hash: TransactionHash) =>
      Effect.tryPromise({ try: () => client.getTransactionReceipt({ hash }), catch: (error) => error }).pipe(
        Effect.map((found) =>
          Option.some<Receipt>({
            block: Number(found.blockNumber),
            succeeded: found.status === "success",
            gasUsed: found.gasUsed
          })
        ),
        Effect.catch((error) =>
          error instanceof TransactionReceiptNotFoundError || error instanceof TransactionNotFoundError
            ? Effect.succeed(Option.none<Receipt>())
            : Effect.fail(new L1Unavailable({ operation: "eth_getTransactionReceipt", reason: shortReason(error) }))
        )
      )

    const read = <A>(functionName: string, request: () => Promise<A>) => ask(`RewardVault.${functionName}`, request)
    const contract = { address: vault, abi: rewardVaultAbi } as const

    return L1.of({
      account: toAddress(signer.address),
      chainId: BigInt(chainId),
      registry,
      feeSignal,
      deployedAt,
      latest,
      block,
      events,
      dryRun: (call) => estimate(encodeCall(targets, call), "pending"),
      gasMarket,
      nextNonce,
      sign: Effect.fnUntraced(function*(call, gas, fees) {
        return yield* signTo(encodeCall(targets, call), yield* nextNonce, gasMargin(gas), fees)
      }),
      signal,
      dryRunSigned: (transaction) => estimate(callOf(transaction), "latest"),
      feesOf: (transaction) => {
        const { maxFeePerGas, maxPriorityFeePerGas } = parsed(transaction)
        return { maxFeePerGas: maxFeePerGas ?? 0n, maxPriorityFeePerGas: maxPriorityFeePerGas ?? 0n }
      },
      resign: (transaction, gas, fees) => signTo(callOf(transaction), transaction.nonce, gasMargin(gas), fees),
      cancel: ({ nonce }, fees) => signTo({ to: toAddress(signer.address), data: "0x" }, nonce, transferGas, fees),
      knows,
      send,
      receipt,
      creditOf: (account) =>
        Effect.map(
          read("creditOf", () => client.readContract({ ...contract, functionName: "creditOf", args: [account] })),
          (amount) => Wei.make(amount)
        ),
      vault: Effect.all({
        unallocated: read("unallocated", () => client.readContract({ ...contract, functionName: "unallocated" })),
        redundancyReserve: read("redundancyReserve", () => client.readContract({ ...contract, functionName: "redundancyReserve" })),
        protocolReserve: read("protocolReserve", () => client.readContract({ ...contract, functionName: "protocolReserve" })),
        balance: ask("eth_getBalance", () => client.getBalance({ address: vault }))
      }),
      registeredAt: (checkpoint) =>
        Effect.map(
          ask("CheckpointRegistry.record", () =>
            client.readContract({ address: registry, abi: checkpointRegistryAbi, functionName: "record", args: [checkpoint] })),
          ([, registeredAt]) => BigInt(registeredAt)
        ),
      // Turns go by the time of the block in which an update would stand: the next one.
      turn: Effect.map(
        ask("StateUpdate.turn", () => client.readContract({ ...state, functionName: "turn", blockTag: "pending" })),
        ([inFallback, index, holder, endsAt]): Turn => ({
          inFallback,
          index: Number(index),
          holder: holder === zeroAddress ? Option.none() : Option.some(toAddress(holder)),
          endsAt: endsAt === 0n ? Option.none() : Option.some(endsAt)
        })
      ),
      redundancyClaim: (to) =>
        Effect.map(
          ask("StateUpdate.boundary", () => client.readContract({ ...state, functionName: "boundary", args: [to] })),
          ([, , claim]) => claim
        ),
      reputationOf: (account) =>
        Effect.map(
          read("reputationOf", () => client.readContract({ ...contract, functionName: "reputationOf", args: [account] })),
          ([reputation, updates]): Reputation => ({ reputation, updates })
        ),
      totalReputation: read("totalReputation", () => client.readContract({ ...contract, functionName: "totalReputation" }))
    })
  })
)
