/**
 * The database that an operator's hosts share: Postgres. It may be restarted, and connections may break, at any time.
 */
import { PgClient } from "@effect/sql-pg"
import { Cause, Context, Effect, Layer, Queue, Redacted, Schedule, Schema } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, SqlError } from "effect/sql"
import { Database, type News, type Topic, topics } from "./Database.ts"
import { makeNewsDesk } from "./NewsDesk.ts"

/** The shared database cannot be used. Nothing was changed; the message says what to do about it. */
export class DatabaseUnusable extends Schema.TaggedError<DatabaseUnusable>()("DatabaseUnusable", {
  /** Without the password. */
  url: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `cannot use the database ${this.url}: ${this.reason}`
  }
}

/** All news goes over one channel, because every channel that is listened to takes a connection of its own. */
const channel = "lignum"

/** Whatever cannot be said within this is taken for lost with its connection: a broken network may say nothing at all. */
const patience = "10 seconds"

/** Between two tries while the server is away: at most this long after it is back, work goes on. */
const backoff = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("250 millis")])

const codeOf = (cause: unknown): string | undefined => {
  for (let each = cause; typeof each === "object" && each !== null; each = (each as { readonly cause?: unknown }).cause) {
    if ("code" in each && typeof each.code === "string") return each.code
  }
  return undefined
}

/**
 * Codes of a server that stops, starts, has too many clients, or ended a session that was silent within a transaction; and of
 * transactions that were in each other's way.
 */
const passing = /^(08...|57P0[1-5]|53300|25P0[34]|40001|40P01|55P03|57014)$/

const isPassing = (error: unknown): boolean =>
  SqlError.isSqlError(error) && (error.reason._tag === "ConnectionError" || passing.test(codeOf(error.reason.cause) ?? ""))

/** Whether that which failed may succeed later: a defect counts as well, as an error of the clean-up after an error is one. */
const mayPass = (cause: Cause.Cause<unknown>): boolean =>
  !Cause.hasInterrupts(cause) &&
  cause.reasons.some((reason) => (Cause.isFailReason(reason) && isPassing(reason.error)) || (Cause.isDieReason(reason) && isPassing(reason.defect)))

/** Tries again until it passes, unless it fails for another reason. */
const persist = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  work.pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.die(new SqlError.SqlError({ reason: new SqlError.ConnectionError({ message: "the server is silent", cause: undefined }) }))
    }),
    Effect.sandbox,
    Effect.retry({ schedule: backoff, while: mayPass }),
    Effect.catch(Effect.failCause)
  )

const wayOut = (error: SqlError.SqlError): string => {
  const code = codeOf(error.reason.cause)
  if (error.reason._tag === "AuthenticationError") return "the user or the password is not what it asks for"
  if (code === "3D000") return "the server has no database of that name; create it, or choose another"
  if (code === "ECONNREFUSED") return "nothing answers there; start the server, or correct the address"
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "there is no host of that name"
  if (code === "53300") return "the server has too many clients; raise its max_connections"
  return `${error.message}${code === undefined ? "" : ` (${code})`}`
}

/** Whether a text is the address of a database, and not the name of a file. */
export const isDatabaseUrl = (text: string): boolean => /^postgres(ql)?:\/\//.test(text)

/** An URL as it may be shown. */
const shown = (url: Redacted.Redacted<string>): string => {
  try {
    const parsed = new URL(Redacted.value(url))
    if (parsed.password !== "") parsed.password = "…"
    return decodeURI(parsed.href)
  } catch {
    return "(not a URL)"
  }
}

/**
 * Sessions that a host leaves open within a transaction (it is stopped, or its network is gone) must not hold others up. Statements are
 * short and always the same: each is planned once, never compiled, and a plan that was made while a table was small must not read all of
 * it when it is large.
 */
const session = { idle_in_transaction_session_timeout: "2s", enable_seqscan: "off", plan_cache_mode: "force_generic_plan", jit: "off" }

const connect = (url: Redacted.Redacted<string>) =>
  Effect.gen(function*() {
    if (!isDatabaseUrl(Redacted.value(url))) {
      return yield* new DatabaseUnusable({ url: shown(url), reason: "it must be a URL like postgres://user:password@host:5432/name" })
    }
    const client = yield* PgClient.make({
      url,
      applicationName: "lignum",
      startupParameters: session,
      maxConnections: 6,
      keepAlive: "5 seconds",
      maxMessageSize: 1 << 29
    })
    yield* client`SELECT 1`
    return client
  }).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(new DatabaseUnusable({ url: shown(url), reason: wayOut(error) }))))

/** Hears what all hosts tell, as long as the scope is open; after every loss of the connection it listens again. */
const listen = Effect.fnUntraced(function*(client: PgClient.PgClient, desk: Effect.Success<typeof makeNewsDesk>) {
  const hear = Effect.gen(function*() {
    const heard = yield* client.listen(channel)
    desk.tellOfGap()
    return heard
  })
  const on = (heard: Queue.Dequeue<{ readonly payload: string }, SqlError.SqlError>) =>
    Effect.forever(Effect.map(Queue.takeAll(heard), (all) =>
      desk.tell(all.flatMap(({ payload }): ReadonlyArray<News> => {
        const at = payload.indexOf(" ")
        const topic = payload.slice(0, at) as Topic
        return topics.includes(topic) ? [[topic, payload.slice(at + 1)]] : []
      }))
    ))
  yield* Effect.forkScoped(Effect.scoped(Effect.flatMap(hear, on)).pipe(Effect.retry(backoff), Effect.ignoreCause), { startImmediately: true })
})

/**
 * The database behind a URL. Clients of it come along, for what is made for those.
 *
 * What fails because the connection broke or the server is away is tried again until it is back. A URL that does not work at the
 * start is an error at once.
 */
export const layer = (url: Redacted.Redacted<string>): Layer.Layer<Database | SqlClient.SqlClient | PgClient.PgClient, DatabaseUnusable> =>
  Layer.effectContext(Effect.gen(function*() {
    const client = yield* connect(url)
    const desk = yield* makeNewsDesk
    yield* listen(client, desk)
    const tell = (news: ReadonlyArray<News>) => {
      const payloads = JSON.stringify(news.map(([topic, payload]) => `${topic} ${payload}`))
      if (news.length === 0) return Effect.void
      return Effect.asVoid(client`SELECT count(pg_notify(${channel}, value)) FROM jsonb_array_elements_text(CAST(${payloads} AS jsonb)) AS each (value)`)
    }
    const now = client`floor(extract(epoch FROM clock_timestamp()) * 1000)::float8`
    const database = Database.of({
      sql: client,
      dialect: "postgres",
      now: Effect.succeed(now),
      commit: (work) => persist(client.withTransaction(Effect.flatMap(work, ({ news, result }) => Effect.as(tell(news), result)))),
      read: persist,
      news: desk.news
    })
    return Context.make(Database, database).pipe(Context.add(SqlClient.SqlClient, client), Context.add(PgClient.PgClient, client))
  })).pipe(Layer.provide(Reactivity.layer))
