/**
 * One operator of a devnet: a whole supervised node with a key, a store and a role transport of its own. Operators share the
 * machine: the rollup's ledger, the proving keys and the proof workers.
 */
import { Context, Duration, Effect, Layer } from "effect"
import { join } from "node:path"
import { ProverGas, type ProverPrice } from "../domain/Amount.ts"
import { type Address, toAddress } from "../domain/Hash.ts"
import { defaultHintRules } from "../domain/planning/Peers.ts"
import type { Member } from "../domain/planning/Rendezvous.ts"
import { devnetSchedule } from "../domain/ProverGasSchedule.ts"
import { L1PollInterval } from "../l1/Follower.ts"
import { L1 } from "../l1/L1.ts"
import * as ViemL1 from "../l1/ViemL1.ts"
import { type Roles, startRoles } from "../node/ProverNode.ts"
import { FeeOptions } from "../roles/FeeController.ts"
import { SettlerOptions } from "../roles/Settler.ts"
import { PlannerOptions } from "../roles/TreePlanner.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { layerSqlite } from "../store/Sqlite.ts"
import * as SqliteStore from "../store/SqliteStore.ts"
import { type DevnetChain, operatorAccount } from "./Chain.ts"
import { type DevnetConfig, maxBlocksPerUpdate, settlementGasOf } from "./DevnetConfig.ts"
import { makeL1GasPrice } from "./L1GasPrice.ts"

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

/** The operators that exchange proofs with one of them, as far as it knows before it heard of them. */
const peersOf = ({ operators }: DevnetConfig, index: number): ReadonlyArray<Member> =>
  operators[index]!.exchangesProofs
    ? operators.flatMap(({ exchangesProofs }, i) => exchangesProofs && i !== index ? [{ prover: toAddress(operatorAccount(i).account.address), capacity: 1 }] : [])
    : []

/** What an operator's work costs it at the moment. */
interface Costs {
  reservationPrice: ProverPrice
  provingCost: bigint | undefined
}

const optionsOf = Effect.fnUntraced(function*(config: DevnetConfig, url: string, index: number, costs: Costs) {
  const { parameters } = config
  const policy = config.operators[index]!
  return Context.make(L1PollInterval, "250 millis").pipe(
    Context.add(PlannerOptions, {
      reservationPrice: Effect.sync(() => costs.reservationPrice),
      shares: parameters.shares,
      bonus: parameters,
      strategy: "rendezvous",
      peers: peersOf(config, index),
      hints: defaultHintRules
    }),
    Context.add(SettlerOptions, {
      blocksPerUpdate: config.blocksPerUpdate,
      maxBlocks: maxBlocksPerUpdate,
      patience: config.patience,
      parameters,
      races: policy.settling === "race",
      redundancy: policy.redundancy,
      maxFeePerGas: 500_000_000_000n,
      // The pots here are what random traffic makes them, often nothing, and the gas is anvil's. Updates come all the same.
      profitableOnly: false,
      replaceAfter: "30 seconds",
      confirmations: 1
    }),
    Context.add(FeeOptions, {
      rule: config.ledger.price,
      blockGas: ProverGas.make(BigInt(config.ledger.slots) * devnetSchedule.transfer),
      settlement: { gas: settlementGasOf(config), l1GasPrice: yield* makeL1GasPrice(url) },
      signal: {
        ...parameters,
        blockTime: Duration.toSeconds(config.ledger.blockTime),
        checkpointInterval: config.ledger.checkpointInterval
      },
      ...(policy.provingCost === undefined ? {} : {
        flagging: {
          get costPerGas() {
            return costs.provingCost ?? 0n
          },
          minMargin: 0n,
          // With Groth16, nothing is merged: the merge share is the leaf prover's, too (RW-2).
          leafShare: parameters.shares.leaf + parameters.shares.merge,
          flagAfter: BigInt(Math.ceil(Duration.toSeconds(policy.flagAfter)))
        }
      })
    })
  )
})

/** A running operator. */
export type Operator = Effect.Success<ReturnType<typeof startOperator>>

/**
 * Starts the node of an operator that is registered for turns; it runs until the scope closes.
 *
 * @param clients the node's roles on its transport
 */
export const startOperator = Effect.fnUntraced(function*(
  config: DevnetConfig,
  chain: DevnetChain,
  folder: string,
  index: number,
  clients: Context.Context<Roles | RoleTransport>
) {
  const { provingCost, reservationPrice } = config.operators[index]!
  const costs: Costs = { provingCost, reservationPrice }
  const store = join(folder, index === 0 ? "node.db" : `node-${index + 1}.db`)
  const ports = yield* Layer.build(Layer.merge(
    layerL1(chain, index),
    SqliteStore.layer.pipe(Layer.provide(layerSqlite(store, { exclusive: true, busyTimeout: "1 second" })))
  ))
  const node = clients.pipe(Context.merge(ports), Context.merge(yield* optionsOf(config, chain.url, index, costs)))
  const supervisor = yield* Effect.provideContext(startRoles(), node)
  const account: Address = Context.get(node, L1).account
  return {
    name: operatorName(index),
    account,
    /** The roles as clients, with the operator's own ports. */
    node,
    supervisor,
    /** Its work costs something else from now on: it asks that price, and flags below it if it flags at all. */
    reprice: (price: ProverPrice) =>
      Effect.sync(() => {
        costs.reservationPrice = price
        costs.provingCost = price
      })
  }
})
