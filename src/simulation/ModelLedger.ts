/**
 * A rollup for simulations: the black box in virtual time.
 *
 * Blocks have headers and no transfers: how much prover gas each uses is a function of its number. Hashes and the price rule are
 * real (FM-2, FM-4); state roots are drawn, for nothing here executes. After a revert on L1 (CP-4) it goes on from the tip as
 * `LedgerSource` says: what stood above is replaced.
 */
import { Clock, Context, Duration, Effect, Layer, Ref, Semaphore, Stream, SubscriptionRef } from "effect"
import { BlockNumber, ProverGas, Wei } from "../domain/Amount.ts"
import { Block, BlockRef, Header, signalOne } from "../domain/Block.ts"
import { BlockWitness } from "../domain/BlockWitness.ts"
import { BlockHash, fieldOrder, StateRoot, toHex32, TransactionsRoot } from "../domain/Hash.ts"
import { nextExcess, type PriceRule, proverFee, snapshotPrice } from "../domain/ProverPrice.ts"
import { devnetPriceRule } from "../ledger/DevnetLedgerConfig.ts"
import { LedgerSource, LedgerUnavailable } from "../ledger/LedgerSource.ts"
import { seededRandom } from "../ledger/SeededRandom.ts"

export interface ModelLedgerOptions {
  readonly seed: string
  /** Time from block to block. */
  readonly blockTime: Duration.Duration
  /** Blocks from checkpoint to checkpoint. */
  readonly checkpointInterval: number
  /** Blocks that there ever are. */
  readonly length: number
  /** Prover gas of each block. */
  readonly demand: (number: number) => bigint
  readonly price: PriceRule
  /** The L1 signal's multiplier in millionths (FM-3), read for the first block after each checkpoint (FM-4). */
  readonly signalMultiplier: Effect.Effect<bigint>
  /** Prover gas that is overdue at a block's timestamp (FM-2). */
  readonly overdue: (timestamp: bigint) => Effect.Effect<bigint>
}

export const defaultModelLedger: ModelLedgerOptions = {
  seed: "model",
  blockTime: Duration.seconds(6),
  checkpointInterval: 2,
  length: Number.MAX_SAFE_INTEGER,
  demand: () => 32_000n,
  price: devnetPriceRule,
  signalMultiplier: Effect.succeed(signalOne),
  overdue: () => Effect.succeed(0n)
}

/** A header that knows its hash: Poseidon2 takes milliseconds, and every node asks again and again. */
class KnownHeader extends Header {
  #hash: BlockHash | undefined

  override get hash(): BlockHash {
    return this.#hash ??= super.hash
  }
}

interface Made {
  readonly block: Block
  /** What the price after it comes from. */
  readonly excess: bigint
}

/** The chain as it is. */
export interface ModelRollup {
  /** From the genesis block on; a block's number is its place. */
  readonly blocks: ReadonlyArray<Made>
  /** The tips that it went back to, one for each revert (CP-4). */
  readonly rebuilds: ReadonlyArray<number>
}

export const headerIn = ({ blocks }: ModelRollup, number: number): Header | undefined => blocks[number]?.block.header

const refTo = ({ hash, number }: Header) => new BlockRef({ number, hash })

/** The ledger's own doors, beside `LedgerSource`. */
export class ModelLedger extends Context.Service<ModelLedger, {
  readonly checkpointInterval: number
  readonly rollup: Effect.Effect<ModelRollup>
  /** The present chain and every later one. */
  readonly changes: Stream.Stream<ModelRollup>
  /** Goes on from the block with a number: all above are replaced. Once for each generation, however often it is told. */
  readonly rebuild: (tip: number, generation: number) => Effect.Effect<void>
  /** Stops making blocks, or goes on with it. */
  readonly halted: Ref.Ref<boolean>
  /** How many streams of blocks break off at their next block, one each. */
  readonly breaks: Ref.Ref<number>
}>()("lignum/simulation/ModelLedger") {}

const root = (seed: string, what: string, ...labels: ReadonlyArray<string | number>) => toHex32(seededRandom(seed, what, ...labels).below(fieldOrder))

/** The rollup before its first block, at a time in seconds. */
export const startRollup = ({ price, seed }: ModelLedgerOptions, timestamp: bigint): ModelRollup => {
  const genesis = new Block({
    header: new KnownHeader({
      parentHash: BlockHash.make(toHex32(0n)),
      number: BlockNumber.make(0),
      stateRoot: StateRoot.make(root(seed, "state", 0)),
      transactionsRoot: TransactionsRoot.make(toHex32(0n)),
      proverGasUsed: ProverGas.make(0n),
      proverPrice: snapshotPrice(price, 0n, signalOne),
      proverFees: Wei.make(0n),
      signalMultiplier: signalOne,
      timestamp
    }),
    transfers: []
  })
  return { blocks: [{ block: genesis, excess: 0n }], rebuilds: [] }
}

