/**
 * Whose jobs a command is about, and the way to them: the database of a node that does not run, the node itself while it does, or
 * the database that an operator's hosts share.
 */
import { Context, Effect, FileSystem, Layer, Option, Redacted, Schema } from "effect"
import { Argument, Flag } from "effect/cli"
import { join } from "node:path"
import { JobId, Jobs, OutputCheck, OutputInvalid } from "../../jobs/Jobs.ts"
import { JobsDesk } from "../../jobs/JobsDesk.ts"
import * as SqlJobs from "../../jobs/SqlJobs.ts"
import { RpcFile, rpcFile, storeFile } from "../../node/NodeFiles.ts"
import { type NodeConfig, readNodeConfig } from "../../node/NodeConfig.ts"
import { readPrivateFile } from "../../rpc/PrivateFile.ts"
import { RoleTransport } from "../../rpc/RoleTransport.ts"
import { readSecret } from "../../rpc/SecureSocket.ts"
import * as SocketTransport from "../../rpc/SocketTransport.ts"
import * as PostgresDatabase from "../../store/PostgresDatabase.ts"
import { layerSqlite } from "../../store/Sqlite.ts"
import * as SqliteDatabase from "../../store/SqliteDatabase.ts"

/** It cannot be told whose jobs are meant, or they cannot be reached. Nothing was changed. */
export class JobsOutOfReach extends Schema.TaggedError<JobsOutOfReach>()("JobsOutOfReach", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** Flags that say whose jobs. */
export const whose = {
  config: Flag.String("config").pipe(Flag.withDescription("A node's configuration: the jobs of this node"), Flag.optional),
  join: Flag.String("join").pipe(Flag.withDescription("The database that an operator's hosts share, as postgres://…"), Flag.optional),
  joinFile: Flag.String("join-file").pipe(
    Flag.withDescription("The same, from a file that only its owner may read: other users see what a command is given"),
    Flag.optional
  )
}

export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print one JSON object as the last line"), Flag.withDefault(false))

export const job = Argument.String("job").pipe(Argument.withSchema(JobId), Argument.withDescription("The job's id, as `lignum jobs list` prints it"))

export interface Whose {
  readonly config: Option.Option<string>
  readonly join: Option.Option<string>
  readonly joinFile: Option.Option<string>
}

/** How long a node that runs may take to answer. */
const patience = "15 seconds"

/** Looks on: whatever comes out of a job is for others to accept. */
const acceptsNothing = Layer.succeed(OutputCheck, ({ id }) => Effect.fail(new OutputInvalid({ job: id, reason: "nothing is accepted here" })))

const deskOf = <E, R>(jobs: Layer.Layer<Jobs, E, R>) => Layer.build(Layer.provide(JobsDesk.layer, jobs))

const askNode = Effect.fnUntraced(function*({ data, rpc }: NodeConfig) {
  const fs = yield* FileSystem.FileSystem
  if (rpc === undefined) {
    return yield* new JobsOutOfReach({
      reason: `the node runs and has ${join(data, storeFile)} for itself: give it an "rpc" section in its configuration, so that it can be asked, or stop it`
    })
  }
  const secret = yield* readSecret(rpc.secretFile)
  const locate = Effect.flatMap(
    Effect.mapError(fs.readFileString(join(data, rpcFile)), () => ({ message: `${join(data, rpcFile)} is not there` })),
    Schema.decodeEffect(RpcFile)
  )
  const desk = yield* Layer.build(JobsDesk.layerRemote).pipe(Effect.provideService(RoleTransport, SocketTransport.connecting({ secret, locate })))
  yield* Context.get(desk, JobsDesk).list({ states: [], most: 1 }).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => new JobsOutOfReach({ reason: `the node has ${join(data, storeFile)} for itself, and does not answer: look at its log, or stop it` })
    })
  )
  return desk
})

const deskOfNode = Effect.fnUntraced(function*(config: NodeConfig) {
  const fs = yield* FileSystem.FileSystem
  const file = join(config.data, storeFile)
  if (!(yield* Effect.orElseSucceed(fs.exists(file), () => false))) {
    return yield* new JobsOutOfReach({ reason: `there is no ${file}: this node never ran, or its configuration names another folder` })
  }
  const sqlite = layerSqlite(file, { exclusive: true, busyTimeout: "1 second" })
  return yield* deskOf(SqlJobs.layer.pipe(Layer.provide([acceptsNothing, Layer.provide(SqliteDatabase.layer, sqlite)]))).pipe(
    Effect.catchIf((error) => error.reason === "InUse", () => askNode(config))
  )
})

const deskOfHosts = (url: Redacted.Redacted<string>) =>
  deskOf(SqlJobs.layer.pipe(Layer.provide([acceptsNothing, PostgresDatabase.layer(url)])))

/** The desk that the flags name, and the node's configuration where they name one. */
export const openDesk = Effect.fnUntraced(function*({ config, join, joinFile }: Whose) {
  const given = [config, join, joinFile].filter(Option.isSome).length
  if (given !== 1) {
    return yield* new JobsOutOfReach({ reason: "say whose jobs: --config FILE for those of a node, or --join URL (or --join-file FILE) for those of an operator's hosts" })
  }
  if (Option.isSome(config)) {
    const node = yield* readNodeConfig(config.value)
    return { desk: Context.get(yield* deskOfNode(node), JobsDesk), node }
  }
  const url = Option.isSome(join) ? Redacted.make(join.value) : yield* readPrivateFile(Option.getOrThrow(joinFile))
  return { desk: Context.get(yield* deskOfHosts(url), JobsDesk), node: undefined }
})
