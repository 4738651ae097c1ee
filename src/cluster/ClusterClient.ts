/**
 * An operator's cluster from outside: its roles wherever they are, and its jobs. It runs nothing of the cluster.
 */
import { Effect, Layer, type Redacted } from "effect"
import { type Jobs, OutputCheck, OutputInvalid } from "../jobs/Jobs.ts"
import * as SqlJobs from "../jobs/SqlJobs.ts"
import { RoleTransport } from "../rpc/RoleTransport.ts"
import type { Secret } from "../rpc/SecureSocket.ts"
import type { Database } from "../store/Database.ts"
import * as PostgresDatabase from "../store/PostgresDatabase.ts"
import { RoleLeases } from "../store/RoleLeases.ts"
import { connecting, RoleHolders } from "./ClusterTransport.ts"
import * as ProvingJob from "./ProvingJob.ts"
import * as Runner from "./Runner.ts"

const acceptsNothing = Layer.succeed(OutputCheck, ({ id }) => Effect.fail(new OutputInvalid({ job: id, reason: "nothing is accepted here" })))

/** @param secret the cluster's, as `SharedConfig.read` answers it where hosts were started by `lignum node` */
export const layer = (
  database: Redacted.Redacted<string>,
  secret: Secret
): Layer.Layer<RoleTransport | RoleHolders | RoleLeases | Jobs | Database, PostgresDatabase.DatabaseUnusable> =>
  Layer.mergeAll(
    Layer.effect(RoleTransport, connecting(secret)),
    ProvingJob.layer.pipe(Layer.provide([Layer.provide(SqlJobs.layer, acceptsNothing), Runner.layerClient(secret)]))
  ).pipe(
    Layer.provideMerge(RoleHolders.layer),
    Layer.provideMerge(RoleLeases.layer),
    Layer.provideMerge(PostgresDatabase.layer(database))
  )
