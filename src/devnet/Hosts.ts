/**
 * The hosts of one operator of a devnet: processes that share nothing but a database, as they would on machines of their own.
 */
import { Effect, FileSystem, Redacted } from "effect"
import { join, resolve } from "node:path"
import type { DevnetConfig } from "./DevnetConfig.ts"
import { type HostProcess, makeHostProcess } from "./OperatorProcess.ts"
import { startPostgres } from "./PostgresServer.ts"

/** Where the database is that hosts share, with the password. */
export type SharedDatabase = Redacted.Redacted<string>

/** The database that was named, or one in the data folder. */
export const openDatabase = Effect.fnUntraced(function*({ data, postgres }: DevnetConfig, folder: string) {
  if (postgres !== undefined) return postgres
  const fs = yield* FileSystem.FileSystem
  // A temporary folder lets nobody through, whom Postgres may run as.
  if (data === undefined) yield* fs.chmod(folder, 0o711)
  return (yield* startPostgres({ folder: join(folder, "postgres") })).url
})

/** Hosts that can take the control roles over: two, so that one may die. */
const controlHosts = 2

export const hostName = (host: number): string => `host-${host + 1}`

/** Where one of an operator's further hosts keeps what is its own. */
export const hostFolder = (data: string, host: number): string => join(data, hostName(host))

/** The processes of an operator's hosts: the first brings the configuration, the others need the database and keys. */
export const makeHosts = (
  config: DevnetConfig,
  database: SharedDatabase,
  operator: { readonly name: string; readonly data: string; readonly config: string; readonly key: string; readonly workers: number }
): Effect.Effect<ReadonlyArray<HostProcess>> => {
  const joining = (host: number) => [
    "--join", Redacted.value(database),
    "--name", hostName(host),
    "--data", hostFolder(operator.data, host),
    "--keys", resolve(config.keys),
    "--workers", String(operator.workers),
    "--role", "prover",
    ...(host < controlHosts ? ["--role", "control", "--l1-key", operator.key] : [])
  ]
  return Effect.forEach(Array.from({ length: config.hosts }, (_, host) => host), (host) =>
    makeHostProcess(`${operator.name} ${hostName(host)}`, Effect.succeed(host === 0 ? ["--config", operator.config] : joining(host))))
}

/** What hosts share, as this process knows it. */
export const reachHosts = (database: SharedDatabase) => Effect.die(database) as never as Effect.Effect<{ readonly transport: import("../rpc/RoleTransport.ts").RoleTransport["Service"]; readonly jobs: import("../jobs/Jobs.ts").Jobs["Service"]; readonly holder: (role: string) => import("effect").Stream.Stream<import("../store/RoleLeases.ts").Holder | undefined> }>
