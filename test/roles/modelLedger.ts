/**
 * A ledger for tests of roles under a virtual clock: a block every six seconds, and blocks that are replaced when a test says so.
 */
import { Context, Duration, Effect, Layer, Ref, Schedule, Stream, SubscriptionRef } from "effect"
import { fullBlocks } from "../../bench/Blocks.ts"
import { BlockNumber } from "../../src/domain/Amount.ts"
import { BlockRef, type Header } from "../../src/domain/Block.ts"
import { devnetGenesis, DevnetLedgerConfig } from "../../src/ledger/DevnetLedgerConfig.ts"
import { type BlockExecution, executeBlock } from "../../src/ledger/Execution.ts"
import { LedgerSource, LedgerUnavailable } from "../../src/ledger/LedgerSource.ts"

export const blockTime = Duration.seconds(6)

export const chain = fullBlocks("model", 60)
const config = new DevnetLedgerConfig({ seed: "model" })

export interface ModelLedgerState {
  readonly height: number
  /** The blocks that there are and will be, block 1 first. */
  readonly blocks: ReadonlyArray<BlockExecution>
  /** Where blocks were replaced: the number of the last one that stayed. */
  readonly rebuilds: ReadonlyArray<number>
}

export const headerOf = ({ blocks }: ModelLedgerState, number: number): Header =>
  number === 0 ? chain.genesis : blocks[number - 1]!.block.header

export const refIn = (state: ModelLedgerState, number: number): BlockRef => {
  const header = headerOf(state, number)
  return new BlockRef({ number: header.number, hash: header.hash })
}

/** The ledger before a test replaces any block. */
export const firstLedger: ModelLedgerState = { height: 0, blocks: chain.blocks, rebuilds: [] }

/** The same transfers in later blocks, whose hashes therefore differ. */
const rebuilt = ({ blocks, rebuilds }: ModelLedgerState, to: number): ModelLedgerState => {
  const again: Array<BlockExecution> = []
  for (const { block: { header, transfers } } of blocks.slice(to)) {
    const last = again.at(-1) ?? blocks[to - 1]
    again.push(executeBlock(config.rules, last?.block.header ?? chain.genesis, last?.tree ?? devnetGenesis(config).tree, transfers, {
      proverPrice: header.proverPrice,
      signalMultiplier: header.signalMultiplier,
      timestamp: header.timestamp + 1_000n
    }))
  }
  return { height: to, blocks: [...blocks.slice(0, to), ...again], rebuilds: [...rebuilds, to] }
}

export class ModelLedger extends Context.Service<ModelLedger, {
  readonly state: SubscriptionRef.SubscriptionRef<ModelLedgerState>
  /** Whether the ledger breaks off its streams of blocks at their next block, once for each that runs. */
  readonly breaks: Ref.Ref<number>
  /** Replaces every block above one. */
  readonly rebuild: (to: number) => Effect.Effect<void>
}>()("test/ModelLedger") {
  static readonly layer = Layer.effectContext(Effect.gen(function*() {
    const breaks = yield* Ref.make(0)
    const state = yield* SubscriptionRef.make(firstLedger)
    yield* SubscriptionRef.update(state, (now) => ({ ...now, height: Math.min(now.height + 1, now.blocks.length) })).pipe(
      Effect.delay(blockTime),
      Effect.repeat(Schedule.forever),
      Effect.forkScoped
    )
    const broken = (number: number) =>
      Effect.flatMap(Ref.getAndUpdate(breaks, (left) => Math.max(0, left - 1)), (left) =>
        left > 0 ? Effect.fail(new LedgerUnavailable({ number: BlockNumber.make(number), reason: "the connection broke" })) : Effect.void)
    const genesis = {
      header: chain.genesis,
      transfers: [],
      number: chain.genesis.number,
      ref: new BlockRef({ number: chain.genesis.number, hash: chain.genesis.hash })
    } as never

    const source = LedgerSource.of({
      genesis: Effect.succeed(genesis),
      blocks: (from) =>
        Stream.unwrap(Effect.map(SubscriptionRef.get(state), ({ rebuilds }) => {
          let next: number = from
          let seen = rebuilds.length
          return SubscriptionRef.changes(state).pipe(
            Stream.flatMap((now) => {
              const first = Math.min(next, ...now.rebuilds.slice(seen).map((to) => to + 1))
              next = Math.max(first, now.height + 1)
              seen = now.rebuilds.length
              return Stream.fromIterable(Array.from({ length: next - first }, (_, i) => ({
                number: first + i,
                block: first + i === 0 ? genesis : now.blocks[first + i - 1]!.block
              })))
            }),
            Stream.tap(({ number }) => broken(number)),
            Stream.map(({ block }) => block)
          )
        })),
      witness: (number) =>
        Effect.flatMap(SubscriptionRef.get(state), ({ blocks, height }) => {
          const made = number <= height ? blocks[number - 1] : undefined
          return made === undefined ? Effect.fail(new LedgerUnavailable({ number, reason: "not made yet" })) : Effect.succeed(made.witness)
        }),
      checkpoints: () => Stream.never
    })
    const model = ModelLedger.of({ state, breaks, rebuild: (to) => SubscriptionRef.update(state, (now) => rebuilt(now, to)) })
    return Context.make(LedgerSource, source).pipe(Context.add(ModelLedger, model))
  }))
}
