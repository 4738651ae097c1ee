/**
 * The database that an operator's hosts share, or that a node has for itself: SQL, one clock, and news of what was committed.
 */
import { Context, type Effect, type Scope, type Stream } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"

/** What news is about. Whoever hears one looks into the tables: news may be lost, come twice, or come late, and does no harm. */
export type Topic = "jobs-ready" | "jobs-ended" | "jobs-revoked" | "hosts" | "roles" | "operator"

export class Database extends Context.Service<Database, {
  readonly sql: SqlClient.SqlClient
  readonly dialect: "sqlite" | "postgres"
  /** Milliseconds since 1970 as an SQL expression: Postgres' own clock, because those of hosts differ; the Clock, where there is one host. */
  readonly now: Effect.Effect<Statement.Fragment>
  /**
   * Runs a transaction; once it is committed, all who listen to its topics hear of it, in this process and in others, within
   * milliseconds. Payloads are short texts.
   */
  readonly commit: <A, E, R>(
    work: Effect.Effect<{ readonly result: A; readonly news: ReadonlyArray<readonly [topic: Topic, payload: string]> }, E, R>
  ) => Effect.Effect<A, E | SqlError.SqlError, R>
  /**
   * The payloads of a topic from now on; the scope's end unsubscribes. `undefined` comes first, and after every gap in hearing (the
   * connection was lost): look into the tables then.
   */
  readonly news: (topic: Topic) => Effect.Effect<Stream.Stream<string | undefined>, never, Scope.Scope>
}>()("lignum/Database") {}