/** What a block is made from, beside the chain. */
export interface ModelBlockInputs {
  /** In seconds. */
  readonly timestamp: bigint
  readonly signalMultiplier: bigint
  readonly overdue: bigint
}

/** The rollup with another block. */
export const extendRollup = (options: ModelLedgerOptions, { blocks, rebuilds }: ModelRollup, { overdue, signalMultiplier, timestamp }: ModelBlockInputs): ModelRollup => {
  const { price, seed } = options
  const { block: { header: parent }, excess } = blocks[blocks.length - 1]!
  const number = blocks.length
  const proverGasUsed = ProverGas.make(options.demand(number))
  const proverPrice = snapshotPrice(price, excess, signalMultiplier)
  const header = new KnownHeader({
    parentHash: parent.hash,
    number: BlockNumber.make(number),
    stateRoot: StateRoot.make(root(seed, "state", number, rebuilds.length)),
    transactionsRoot: TransactionsRoot.make(root(seed, "transactions", number, rebuilds.length)),
    proverGasUsed,
    proverPrice,
    proverFees: proverFee(proverGasUsed, proverPrice),
    signalMultiplier,
    timestamp
  })
  const made = { block: new Block({ header, transfers: [] }), excess: nextExcess(price, excess, proverGasUsed, ProverGas.make(overdue)) }
  return { blocks: [...blocks, made], rebuilds }
}

const make = Effect.fnUntraced(function*(options: ModelLedgerOptions) {
  const seconds = Effect.map(Clock.currentTimeMillis, (now) => BigInt(Math.floor(now / 1_000)))
  const first = startRollup(options, yield* seconds)
  const genesis = first.blocks[0]!.block
  const state = yield* SubscriptionRef.make(first)
  const writer = yield* Semaphore.make(1)
  const halted = yield* Ref.make(false)
  const breaks = yield* Ref.make(0)

  const produce = writer.withPermit(Effect.gen(function*() {
    const rollup = yield* SubscriptionRef.get(state)
    if (rollup.blocks.length > options.length || (yield* Ref.get(halted))) return
    const { block: { header: parent } } = rollup.blocks[rollup.blocks.length - 1]!
    const signalMultiplier = parent.number % options.checkpointInterval === 0 ? yield* options.signalMultiplier : parent.signalMultiplier
    const timestamp = yield* seconds
    yield* SubscriptionRef.set(state, extendRollup(options, rollup, { timestamp, signalMultiplier, overdue: yield* options.overdue(timestamp) }))
  }))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(options.blockTime), produce)))

  const broken = (number: BlockNumber) =>
    Effect.flatMap(Ref.getAndUpdate(breaks, (left) => Math.max(0, left - 1)), (left) =>
      left > 0 ? Effect.fail(new LedgerUnavailable({ number, reason: "the connection broke" })) : Effect.void)

  const source = LedgerSource.of({
    genesis: Effect.succeed(genesis),
    blocks: (from) =>
      Stream.unwrap(Effect.map(SubscriptionRef.get(state), (start) => {
        let [next, seen]: [number, number] = [from, start.rebuilds.length]
        return SubscriptionRef.changes(state).pipe(
          Stream.flatMap(({ blocks, rebuilds }) => {
            const first = Math.min(next, ...rebuilds.slice(seen).map((tip) => tip + 1))
            seen = rebuilds.length
            next = Math.max(first, blocks.length)
            return Stream.fromIterable(blocks.slice(first))
          }),
          Stream.map(({ block }) => block),
          Stream.tap(({ number }) => broken(number))
        )
      })),
    witness: Effect.fnUntraced(function*(number) {
      const { blocks } = yield* SubscriptionRef.get(state)
      const [parent, made] = [blocks[number - 1], blocks[number]]
      if (made === undefined || parent === undefined) return yield* new LedgerUnavailable({ number, reason: `the newest block is ${blocks.length - 1}` })
      return new BlockWitness({ parent: parent.block.header, block: made.block, transfers: [] })
    }),
    // Here, checkpoints are made where they are brought to L1: by `ModelConsensus`.
    checkpoints: () => Stream.never
  })

  const ledger = ModelLedger.of({
    checkpointInterval: options.checkpointInterval,
    rollup: SubscriptionRef.get(state),
    changes: SubscriptionRef.changes(state),
    rebuild: (tip, generation) =>
      writer.withPermit(SubscriptionRef.update(state, (now) =>
        now.rebuilds.length >= generation ? now : { blocks: now.blocks.slice(0, tip + 1), rebuilds: [...now.rebuilds, tip] })),
    halted,
    breaks
  })
  return Context.make(LedgerSource, source).pipe(Context.add(ModelLedger, ledger))
})

export const layer = (options: Partial<ModelLedgerOptions> = {}): Layer.Layer<LedgerSource | ModelLedger> =>
  Layer.effectContext(make({ ...defaultModelLedger, ...options }))

/** The block with a number, as statements name it. */
export const blockIn = (rollup: ModelRollup, number: number): BlockRef | undefined => {
  const header = headerIn(rollup, number)
  return header === undefined ? undefined : refTo(header)
}
