/**
 * A whole rollup on one machine: L1, consensus, and one or more supervised prover nodes. Only consensus is a stand-in; chain,
 * contracts, proofs, certificates and money are real.
 */
import { Context, Deferred, Duration, Effect, Layer, Stream } from "effect"
import { join } from "node:path"
import type { CertificateDomain } from "../domain/Checkpoint.ts"
import { L1PollInterval } from "../l1/Follower.ts"
import { DevnetLedger } from "../ledger/DevnetLedger.ts"
import { connectRoles } from "../node/ProverNode.ts"
import { loadKeys } from "../proofs/CircuitKeys.ts"
import * as Groth16 from "../proofs/Groth16.ts"
import { CheckpointWatcher } from "../roles/CheckpointWatcher.ts"
import * as MemoryTransport from "../rpc/MemoryTransport.ts"
import { makeBacklogReader } from "./BacklogReader.ts"
import { l1Accounts, operatorAccount, startChain } from "./Chain.ts"
import { postCheckpoints } from "./CheckpointPoster.ts"
import { openDataFolder } from "./DataFolder.ts"
import type { DevnetConfig } from "./DevnetConfig.ts"
import { layerL1, startOperator } from "./Operator.ts"
import { exchangeProofs } from "./ProofExchange.ts"
import { endowReserve, registerProver } from "./Registration.ts"
import { followReverts } from "./RevertFollower.ts"
import { announceRpcDoor, openRpcDoor } from "./RpcDoor.ts"
import { makeSignalReader } from "./SignalReader.ts"

/** A running devnet. */
export type RunningDevnet = Effect.Success<ReturnType<typeof startDevnet>>

/** Starts a devnet; it runs until the scope closes. */
export const startDevnet = Effect.fnUntraced(function*(config: DevnetConfig) {
  const folder = yield* openDataFolder(config.data)
  const domain = yield* Deferred.make<CertificateDomain>()
  const keys = yield* loadKeys(config.keys)
  const roles = yield* Effect.forEach(config.operators, () => Layer.build(Layer.provideMerge(connectRoles, MemoryTransport.layer)))
  // First of all: a taken port is found out before anything is waited for.
  const door = config.rpcPort === undefined ? undefined : yield* Effect.provideContext(openRpcDoor(config.rpcPort), roles[0]!)
  const backlog = makeBacklogReader(Duration.seconds(config.parameters.targetLag))
  const signal = makeSignalReader(config.parameters)

  // Blocks are made and workers warm up while the contracts are compiled and deployed.
  const [shared, chain] = yield* Effect.all([
    Layer.build(Layer.mergeAll(
      DevnetLedger.layer(config.ledger, {
        filename: join(folder, "ledger.db"),
        domain: Deferred.await(domain),
        overdue: backlog.overdue,
        signalMultiplier: signal.multiplier,
        ...(config.tamper === undefined ? {} : { tamper: config.tamper })
      }),
      Groth16.layer({
        keys,
        workers: config.workers,
        ...(config.proverCommand === undefined ? {} : { externalProver: { command: config.proverCommand } })
      })
    )),
    startChain(config, folder)
  ], { concurrency: "unbounded" })

  const { deployment, url } = chain
  yield* endowReserve(chain, l1Accounts.treasury, config.endowment)
  // Before the first checkpoint: its redundancy turn is drawn from those who are registered by then (RW-4).
  yield* Effect.forEach(config.operators, (_, index) => registerProver(chain, operatorAccount(index).account), { discard: true })
  yield* Deferred.succeed(domain, { chainId: BigInt(deployment.chainId), registry: deployment.registry, epoch: 0n })

  /** The ledger, and L1 as those see it who are no prover. */
  const rollup = Context.merge(shared, yield* Layer.build(Layer.merge(layerL1(chain, 0), Layer.succeed(L1PollInterval, "250 millis"))))
  yield* postCheckpoints({
    url,
    account: l1Accounts.sequencer,
    registry: deployment.registry,
    vault: deployment.vault,
    deployedAt: deployment.block
  }).pipe(Effect.provideContext(rollup), Effect.forkScoped)
  yield* backlog.follow.pipe(Effect.provideContext(rollup), Effect.forkScoped)
  yield* signal.follow.pipe(Effect.provideContext(rollup), Effect.forkScoped)
  // anvil takes nothing back by itself.
  yield* followReverts({ confirmations: 1 }).pipe(Effect.provideContext(rollup), Effect.forkScoped)

  const operators = yield* Effect.forEach(roles, (clients, index) =>
    Effect.provideContext(startOperator(config, chain, folder, index, clients), shared))
  yield* exchangeProofs(operators.filter((_, index) => config.operators[index]!.exchangesProofs))
  if (door !== undefined) yield* announceRpcDoor(door, folder)
  return {
    config,
    url,
    folder,
    deployment,
    rollup,
    operators,
    /** Never ends well: fails when a role of any operator reaches its restart limit. */
    run: Effect.raceAllFirst(operators.map(({ supervisor }) => supervisor.run))
  }
})

/** Waits until L1 has had so many state updates since the devnet's first start. */
export const untilUpdates = (count: number) => ({ operators }: RunningDevnet) =>
  Context.get(operators[0]!.node, CheckpointWatcher).changes().pipe(Stream.takeUntil(({ updates }) => updates >= count), Stream.runDrain)
