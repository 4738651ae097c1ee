/**
 * A whole rollup on one machine: L1, consensus, and one or more prover nodes, each in a process of its own. Only consensus is a
 * stand-in; chain, contracts, proofs, certificates and money are real.
 */
import { Context, Deferred, Duration, Effect, Layer, Stream } from "effect"
import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import type { CertificateDomain } from "../domain/Checkpoint.ts"
import { L1PollInterval } from "../l1/Follower.ts"
import { DevnetLedger } from "../ledger/DevnetLedger.ts"
import * as RemoteLedger from "../ledger/RemoteLedger.ts"
import { supervise, type SupervisorOptions } from "../node/Supervisor.ts"
import { loadKeys } from "../proofs/CircuitKeys.ts"
import * as ExternalProver from "../proofs/ExternalProver.ts"
import { CheckpointWatcher } from "../roles/CheckpointWatcher.ts"
import { FeeController } from "../roles/FeeController.ts"
import { RoleTransport } from "../rpc/RoleTransport.ts"
import { makeSecret } from "../rpc/SecureSocket.ts"
import * as SocketTransport from "../rpc/SocketTransport.ts"
import { makeBacklogReader } from "./BacklogReader.ts"
import { l1Accounts, layerL1, operatorAccount, putContracts, startL1 } from "./Chain.ts"
import { postCheckpoints } from "./CheckpointPoster.ts"
import { openDataFolder, requireHosts } from "./DataFolder.ts"
import type { DevnetConfig } from "./DevnetConfig.ts"
import { openDatabase } from "./Hosts.ts"
import { configureOperator, connectOperator, isSpread, tracesOf } from "./Operator.ts"
import { endowReserve, registerProver } from "./Registration.ts"
import { followReverts } from "./RevertFollower.ts"
import { announceRpcDoor, openRpcDoor } from "./RpcDoor.ts"
import { makeSignalReader } from "./SignalReader.ts"

/** A running devnet. */
export type RunningDevnet = Effect.Success<ReturnType<typeof startDevnet>>

/** Processes are restarted as roles are; one whose predecessor still holds its store at first ends once or twice before it runs. */
const processSupervision: SupervisorOptions = {
  strategy: "one-for-one",
  backoff: "500 millis",
  maxBackoff: "10 seconds",
  restartLimit: { times: 6, within: "2 minutes" }
}

/**
 * Ports of loopback that nobody listens on. Each operator must know the others' before any of them runs, and when one is restarted its
 * own must stay; should somebody else take one meanwhile, that operator's process says so.
 */
const freePorts = (count: number) =>
  Effect.promise(async () => {
    const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
    await Promise.all(servers.map((server) => once(server, "listening")))
    const ports = servers.map((server) => (server.address() as AddressInfo).port)
    await Promise.all(servers.map((server) => once(server.close(), "close")))
    return ports
  })

/** Serves the ledger to the operators' processes; answers where, and the file of the secret that they need. */
const serveLedger = Effect.fnUntraced(function*(folder: string) {
  const secretFile = join(folder, "ledger.secret")
  const { address, transport } = yield* SocketTransport.listening({ secret: yield* makeSecret(secretFile), at: { host: "127.0.0.1", port: 0 } })
  yield* Layer.build(RemoteLedger.serve).pipe(Effect.provideService(RoleTransport, transport))
  return { ...address, secretFile }
})

/** Starts a devnet; it runs until the scope closes. */
export const startDevnet = Effect.fnUntraced(function*(config: DevnetConfig) {
  const folder = yield* openDataFolder(config.data)
  yield* requireHosts(folder, tracesOf(folder), config.hosts)
  const domain = yield* Deferred.make<CertificateDomain>()
  // First of all, what is wrong with what the processes need is found out here.
  yield* loadKeys(config.keys)
  if (config.proverCommand !== undefined) yield* ExternalProver.find(config.proverCommand)
  const database = isSpread(config, 0) ? yield* openDatabase(config, folder) : undefined
  const operators = yield* Effect.forEach(config.operators, (_, index) => connectOperator(config, folder, index, index === 0 ? database?.url : undefined))
  const door = config.rpcPort === undefined ? undefined : yield* Effect.provideContext(openRpcDoor(config.rpcPort), operators[0]!.node)
  const backlog = makeBacklogReader(Duration.seconds(config.parameters.targetLag))
  const signal = makeSignalReader(config.parameters)

  const consensus = yield* Layer.build(DevnetLedger.layer(config.ledger, {
    filename: join(folder, "ledger.db"),
    domain: Deferred.await(domain),
    overdue: backlog.overdue,
    signalMultiplier: signal.multiplier,
    ...(config.tamper === undefined ? {} : { tamper: config.tamper })
  }))
  const l1 = yield* startL1(config, folder)
  const surroundings = {
    l1,
    ledger: yield* Effect.provideContext(serveLedger(folder), consensus),
    ports: yield* freePorts(config.operators.length)
  }
  yield* Effect.forEach(config.operators, (_, index) => configureOperator(config, surroundings, index), { discard: true })
  // They warm up while the contracts are compiled and deployed. None sends anything before the first checkpoint.
  const processes = yield* supervise(
    operators.flatMap(({ hosts }) => hosts.map(({ child }) => child)),
    processSupervision
  )
  const chain = yield* Effect.raceFirst(putContracts(l1, config), processes.run)
  const { deployment, url } = chain

  yield* endowReserve(chain, l1Accounts.treasury, config.endowment)
  // Before the first checkpoint: its redundancy turn is drawn from those who are registered by then (RW-4).
  yield* Effect.forEach(config.operators, (_, index) => registerProver(chain, operatorAccount(index).account), { discard: true })
  yield* Deferred.succeed(domain, { chainId: BigInt(deployment.chainId), registry: deployment.registry, epoch: 0n })

  /** The ledger, and L1 as those see it who are no prover. */
  const rollup = Context.merge(consensus, yield* Layer.build(Layer.merge(layerL1(chain), Layer.succeed(L1PollInterval, "250 millis"))))
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

  if (door !== undefined) {
    const answers = Stream.runHead(Context.get(operators[0]!.node, FeeController).changes())
    yield* Effect.forkScoped(Effect.andThen(answers, announceRpcDoor(door, folder)))
  }
  return {
    config,
    url,
    folder,
    deployment,
    rollup,
    operators,
    /** The server of the first operator's hosts, where this process runs it. */
    postgres: database?.server,
    /** How the operators' processes are. */
    processes: processes.changes,
    /** Never ends well: fails when the process of any operator reaches its restart limit. */
    run: processes.run
  }
})

/** Waits until L1 has had so many state updates since the devnet's first start. */
export const untilUpdates = (count: number) => ({ operators }: RunningDevnet) =>
  Context.get(operators[0]!.node, CheckpointWatcher).changes().pipe(Stream.takeUntil(({ updates }) => updates >= count), Stream.runDrain)
