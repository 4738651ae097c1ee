/**
 * The databases that whatever is kept in SQL is tested on: the file of a lone node, and a real Postgres.
 */
import { type Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import type { Database } from "../../src/store/Database.ts"
import { freshDatabase, Postgres } from "../postgres.ts"
import { connectionsTo } from "./connections.ts"

export interface TestDatabase {
  readonly name: "SQLite" | "Postgres"
  /** The name of a new, empty database, for `connectionsTo`. */
  readonly fresh: Effect.Effect<string, never, Scope.Scope>
  /** A new database as so many hosts see it at once. Only one process can have a file open: there, they are roles of that one. */
  readonly hosts: (count: number) => Effect.Effect<ReadonlyArray<Context.Context<Database>>, never, Scope.Scope>
}

const freshFile: TestDatabase["fresh"] = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lignum-sqlite-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
).pipe(Effect.map((folder) => join(folder, "node.db")))

const sqlite: TestDatabase = {
  name: "SQLite",
  fresh: freshFile,
  hosts: (count) => Effect.map(Effect.flatMap(freshFile, (name) => Layer.build(connectionsTo(name))), (host) => Array.from({ length: count }, () => host))
}

/** A server for the tests of one file: call it where they are described. */
const postgres = (): TestDatabase => {
  const scope = Scope.makeUnsafe()
  let server: Context.Context<Postgres>
  beforeAll(async () => {
    server = await Effect.runPromise(Layer.buildWithScope(Postgres.layer, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const fresh = Effect.suspend(() => Effect.map(Effect.provideContext(freshDatabase, server), Redacted.value))
  return {
    name: "Postgres",
    fresh,
    hosts: (count) => Effect.flatMap(fresh, (name) => Effect.all(Array.from({ length: count }, () => Layer.build(connectionsTo(name)))))
  }
}

/** Both: call it where the tests are described. */
export const databases = () => [sqlite, postgres()] as const
