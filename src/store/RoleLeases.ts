/**
 * Which host has which role. The lease on a role has a number, its epoch; whoever takes the role has the next one, and from then on
 * whoever had an earlier one writes nothing more that leads to something external (ND-3).
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Migrator, SqlClient } from "effect/sql"
import type { Address } from "../rpc/SecureSocket.ts"
import { Database } from "./Database.ts"
import { Fence, FencedOff } from "./Fence.ts"
import { reading, SqlInteger } from "./Rows.ts"

/** The host that has a role, and where it serves it. */
export interface Holder {
  readonly role: string
  readonly host: string
  readonly epoch: number
  readonly address: Address
  /** Milliseconds since 1970, by the database's clock. */
  readonly takenAt: number
}

/** The right to a role, until another host takes it. */
export interface RoleLease {
  readonly role: string
  readonly epoch: number
  /** What the role's writes are to be made under. */
  readonly fence: (typeof Fence)["Service"]
}

const migrations = Migrator.fromRecord({
  "1_role_leases": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    // Without a host, nobody has it: its epoch is kept, so that none is given twice.
    yield* sql`CREATE TABLE role_leases (
      role TEXT PRIMARY KEY, epoch BIGINT NOT NULL, host TEXT, address_host TEXT NOT NULL, address_port INTEGER NOT NULL, taken_at BIGINT NOT NULL
    )`
  })
})

const readEpoch = reading(Schema.Struct({ epoch: SqlInteger, host: Schema.NullOr(Schema.String) }))
const readHolders = reading(Schema.Struct({
  role: Schema.String,
  epoch: SqlInteger,
  host: Schema.String,
  address_host: Schema.String,
  address_port: SqlInteger,
  taken_at: SqlInteger
}))

export class RoleLeases extends Context.Service<RoleLeases, {
  /** Takes a role from whoever has it: when it answers, that one writes nothing more under its fence. */
  readonly take: (role: string, host: string, address: Address) => Effect.Effect<RoleLease>
  /** Nobody has the role from now on, unless somebody has taken it meanwhile. */
  readonly release: (lease: RoleLease) => Effect.Effect<void>
  readonly holder: (role: string) => Effect.Effect<Option.Option<Holder>>
}>()("lignum/RoleLeases") {
  /** Every change is told to those who listen to the topic `roles`, with the role's name. */
  static readonly layer: Layer.Layer<RoleLeases, never, Database> = Layer.effect(
    RoleLeases,
    Effect.gen(function*() {
      const { commit, dialect, now, read, sql } = yield* Database
      yield* Migrator.make({})({ loader: migrations, table: "role_lease_migrations" }).pipe(Effect.provideService(SqlClient.SqlClient, sql), Effect.orDie)
      // Whoever takes the role meanwhile waits until what is written under the fence is committed.
      const shared = sql.literal(dialect === "postgres" ? "FOR SHARE" : "")

      const fence = (role: string, epoch: number) => ({
        check: readEpoch(sql`SELECT epoch, host FROM role_leases WHERE role = ${role} ${shared}`).pipe(
          Effect.flatMap(([newest]) => newest?.epoch === epoch && newest.host !== null ? Effect.void : Effect.fail(new FencedOff({ role, epoch })))
        )
      })

      return RoleLeases.of({
        take: Effect.fn("RoleLeases.take")(function*(role, host, address) {
          const epoch = yield* commit(Effect.gen(function*() {
            const [taken] = yield* readEpoch(sql`INSERT INTO role_leases (role, epoch, host, address_host, address_port, taken_at)
              VALUES (${role}, 1, ${host}, ${address.host}, ${address.port}, CAST(${yield* now} AS BIGINT))
              ON CONFLICT (role) DO UPDATE SET epoch = role_leases.epoch + 1, host = excluded.host,
                address_host = excluded.address_host, address_port = excluded.address_port, taken_at = excluded.taken_at
              RETURNING epoch, host`)
            return { result: taken!.epoch, news: [["roles", role]] }
          }))
          return { role, epoch, fence: fence(role, epoch) }
        }, Effect.orDie),

        release: Effect.fn("RoleLeases.release")(({ epoch, role }) =>
          commit(Effect.as(sql`UPDATE role_leases SET host = NULL WHERE role = ${role} AND epoch = ${epoch}`, {
            result: undefined,
            news: [["roles", role]] as const
          })), Effect.orDie),

        holder: Effect.fn("RoleLeases.holder")(function*(role) {
          const [row] = yield* readHolders(read(sql`SELECT role, epoch, host, address_host, address_port, taken_at
            FROM role_leases WHERE role = ${role} AND host IS NOT NULL`))
          return Option.map(Option.fromUndefinedOr(row), ({ address_host, address_port, taken_at, ...held }) => ({
            ...held,
            address: { host: address_host, port: address_port },
            takenAt: taken_at
          }))
        })
      })
    })
  )
}
