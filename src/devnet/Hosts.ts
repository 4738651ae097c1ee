/**
 * The hosts of one operator of a devnet: processes that share nothing but a database, as they would on machines of their own.
 */
import { Context, Deferred, Effect, FileSystem, Layer, Option, Redacted, Stream } from "effect"
import { join, resolve } from "node:path"
import * as ClusterClient from "../cluster/ClusterClient.ts"
import * as SharedConfig from "../cluster/SharedConfig.ts"
import { Jobs } from "../jobs/Jobs.ts"
import { writePrivateFile } from "../rpc/PrivateFile.ts"
import { RoleTransport } from "../rpc/RoleTransport.ts"
import { Database } from "../store/Database.ts"
import { RoleLeases } from "../store/RoleLeases.ts"
import type { DevnetConfig } from "./DevnetConfig.ts"
import { makeHostProcess } from "./OperatorProcess.ts"
import { startPostgres } from "./PostgresServer.ts"

/** Where the database is that hosts share, with the password. */
export type SharedDatabase = Redacted.Redacted<string>

/** The database that was named, or one in the data folder, with its server. */
export const openDatabase = Effect.fnUntraced(function*({ data, postgres }: DevnetConfig, folder: string) {
  if (postgres !== undefined) return { url: postgres, server: undefined }
  const fs = yield* FileSystem.FileSystem
  // A temporary folder lets nobody through, whom Postgres may run as.
  if (data === undefined) yield* fs.chmod(folder, 0o711)
  const server = yield* startPostgres({ folder: join(folder, "postgres"), settings: { max_connections: "300" } })
  return { url: server.url, server }
})

/** Hosts that can take the control roles over: two, so that one may die. */
const controlHosts = 2

/** Proving must not take the machine from what keeps leases and roles alive: others would take a host for dead that is at work. */
export const hostNiceness = 10

export const hostName = (host: number): string => `host-${host + 1}`

/** Where an operator's folder has the URL of the hosts' database. */
const databaseFileIn = (data: string): string => join(data, "database.url")

const secretLength = 32

/** Where one of an operator's further hosts keeps what is its own. */
export const hostFolder = (data: string, host: number): string => join(data, hostName(host))

/** What an operator's hosts share, as this process sees it. */
export const reachHosts = Effect.fnUntraced(function*(database: SharedDatabase) {
  // The hosts make their secret themselves. It is filled in before any of them can be found.
  const secret = new Uint8Array(secretLength)
  const client = yield* Layer.build(ClusterClient.layer(database, Redacted.make(secret)))
  const { news } = Context.get(client, Database)
  const read = Effect.option(Effect.provideContext(SharedConfig.read, client))
  // A folder that goes on has the configuration of an earlier run, whose ledger is gone.
  const former = yield* read
  const isNew = ({ ledger }: SharedConfig.SharedConfig) => Option.isNone(former) || Buffer.compare(ledger.secret, former.value.ledger.secret) !== 0
  const published = yield* Deferred.make<void>()
  yield* Stream.unwrap(news("operator")).pipe(
    Stream.mapEffect(() => read),
    Stream.filter((config) => Option.isSome(config) && isNew(config.value)),
    Stream.runHead,
    Effect.map(Option.flatten),
    Effect.andThen((config) => {
      if (Option.isSome(config)) secret.set(config.value.secret)
      return Deferred.succeed(published, undefined)
    }),
    Effect.forkScoped
  )
  const leases = Context.get(client, RoleLeases)
  return {
    transport: Context.get(client, RoleTransport),
    jobs: Context.get(client, Jobs),
    /** Who has a role: now, and after every change. */
    holder: (role: string) => Stream.unwrap(news("roles")).pipe(Stream.mapEffect(() => leases.holder(role)), Stream.map(Option.getOrUndefined)),
    /** Ends when the first host has written down what the others need. */
    published: Deferred.await(published)
  }
})

export type SharedByHosts = Effect.Success<ReturnType<typeof reachHosts>>

/** The processes of an operator's hosts: the first brings the configuration, the others need the database and the proving keys. */
export const makeHosts = Effect.fnUntraced(function*(
  { hosts, keys }: DevnetConfig,
  database: SharedDatabase,
  { published }: Pick<SharedByHosts, "published">,
  operator: { readonly name: string; readonly data: string; readonly config: string; readonly key: string; readonly workers: number }
) {
  const databaseFile = databaseFileIn(operator.data)
  yield* writePrivateFile(databaseFile, database)
  const joining = (host: number) => [
    "--join-file", databaseFile, "--name", hostName(host), "--data", hostFolder(operator.data, host),
    "--keys", resolve(keys), "--workers", String(operator.workers), "--niceness", String(hostNiceness), "--role", "prover",
    ...(host < controlHosts ? ["--role", "control", "--l1-key", operator.key] : [])
  ]
  return yield* Effect.forEach(Array.from({ length: hosts }, (_, host) => host), (host) =>
    makeHostProcess(
      `${operator.name} ${hostName(host)}`,
      host === 0 ? Effect.succeed(["--config", operator.config]) : Effect.as(published, joining(host))
    ))
})

/** How the first host is made one of several. */
export const clusterOf = (data: string) => ({
  database: databaseFileIn(data),
  name: hostName(0),
  listen: { host: "127.0.0.1", port: 0 }
})
