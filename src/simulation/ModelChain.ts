/**
 * L1 for simulations: one chain in virtual time whose contracts are `step` (`domain/Settlement.ts`).
 *
 * Blocks stand at slots and hold what waits in the mempool and pays the price of gas, dearest tip first; slots without anything to
 * hold are left out, but for an empty block now and then. Each block keeps the contracts' state after it, so that a reorganisation
 * goes back to any block and replays from there.
 */
import { Clock, Context, Duration, Effect, Layer, Queue, Ref, Result, Semaphore, Stream, SubscriptionRef } from "effect"
import { keccak256, stringToHex } from "viem/utils"
import { type Checkpoint, QuorumCertificate } from "../domain/Checkpoint.ts"
import { type Address, Bytes32, type HexBytes, toAddress, toHex32, TransactionHash } from "../domain/Hash.ts"
import type { ProtocolParameters } from "../domain/ProtocolParameters.ts"
import { type ValidatorSet, verifyCertificate } from "../domain/QuorumCertificate.ts"
import { start, type State } from "../domain/Settlement.ts"
import type { Emission, Outcome } from "../domain/settlement/Emission.ts"
import type { Refusal } from "../domain/settlement/Refusal.ts"
import { CheckpointRegistered, type L1Event, L1Position, ValidatorSetChanged } from "../l1/Events.ts"
import { proofSystemIds } from "../l1/abi.ts"
import { NonceUsed, Underpriced } from "../l1/L1.ts"
import { eventOf } from "./ModelEvents.ts"
import { errorOf, execute } from "./ModelExecution.ts"
import { hashOf, type ModelCall, modelGas, type ModelTransaction, transactionOf } from "./ModelTransaction.ts"

export interface ModelChainOptions {
  /** What tells this chain's blocks from another's. */
  readonly seed: string
  readonly parameters: ProtocolParameters
  readonly genesis: Checkpoint
  readonly validators: ValidatorSet
  readonly chainId: bigint
  /** Blocks stand at multiples of it: whole seconds. */
  readonly slot: Duration.Duration
  /** After so long without a block there is one all the same; infinite for never. */
  readonly emptyBlocks: Duration.Duration
  /** A transaction takes at least so long from its sender into a block. */
  readonly inclusionDelay: Duration.Duration
  /** Wei per gas that a transaction must offer, at first. */
  readonly gasPrice: bigint
  readonly gas: (call: ModelCall) => bigint
  /** What is called in the block of the deployment. */
  readonly first: ReadonlyArray<{ readonly sender: Address; readonly call: ModelCall }>
}

export const defaultModelChain = {
  seed: "model",
  chainId: 1n,
  slot: Duration.seconds(12),
  emptyBlocks: Duration.seconds(12),
  inclusionDelay: Duration.zero,
  gasPrice: 10n ** 9n,
  gas: modelGas,
  first: []
} satisfies Partial<ModelChainOptions>

/** A transaction in a block. */
export interface Mined {
  readonly hash: TransactionHash
  readonly transaction: ModelTransaction
  /** The custom error that it ended with; none if it succeeded. */
  readonly error: string | undefined
  readonly gasUsed: bigint
  /** What its sender paid for gas, in wei. */
  readonly paid: bigint
}

export interface ModelBlock {
  readonly number: number
  readonly hash: Bytes32
  /** L1 time in seconds. */
  readonly timestamp: bigint
  readonly transactions: ReadonlyArray<Mined>
  readonly events: ReadonlyArray<L1Event>
  /** The contracts after it. */
  readonly state: State
  /** The nonce that each account's next transaction must have. */
  readonly nonces: ReadonlyMap<Address, number>
}

/** A transaction that waits. */
interface Waiting {
  readonly hash: TransactionHash
  readonly transaction: ModelTransaction
  /** When it was sent, in milliseconds, and before which others. */
  readonly since: number
  readonly order: number
}

/** Where blocks are made from. */
interface Ground {
  readonly parent: ModelBlock
  readonly timestamp: bigint
  readonly hash: Bytes32
}

/** Where the model's contracts are. */
export const modelContracts = {
  registry: toAddress(`0x${"c0".repeat(20)}`),
  feeSignal: toAddress(`0x${"fe".repeat(20)}`)
}

/** The first block: the contracts are deployed in it. */
export const deploymentBlock = 1

export const nonceIn = ({ nonces }: ModelBlock, account: Address): number => nonces.get(account) ?? 0

