/**
 * A prover node as it is configured: its ports, its supervised roles, and the doors through which it can be asked.
 */
import { Context, Duration, Effect, FileSystem, Layer, Redacted, Schedule, Schema } from "effect"
import { join } from "node:path"
import { ProverGas } from "../domain/Amount.ts"
import { defaultHintRules } from "../domain/planning/Peers.ts"
import { devnetSchedule } from "../domain/ProverGasSchedule.ts"
import { type HintDomain, HintSigner, makeHintSigner } from "../gossip/HintSignature.ts"
import * as Libp2pGossip from "../gossip/Libp2pGossip.ts"
import { type Deployment, readDeployment } from "../l1/Deploy.ts"
import { L1PollInterval } from "../l1/Follower.ts"
import { L1 } from "../l1/L1.ts"
import { makeL1GasPrice } from "../l1/L1GasPrice.ts"
import * as ViemL1 from "../l1/ViemL1.ts"
import * as RemoteLedger from "../ledger/RemoteLedger.ts"
import { loadKeys } from "../proofs/CircuitKeys.ts"
import * as Groth16 from "../proofs/Groth16.ts"
import { verifyingKeysHash } from "../proofs/VerifierKeys.ts"
import { FeeController, FeeControllerRpcs, FeeOptions } from "../roles/FeeController.ts"
import { SettlerOptions } from "../roles/Settler.ts"
import { PlannerOptions } from "../roles/TreePlanner.ts"
import { announceIn } from "../rpc/Announcement.ts"
import { openDoor } from "../rpc/HttpDoor.ts"
import * as MemoryTransport from "../rpc/MemoryTransport.ts"
import { PrivateFileUnusable, readPrivateFile } from "../rpc/PrivateFile.ts"
import { RoleTransport } from "../rpc/RoleTransport.ts"
import { Address as SocketAddress, readSecret } from "../rpc/SecureSocket.ts"
import * as SocketTransport from "../rpc/SocketTransport.ts"
import { layerSqlite } from "../store/Sqlite.ts"
import * as SqliteDatabase from "../store/SqliteDatabase.ts"
import * as SqlStore from "../store/SqlStore.ts"
import type { NodeConfig } from "./NodeConfig.ts"
import { type Costs, NodeService } from "./NodeService.ts"
import { connectRoles, type Roles, serveNode, startRoles } from "./ProverNode.ts"

/** Where, in its data folder, a node says at which address its roles can be asked, for as long as it runs. */
export const rpcFile = "rpc.json"

/** Its form. */
export const RpcFile = Schema.fromJsonString(Schema.Struct({ ...SocketAddress.fields, pid: Schema.Int }))

const readL1Key = (path: string) =>
  Effect.flatMap(readPrivateFile(path), (text) =>
    /^0x[0-9a-fA-F]{64}$/.test(Redacted.value(text))
      ? Effect.succeed(text as Redacted.Redacted<`0x${string}`>)
      : Effect.fail(new PrivateFileUnusable({ path, reason: "it is no private key, which is 0x and 64 hexadecimal digits" })))

/** The keys are not those that L1 verifies with: whatever they prove, L1 refuses. */
export class KeysForeign extends Schema.TaggedError<KeysForeign>()("KeysForeign", { keys: Schema.String, addressesFile: Schema.String }) {
  override get message() {
    return `the contracts of ${this.addressesFile} verify with other keys than those in ${this.keys}: L1 would refuse every proof; use the keys of that deployment`
  }
}

