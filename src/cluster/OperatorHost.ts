/**
 * `lignum node` as a host of an operator: what is its own comes from its configuration or from flags, all else from the database.
 */
import { Context, Effect, FileSystem, Layer, type Redacted, Redacted as Secret, Schema, Stream } from "effect"
import { join } from "node:path"
import { privateKeyToAccount } from "viem/accounts"
import { Address, toAddress } from "../domain/Hash.ts"
import { identityBytes, identityFrom, loadIdentity } from "../gossip/libp2p/Identity.ts"
import { ProvingHost } from "../jobs/ProvingWorker.ts"
import { awaitDeployment } from "../node/Node.ts"
import { type ClusterConfig, type HostRole, type NodeConfig } from "../node/NodeConfig.ts"
import { RpcFile, rpcFile } from "../node/NodeFiles.ts"
import { type Costs, NodeRpcs, NodeService, setCosts } from "../node/NodeService.ts"
import { KeysForeign, l1Port, ledgerPort, peersPort, provingSystem, readL1Key, roleOptions } from "../node/Ports.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import { FeeController, FeeControllerRpcs } from "../roles/FeeController.ts"
import { announceIn } from "../rpc/Announcement.ts"
import { openDoor } from "../rpc/HttpDoor.ts"
import { readPrivateFile } from "../rpc/PrivateFile.ts"
import { serveRole } from "../rpc/RoleService.ts"
import { readSecret } from "../rpc/SecureSocket.ts"
import { Database } from "../store/Database.ts"
import * as PostgresDatabase from "../store/PostgresDatabase.ts"
import { type HostSettings, HostUnfit } from "./HostSettings.ts"
import { RoleStatus } from "./RoleStatus.ts"
import * as SharedConfig from "./SharedConfig.ts"
import { type ControlChild, startHost } from "./startHost.ts"

const has = ({ roles }: HostSettings, role: HostRole): boolean => roles.includes(role)

const accountOf = (key: Redacted.Redacted<`0x${string}`>): Address => toAddress(privateKeyToAccount(Secret.value(key)).address)

/** The key that control roles need; none where there are none. */
const controlKey = Effect.fnUntraced(function*(settings: HostSettings, account: Address) {
  if (!has(settings, "control")) return undefined
  if (settings.l1KeyFile === undefined) {
    return yield* new HostUnfit({
      reason: `a host with control roles sends transactions for ${account}: give it the file of that account's key with --l1-key, or leave \`--role control\` away`
    })
  }
  const key = yield* readL1Key(settings.l1KeyFile)
  if (accountOf(key) === account) return key
  return yield* new HostUnfit({ reason: `the key in ${settings.l1KeyFile} is of account ${accountOf(key)}, and the operator's is ${account}: use the operator's key` })
})

/** What is served beside the roles, wherever: the operator's node as a whole, and quotes for anybody on that machine. */
const nodeItself = ({ account, quotePort }: SharedConfig.SharedConfig): ControlChild => ({
  name: "node",
  start: Effect.gen(function*() {
    const { changes } = yield* RoleStatus
    const database = yield* Database
    const reprice = (price: Parameters<typeof SharedConfig.reprice>[0]) => Effect.provideService(SharedConfig.reprice(price), Database, database)
    yield* Layer.build(serveRole("node", NodeRpcs, NodeService).pipe(
      Layer.provide(Layer.effect(NodeService, NodeService.make(account, { changes }, reprice)))
    ))
    if (quotePort !== undefined) yield* Effect.logInfo(`the node answers quotes at ${yield* openDoor(FeeControllerRpcs, FeeController, quotePort)}`)
    return Effect.never
  })
})

/** The operator's decisions, and what work costs, which may change at any time. */
const optionsOf = (config: SharedConfig.SharedConfig) =>
  Layer.effectContext(Effect.gen(function*() {
    const costs: Costs = { reservationPrice: config.work.reservationPrice, provingCost: config.flagging?.provingCost ?? 0n }
    const database = yield* Database
    const heard = yield* database.news("operator")
    yield* Effect.forkScoped(Stream.runForEach(heard, () =>
      SharedConfig.read.pipe(
        Effect.provideService(Database, database),
        Effect.flatMap(({ work }) => setCosts(costs)(work.reservationPrice)),
        Effect.ignore
      )))
    return yield* roleOptions(config, costs)
  }))

const start = Effect.fnUntraced(function*(settings: HostSettings, config: SharedConfig.SharedConfig) {
  const { deployment, gossip, l1, ledger, peerKey } = config
  const key = yield* controlKey(settings, config.account)
  const proves = has(settings, "prover")
  const system = yield* provingSystem({ ...settings.proving, workers: proves ? settings.proving.workers : 0 })
  if (Context.get(system, ProofSystem).verifyingKeys !== deployment.verifyingKeys) return yield* new KeysForeign({ keys: settings.proving.keys, contracts: "the operator" })
  const machine = yield* ProvingHost
  const host = yield* startHost({
    ...settings,
    secret: config.clusterSecret,
    control: key === undefined ? undefined : {
      ports: Layer.mergeAll(
        l1Port(l1.url, deployment, key),
        ledgerPort(ledger, Secret.make(ledger.secret)),
        optionsOf(config)
      ),
      gossip: gossip === undefined ? undefined : peersPort(gossip, { identity: identityFrom(peerKey) }, deployment, key),
      beside: [nodeItself(config)]
    },
    proving: proves ? { sizes: settings.sizes, cores: settings.cores ?? machine.cores, memory: settings.memory ?? machine.memory } : undefined
  }).pipe(Effect.provideContext(Context.pick(ProofSystem)(system)))
  if (settings.data !== undefined) {
    yield* (yield* FileSystem.FileSystem).makeDirectory(settings.data, { recursive: true })
    yield* announceIn(join(settings.data, rpcFile), yield* Effect.orDie(Schema.encodeEffect(RpcFile)({ ...host.address, pid: process.pid })))
  }
  return host
})

const withDatabase = <A, E, R>(settings: HostSettings, use: Effect.Effect<A, E, R | Database>) =>
  Effect.provide(use, PostgresDatabase.layer(settings.database))

/** The settings of a host by its configuration. */
const settingsOf = Effect.fnUntraced(function*({ data, l1, proving }: NodeConfig, { database, ...cluster }: ClusterConfig) {
  return {
    ...cluster,
    data,
    database: PostgresDatabase.isDatabaseUrl(database) ? Secret.make(database) : yield* readPrivateFile(database),
    proving,
    l1KeyFile: l1.keyFile
  } satisfies HostSettings
})

/** Starts the host that brings the operator's configuration; it runs until the scope closes. */
export const startFirstHost = Effect.fnUntraced(function*(config: NodeConfig, cluster: ClusterConfig) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(config.data, { recursive: true })
  const settings = yield* settingsOf(config, cluster)
  const { host, port, secretFile } = config.ledger
  const decided = {
    ...config,
    account: accountOf(yield* readL1Key(config.l1.keyFile)),
    deployment: yield* awaitDeployment(config.l1),
    ledger: { host, port, secret: Secret.value(yield* readSecret(secretFile)) },
    peerKey: identityBytes(yield* loadIdentity(join(config.data, "peer.key")))
  }
  return yield* start(settings, yield* withDatabase(settings, SharedConfig.publish(decided)))
})

/** Starts a host with what another of the operator has written; it runs until the scope closes. */
export const joinOperator = Effect.fnUntraced(function*(settings: HostSettings) {
  return yield* start(settings, yield* withDatabase(settings, SharedConfig.read))
})