/** The L1 that all nodes of a simulation share. */
export class ModelChain extends Context.Service<ModelChain, {
  readonly chainId: bigint
  /** Every block; a block's number is its place. */
  readonly blocks: Effect.Effect<ReadonlyArray<ModelBlock>>
  readonly head: Effect.Effect<ModelBlock>
  /** The present head and every later one. */
  readonly changes: Stream.Stream<ModelBlock>
  /** Checks certificates (CP-2) as everybody does, but each only once. */
  readonly checkCertificate: typeof verifyCertificate
  /** The block that is being made, as if it held all that waits. */
  readonly pending: Effect.Effect<ModelBlock>
  /** Runs a call in the block that is being made: behind all that waits, or as if nothing did. */
  readonly attempt: (
    call: ModelCall,
    sender: Address,
    behind: "pending" | "latest"
  ) => Effect.Effect<Result.Result<{ readonly gas: bigint; readonly effects: ReadonlyArray<Emission> }, Refusal>>
  /** Takes a transaction into the mempool, or does nothing if it is known. */
  readonly send: (raw: HexBytes) => Effect.Effect<void, NonceUsed | Underpriced>
  /** A transaction and the number of its block. */
  readonly find: (hash: TransactionHash) => Effect.Effect<{ readonly block: number; readonly mined: Mined } | undefined>
  /** Whether a transaction waits in the mempool. */
  readonly waits: (hash: TransactionHash) => Effect.Effect<boolean>
  readonly gasPrice: Ref.Ref<bigint>

  /** Makes a block now, with what waits. */
  readonly mine: Effect.Effect<void>
  /**
   * Takes the newest blocks back and puts others in their slots, with those of their transactions that `keep` names. The rest is
   * forgotten: no mempool has it, until somebody sends it again.
   */
  readonly reorg: (depth: number, keep: (mined: Mined) => boolean) => Effect.Effect<void>
  /** Forgets what waits in the mempool. */
  readonly forget: Effect.Effect<void>
  /** Makes a block in which the contracts do what no call makes them do: for what would take weeks to come about. */
  readonly amend: (change: (state: State) => Outcome<State>) => Effect.Effect<void>
}>()("lignum/simulation/ModelChain") {}

