/**
 * The L1 port over the model's chain: one for each account, all on the same chain.
 */
import { Context, Effect, Layer, Option, Ref, Result } from "effect"
import { Wei } from "../domain/Amount.ts"
import type { Fees } from "../domain/GasPolicy.ts"
import { type Address, type TransactionHash, zeroAddress } from "../domain/Hash.ts"
import { observe } from "../domain/Settlement.ts"
import { CallRefused, L1, type L1Block, NonceUsed, type SignedTransaction } from "../l1/L1.ts"
import { deploymentBlock, type ModelBlock, ModelChain, modelContracts, nonceIn } from "./ModelChain.ts"
import { errorOf } from "./ModelExecution.ts"
import { hashOf, type ModelCall, modelGas, ModelTransaction, rawOf, transactionOf } from "./ModelTransaction.ts"

/**
 * What is wrong with a question to L1: it is never answered, or whoever asks dies of a defect. A transaction that L1 does not have
 * does not get there in either case; what L1 already has, it acknowledges all the same.
 */
export type Fault = "silent" | "deadly"

export type Question = "send" | "receipt" | "latest" | "events" | "sign"

/** A node's line to L1: what it sent, and how to disturb it. */
export class ModelLine extends Context.Service<ModelLine, {
  readonly faults: Ref.Ref<ReadonlyMap<Question, Fault>>
  /** Whether L1 loses the transactions that it is sent, without a word. */
  readonly loses: Ref.Ref<boolean>
  /** Every transaction that was sent and acknowledged, as often as it was sent. */
  readonly sent: Ref.Ref<ReadonlyArray<TransactionHash>>
}>()("lignum/simulation/ModelLine") {}

const headerOf = ({ hash, number, timestamp }: ModelBlock): L1Block => ({ number, hash, timestamp })

