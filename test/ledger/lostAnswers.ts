/**
 * A database that commits and does not say so, as one does whose connection breaks at the wrong moment.
 */
import { Effect } from "effect"
import { SqlClient, SqlError } from "effect/sql"

/** The present database, and a switch for whether the answers to its commits are lost. */
export const lostAnswers = Effect.map(SqlClient.SqlClient, (sql) => {
  let lose = false
  const answer = Effect.suspend(() => lose ? Effect.fail(new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause: "lost" }) })) : Effect.void)
  const unreliable: typeof sql = new Proxy(sql, {
    get: (target, key) =>
      key === "withTransaction"
        ? <A, E, R>(body: Effect.Effect<A, E, R>) => Effect.tap(target.withTransaction(body), answer)
        : Reflect.get(target, key)
  })
  return {
    unreliable,
    lose: (on: boolean) => {
      lose = on
    }
  }
})
