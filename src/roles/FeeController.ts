/**
 * The fee controller: the price of proving now, what to sign for the next blocks (FM-2, FM-4, FM-5), and the operator's word on L1
 * when the price is too low (FM-3).
 */
import { Context, Effect, Layer, Option, Schedule, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber, ProverGas, ProverPrice } from "../domain/Amount.ts"
import type { PriceRule } from "../domain/ProverPrice.ts"
import { type LowMargin, nextLowMargin } from "../domain/FlagPolicy.ts"
import { highestSignalWithin, Quote, quote, type SettlementGas, type SignalCourse } from "../domain/Quote.ts"
import { LedgerSource } from "../ledger/LedgerSource.ts"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { CheckpointWatcher } from "./CheckpointWatcher.ts"
import { type FlagOptions, makeFlagger } from "./Flagger.ts"
import { RoleFibers } from "./RoleFibers.ts"

/** The rollup's price rule, which is consensus, as far as a quote needs it; and what the operator decides about flagging. */
export interface FeeOptions {
  readonly rule: PriceRule
  /** Prover gas of a full block. */
  readonly blockGas: ProverGas
  /** What settling takes on L1; without it, quotes have no part for it. */
  readonly settlement?: {
    readonly gas: SettlementGas
    /** Wei per L1 gas, none while it is not known. It must answer soon: quotes wait for it. */
    readonly l1GasPrice: Effect.Effect<Option.Option<bigint>>
  }
  /** What the rollup charges for execution: gas of a transaction unless the question says more, and wei per gas. Without it, nothing. */
  readonly execution?: { readonly gas: bigint; readonly price: bigint }
  /** How the L1 signal can rise; without it, bounds assume that it stands. */
  readonly signal?: SignalCourse
  /** When to flag on L1; without it, this node never does. */
  readonly flagging?: FlagOptions
}

export const FeeOptions = Context.Service<FeeOptions>("lignum/FeeOptions")

/** The price that the newest block snapshotted, and what waits to be proven. */
export class PriceView extends Schema.Class<PriceView>("lignum/PriceView")({
  block: BlockNumber,
  price: ProverPrice,
  /** Multiplier of the L1 signal in that block, in millionths (FM-3). */
  signalMultiplier: Schema.BigIntFromString,
  /** Prover gas of all blocks beyond the proven tip. */
  unproven: ProverGas,
  /** What becomes of this node's flag on L1, or why there is none (ND-5); none where the operator flags never. */
  flagging: Schema.NullOr(Schema.String)
}) {}

/** Prover gas that one transaction can have: at the highest price, its fee is still an amount of wei. */
const TransactionGas = ProverGas.check(Schema.isLessThanBigInt(1n << 32n))

/** Of the L1 signal, in millionths. */
const Multiplier = Schema.BigIntFromString.check(Schema.isBetweenBigInt({ minimum: 1_000_000n, maximum: (1n << 32n) - 1n }))

const ExecutionGas = Schema.BigIntFromString.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: (1n << 64n) - 1n }))

export const FeeControllerRpcs = RpcGroup.make(
  /** What a transaction pays, and the cap to sign for the next `blocks` blocks. */
  Rpc.make("quote", {
    payload: {
      proverGas: TransactionGas,
      blocks: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })),
      /** The most prover gas that will be overdue meanwhile (FM-2); without it the bound holds for any backlog. */
      overdue: Schema.optionalKey(ProverGas),
      /** The highest multiplier of the L1 signal meanwhile, in millionths; without it the bound holds for what the signal can do. */
      highestSignal: Schema.optionalKey(Multiplier),
      /** Execution gas of the transaction; without it, what the operator says that one has. */
      executionGas: Schema.optionalKey(ExecutionGas)
    },
    success: Quote
  }),
  Rpc.make("changes", { success: PriceView, stream: true })
)

