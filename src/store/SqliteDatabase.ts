/**
 * The database of a node that has it for itself: one SQLite file, open in one process.
 */
import { Clock, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Database } from "./Database.ts"
import { makeNewsDesk } from "./NewsDesk.ts"

/** On a client as `layerSqlite` makes it. News reaches this process alone. */
export const layer: Layer.Layer<Database, never, SqlClient.SqlClient> = Layer.effect(
  Database,
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const desk = yield* makeNewsDesk
    return Database.of({
      sql,
      dialect: "sqlite",
      now: Effect.map(Clock.currentTimeMillis, (millis) => sql`${millis}`),
      commit: (work) =>
        sql.withTransaction(Effect.flatMap(work, ({ news, result }) =>
          Effect.as(sql.afterCommit(Effect.sync(() => desk.tell(news))), result)
        )),
      read: (work) => work,
      news: desk.news
    })
  })
)
