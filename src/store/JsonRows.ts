/**
 * Many rows as one parameter, so that a statement about however many of them is always the same statement.
 */
import type { SqlClient, Statement } from "effect/sql"

type ColumnType = "text" | "int4" | "int8" | "float8"

type Row<Columns extends Record<string, ColumnType>> = {
  readonly [Name in keyof Columns]: (Columns[Name] extends "text" ? string : number) | null
}

/**
 * Rows to select from, under the name `given`; they come in the order of the list.
 *
 * @example
 * ```ts
 * sql`SELECT count(*) FROM ${jsonRows(sql, { job: "text" }, [{ job: "block:0x01" }])} JOIN jobs ON jobs.id = given.job`
 * ```
 */
export const jsonRows = <const Columns extends Record<string, ColumnType>>(
  sql: SqlClient.SqlClient,
  columns: Columns,
  rows: ReadonlyArray<Row<Columns>>
): Statement.Fragment => {
  const names = Object.keys(columns)
  return sql.onDialectOrElse({
    pg: () => {
      const list = names.map((name) => `${name} ${columns[name]}`).join(", ")
      return sql`jsonb_to_recordset(CAST(${JSON.stringify(rows)} AS jsonb)) AS given (${sql.literal(list)})`
    },
    orElse: () => {
      const list = names.map((name) => `value ->> '${name}' AS ${name}`).join(", ")
      return sql`(SELECT ${sql.literal(list)} FROM json_each(${JSON.stringify(rows)})) AS given`
    }
  })
}
