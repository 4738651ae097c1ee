/**
 * Statements in as few trips to the server as there can be.
 */
import { Effect } from "effect"
import type { SqlError, Statement } from "effect/sql"
import type { Database } from "./Database.ts"

/** Runs statements of which none sees what another one changes: on Postgres as one, on SQLite one after the other. */
export const inOneTrip = (
  { dialect, sql }: Database["Service"],
  statements: ReadonlyArray<Statement.Statement<unknown>>
): Effect.Effect<void, SqlError.SqlError> => {
  const [last, ...others] = [...statements].reverse()
  if (last === undefined) return Effect.void
  if (dialect === "sqlite" || others.length === 0) return Effect.forEach(statements, (each) => each, { discard: true })
  const parts = others.map((each, at) => sql`${sql.literal(`part_${at}`)} AS (${each})`)
  return Effect.asVoid(sql`WITH ${sql.csv(parts)} ${last}`)
}