const make = Effect.fnUntraced(function*(options: ModelChainOptions) {
  const { chainId, genesis, parameters, validators } = options
  const slot = Duration.toMillis(options.slot)
  const domain = { chainId, registry: modelContracts.registry, epoch: validators.epoch }
  let fork = 0
  const nameOf = (number: number) => Bytes32.make(keccak256(stringToHex(`${options.seed}/${fork}/${number}`)))
  const seconds = Effect.map(Clock.currentTimeMillis, (now) => BigInt(Math.floor(now / 1_000)))

  const deployedAt = yield* seconds
  const deployed: ModelBlock = {
    number: deploymentBlock,
    hash: nameOf(deploymentBlock),
    timestamp: deployedAt,
    transactions: [],
    events: [],
    state: start({
      parameters,
      genesis,
      validators: validators.publicKeys.length,
      systems: new Map([[proofSystemIds.groth16, { bindsMergers: false }]]),
      registryAt: deployedAt,
      stateUpdateAt: deployedAt
    }),
    nonces: new Map()
  }
  const at = new L1Position({ block: deployed.number, blockHash: deployed.hash, transaction: TransactionHash.make(toHex32(0n)) })
  const noCertificate = new QuorumCertificate({ signature: "0x", signers: 0n })
  const initial = options.first.reduce<Outcome<State>>(({ effects, state }, { call, sender }) => {
    const done = Result.getOrThrow(execute(state, call, sender, deployedAt, () => false))
    return { state: done.state, effects: [...effects, ...done.effects] }
  }, { state: deployed.state, effects: [] })
  const chain = yield* SubscriptionRef.make<ReadonlyArray<ModelBlock>>([
    { ...deployed, number: 0, hash: nameOf(0) },
    {
      ...deployed,
      state: initial.state,
      events: [
        new ValidatorSetChanged({ at, validators }),
        new CheckpointRegistered({ at, checkpoint: genesis, certificate: noCertificate }),
        ...initial.effects.flatMap((emission) => eventOf(emission, at))
      ]
    }
  ])
  const writer = yield* Semaphore.make(1)
  const gasPrice = yield* Ref.make(options.gasPrice)
  const work = yield* Queue.sliding<void>(1)
  let pool: ReadonlyArray<Waiting> = []
  let order = 0
  /** The block of each transaction. */
  const places = new Map<TransactionHash, number>()

  const headOf = (blocks: ReadonlyArray<ModelBlock>) => blocks[blocks.length - 1]!
  const head = Effect.map(SubscriptionRef.get(chain), headOf)

  const checked = new Map<string, ReturnType<typeof verifyCertificate>>()
  const checkCertificate: typeof verifyCertificate = (set, within, checkpoint, certificate) => {
    const { signature, signers } = certificate
    const key = [...set.publicKeys, set.epoch, within.registry, within.epoch, checkpoint.id, signature, signers].join()
    const known = checked.get(key) ?? verifyCertificate(set, within, checkpoint, certificate)
    checked.set(key, known)
    return known
  }
  const signatureHolds = ({ certificate, checkpoint }: Extract<ModelCall, { readonly kind: "checkpoint" }>): boolean =>
    Result.isSuccess(checkCertificate(validators, domain, checkpoint, certificate))

  /** Another block with these transactions, in this order; those whose nonce is not next are left out. */
  const build = ({ hash, parent, timestamp }: Ground, candidates: ReadonlyArray<Pick<Waiting, "hash" | "transaction">>, price: bigint): ModelBlock => {
    let { state } = parent
    const number = parent.number + 1
    const nonces = new Map(parent.nonces)
    const events: Array<L1Event> = []
    const transactions: Array<Mined> = []
    for (const { hash: name, transaction } of candidates) {
      const { call, nonce, sender } = transaction
      if (nonce !== (nonces.get(sender) ?? 0)) continue
      nonces.set(sender, nonce + 1)
      const done = execute(state, call, sender, timestamp, signatureHolds)
      if (Result.isSuccess(done)) {
        state = done.success.state
        const position = new L1Position({ block: number, blockHash: hash, transaction: name })
        for (const emission of done.success.effects) events.push(...eventOf(emission, position))
      }
      const gasUsed = options.gas(call)
      transactions.push({ hash: name, transaction, error: Result.isFailure(done) ? errorOf(done.failure) : undefined, gasUsed, paid: gasUsed * price })
    }
    return { number, hash, timestamp, transactions, events, state, nonces }
  }

  /** What a block made now would hold: the dearest tip first, then who came first; an account's own in the order of their nonces. */
  const candidates = (parent: ModelBlock, price: bigint, readyAt: number): ReadonlyArray<Waiting> => {
    const open = pool.filter(({ since, transaction }) => since <= readyAt && transaction.maxFeePerGas >= price).toSorted((a, b) => {
      const [mine, theirs] = [a.transaction.maxPriorityFeePerGas, b.transaction.maxPriorityFeePerGas]
      return mine === theirs ? a.order - b.order : mine > theirs ? -1 : 1
    })
    const nonces = new Map<Address, number>()
    const chosen: Array<Waiting> = []
    for (let progress = true; progress;) {
      const next = open.findIndex(({ transaction: { nonce, sender } }) => nonce === (nonces.get(sender) ?? nonceIn(parent, sender)))
      progress = next >= 0
      if (!progress) break
      const [each] = open.splice(next, 1)
      nonces.set(each!.transaction.sender, each!.transaction.nonce + 1)
      chosen.push(each!)
    }
    return chosen
  }

  const later = (a: bigint, b: bigint) => a > b ? a : b

  /** Makes a block now, if it would hold anything or is to be made all the same. */
  const produce = (evenIfEmpty: boolean) =>
    writer.withPermit(Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const parent = yield* head
      const price = yield* Ref.get(gasPrice)
      const chosen = candidates(parent, price, now - Duration.toMillis(options.inclusionDelay))
      if (chosen.length === 0 && !evenIfEmpty) return
      const timestamp = later(BigInt(Math.floor(now / 1_000)), parent.timestamp + 1n)
      const block = build({ parent, timestamp, hash: nameOf(parent.number + 1) }, chosen, price)
      pool = pool.filter(({ transaction: { nonce, sender } }) => nonce >= nonceIn(block, sender))
      for (const { hash } of block.transactions) places.set(hash, block.number)
      yield* SubscriptionRef.update(chain, (blocks) => [...blocks, block])
    }))

  const nextSlot = (now: number) => (Math.floor(now / slot) + 1) * slot

  yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
    yield* Queue.take(work)
    while (pool.length > 0) {
      const now = yield* Clock.currentTimeMillis
      yield* Effect.sleep(Duration.millis(nextSlot(now) - now))
      yield* produce(false)
    }
  })))
  if (Duration.isFinite(options.emptyBlocks)) {
    const most = Duration.toMillis(options.emptyBlocks)
    yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const due = Number((yield* head).timestamp) * 1_000 + most
      yield* due > now ? Effect.sleep(Duration.millis(due - now)) : produce(true)
    })))
  }

  /** The block that is being made. */
  const being = (held: ReadonlyArray<Waiting>) =>
    Effect.gen(function*() {
      const parent = yield* head
      const timestamp = later(BigInt(nextSlot(yield* Clock.currentTimeMillis) / 1_000), parent.timestamp + 1n)
      return build({ parent, timestamp, hash: nameOf(parent.number + 1) }, held, yield* Ref.get(gasPrice))
    })
  const pending = Effect.gen(function*() {
    return yield* being(candidates(yield* head, yield* Ref.get(gasPrice), Number.POSITIVE_INFINITY))
  })

  return ModelChain.of({
    chainId,
    blocks: SubscriptionRef.get(chain),
    head,
    changes: Stream.map(SubscriptionRef.changes(chain), headOf),
    checkCertificate,
    pending,
    attempt: (call, sender, behind) =>
      Effect.map(behind === "pending" ? pending : being([]), ({ state, timestamp }) =>
        Result.map(execute(state, call, sender, timestamp, signatureHolds), ({ effects }) => ({ gas: options.gas(call), effects }))),
    send: Effect.fnUntraced(function*(raw) {
      const hash = hashOf(raw)
      const parent = yield* head
      if (places.has(hash) || pool.some((each) => each.hash === hash)) return
      const transaction = transactionOf(raw)
      const { maxFeePerGas, maxPriorityFeePerGas, nonce, sender } = transaction
      if (nonce < nonceIn(parent, sender)) return yield* new NonceUsed({ nonce })
      const rival = pool.find((each) => each.transaction.sender === sender && each.transaction.nonce === nonce)?.transaction
      if (rival !== undefined && (10n * maxFeePerGas < 11n * rival.maxFeePerGas || 10n * maxPriorityFeePerGas < 11n * rival.maxPriorityFeePerGas)) {
        return yield* new Underpriced({ reason: "replacement transaction underpriced" })
      }
      const since = yield* Clock.currentTimeMillis
      pool = [...pool.filter((each) => each.transaction !== rival), { hash, transaction, since, order: order++ }]
      yield* Queue.offer(work, undefined)
    }),
    find: (hash) =>
      Effect.map(SubscriptionRef.get(chain), (blocks) => {
        const block = places.get(hash)
        const mined = block === undefined ? undefined : blocks[block]!.transactions.find((each) => each.hash === hash)
        return block === undefined || mined === undefined ? undefined : { block, mined }
      }),
    waits: (hash) => Effect.sync(() => pool.some((each) => each.hash === hash)),
    gasPrice,
    mine: produce(true),
    reorg: (depth, keep) =>
      writer.withPermit(SubscriptionRef.update(chain, (blocks) => {
        fork++
        const kept = blocks.slice(0, Math.max(deploymentBlock + 1, blocks.length - depth))
        for (const { timestamp, transactions } of blocks.slice(kept.length)) {
          const parent = headOf(kept)
          const again = build({ parent, timestamp, hash: nameOf(parent.number + 1) }, transactions.filter(keep), 0n)
          const paid = new Map(transactions.map((each) => [each.hash, each.paid]))
          for (const { hash } of transactions) places.delete(hash)
          for (const { hash } of again.transactions) places.set(hash, again.number)
          // What they paid is the same.
          kept.push({ ...again, transactions: again.transactions.map((each) => ({ ...each, paid: paid.get(each.hash)! })) })
        }
        return kept
      })),
    forget: Effect.sync(() => {
      pool = []
    }),
    amend: (change) =>
      writer.withPermit(Effect.gen(function*() {
        const parent = yield* head
        const block = build({ parent, timestamp: later(yield* seconds, parent.timestamp + 1n), hash: nameOf(parent.number + 1) }, [], 0n)
        const { effects, state } = change(block.state)
        const position = new L1Position({ block: block.number, blockHash: block.hash, transaction: TransactionHash.make(block.hash) })
        const events = effects.flatMap((emission) => eventOf(emission, position))
        yield* SubscriptionRef.update(chain, (blocks) => [...blocks, { ...block, state, events }])
      }))
  })
})

export const layer = (options: Partial<ModelChainOptions> & Pick<ModelChainOptions, "parameters" | "genesis" | "validators">): Layer.Layer<ModelChain> =>
  Layer.effect(ModelChain, make({ ...defaultModelChain, ...options }))