/** The deployment's addresses, as soon as they are there. */
const awaitDeployment = Effect.fnUntraced(function*({ addressesFile, deployedWithin }: NodeConfig["l1"]) {
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

/** What proves and verifies. It depends on nothing on L1 but that the keys are those of its contracts, which is checked later. */
const provingOf = ({ proving }: NodeConfig) =>
  Effect.gen(function*() {
    const keys = yield* loadKeys(proving.keys)
    const layer = Groth16.layer({
      keys,
      workers: proving.workers,
      niceness: proving.niceness,
      ...(proving.command === undefined ? {} : { externalProver: { command: proving.command } })
    })
    return { system: yield* Layer.build(layer), hash: verifyingKeysHash({ block: keys.block.verifyingKey, ancestry: keys.ancestry.verifyingKey }) }
  })

/** The other provers, and the signature that makes them listen. */
const peersOf = ({ data, gossip }: NodeConfig, { chainId, stateUpdate }: Deployment, privateKey: Redacted.Redacted<`0x${string}`>) => {
  const domain: HintDomain = { chainId: BigInt(chainId), stateUpdate }
  return gossip === undefined ? Layer.empty : Layer.merge(
    Libp2pGossip.layer({ domain, ...gossip, identityFile: join(data, "peer.key") }),
    Layer.succeed(HintSigner, makeHintSigner(domain, privateKey))
  )
}

/** The node's ports, as layers that are built together. */
const portsOf = Effect.fnUntraced(function*(config: NodeConfig) {
  const { l1, ledger, proving } = config
  const privateKey = yield* readL1Key(l1.keyFile)
  // Workers load the keys while the deployment is waited for.
  const [{ hash, system }, deployment] = yield* Effect.all([provingOf(config), awaitDeployment(l1)], { concurrency: 2 })
  if (hash !== deployment.verifyingKeys) return yield* new KeysForeign({ keys: proving.keys, addressesFile: l1.addressesFile })
  const transport = SocketTransport.connecting({ secret: yield* readSecret(ledger.secretFile), locate: Effect.succeed(ledger) })
  return Layer.mergeAll(
    Layer.provide(ViemL1.layer, Layer.succeed(ViemL1.ViemL1Options, {
      ...deployment,
      url: l1.url,
      privateKey,
      deployedAt: deployment.block
    })),
    Layer.provide(RemoteLedger.layer, Layer.succeed(RoleTransport, transport)),
    peersOf(config, deployment, privateKey),
    SqlStore.layer.pipe(Layer.provide(SqliteDatabase.layer), Layer.provide(layerSqlite(join(config.data, "node.db"), { exclusive: true, busyTimeout: "1 second" }))),
    Layer.succeedContext(system)
  )
})

/** What the roles are told of the operator's decisions. */
const optionsOf = Effect.fnUntraced(function*({ flagging, l1, rollup, settling, work }: NodeConfig, costs: Costs) {
  const { parameters } = rollup
  return Context.make(L1PollInterval, l1.pollInterval).pipe(
    Context.add(PlannerOptions, {
      reservationPrice: Effect.sync(() => costs.reservationPrice),
      shares: parameters.shares,
      bonus: parameters,
      strategy: work.strategy,
      peers: work.peers,
      hints: defaultHintRules
    }),
    Context.add(SettlerOptions, {
      ...settling,
      parameters,
      races: settling.when === "race",
      confirmations: l1.confirmations
    }),
    Context.add(FeeOptions, {
      rule: rollup.price,
      blockGas: ProverGas.make(BigInt(rollup.slots) * devnetSchedule.transfer),
      settlement: { gas: rollup.settlementGas, l1GasPrice: yield* makeL1GasPrice(l1.url) },
      signal: {
        ...parameters,
        blockTime: Duration.toSeconds(rollup.blockTime),
        checkpointInterval: rollup.checkpointInterval
      },
      ...(flagging === undefined ? {} : {
        flagging: {
          get costPerGas() {
            return costs.provingCost
          },
          minMargin: flagging.minMargin,
          // With Groth16, nothing is merged: the merge share is the leaf prover's, too (RW-2).
          leafShare: parameters.shares.leaf + parameters.shares.merge,
          flagAfter: BigInt(Math.ceil(Duration.toSeconds(flagging.flagAfter)))
        }
      })
    })
  )
})

/** Opens the doors that the configuration asks for; behind them are the roles, and the node as a whole. */
const openDoors = Effect.fnUntraced(function*(config: NodeConfig, roles: Context.Context<Roles | NodeService>) {
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
    optionsOf(config, costs),
    Layer.build(Layer.provideMerge(connectRoles, MemoryTransport.layer))
  ])
  const node = roles.pipe(Context.merge(ports), Context.merge(options))
  const supervisor = yield* Effect.provideContext(startRoles(), node)
  const { account } = Context.get(node, L1)
  const service = yield* Effect.provideContext(NodeService.make(account, supervisor, costs), node)
  yield* openDoors(config, Context.add(roles, NodeService, service))
  yield* Effect.logInfo(`prover ${account} runs`)
  return { account, supervisor }
})
