/** Small hosts of a real cluster on a real Postgres, each with a scope of its own. */
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, Redacted, Schema, Scope, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { controlRole } from "../../src/cluster/ControlRoles.ts"
import { joinCluster } from "../../src/cluster/Membership.ts"
import { startPostgres } from "../../src/devnet/PostgresServer.ts"
import type { Child } from "../../src/node/Supervisor.ts"
import { connectRole, type RoleShape, serveRole } from "../../src/rpc/RoleService.ts"
import { RoleTransport } from "../../src/rpc/RoleTransport.ts"
import type { Secret } from "../../src/rpc/SecureSocket.ts"
import { Database } from "../../src/store/Database.ts"
import { Fence } from "../../src/store/Fence.ts"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { RoleLeases } from "../../src/store/RoleLeases.ts"

export const secret: Secret = Redacted.make(new Uint8Array(32).fill(3))

/** A Postgres in a folder of its own. */
export const postgres = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lignum-cluster-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  return yield* startPostgres({ folder })
}).pipe(Effect.provide(NodeServices.layer))

/** A role that says where it is, and writes a row about it every so often, under its fence. */
const PlaceRpcs = RpcGroup.make(
  Rpc.make("host", { success: Schema.String }),
  Rpc.make("changes", { success: Schema.String, stream: true })
)
export class Place extends Context.Service<Place, RoleShape<typeof PlaceRpcs>>()("test/Place") {}

const placeAt = (host: string): Child<Database | RoleTransport> => ({
  name: "settler",
  start: Effect.gen(function*() {
    const { sql } = yield* Database
    const fence = yield* Fence
    yield* Layer.build(serveRole("settler", PlaceRpcs, Place).pipe(Layer.provide(Layer.succeed(Place, {
      host: () => Effect.succeed(host),
      changes: () => Stream.concat(Stream.make(host), Stream.never)
    }))))
    return sql.withTransaction(Effect.andThen(Effect.orDie(fence.check), sql`INSERT INTO written (host) VALUES (${host})`)).pipe(
      Effect.andThen(Effect.sleep("20 millis")),
      Effect.forever
    )
  })
})

/** A host until the scope that it answers is closed. */
export const startHost = Effect.fnUntraced(function*(url: Redacted.Redacted<string>, name: string) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const database = yield* Layer.buildWithScope(RoleLeases.layer.pipe(Layer.provideMerge(PostgresDatabase.layer(url))), scope)
  const { sql } = Context.get(database, Database)
  yield* sql`CREATE TABLE IF NOT EXISTS written (id SERIAL, host TEXT NOT NULL)`.pipe(Effect.ignore)
  const cluster = yield* joinCluster({ name, secret, listen: { host: "127.0.0.1", port: 0 }, groups: ["control"], weight: 1 }).pipe(
    Effect.provideContext(Context.add(database, Scope.Scope, scope))
  )
  const all = Context.merge(database, cluster)
  yield* Layer.buildWithScope(controlRole(placeAt(name)), scope).pipe(Effect.provideContext(all))
  return {
    name,
    sql,
    cluster: all,
    place: Context.get(yield* Layer.buildWithScope(connectRole("settler", PlaceRpcs, Place), scope).pipe(Effect.provideContext(all)), Place),
    stop: Scope.close(scope, Exit.void)
  }
})