const make = Effect.fnUntraced(function*(account: Address) {
  const chain = yield* ModelChain
  const line = ModelLine.of({
    faults: yield* Ref.make<ReadonlyMap<Question, Fault>>(new Map()),
    loses: yield* Ref.make(false),
    sent: yield* Ref.make<ReadonlyArray<TransactionHash>>([])
  })

  const disturbed = (question: Question): Effect.Effect<void> =>
    Effect.flatMap(Ref.get(line.faults), (faults) => {
      const fault = faults.get(question)
      return fault === undefined ? Effect.void : fault === "silent" ? Effect.never : Effect.die(new Error(`the answer to ${question} was deadly`))
    })
  const behind = <A, E>(question: Question, answer: Effect.Effect<A, E>) => Effect.andThen(disturbed(question), answer)

  /** What the contracts say in the block that is being made, with what waits. */
  const pendingView = Effect.map(chain.pending, ({ state, timestamp }) => observe(state, timestamp, [account]))
  /** What they say as of the latest block. */
  const view = Effect.fnUntraced(function*(about: Address) {
    const { state, timestamp } = yield* chain.head
    const seen = observe(state, timestamp, [about])
    return { ...seen, account: seen.accounts[0]! }
  })

  const dryRun = Effect.fnUntraced(function*(call: ModelCall, behind: "pending" | "latest") {
    const done = yield* chain.attempt(call, account, behind)
    if (Result.isFailure(done)) return yield* new CallRefused({ error: errorOf(done.failure) })
    const { effects, gas } = done.success
    const useless = effects.find((effect) => effect._tag === "AlreadyProven")
    if (useless !== undefined) return yield* new CallRefused({ error: `AlreadyProven(${useless.toNumber}, ${useless.tipNumber})` })
    return gas
  })

  const sign = (call: ModelCall, nonce: number, gas: bigint, fees: Fees): SignedTransaction => {
    const raw = rawOf(new ModelTransaction({ sender: account, nonce, gas, ...fees, call }))
    return { nonce, raw, hash: hashOf(raw) }
  }
  const nextNonce = Effect.map(chain.head, (head) => nonceIn(head, account))

  const l1 = L1.of({
    account,
    chainId: chain.chainId,
    registry: modelContracts.registry,
    feeSignal: modelContracts.feeSignal,
    deployedAt: deploymentBlock,
    latest: behind("latest", Effect.map(chain.head, headerOf)),
    block: (number) => Effect.map(chain.blocks, (blocks) => Option.map(Option.fromUndefinedOr(blocks[number]), headerOf)),
    events: (from, to) => behind("events", Effect.map(chain.blocks, (blocks) => blocks.slice(from, to + 1).flatMap(({ events }) => events))),
    dryRun: (call) => dryRun(call, "pending"),
    // Half of it is the builders'.
    gasMarket: Effect.map(Ref.get(chain.gasPrice), (price) => ({ baseFee: price - price / 2n, priorityFee: price / 2n })),
    nextNonce,
    sign: (call, gas, fees) => behind("sign", Effect.map(nextNonce, (nonce) => sign(call, nonce, gas, fees))),
    dryRunSigned: ({ raw }) => dryRun(transactionOf(raw).call, "latest"),
    feesOf: ({ raw }) => {
      const { maxFeePerGas, maxPriorityFeePerGas } = transactionOf(raw)
      return { maxFeePerGas, maxPriorityFeePerGas }
    },
    resign: ({ nonce, raw }, gas, fees) => Effect.sync(() => sign(transactionOf(raw).call, nonce, gas, fees)),
    cancel: ({ nonce }, fees) => Effect.sync(() => sign({ kind: "nothing" }, nonce, modelGas({ kind: "nothing" }), fees)),
    knows: (hash) => Effect.zipWith(chain.waits(hash), chain.find(hash), (waits, found) => waits || found !== undefined),
    send: Effect.fnUntraced(function*({ hash, raw }) {
      const known = (yield* chain.waits(hash)) || (yield* chain.find(hash)) !== undefined
      if (!known) yield* disturbed("send")
      yield* Ref.update(line.sent, (all) => [...all, hash])
      if (known || !(yield* Ref.get(line.loses))) return yield* chain.send(raw)
      const { nonce } = transactionOf(raw)
      if (nonce < (yield* nextNonce)) return yield* new NonceUsed({ nonce })
    }),
    receipt: (hash) =>
      behind("receipt", Effect.map(chain.find(hash), (found) =>
        found === undefined
          ? Option.none()
          : Option.some({ block: found.block, succeeded: found.mined.error === undefined, gasUsed: found.mined.gasUsed }))),
    creditOf: (owner) => Effect.map(view(owner), ({ account: { credit } }) => Wei.make(credit)),
    vault: Effect.map(view(account), ({ balance, protocolReserve, redundancyReserve, unallocated }) => ({
      unallocated,
      redundancyReserve,
      protocolReserve,
      balance
    })),
    registeredAt: (checkpoint) => Effect.map(chain.head, ({ state }) => state.registry.records.get(checkpoint)?.registeredAt ?? 0n),
    turn: Effect.map(pendingView, ({ turn: { endsAt, holder, inFallback, index } }) => ({
      inFallback,
      index,
      holder: holder === zeroAddress ? Option.none() : Option.some(holder),
      endsAt: endsAt === 0n ? Option.none() : Option.some(endsAt)
    })),
    redundancyClaim: (to) => Effect.map(chain.head, ({ state }) => state.boundaries.get(to)?.claim ?? 0n),
    reputationOf: (owner) =>
      Effect.map(view(owner), ({ account: { reputation, updates } }) => ({ reputation, updates: BigInt(updates) })),
    totalReputation: Effect.map(view(account), ({ totalReputation }) => totalReputation),
    signal: Effect.gen(function*() {
      const { account: { hasFlagged, reputation, updates }, signal: { epoch, multiplier } } = yield* view(account)
      const { state } = yield* chain.head
      return { epoch, multiplier, flagged: hasFlagged, reputation, updates: BigInt(updates), minUpdates: BigInt(state.parameters.minUpdates) }
    })
  })
  return Context.make(L1, l1).pipe(Context.add(ModelLine, line))
})

/** L1 as one account sees it. */
export const layer = (account: Address): Layer.Layer<L1 | ModelLine, never, ModelChain> => Layer.effectContext(make(account))
