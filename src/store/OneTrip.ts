/**
 * Statements in as few trips to the server as there can be.
 */
import { Effect } from "effect"
import type { SqlError, Statement } from "effect/sql"
import type { Database } from "./Database.ts"

/**
 * Runs statements of which none sees what another one changes: on Postgres as one, on SQLite one after the other.
 *
 * @param question comes last; its rows are the answer
 */
export const inOneTrip = <Row extends object>(
  { dialect, sql }: Database["Service"],
  statements: ReadonlyArray<Statement.Statement<unknown>>,
  question?: Statement.Statement<Row>
): Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError> => {
  const all = question === undefined ? statements : [...statements, question]
  const last = all.at(-1) as Statement.Statement<Row> | undefined
  if (last === undefined) return Effect.succeed([])
  const others = all.slice(0, -1)
  if (dialect === "sqlite" || others.length === 0) return Effect.andThen(Effect.forEach(others, (each) => each, { discard: true }), last)
  const parts = others.map((each, at) => sql`${sql.literal(`part_${at}`)} AS (${each})`)
  return sql<Row>`WITH ${sql.csv(parts)} ${last}`
}
