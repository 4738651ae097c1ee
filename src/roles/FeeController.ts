/**
 * The fee controller: the price of proving now, and what to sign for the next blocks (FM-2, FM-4, FM-5).
 */
import { Context, Effect, Layer, Option, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber, ProverGas, ProverPrice } from "../domain/Amount.ts"
import type { PriceRule } from "../domain/ProverPrice.ts"
import { Quote, quote, type SettlementGas } from "../domain/Quote.ts"
import { LedgerSource } from "../ledger/LedgerSource.ts"
import type { RoleShape } from "../rpc/RoleService.ts"
import { CheckpointWatcher } from "./CheckpointWatcher.ts"
import { RoleFibers } from "./RoleFibers.ts"

/** The rollup's price rule, which is consensus, as far as a quote needs it. */
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
}

export const FeeOptions = Context.Service<FeeOptions>("lignum/FeeOptions")

/** The price that the newest block snapshotted, and what waits to be proven. */
export class PriceView extends Schema.Class<PriceView>("lignum/PriceView")({
  block: BlockNumber,
  price: ProverPrice,
  /** Multiplier of the L1 signal in that block, in millionths (FM-3). */
  signalMultiplier: Schema.BigIntFromString,
  /** Prover gas of all blocks beyond the proven tip. */
  unproven: ProverGas
}) {}

/** Prover gas that one transaction can have: at the highest price, its fee is still an amount of wei. */
const TransactionGas = ProverGas.check(Schema.isLessThanBigInt(1n << 32n))

export const FeeControllerRpcs = RpcGroup.make(
  /** What a transaction pays, and the cap to sign for the next `blocks` blocks. */
  Rpc.make("quote", {
    payload: {
      proverGas: TransactionGas,
      blocks: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })),
      /** The most prover gas that will be overdue meanwhile (FM-2); without it the bound holds for any backlog. */
      overdue: Schema.optionalKey(ProverGas)
    },
    success: Quote
  }),
  Rpc.make("changes", { success: PriceView, stream: true })
)

export class FeeController extends Context.Service<FeeController, RoleShape<typeof FeeControllerRpcs>>()(
  "lignum/FeeController"
) {
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
      const view = yield* SubscriptionRef.make(
        new PriceView({ block: genesis.number, price: genesis.proverPrice, signalMultiplier: genesis.signalMultiplier, unproven: ProverGas.make(0n) })
      )
      const publish = Effect.suspend(() =>
        SubscriptionRef.set(
          view,
          new PriceView({
            block: newest.number,
            price: newest.proverPrice,
            signalMultiplier: newest.signalMultiplier,
            unproven: ProverGas.make([...unproven.values()].reduce((sum, gas) => sum + gas, 0n))
          })
        )
      )

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
          // It may replace blocks (CP-4).
          for (const number of unproven.keys()) if (number >= header.number) unproven.delete(number)
          if (header.number > tip) unproven.set(header.number, header.proverGasUsed)
          return publish
        })
      }))

      const answer = Effect.fn("FeeController.quote")(function*(
        asked: { readonly proverGas: ProverGas; readonly blocks: number; readonly overdue?: ProverGas }
      ) {
        const l1GasPrice = options.settlement === undefined ? Option.none<bigint>() : yield* options.settlement.l1GasPrice
        const { block, price, signalMultiplier } = yield* SubscriptionRef.get(view)
        return quote(
          { number: block, proverPrice: price, signalMultiplier },
          asked.proverGas,
          {
            rule: options.rule,
            blockGas: options.blockGas,
            blocks: asked.blocks,
            ...(asked.overdue === undefined ? {} : { overdue: asked.overdue })
          },
          options.settlement === undefined || Option.isNone(l1GasPrice)
            ? undefined
            : { gas: options.settlement.gas, l1GasPrice: l1GasPrice.value }
        )
      })

      return FeeController.of({ quote: answer, changes: () => SubscriptionRef.changes(view) })
    })
  )
}
