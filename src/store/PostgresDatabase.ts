/** The database on Postgres. (A stand-in until the branch with the real one is merged.) */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Queue, type Redacted, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { Database } from "./Database.ts"

const channel = (topic: string) => `lignum_${topic.replaceAll("-", "_")}`

export const layer = (url: Redacted.Redacted<string>): Layer.Layer<Database | SqlClient.SqlClient> =>
  Layer.effect(Database, Effect.gen(function*() {
    const pg = yield* PgClient.PgClient
    return Database.of({
      sql: pg,
      dialect: "postgres",
      now: Effect.succeed(pg`(extract(epoch from clock_timestamp()) * 1000)::float8`),
      commit: (work) =>
        pg.withTransaction(Effect.gen(function*() {
          const { news, result } = yield* work
          for (const [topic, payload] of news) yield* pg`SELECT pg_notify(${channel(topic)}, ${payload})`
          return result
        })),
      news: (topic) =>
        pg.listen(channel(topic)).pipe(
          Effect.orDie,
          Effect.map((queue) => Stream.concat(Stream.make(undefined), Stream.fromEffectRepeat(Effect.orDie(Queue.take(queue))).pipe(Stream.map(({ payload }) => payload))))
        )
    })
  })).pipe(Layer.provideMerge(PgClient.layer({ url, maxConnections: 10 })), Layer.orDie)
