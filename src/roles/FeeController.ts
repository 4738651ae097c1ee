/**
 * The fee controller: the price of proving now, and what to sign for the next blocks (FM-2, FM-4, FM-5).
 */
import { Context, Effect, Layer, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber, ProverGas, ProverPrice, Wei } from "../domain/Amount.ts"
import { highestPrice, integerExponential, type PriceRule, proverFee } from "../domain/ProverPrice.ts"
import { LedgerSource } from "../ledger/LedgerSource.ts"
import type { RoleShape } from "../rpc/RoleService.ts"
import { CheckpointWatcher } from "./CheckpointWatcher.ts"
import { RoleFibers } from "./RoleFibers.ts"

/** The rollup's price rule, which is consensus, as far as a quote needs it. */
export interface FeeOptions {
  readonly rule: PriceRule
  /** Prover gas of a full block. */
  readonly blockGas: ProverGas
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

/** What a transaction pays now, and the cap that keeps it valid for some blocks (FM-5). */
export class Quote extends Schema.Class<Quote>("lignum/Quote")({
  block: BlockNumber,
  proverGas: ProverGas,
  /** Wei per prover gas in the newest block. */
  price: ProverPrice,
  /** What the transaction would have paid in the newest block. */
  fee: Wei,
  /** The price that the rule cannot exceed within the asked number of blocks, however full they are. */
  priceBound: ProverPrice,
  /** The `maxProverFee` to sign; less is charged when the price is lower, never more. */
  maxProverFee: Wei
}) {}

/** Prover gas that one transaction can have: at the highest price, its fee is still an amount of wei. */
const TransactionGas = ProverGas.check(Schema.isLessThanBigInt(1n << 32n))

export const FeeControllerRpcs = RpcGroup.make(
  Rpc.make("quote", { payload: { proverGas: TransactionGas, blocks: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })) }, success: Quote }),
  Rpc.make("changes", { success: PriceView, stream: true })
)

/**
 * Highest price within `blocks` full blocks from `price` on. The price that a header carries is rounded down, hence the
 * one more wei at the start; the Taylor series rounds down, hence the one at the end.
 */
export const priceBound = ({ rule, blockGas }: FeeOptions, price: ProverPrice, blocks: number): ProverPrice => {
  const bound = integerExponential(price + 1n, BigInt(blocks) * (blockGas - rule.target), rule.fraction) + 1n
  return bound < highestPrice ? ProverPrice.make(bound) : highestPrice
}

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
          if (header.number > tip) unproven.set(header.number, header.proverGasUsed)
          return publish
        })
      }))

      const quote = Effect.fn("FeeController.quote")(function*(
        { proverGas, blocks }: { readonly proverGas: ProverGas; readonly blocks: number }
      ) {
        const { block, price } = yield* SubscriptionRef.get(view)
        const bound = priceBound(options, price, blocks)
        return new Quote({
          block,
          proverGas,
          price,
          fee: proverFee(proverGas, price),
          priceBound: bound,
          maxProverFee: proverFee(proverGas, bound)
        })
      })

      return FeeController.of({ quote, changes: () => SubscriptionRef.changes(view) })
    })
  )
}
