/**
 * A host as a runner of effect/cluster: which hosts there are, who has which shards, and what they tell each other, all of it kept in the
 * operator's Postgres. Hosts talk on the port of their roles, under the cluster's secret (`rpc/SocketTransport.ts`).
 *
 * Shards decide where things run, never whether they may: two hosts can take themselves for the owner of one shard for a moment, so
 * whatever runs on a shard is guarded by the database (ND-3).
 */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { Duration, Effect, Layer, Option } from "effect"
import { type MessageStorage, RunnerAddress, RunnerHealth, RunnerServer, Runners, ShardingConfig, type Sharding, SqlMessageStorage, SqlRunnerStorage } from "effect/cluster"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { SqlClient } from "effect/sql"
import type { JobSize } from "../jobs/Jobs.ts"
import { RoleTransport } from "../rpc/RoleTransport.ts"
import type { Address, Secret } from "../rpc/SecureSocket.ts"
import * as SocketTransport from "../rpc/SocketTransport.ts"
import { Database } from "../store/Database.ts"

/** What shards are for: the control roles, and the commands on jobs of either size. `default` is effect/cluster's own, and every host's. */
export type ShardGroup = "control" | JobSize

const groups: ReadonlyArray<ShardGroup | "default"> = ["default", "control", "small", "big"]

/** Every host of a cluster must have the same number of shards, and the same groups. */
const knobs: Partial<ShardingConfig.ShardingConfig["Service"]> = {
  availableShardGroups: groups,
  // Enough to share a handful of roles and hosts out; each is a lock that is renewed every second.
  shardsPerGroup: 16,
  // What a host that was killed had is another's after this: 35 s by default. Jobs do not wait for it: their leases have terms of their own.
  // A host whose renewal takes longer than the interval lets all of its roles go at once, so that it must be longer than what a busy
  // machine holds a process up.
  shardLockExpiration: Duration.seconds(8),
  shardLockRefreshInterval: Duration.millis(2_500),
  // How soon a host that stops in order, or comes, is noticed by the others.
  refreshAssignmentsInterval: Duration.millis(250),
  runnerHealthCheckInterval: Duration.seconds(5),
  // Hosts tell each other of new messages. Only those that were stored while nobody had their shard wait for this.
  entityMessagePollInterval: Duration.seconds(1),
  entityReplyPollInterval: Duration.millis(50),
  sendRetryInterval: Duration.millis(50),
  // A command on a job takes milliseconds: none is worth waiting for.
  entityTerminationTimeout: Duration.seconds(1),
  entityMaxIdleTime: Duration.seconds(5),
  // What comes from other hosts is encoded by them; what stays here need not be.
  simulateRemoteSerialization: false
}

export interface RunnerOptions {
  /** Where the other hosts reach this one. */
  readonly address: Address
  readonly secret: Secret
  /** What this host takes shards of. */
  readonly groups: ReadonlyArray<ShardGroup>
  /** Its share of them, as against other hosts. */
  readonly weight: number
}

const clients = (secret: Secret) =>
  Layer.succeed(Runners.RpcClientProtocol, {
    codecFor: RpcSerialization.ndjson.codecFor,
    make: (address) => SocketTransport.connecting({ secret, locate: Effect.succeed(address) }).connect("cluster")
  })

/** Tables are made by whichever host comes first; where the connection breaks over it, again. */
const tables = Layer.effectDiscard(Effect.gen(function*() {
  const { read, sql } = yield* Database
  const migrations = Layer.merge(SqlMessageStorage.layerMigrations({}), SqlRunnerStorage.layerMigrations({}))
  yield* read(Effect.scoped(Layer.build(Layer.provide(migrations, Layer.succeed(SqlClient.SqlClient, sql)))))
}))

const storage = Layer.mergeAll(
  SqlMessageStorage.layerStorage({}).pipe(Layer.provide(NodeCrypto.layerDigest)),
  SqlRunnerStorage.layerStorage({})
).pipe(Layer.provide(tables))

/** Takes part until the scope closes; then its shards go to others at once. */
export const layer = (
  { address: { host, port }, groups: mine, secret, weight }: RunnerOptions
): Layer.Layer<Sharding.Sharding | MessageStorage.MessageStorage, never, RoleTransport | Database | SqlClient.SqlClient> =>
  RunnerServer.layerWithClients.pipe(
    Layer.provide(Layer.effect(RpcServer.Protocol, Effect.flatMap(RoleTransport, (transport) => transport.serve("cluster")))),
    Layer.provide(RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))),
    Layer.provide(clients(secret)),
    Layer.provideMerge(storage),
    Layer.provide(ShardingConfig.layer({
      ...knobs,
      runnerAddress: Option.some(RunnerAddress.make(host, port)),
      assignedShardGroups: ["default", ...mine],
      runnerShardWeight: weight
    }))
  )

/** Sends commands and runs nothing, as the tools of an operator do. */
export const layerClient = (secret: Secret): Layer.Layer<Sharding.Sharding | MessageStorage.MessageStorage, never, Database | SqlClient.SqlClient> =>
  RunnerServer.layerClientOnly.pipe(
    Layer.provide(clients(secret)),
    Layer.provideMerge(storage),
    Layer.provide(ShardingConfig.layer(knobs))
  )
