/**
 * One operator of a devnet: a whole supervised node with a key, a store and a role transport of its own. Operators share the
 * machine: the rollup's ledger, the proving keys and the proof workers.
 */
import { Context, Duration, Effect, Layer, MutableRef } from "effect"
import { join } from "node:path"
import { type BlockNumber, ProverGas, type ProverPrice } from "../domain/Amount.ts"
import type { Address } from "../domain/Hash.ts"
import { devnetSchedule } from "../domain/ProverGasSchedule.ts"
import { L1PollInterval } from "../l1/Follower.ts"
import { L1 } from "../l1/L1.ts"
import * as ViemL1 from "../l1/ViemL1.ts"
import { connectRoles, startRoles } from "../node/ProverNode.ts"
import { FeeOptions } from "../roles/FeeController.ts"
import { SettlerOptions } from "../roles/Settler.ts"
import { PlannerOptions } from "../roles/TreePlanner.ts"
import * as MemoryTransport from "../rpc/MemoryTransport.ts"
import { layerSqlite } from "../store/Sqlite.ts"
import * as SqliteStore from "../store/SqliteStore.ts"
import { type DevnetChain, operatorAccount } from "./Chain.ts"
import { type DevnetConfig, maxBlocksPerUpdate, settlementGasOf } from "./DevnetConfig.ts"
import { makeL1GasPrice } from "./L1GasPrice.ts"
import { registerProver } from "./Registration.ts"

/** A name for people. */
export const operatorName = (index: number): string => `prover-${index + 1}`

/** What reads L1 in the devnet. */
export const layerL1 = ({ deployment, url }: DevnetChain, index: number): Layer.Layer<L1> =>
  Layer.provide(ViemL1.layer, Layer.succeed(ViemL1.ViemL1Options, {
    url,
    chainId: deployment.chainId,
    privateKey: operatorAccount(index).privateKey,
    deployedAt: deployment.block,
    registry: deployment.registry,
    stateUpdate: deployment.stateUpdate,
    vault: deployment.vault,
    provers: deployment.provers,
    feeSignal: deployment.feeSignal
  }))

/**
 * For how long an operator leaves a block to another one. Blocks go round among those that exchange proofs, so that two of them do
 * not prove the same one on the workers that they share; what is not proven in the meantime, everybody may prove.
 */
const leavesToOthers = (config: DevnetConfig, index: number) => {
  const exchanging = config.operators.flatMap(({ exchangesProofs }, i) => (exchangesProofs ? [i] : []))
  const grace = Duration.max(Duration.times(config.ledger.blockTime, 2), Duration.seconds(20))
  return ({ number }: { readonly number: BlockNumber }) =>
    !exchanging.includes(index) || exchanging[number % exchanging.length] === index ? Duration.zero : grace
}

const optionsOf = (config: DevnetConfig, index: number, reservationPrice: MutableRef.MutableRef<ProverPrice>) =>
  Effect.fnUntraced(function*(url: string) {
    const { parameters } = config
    const inFlight = { maxFeePerGas: 500_000_000_000n, replaceAfter: "30 seconds", confirmations: 1 } as const
    return Layer.mergeAll(
      Layer.succeed(L1PollInterval, "250 millis"),
      Layer.succeed(PlannerOptions, {
        reservationPrice: Effect.sync(() => reservationPrice.current),
        shares: parameters.shares,
        bonus: parameters,
        leavesToOthers: leavesToOthers(config, index)
      }),
      Layer.succeed(SettlerOptions, {
        blocksPerUpdate: config.blocksPerUpdate,
        maxBlocks: maxBlocksPerUpdate,
        patience: config.patience,
        shares: parameters.shares,
        // The pots here are what random traffic makes them, often nothing, and the gas is anvil's. Updates come all the same.
        profitableOnly: false,
        ...inFlight
      }),
      Layer.succeed(FeeOptions, {
        rule: config.ledger.price,
        blockGas: ProverGas.make(BigInt(config.ledger.slots) * devnetSchedule.transfer),
        settlement: { gas: settlementGasOf(config), l1GasPrice: yield* makeL1GasPrice(url) },
        signal: {
          ...parameters,
          blockTime: Duration.toSeconds(config.ledger.blockTime),
          checkpointInterval: config.ledger.checkpointInterval
        },
        flagging: {
          get costPerGas() {
            return reservationPrice.current
          },
          minMargin: 0n,
          leafShare: parameters.shares.leaf + parameters.shares.merge,
          flagAfter: BigInt(Math.ceil(Duration.toSeconds(config.operators[index]!.flagAfter))),
          ...inFlight
        }
      })
    )
  })

/** A running operator. */
export type Operator = Effect.Success<ReturnType<typeof startOperator>>

/** Registers an operator for turns and starts its node; it runs until the scope closes. */
export const startOperator = Effect.fnUntraced(function*(config: DevnetConfig, chain: DevnetChain, folder: string, index: number) {
  const name = operatorName(index)
  const reservationPrice = MutableRef.make(config.operators[index]!.reservationPrice)
  yield* registerProver(chain, operatorAccount(index).account)
  const options = yield* optionsOf(config, index, reservationPrice)(chain.url)
  const store = join(folder, index === 0 ? "node.db" : `node-${index + 1}.db`)
  const node = yield* Layer.build(connectRoles.pipe(Layer.provideMerge(Layer.mergeAll(
    MemoryTransport.layer,
    layerL1(chain, index),
    SqliteStore.layer.pipe(Layer.provide(layerSqlite(store, { exclusive: true, busyTimeout: "1 second" }))),
    options
  ))))
  const supervisor = yield* Effect.provideContext(startRoles(), node)
  const account: Address = Context.get(node, L1).account
  return {
    name,
    account,
    /** The roles as clients, with the operator's own ports. */
    node,
    supervisor,
    /** Asks another price for its work from now on. */
    setReservationPrice: (price: ProverPrice) => Effect.sync(() => MutableRef.set(reservationPrice, price))
  }
})
