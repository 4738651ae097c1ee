/**
 * A whole rollup on one machine: L1, consensus, and one supervised prover node. Only consensus is a stand-in; chain,
 * contracts, proofs, certificates and money are real.
 */
import { Context, Deferred, Duration, Effect, Layer, Stream } from "effect"
import { join } from "node:path"
import { ProverGas } from "../domain/Amount.ts"
import type { CertificateDomain } from "../domain/Checkpoint.ts"
import { devnetSchedule } from "../domain/ProverGasSchedule.ts"
import { defaultShares } from "../domain/Rewards.ts"
import { L1PollInterval } from "../l1/Follower.ts"
import * as ViemL1 from "../l1/ViemL1.ts"
import { DevnetLedger } from "../ledger/DevnetLedger.ts"
import { connectRoles, startRoles } from "../node/ProverNode.ts"
import { loadKeys } from "../proofs/CircuitKeys.ts"
import * as Groth16 from "../proofs/Groth16.ts"
import { CheckpointWatcher } from "../roles/CheckpointWatcher.ts"
import { FeeOptions } from "../roles/FeeController.ts"
import { SettlerOptions } from "../roles/Settler.ts"
import * as MemoryTransport from "../rpc/MemoryTransport.ts"
import { layerSqlite } from "../store/Sqlite.ts"
import * as SqliteStore from "../store/SqliteStore.ts"
import { devnetParameters, l1Accounts, startChain } from "./Chain.ts"
import { postCheckpoints } from "./CheckpointPoster.ts"
import { makeBacklogReader } from "./BacklogReader.ts"
import { openDataFolder } from "./DataFolder.ts"
import { type DevnetConfig, flaggingOf, maxBlocksPerUpdate, settlementGasOf, targetLagOf } from "./DevnetConfig.ts"
import { makeL1GasPrice } from "./L1GasPrice.ts"
import { announceRpcDoor, openRpcDoor } from "./RpcDoor.ts"
import { makeSignalReader } from "./SignalReader.ts"

/** How the node's transactions are sent. */
const sending = { maxFeePerGas: 500_000_000_000n, replaceAfter: "30 seconds", confirmations: 1 } as const

/** Starts a devnet; it runs until the scope closes. */
export const startDevnet = Effect.fnUntraced(function*(config: DevnetConfig) {
  const folder = yield* openDataFolder(config.data)
  const domain = yield* Deferred.make<CertificateDomain>()
  const keys = yield* loadKeys(config.keys)
  const roles = yield* Layer.build(Layer.provideMerge(connectRoles, MemoryTransport.layer))
  // First of all: a taken port is found out before anything is waited for.
  const door = config.rpcPort === undefined ? undefined : yield* Effect.provideContext(openRpcDoor(config.rpcPort), roles)
  const backlog = makeBacklogReader(targetLagOf(config))
  const signal = makeSignalReader(devnetParameters)

  // Blocks are made and workers warm up while the contracts are compiled and deployed.
  const [services, chain] = yield* Effect.all([
    Layer.build(Layer.mergeAll(
      DevnetLedger.layer(config.ledger, {
        filename: join(folder, "ledger.db"),
        domain: Deferred.await(domain),
        overdue: backlog.overdue,
        signalMultiplier: signal.multiplier
      }),
      SqliteStore.layer.pipe(Layer.provide(layerSqlite(join(folder, "node.db"), { exclusive: true, busyTimeout: "1 second" }))),
      Groth16.layer({
        keys,
        workers: config.workers,
        ...(config.proverCommand === undefined ? {} : { externalProver: { command: config.proverCommand } })
      })
    )),
    startChain(config, folder)
  ], { concurrency: "unbounded" })

  const { deployment, url } = chain
  yield* Deferred.succeed(domain, { chainId: BigInt(deployment.chainId), registry: deployment.registry, epoch: 0n })
  yield* postCheckpoints({
    url,
    account: l1Accounts.sequencer,
    registry: deployment.registry,
    vault: deployment.vault,
    deployedAt: deployment.block
  }).pipe(Effect.provideContext(services), Effect.forkScoped)

  const onL1 = yield* Layer.build(Layer.mergeAll(
    Layer.provide(ViemL1.layer, Layer.succeed(ViemL1.ViemL1Options, {
      url,
      chainId: deployment.chainId,
      privateKey: l1Accounts.proverKey,
      deployedAt: deployment.block,
      registry: deployment.registry,
      stateUpdate: deployment.stateUpdate,
      vault: deployment.vault,
      provers: deployment.provers,
      feeSignal: deployment.feeSignal
    })),
    Layer.succeed(L1PollInterval, "250 millis")
  ))
  yield* backlog.follow.pipe(Effect.provideContext(Context.merge(services, onL1)), Effect.forkScoped)
  yield* signal.follow.pipe(Effect.provideContext(onL1), Effect.forkScoped)

  const options = Context.make(SettlerOptions, {
    blocksPerUpdate: config.blocksPerUpdate,
    maxBlocks: maxBlocksPerUpdate,
    patience: config.patience,
    shares: defaultShares,
    // The pots here are what random traffic makes them, often nothing, and the gas is anvil's. Updates come all the same.
    profitableOnly: false,
    ...sending
  }).pipe(Context.add(FeeOptions, {
    rule: config.ledger.price,
    blockGas: ProverGas.make(BigInt(config.ledger.slots) * devnetSchedule.transfer),
    settlement: { gas: settlementGasOf(config), l1GasPrice: yield* makeL1GasPrice(url) },
    signal: {
      ...devnetParameters,
      blockTime: Duration.toSeconds(config.ledger.blockTime),
      checkpointInterval: config.ledger.checkpointInterval
    },
    ...(config.provingCost === undefined ? {} : { flagging: { ...flaggingOf(config, config.provingCost), ...sending } })
  }))
  const context = services.pipe(Context.merge(onL1), Context.merge(roles), Context.merge(options))
  const supervisor = yield* Effect.provideContext(startRoles(), context)
  if (door !== undefined) yield* announceRpcDoor(door, folder)
  return { supervisor, url, folder, context }
})

/** Waits until L1 has had so many state updates since the devnet's first start. */
export const untilUpdates = (count: number) =>
  Effect.flatMap(CheckpointWatcher, (watcher) =>
    watcher.changes().pipe(Stream.takeUntil(({ updates }) => updates >= count), Stream.runDrain))
