/**
 * A real Postgres for the tests of a file, with a database of its own for each test.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, FileSystem, Layer, Redacted, type Scope } from "effect"
import { chmodSync } from "node:fs"
import { type PostgresServer, startPostgres } from "../src/devnet/PostgresServer.ts"

/** The server that the tests of a file share. */
export class Postgres extends Context.Service<Postgres, PostgresServer>()("test/Postgres") {
  static readonly layer = Layer.effect(
    Postgres,
    Effect.gen(function*() {
      const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "lignum-postgres-" })
      // Postgres runs as another user than root.
      chmodSync(folder, 0o755)
      return yield* startPostgres({ folder, settings: { max_connections: "200" } })
    })
  ).pipe(Layer.provide(NodeServices.layer), Layer.orDie)
}

let databases = 0

/** The URL of a database of that server that nobody else uses. */
export const freshDatabase: Effect.Effect<Redacted.Redacted<string>, never, Postgres | Scope.Scope> = Effect.gen(function*() {
  const { url } = yield* Postgres
  const name = `test_${databases++}`
  const client = yield* PgClient.layer({ url, maxConnections: 1 }).pipe(Layer.build, Effect.map((built) => Context.get(built, PgClient.PgClient)))
  yield* client`CREATE DATABASE ${client(name)}`
  const its = new URL(Redacted.value(url))
  its.pathname = `/${name}`
  return Redacted.make(its.href)
}).pipe(Effect.scoped, Effect.orDie)
