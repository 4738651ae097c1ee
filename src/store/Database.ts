/**
 * The database that an operator's hosts share, or that a node has for itself: SQL, one clock, and news of what was committed.
 */
import { Context, type Effect, type Scope, type Stream } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"

/** What news is about. Whoever hears one looks into the tables: news may be lost, come twice, or come late, and does no harm. */
export const topics = ["jobs-ready", "jobs-ended", "jobs-revoked", "hosts", "roles", "role-status", "operator"] as const
export type Topic = (typeof topics)[number]

/** Something to tell those who listen to a topic. */
export type News = readonly [topic: Topic, payload: string]

export class Database extends Context.Service<Database, {
  readonly sql: SqlClient.SqlClient
  readonly dialect: "sqlite" | "postgres"
  /** Milliseconds since 1970 as an SQL expression: Postgres' own clock, because those of hosts differ; the Clock, where there is one host. */
  readonly now: Effect.Effect<Statement.Fragment>
  /**
   * Runs a transaction; once it is committed, all who listen to its topics hear of it, in this process and in others, within
   * milliseconds. Payloads are short texts.
   *
   * While the server of a shared database is away, it is tried again until the server is back. Whether it was committed the last time
   * may then be unknown: what it does must be the same when it is done twice.
   */
  readonly commit: <A, E, R>(
    work: Effect.Effect<{ readonly result: A; readonly news: ReadonlyArray<News> }, E, R>
  ) => Effect.Effect<A, E | SqlError.SqlError, R>
  /** Reads, outside of a transaction; while the server of a shared database is away, again until it is back. */
  readonly read: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /**
   * The payloads of a topic from now on; the scope's end unsubscribes. `undefined` comes first, and after every gap in hearing (the
   * connection was lost): look into the tables then.
   */
  readonly news: (topic: Topic) => Effect.Effect<Stream.Stream<string | undefined>, never, Scope.Scope>
}>()("lignum/Database") {}