export class FeeController extends Context.Service<FeeController, RoleShape<typeof FeeControllerRpcs>>()(
  "lignum/FeeController"
) {
  /** The role in another process, or behind the transport of this one. */
  static readonly layerRemote: Layer.Layer<FeeController, never, RoleTransport> = connectRole("fee-controller", FeeControllerRpcs, FeeController)

  static readonly layer = Layer.effect(
    FeeController,
    Effect.gen(function*() {
      const options = yield* FeeOptions
      const ledger = yield* LedgerSource
      const watcher = yield* CheckpointWatcher
      const fibers = yield* RoleFibers
      const { header: genesis } = yield* ledger.genesis
      let newest = genesis
      let tip = 0
      const unproven = new Map<number, ProverGas>()
      let low: LowMargin | undefined
      let flagging: string | null = null
      const now = () =>
        new PriceView({
          block: newest.number,
          price: newest.proverPrice,
          signalMultiplier: newest.signalMultiplier,
          unproven: ProverGas.make([...unproven.values()].reduce((sum, gas) => sum + gas, 0n)),
          flagging
        })
      const view = yield* SubscriptionRef.make(now())
      const publish = Effect.suspend(() => SubscriptionRef.set(view, now()))

      yield* fibers.fork(Effect.gen(function*() {
        const first = yield* Stream.runHead(watcher.changes()).pipe(Effect.flatMap(Effect.fromOption), Effect.orDie)
        tip = first.tip.number
        yield* fibers.fork(Stream.runForEach(watcher.changes(), (seen) => {
          tip = seen.tip.number
          for (const number of unproven.keys()) if (number <= tip) unproven.delete(number)
          return publish
        }))
        yield* Stream.runForEach(ledger.blocks(BlockNumber.make(tip)), ({ header }) => {
          newest = header
          // Nobody made the genesis block at its price.
          if (options.flagging !== undefined && header.number > 0) low = nextLowMargin(low, header, options.flagging)
          // It may replace blocks (CP-4).
          for (const number of unproven.keys()) if (number >= header.number) unproven.delete(number)
          if (header.number > tip) unproven.set(header.number, header.proverGasUsed)
          return publish
        })
      }))

      if (options.flagging !== undefined) {
        const look = yield* makeFlagger(options.flagging, (activity) =>
          Effect.suspend(() => {
            if (activity === flagging) return Effect.void
            flagging = activity
            return publish
          }))
        yield* fibers.fork(Effect.repeat(Effect.suspend(() => look(low)), Schedule.spaced("1 second")))
      }

      const answer = Effect.fn("FeeController.quote")(function*(
        asked: {
          readonly proverGas: ProverGas
          readonly blocks: number
          readonly overdue?: ProverGas
          readonly highestSignal?: bigint
          readonly executionGas?: bigint
        }
      ) {
        const { execution, settlement, signal } = options
        const l1GasPrice = settlement === undefined ? Option.none<bigint>() : yield* settlement.l1GasPrice
        const { block, price, signalMultiplier } = yield* SubscriptionRef.get(view)
        const highestSignal = asked.highestSignal ?? (signal === undefined ? undefined : highestSignalWithin(signalMultiplier, asked.blocks, signal))
        return quote(
          { number: block, proverPrice: price, signalMultiplier },
          asked.proverGas,
          {
            rule: options.rule,
            blockGas: options.blockGas,
            blocks: asked.blocks,
            ...(asked.overdue === undefined ? {} : { overdue: asked.overdue }),
            ...(highestSignal === undefined ? {} : { highestSignal })
          },
          {
            ...(execution === undefined ? {} : { execution: { gas: asked.executionGas ?? execution.gas, price: execution.price } }),
            ...(settlement === undefined || Option.isNone(l1GasPrice) ? {} : { settlement: { gas: settlement.gas, l1GasPrice: l1GasPrice.value } })
          }
        )
      })

      return FeeController.of({ quote: answer, changes: () => SubscriptionRef.changes(view) })
    })
  )
}
