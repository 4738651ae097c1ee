/**
 * Effect's `SqlClient` on Node's built-in SQLite.
 *
 * One connection, one writer: statements run synchronously on the event loop, so keep them short. A statement is prepared
 * once and cached by its text. Only the first statement of a text runs; send several one by one.
 */
import { Duration, Effect, Layer, Schema, type Scope, Semaphore, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"

/** How a database file is opened. */
export interface SqliteOptions {
  /**
   * What a commit survives. `NORMAL` (default): the death of the process; a power cut may lose the newest commits, never the
   * database. `FULL`: a power cut too, at one disk flush per commit. `OFF`: neither is promised.
   */
  readonly synchronous?: "OFF" | "NORMAL" | "FULL"
  /** Whether no other process may open the file meanwhile; the lock goes with the process, however it dies. Default false. */
  readonly exclusive?: boolean
  /** How long to wait for another process's lock; the event loop stands still meanwhile. Default 5 seconds. */
  readonly busyTimeout?: Duration.Input
}

const wayOut = {
  FolderMissing: "its folder does not exist; create the folder or choose another",
  CannotOpen: "it cannot be opened; check that this user may read and write the file and its folder",
  NotADatabase: "it is not an SQLite database; move the file away or choose another",
  ReadOnly: "it cannot be written; check the permissions of the file and its folder",
  InUse: "another process uses it; stop that process or choose another file",
  Corrupt: "it is damaged; restore it from a copy, or move it away to start anew",
  Unknown: "SQLite refused it; see the cause"
} as const

/** A database file cannot be used. Nothing was changed; the message says what to do about it. */
export class SqliteOpenError extends Schema.TaggedError<SqliteOpenError>()("SqliteOpenError", {
  filename: Schema.String,
  reason: Schema.Literals(["FolderMissing", "CannotOpen", "NotADatabase", "ReadOnly", "InUse", "Corrupt", "Unknown"]),
  cause: Schema.Defect()
}) {
  override get message() {
    return `cannot use the database file ${this.filename}: ${wayOut[this.reason]}`
  }
}

const resultCode = (cause: unknown): number | undefined =>
  typeof cause === "object" && cause !== null && "errcode" in cause && typeof cause.errcode === "number" ? cause.errcode : undefined

const openError = (filename: string, cause: unknown): SqliteOpenError => {
  const reasons = { 5: "InUse", 6: "InUse", 8: "ReadOnly", 11: "Corrupt", 14: "CannotOpen", 26: "NotADatabase" } as const
  const code = (resultCode(cause) ?? 0) & 0xff
  const reason = filename !== ":memory:" && !existsSync(dirname(filename))
    ? "FolderMissing"
    : reasons[code as keyof typeof reasons] ?? "Unknown"
  return new SqliteOpenError({ filename, reason, cause })
}

const open = (filename: string, options: SqliteOptions): DatabaseSync => {
  const db = new DatabaseSync(filename, { timeout: Duration.toMillis(Duration.fromInputUnsafe(options.busyTimeout ?? "5 seconds")) })
  try {
    if (options.exclusive === true) db.exec("PRAGMA locking_mode = EXCLUSIVE")
    db.exec("PRAGMA journal_mode = WAL")
    // A page that changes often is then written fewer times into the file itself, and read fewer times from it.
    db.exec("PRAGMA wal_autocheckpoint = 4000")
    db.exec("PRAGMA cache_size = -32000")
    db.exec(`PRAGMA synchronous = ${options.synchronous ?? "NORMAL"}`)
    // A file that can only be read, or that is locked, shows itself at the first write: better now than later.
    db.exec("BEGIN IMMEDIATE")
    db.exec("COMMIT")
    return db
  } catch (cause) {
    db.close()
    throw cause
  }
}

const cachedStatements = 256

/** Prepared statements by text, the least recently used forgotten first. */
const statementCache = (db: DatabaseSync) => {
  const statements = new Map<string, StatementSync>()
  return (sql: string): StatementSync => {
    const known = statements.get(sql)
    const statement = known ?? db.prepare(sql)
    if (known !== undefined) statements.delete(sql)
    statements.set(sql, statement)
    if (statements.size > cachedStatements) {
      for (const oldest of statements.keys()) {
        statements.delete(oldest)
        break
      }
    }
    return statement
  }
}

type Bindable = null | number | bigint | string | NodeJS.ArrayBufferView

// node:sqlite binds every number as a floating point one and a Date as NULL without a word; SQLite has no booleans.
const bindable = (value: unknown): Bindable => {
  if (value === undefined) return null
  if (typeof value === "boolean" || (typeof value === "number" && Number.isSafeInteger(value))) return BigInt(value)
  return value instanceof Date ? value.toISOString() : value as Bindable
}

const sqlError = (cause: unknown): SqlError.SqlError => {
  const message = cause instanceof Error ? cause.message : "SQLite failed"
  // The classifier reads `code`; node:sqlite has SQLite's extended code in `errcode`.
  const coded = Object.assign(new Error(message, { cause }), { code: resultCode(cause) })
  return new SqlError.SqlError({ reason: SqlError.classifySqliteError(coded, { message, operation: "execute" }) })
}

const make = (
  filename: string,
  options: SqliteOptions
): Effect.Effect<SqlClient.SqlClient, SqliteOpenError, Scope.Scope | Reactivity.Reactivity> =>
  Effect.gen(function*() {
    const db = yield* Effect.acquireRelease(
      Effect.try({ try: () => open(filename, options), catch: (cause) => openError(filename, cause) }),
      (db) => Effect.sync(() => db.close())
    )
    const prepare = statementCache(db)

    const run = (sql: string, params: ReadonlyArray<unknown>, shape: "rows" | "arrays" | "raw") =>
      Effect.flatMap(SqlClient.SafeIntegers, (safeIntegers) =>
        Effect.try({
          try: (): any => {
            const statement = prepare(sql)
            statement.setReadBigInts(safeIntegers)
            statement.setReturnArrays(shape === "arrays")
            const values = params.map(bindable)
            if (statement.columns().length > 0) return statement.all(...values)
            const done = statement.run(...values)
            return shape === "raw" ? done : []
          },
          catch: sqlError
        }))

    const rows: SqlConnection.Connection["execute"] = (sql, params, transformRows) => {
      const result = run(sql, params, "rows")
      return transformRows === undefined ? result : Effect.map(result, transformRows)
    }

    const connection: SqlConnection.Connection = {
      execute: rows,
      executeUnprepared: rows,
      executeRaw: (sql, params) => run(sql, params, "raw"),
      executeValues: (sql, params) => run(sql, params, "arrays"),
      executeValuesUnprepared: (sql, params) => run(sql, params, "arrays"),
      // Reads all rows at once: an open cursor would make a later ROLLBACK fail, and there is but one connection.
      executeStream: (sql, params, transformRows) => Stream.unwrap(Effect.map(rows(sql, params, transformRows), Stream.fromIterable))
    }

    const acquirers = SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: yield* Semaphore.make(1),
      isTransaction: () => db.isTransaction
    })
    return yield* SqlClient.make({
      ...acquirers,
      // IMMEDIATE: a transaction that turned from reading to writing could fail on a lock where no retry helps.
      beginTransaction: "BEGIN IMMEDIATE",
      prepareTransactionControls: true,
      compiler: Statement.makeCompilerSqlite(),
      driver: "sqlite",
      spanAttributes: [["db.system.name", "sqlite"]]
    })
  })

/**
 * The `SqlClient` of one database file, created if it does not exist (its folder must). `:memory:` keeps it in memory.
 *
 * @example
 * ```ts
 * const users = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   return yield* sql`SELECT 1 AS one`
 * }).pipe(Effect.provide(layerSqlite("users.db")))
 * ```
 */
export const layerSqlite = (filename: string, options: SqliteOptions = {}): Layer.Layer<SqlClient.SqlClient, SqliteOpenError> =>
  Layer.effect(SqlClient.SqlClient, make(filename, options)).pipe(Layer.provide(Reactivity.layer))
