import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layerSqlite, type SqliteOptions } from "../../src/store/Sqlite.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lignum-sqlite-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const use = <A, E>(filename: string, body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>, options?: SqliteOptions) =>
  SqlClient.SqlClient.use(body).pipe(Effect.provide(layerSqlite(filename, options)))

const refusal = (filename: string, options?: SqliteOptions) =>
  use(filename, () => Effect.void, options).pipe(Effect.flip, Effect.map((error) => {
    assert.strictEqual(error._tag, "SqliteOpenError")
    assert.include(error.message, filename)
    return error.reason
  }))

describe("layerSqlite", () => {
  it.effect("keeps what was committed across a reopening, in WAL mode", () => Effect.gen(function*() {
    const file = join(yield* folder, "a.db")
    yield* use(file, (sql) => Effect.gen(function*() {
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)`
      yield* sql`INSERT INTO t ${sql.insert([{ id: 1, name: "one" }, { id: 2, name: "two" }])}`
    }))
    yield* use(file, (sql) => Effect.gen(function*() {
      assert.deepStrictEqual((yield* sql`SELECT id, name FROM t ORDER BY id`).map((row) => ({ ...row })), [
        { id: 1, name: "one" },
        { id: 2, name: "two" }
      ])
      assert.deepStrictEqual(yield* sql`PRAGMA journal_mode`.values, [["wal"]])
      assert.deepStrictEqual(yield* sql`PRAGMA synchronous`.values, [[1]])
      assert.deepStrictEqual(yield* sql`INSERT INTO t (name) VALUES ('three') RETURNING id`.values, [[3]])
    }))
    yield* use(file, (sql) => Effect.map(sql`PRAGMA synchronous`.values, (rows) => assert.deepStrictEqual(rows, [[2]])), {
      synchronous: "FULL"
    })
  }))

  it.effect("rolls back what fails, to the savepoint where it is nested, and goes on", () => Effect.gen(function*() {
    yield* use(":memory:", (sql) => Effect.gen(function*() {
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      const failed = yield* sql.withTransaction(sql`INSERT INTO t VALUES (1)`.pipe(Effect.andThen(Effect.fail("no" as const)))).pipe(Effect.exit)
      assert.isTrue(Exit.isFailure(failed))
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`INSERT INTO t VALUES (2)`
        yield* sql.withTransaction(sql`INSERT INTO t VALUES (3)`.pipe(Effect.andThen(Effect.fail("inner" as const)))).pipe(Effect.ignore)
      }))
      assert.deepStrictEqual(yield* sql`SELECT id FROM t`.values, [[2]])
    }))
  }))

  it.effect("an interrupted transaction is rolled back and frees the connection", () => Effect.gen(function*() {
    yield* use(":memory:", (sql) => Effect.gen(function*() {
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`
      const fiber = yield* sql.withTransaction(sql`INSERT INTO t VALUES (1)`.pipe(Effect.andThen(Effect.never))).pipe(
        Effect.forkChild({ startImmediately: true })
      )
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* sql`SELECT id FROM t`.values, [])
    }))
  }))

  it.effect("a statement is reused after it failed, and the reason of the failure is told", () => Effect.gen(function*() {
    yield* use(":memory:", (sql) => Effect.gen(function*() {
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)`
      const insert = (id: number, name: string) => sql`INSERT INTO t VALUES (${id}, ${name})`
      yield* insert(1, "a")
      const error = yield* Effect.flip(insert(2, "a"))
      assert.strictEqual(error.reason._tag, "UniqueViolation")
      yield* insert(2, "b")
      assert.strictEqual((yield* Effect.flip(sql`SELECT * FROM nowhere`))._tag, "SqlError")
      assert.strictEqual((yield* Effect.flip(sql`SELECT ${Symbol("no") as never}`))._tag, "SqlError")
    }))
  }))

  it.effect("integers, blobs, booleans and dates keep their values", () => Effect.gen(function*() {
    yield* use(":memory:", (sql) => Effect.gen(function*() {
      const big = 2n ** 62n
      const values = yield* sql`SELECT ${big}, ${new Uint8Array([1, 2])}, ${true}, ${new Date(0)}, ${null}`.values.pipe(
        Effect.provideService(SqlClient.SafeIntegers, true)
      )
      assert.deepStrictEqual(values, [[big, new Uint8Array([1, 2]), 1n, "1970-01-01T00:00:00.000Z", null]])
      assert.deepStrictEqual(yield* sql`SELECT typeof(${7}), typeof(${7.5}), typeof(${false})`.values, [["integer", "real", "integer"]])
      assert.strictEqual((yield* Effect.flip(sql`SELECT ${big}`))._tag, "SqlError", "a number cannot hold it")
    }))
  }))

  it.effect("more texts than the cache holds still run, and a changed table is seen", () => Effect.gen(function*() {
    yield* use(":memory:", (sql) => Effect.gen(function*() {
      for (let i = 0; i < 600; i++) assert.deepStrictEqual(yield* sql.unsafe(`SELECT ${i}`).values, [[i]])
      yield* sql`CREATE TABLE t (id INTEGER)`
      yield* sql`INSERT INTO t VALUES (1)`
      assert.deepStrictEqual(yield* sql`SELECT * FROM t`.values, [[1]])
      yield* sql`ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'x'`
      assert.deepStrictEqual((yield* sql`SELECT * FROM t`).map((row) => ({ ...row })), [{ id: 1, more: "x" }])
    }))
  }))

  it.effect("says why a file cannot be used", () => Effect.gen(function*() {
    const path = yield* folder
    assert.strictEqual(yield* refusal(join(path, "missing", "a.db")), "FolderMissing")
    assert.strictEqual(yield* refusal(path), "CannotOpen")
    writeFileSync(join(path, "text.db"), "this is a text and no database. ".repeat(100))
    assert.strictEqual(yield* refusal(join(path, "text.db")), "NotADatabase")
  }))

  it.effect("an exclusive file is refused to a second user until the first is done", () => Effect.gen(function*() {
    const file = join(yield* folder, "a.db")
    yield* use(file, (sql) => Effect.gen(function*() {
      yield* sql`CREATE TABLE t (id INTEGER)`
      assert.strictEqual(yield* refusal(file, { busyTimeout: 0 }), "InUse")
    }), { exclusive: true })
    yield* use(file, (sql) => Effect.map(sql`SELECT * FROM t`.values, (rows) => assert.deepStrictEqual(rows, [])))
  }))
})
