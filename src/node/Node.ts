/**
 * A prover node as it is configured: its ports, its supervised roles, and the doors through which it can be asked.
 */
import { Context, Duration, Effect, FileSystem, Layer, Schedule, Schema } from "effect"
import { join } from "node:path"
import type { Jobs } from "../jobs/Jobs.ts"
import { readDeployment } from "../l1/Deploy.ts"
import { L1 } from "../l1/L1.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import { FeeController, FeeControllerRpcs } from "../roles/FeeController.ts"
import { announceIn } from "../rpc/Announcement.ts"
import { openDoor } from "../rpc/HttpDoor.ts"
import * as MemoryTransport from "../rpc/MemoryTransport.ts"
import { RoleTransport } from "../rpc/RoleTransport.ts"
import { readSecret } from "../rpc/SecureSocket.ts"
import * as SocketTransport from "../rpc/SocketTransport.ts"
import { embeddedStore } from "./EmbeddedStore.ts"
import type { NodeConfig } from "./NodeConfig.ts"
import { RpcFile, rpcFile, storeFile } from "./NodeFiles.ts"
import { type Costs, NodeService, setCosts } from "./NodeService.ts"
import { KeysForeign, l1Port, ledgerPort, peersPort, provingSystem, readL1Key, roleOptions } from "./Ports.ts"
import { connectRoles, type Roles, serveNode, startRoles } from "./ProverNode.ts"

/** The deployment's addresses, as soon as they are there. */
export const awaitDeployment = Effect.fnUntraced(function*({ addressesFile, deployedWithin }: NodeConfig["l1"]) {
  const fs = yield* FileSystem.FileSystem
  const isThere = Effect.orElseSucceed(fs.exists(addressesFile), () => false)
  if (!Duration.isZero(deployedWithin) && !(yield* isThere)) {
    yield* Effect.logInfo(`waits for the contracts: ${addressesFile} is not there yet`)
    yield* isThere.pipe(
      Effect.repeat({ schedule: Schedule.spaced("200 millis"), until: (there) => there }),
      Effect.timeoutOption(deployedWithin)
    )
  }
  return yield* readDeployment(addressesFile)
})

/** The node's ports, as layers that are built together. */
const portsOf = Effect.fnUntraced(function*(config: NodeConfig) {
  const { gossip, l1, ledger, proving } = config
  const privateKey = yield* readL1Key(l1.keyFile)
  // Workers load the keys while the deployment is waited for.
  const [system, deployment] = yield* Effect.all([provingSystem(proving), awaitDeployment(l1)], { concurrency: 2 })
  if (Context.get(system, ProofSystem).verifyingKeys !== deployment.verifyingKeys) return yield* new KeysForeign({ keys: proving.keys, contracts: l1.addressesFile })
  return Layer.mergeAll(
    l1Port(l1.url, deployment, privateKey),
    ledgerPort(ledger, yield* readSecret(ledger.secretFile)),
    gossip === undefined ? Layer.empty : peersPort(gossip, { identityFile: join(config.data, "peer.key") }, deployment, privateKey),
    Layer.provideMerge(embeddedStore(join(config.data, storeFile), { exclusive: true, busyTimeout: "1 second" }), Layer.succeedContext(system))
  )
})

/** Opens the doors that the configuration asks for; behind them are the roles, and the node as a whole. */
const openDoors = Effect.fnUntraced(function*(config: NodeConfig, roles: Context.Context<Roles | NodeService | Jobs>) {
  if (config.quotePort !== undefined) {
    const url = yield* Effect.provideContext(openDoor(FeeControllerRpcs, FeeController, config.quotePort), roles)
    yield* Effect.logInfo(`the node answers quotes at ${url}`)
  }
  if (config.rpc !== undefined) {
    const { address, transport } = yield* SocketTransport.listening({ secret: yield* readSecret(config.rpc.secretFile), at: config.rpc })
    yield* Layer.build(serveNode).pipe(Effect.provideContext(Context.add(roles, RoleTransport, transport)))
    yield* announceIn(join(config.data, rpcFile), yield* Effect.orDie(Schema.encodeEffect(RpcFile)({ ...address, pid: process.pid })))
  }
})

/** Starts a node; it runs until the scope closes. */
export const startNode = Effect.fnUntraced(function*(config: NodeConfig) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(config.data, { recursive: true })
  const costs: Costs = { reservationPrice: config.work.reservationPrice, provingCost: config.flagging?.provingCost ?? 0n }
  const [ports, options, roles] = yield* Effect.all([
    Effect.flatMap(portsOf(config), Layer.build),
    roleOptions(config, costs),
    Layer.build(Layer.provideMerge(connectRoles, MemoryTransport.layer))
  ])
  const node = roles.pipe(Context.merge(ports), Context.merge(options))
  const supervisor = yield* Effect.provideContext(startRoles(), node)
  const { account } = Context.get(node, L1)
  const service = yield* Effect.provideContext(NodeService.make(account, supervisor, setCosts(costs)), node)
  yield* openDoors(config, Context.add(node, NodeService, service))
  yield* Effect.logInfo(`prover ${account} runs`)
  return { account, supervisor }
})
