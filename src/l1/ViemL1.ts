/**
 * L1 over JSON-RPC, by viem.
 */
import { Context, Effect, Layer, Option, type Redacted, Redacted as Secret } from "effect"
import {
  BaseError,
  type Chain,
  type ContractFunctionArgs,
  ContractFunctionRevertedError,
  createPublicClient,
  decodeFunctionData,
  defineChain,
  encodeFunctionData,
  getAbiItem,
  type Hex,
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
import { feeSignalAbi, proofSystemIds, rewardVaultAbi, settlementErrorsAbi, stateUpdateAbi } from "./abi.ts"
import { decodeEvents } from "./Events.ts"
import {
  type Call,
  CallRefused,
  L1,
  type L1Block,
  L1Unavailable,
  NonceUsed,
  type Receipt,
  type Reputation,
  type SignedTransaction,
  type Turn,
  Underpriced,
  type Update,
  UpdateRefused
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

/** `StateUpdate.submit` with every error that it can end with. */
const submitAbi = [...stateUpdateAbi.filter((item) => item.type === "function"), ...settlementErrorsAbi]

/** What a node calls beside `StateUpdate.submit`, with every error that it can end with. */
const callsAbi = [getAbiItem({ abi: feeSignalAbi, name: "flag" }), ...feeSignalAbi.filter((item) => item.type === "error")]

type EncodedUpdate = ContractFunctionArgs<typeof stateUpdateAbi, "nonpayable", "submit">[0]

/** The argument of `StateUpdate.submit`. */
export const encodeUpdate = (update: Update) => ({
  system: proofSystemIds[update.system],
  from: update.statement.from.hash,
  leaves: update.statement.leaves,
  mergers: update.mergers,
  checkpoints: update.checkpoints.map(({ parent, number, blockHash, stateRoot }) => ({
    parentId: parent,
    number: BigInt(number),
    blockHash,
    stateRoot
  })),
  ancestry: update.ancestry,
  proof: update.proof
})

/** A revert's custom error as `Name(arguments)`; none when the error is not a revert. */
const revertOf = (error: unknown): string | undefined => {
  if (!(error instanceof BaseError)) return undefined
  const reverted = error.walk((each) => each instanceof ContractFunctionRevertedError)
  if (!(reverted instanceof ContractFunctionRevertedError)) return undefined
  return reverted.data === undefined
    ? reverted.reason ?? reverted.signature ?? "it reverted without a word"
    : `${reverted.data.errorName}(${(reverted.data.args ?? []).join(", ")})`
}

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

    const callOf = (update: Update) => encodeFunctionData({ abi: stateUpdateAbi, functionName: "submit", args: [encodeUpdate(update)] })

    const estimate = (argument: EncodedUpdate, to: number, blockTag: "latest" | "pending") =>
      Effect.tryPromise({
        try: async () => {
          // The contract takes an update that proves nothing new, and does nothing (ST-1): it is no use to send it.
          const [, proven] = await client.readContract({ address: stateUpdate, abi: stateUpdateAbi, functionName: "tip", blockTag })
          if (proven >= BigInt(to)) throw new UpdateRefused({ error: `AlreadyProven(${to}, ${proven})` })
          return client.estimateContractGas({ address: stateUpdate, abi: submitAbi, functionName: "submit", args: [argument], account: signer, blockTag })
        },
        catch: (error) => {
          if (error instanceof UpdateRefused) return error
          const revert = revertOf(error)
          return revert === undefined
            ? new L1Unavailable({ operation: "eth_estimateGas", reason: shortReason(error) })
            : new UpdateRefused({ error: revert })
        }
      })

    const parsed = ({ raw }: SignedTransaction) => parseTransaction(raw as TransactionSerializedEIP1559)

    const gasMarket = Effect.map(
      ask("eth_maxPriorityFeePerGas", () => Promise.all([client.getBlock({ blockTag: "latest" }), client.estimateMaxPriorityFeePerGas()])),
      ([{ baseFeePerGas }, priorityFee]) => ({ baseFee: baseFeePerGas ?? 0n, priorityFee })
    )

    const signTo = (to: Address, nonce: number, data: Hex, gas: bigint, { maxFeePerGas, maxPriorityFeePerGas }: Fees) =>
      Effect.map(
        Effect.promise(() =>
          signer.signTransaction({ type: "eip1559", chainId, nonce, to, data, gas, maxFeePerGas, maxPriorityFeePerGas })
        ),
        (raw): SignedTransaction => ({ nonce, raw: HexBytes.make(raw), hash: TransactionHash.make(keccak256(raw)) })
      )

    const nextNonce = ask("eth_getTransactionCount", () => client.getTransactionCount({ address: signer.address, blockTag: "latest" }))

    const sign = Effect.fnUntraced(function*(update: Update, gas: bigint, fees: Fees) {
      return yield* signTo(stateUpdate, yield* nextNonce, callOf(update), gasMargin(gas), fees)
    })

    /** Where each kind of call goes, and how it is written. */
    const encoded: Record<Call["kind"], { readonly to: Address; readonly data: Hex }> = {
      flag: { to: feeSignal, data: encodeFunctionData({ abi: feeSignalAbi, functionName: "flag" }) }
    }

    const estimateCall = (to: Address, data: Hex, blockTag: "latest" | "pending") =>
      Effect.tryPromise({
        try: () => {
          const { args, functionName } = decodeFunctionData({ abi: callsAbi, data })
          return client.estimateContractGas({ address: to, abi: callsAbi, functionName, args, account: signer, blockTag })
        },
        catch: (error) => {
          const revert = revertOf(error)
          return revert === undefined
            ? new L1Unavailable({ operation: "eth_estimateGas", reason: shortReason(error) })
            : new CallRefused({ error: revert })
        }
      })

    const signCall = Effect.fnUntraced(function*({ kind }: Call, gas: bigint, fees: Fees) {
      return yield* signTo(encoded[kind].to, yield* nextNonce, encoded[kind].data, gasMargin(gas), fees)
    })

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
    const state = { address: stateUpdate, abi: stateUpdateAbi } as const

    return L1.of({
      account: toAddress(signer.address),
      chainId: BigInt(chainId),
      registry,
      feeSignal,
      deployedAt,
      latest,
      block,
      events,
      dryRun: (update) => estimate(encodeUpdate(update), update.statement.to.number, "pending"),
      gasMarket,
      nextNonce,
      sign,
      dryRunCall: ({ kind }) => estimateCall(encoded[kind].to, encoded[kind].data, "pending"),
      signCall,
      dryRunSignedCall: (transaction) => {
        const { data, to } = parsed(transaction)
        return estimateCall(to as Address, data!, "latest")
      },
      signal,
      dryRunSigned: (transaction, to) => {
        const { args } = decodeFunctionData({ abi: [getAbiItem({ abi: stateUpdateAbi, name: "submit" })], data: parsed(transaction).data! })
        return estimate(args[0], to.number, "latest")
      },
      feesOf: (transaction) => {
        const { maxFeePerGas, maxPriorityFeePerGas } = parsed(transaction)
        return { maxFeePerGas: maxFeePerGas ?? 0n, maxPriorityFeePerGas: maxPriorityFeePerGas ?? 0n }
      },
      resign: (transaction, gas, fees) => {
        const { data, to } = parsed(transaction)
        return signTo(to as Address, transaction.nonce, data!, gasMargin(gas), fees)
      },
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
