/**
 * The databases that whatever is kept in SQL is tested on: the file of a lone node, and a real Postgres.
 */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Exit, Layer, Redacted, Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { type PostgresServer, startPostgres } from "../../src/devnet/PostgresServer.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"

/** Connections to one database. Each time it is built, they are others, as those of another process are. */
export type Connections = Layer.Layer<SqlClient.SqlClient>

export interface TestDatabase {
  readonly name: "SQLite" | "Postgres"
  /** A new, empty database; it is gone with the scope. */
  readonly fresh: Effect.Effect<Connections, never, Scope.Scope>
}

const temporary = (name: string) => mkdtempSync(join(tmpdir(), `lignum-${name}-`))

const sqlite: TestDatabase = {
  name: "SQLite",
  fresh: Effect.acquireRelease(
    Effect.sync(() => temporary("sqlite")),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ).pipe(Effect.map((folder) => Layer.orDie(layerSqlite(join(folder, "node.db")))))
}

/** A server for the tests of one file: call it where they are described. */
export const postgres = (): TestDatabase & { readonly freshUrl: Effect.Effect<Redacted.Redacted> } => {
  const scope = Scope.makeUnsafe()
  const folder = temporary("postgres")
  let server: PostgresServer
  let databases = 0
  beforeAll(async () => {
    server = await Effect.runPromise(startPostgres({ folder }).pipe(Scope.provide(scope), Effect.provide(NodeServices.layer)))
  })
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(folder, { recursive: true, force: true })
  })
  const freshUrl = Effect.suspend(() => {
    const name = `test_${databases++}`
    return PgClient.PgClient.use((sql) => sql`CREATE DATABASE ${sql(name)}`).pipe(
      Effect.provide(PgClient.layer({ url: server.url, maxConnections: 1 })),
      Effect.orDie,
      Effect.as(Redacted.make(Redacted.value(server.url).replace(/postgres$/, name)))
    )
  })
  return { name: "Postgres", freshUrl, fresh: Effect.map(freshUrl, (url) => Layer.orDie(PgClient.layer({ url, maxConnections: 4 }))) }
}

/** Both: call it where the tests are described. */
export const databases = (): ReadonlyArray<TestDatabase> => [sqlite, postgres()]
