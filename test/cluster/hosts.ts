/** Hosts of a real cluster on a real Postgres, each with a scope of its own. */
import { Context, Duration, Effect, Exit, Layer, Logger, Redacted, Schema, Scope, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import * as ClusterClient from "../../src/cluster/ClusterClient.ts"
import { controlRole } from "../../src/cluster/ControlRoles.ts"
import { joinCluster } from "../../src/cluster/Membership.ts"
import { startHost } from "../../src/cluster/startHost.ts"
import { ProverGas } from "../../src/domain/Amount.ts"
import { BlockWitness } from "../../src/domain/BlockWitness.ts"
import { toAddress } from "../../src/domain/Hash.ts"
import { Jobs, type JobSize } from "../../src/jobs/Jobs.ts"
import { BigFrom, blockJob } from "../../src/jobs/ProofJobs.ts"
import type { Child } from "../../src/node/Supervisor.ts"
import { ProofSystem } from "../../src/proofs/ProofSystem.ts"
import { connectRole, type RoleShape, serveRole } from "../../src/rpc/RoleService.ts"
import { RoleTransport } from "../../src/rpc/RoleTransport.ts"
import type { Secret } from "../../src/rpc/SecureSocket.ts"
import * as ModelLedger from "../../src/simulation/ModelLedger.ts"
import * as ModelProofs from "../../src/simulation/ModelProofs.ts"
import { Database } from "../../src/store/Database.ts"
import { Fence } from "../../src/store/Fence.ts"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { RoleLeases } from "../../src/store/RoleLeases.ts"

export const secret: Secret = Redacted.make(new Uint8Array(32).fill(3))
export const loopback = { host: "127.0.0.1", port: 0 }

/** What hosts log is not what tests look at. */
export const quietly = Logger.layer([])

type Url = Redacted.Redacted<string>

const PlaceRpcs = RpcGroup.make(
  Rpc.make("host", { success: Schema.String }),
  Rpc.make("changes", { success: Schema.String, stream: true })
)

/** A role that says at which host it is, and writes that down under its fence again and again. */
export class Place extends Context.Service<Place, RoleShape<typeof PlaceRpcs>>()("test/Place") {}

const placeAt = (host: string): Child<Database | RoleTransport> => ({
  name: "settler",
  start: Effect.gen(function*() {
    const { commit, sql } = yield* Database
    const { check } = yield* Fence
    yield* Layer.build(serveRole("settler", PlaceRpcs, Place).pipe(Layer.provide(Layer.succeed(Place, {
      host: () => Effect.succeed(host),
      changes: () => Stream.concat(Stream.make(host), Stream.never)
    }))))
    const write = Effect.andThen(check, Effect.as(sql`INSERT INTO written (host) VALUES (${host})`, { result: undefined, news: [] }))
    return Effect.forever(Effect.andThen(commit(write), Effect.sleep("20 millis")))
  })
})

/** What is written about that role, and who has it, as one sees it who is no host. */
export const lookOn = Effect.fnUntraced(function*(url: Url) {
  const context = yield* Layer.build(RoleLeases.layer.pipe(Layer.provideMerge(PostgresDatabase.layer(url))))
  const { read, sql } = Context.get(context, Database)
  yield* sql`CREATE TABLE IF NOT EXISTS written (id SERIAL, host TEXT NOT NULL)`
  return {
    leases: Context.get(context, RoleLeases),
    /** The hosts that wrote, one after the other. */
    writers: Effect.map(read(sql<{ host: string }>`SELECT host FROM written ORDER BY id`), (rows) =>
      rows.map(({ host }) => host).filter((host, i, all) => host !== all[i - 1]))
  }
})

/** A host that can have that role, until the scope that it answers is closed. Somebody must look on already. */
export const placeHost = Effect.fnUntraced(function*(url: Url, name: string) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const database = yield* Layer.buildWithScope(RoleLeases.layer.pipe(Layer.provideMerge(PostgresDatabase.layer(url))), scope)
  const cluster = yield* joinCluster({ name, secret, listen: loopback, groups: ["control"], weight: 1 }).pipe(
    Effect.provideContext(Context.add(database, Scope.Scope, scope))
  )
  const all = Context.merge(database, cluster)
  yield* Layer.buildWithScope(controlRole(placeAt(name)), scope).pipe(Effect.provideContext(all))
  const built = yield* Layer.buildWithScope(connectRole("settler", PlaceRpcs, Place), scope).pipe(Effect.provideContext(all))
  return { name, place: Context.get(built, Place), stop: Scope.close(scope, Exit.void) }
})

const proofs = (milliseconds: number) => ModelProofs.layer({ capacity: 2, blockTime: () => Duration.millis(milliseconds) })

/** A host that proves, until the scope that it answers is closed. */
export const proverHost = Effect.fnUntraced(function*(
  url: Url,
  name: string,
  options: { readonly milliseconds: number; readonly sizes?: ReadonlyArray<JobSize>; readonly drainWithin?: Duration.Input }
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  yield* startHost({
    name,
    database: url,
    secret,
    listen: loopback,
    proving: { sizes: options.sizes ?? ["small", "big"], cores: 2, memory: 4_096 },
    drainWithin: options.drainWithin ?? "5 seconds"
  }).pipe(Effect.provide(proofs(options.milliseconds)), Scope.provide(scope))
  return { name, stop: Scope.close(scope, Exit.void) }
})

const ledger = ModelLedger.defaultModelLedger
const rollup = ModelLedger.extendRollup(ledger, ModelLedger.startRollup(ledger, 0n), { timestamp: 6n, signalMultiplier: 1_000_000n, overdue: 0n })
const witness = new BlockWitness({
  parent: ModelLedger.headerIn(rollup, 0)!,
  block: rollup.blocks[1]!.block,
  transfers: []
})

/** Jobs on one block, for as many provers. */
export const jobSpecs = (count: number, size: JobSize = "small") =>
  Effect.flatMap(ProofSystem, (system) =>
    Effect.forEach(Array.from({ length: count }, (_, i) => i + (size === "big" ? 1_000 : 1)), (i) =>
      blockJob(system, witness, toAddress(`0x${i.toString(16).padStart(40, "0")}`)))).pipe(
    Effect.provideService(BigFrom, ProverGas.make(size === "big" ? 1n : 1n << 60n)),
    Effect.provide(proofs(1))
  )

/** The jobs of the cluster, from outside of it. */
export const connectJobs = (url: Url) => Effect.map(Layer.build(ClusterClient.layer(url, secret)), Context.get(Jobs))
