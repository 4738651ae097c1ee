/**
 * How the control roles of an operator are, whichever hosts they are at: each host writes how its own are.
 */
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { ChildStatus } from "../node/Supervisor.ts"
import { Database } from "../store/Database.ts"

const Body = Schema.fromJsonString(ChildStatus)
const decode = Schema.decodeUnknownOption(Body)

export class RoleStatus extends Context.Service<RoleStatus, {
  /** Says how a role is at a host that has taken it in an epoch; what a later one has said stays. */
  readonly show: (epoch: number, status: ChildStatus) => Effect.Effect<void>
  /** How all are: the present first, then every change. */
  readonly changes: Stream.Stream<ReadonlyArray<ChildStatus>>
}>()("lignum/RoleStatus") {
  static readonly layer: Layer.Layer<RoleStatus, never, Database> = Layer.effect(
    RoleStatus,
    Effect.gen(function*() {
      const { commit, news, read, sql } = yield* Database
      yield* Effect.orDie(read(Effect.retry(
        sql`CREATE TABLE IF NOT EXISTS role_status (role TEXT PRIMARY KEY, epoch BIGINT NOT NULL, body TEXT NOT NULL)`,
        // Another host makes it at the same moment.
        { times: 3 }
      )))
      const all = Effect.map(
        Effect.orDie(read(sql<{ body: string }>`SELECT body FROM role_status ORDER BY role`)),
        (rows) => rows.flatMap(({ body }) => Option.toArray(decode(body)))
      )
      return RoleStatus.of({
        show: Effect.fn("RoleStatus.show")(function*(epoch, status) {
          const body = yield* Schema.encodeEffect(Body)(status)
          yield* commit(Effect.as(
            sql`INSERT INTO role_status (role, epoch, body) VALUES (${status.name}, ${epoch}, ${body})
              ON CONFLICT (role) DO UPDATE SET epoch = excluded.epoch, body = excluded.body WHERE role_status.epoch <= excluded.epoch`,
            { result: undefined, news: [["role-status", status.name]] }
          ))
        }, Effect.orDie),
        changes: Stream.unwrap(Effect.map(news("role-status"), (heard) => Stream.mapEffect(heard, () => all)))
      })
    })
  )
}
