/** How tests and the processes that they start come to a database. */
import { Layer, Redacted } from "effect"
import type { Database } from "../../src/store/Database.ts"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"

/** A database by the URL of Postgres or the name of a file. Each time that it is built, the connections are others, as those of another process are. */
export const connectionsTo = (name: string): Layer.Layer<Database> =>
  name.startsWith("postgres:")
    ? Layer.orDie(PostgresDatabase.layer(Redacted.make(name)))
    : SqliteDatabase.layer.pipe(Layer.provide(layerSqlite(name)), Layer.orDie)
