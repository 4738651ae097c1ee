/** Which host has which role. (A stand-in until the branch with the real one is merged.) */
import { Context, Effect, Layer, Option } from "effect"
import type { Address } from "../rpc/SecureSocket.ts"
import { Database } from "./Database.ts"
import { Fence, FencedOff } from "./Fence.ts"

export interface Holder {
  readonly role: string
  readonly host: string
  readonly epoch: number
  readonly address: Address
}

export interface RoleLease {
  readonly role: string
  readonly epoch: number
  readonly fence: (typeof Fence)["Service"]
}

export class RoleLeases extends Context.Service<RoleLeases, {
  readonly take: (role: string, host: string, address: Address) => Effect.Effect<RoleLease>
  readonly release: (lease: RoleLease) => Effect.Effect<void>
  readonly holder: (role: string) => Effect.Effect<Option.Option<Holder>>
}>()("lignum/RoleLeases") {
  static readonly layer = Layer.effect(RoleLeases, Effect.gen(function*() {
    const db = yield* Database
    const { sql } = db
    yield* sql`CREATE TABLE IF NOT EXISTS role_leases (role TEXT PRIMARY KEY, epoch INTEGER NOT NULL, host TEXT, address_host TEXT, address_port INTEGER)`.pipe(Effect.ignore)
    const fence = (role: string, epoch: number) => ({
      check: sql<{ epoch: number }>`SELECT epoch FROM role_leases WHERE role = ${role} FOR SHARE`.pipe(
        Effect.orDie,
        Effect.flatMap(([row]) => row?.epoch === epoch ? Effect.void : Effect.fail(new FencedOff({ role, epoch })))
      )
    })
    return {
      take: Effect.fn("RoleLeases.take")(function*(role: string, host: string, address: Address) {
        const epoch = yield* db.commit(Effect.gen(function*() {
          const [row] = yield* sql<{ epoch: number }>`INSERT INTO role_leases VALUES (${role}, 1, ${host}, ${address.host}, ${address.port})
            ON CONFLICT (role) DO UPDATE SET epoch = role_leases.epoch + 1, host = ${host}, address_host = ${address.host}, address_port = ${address.port} RETURNING epoch`
          return { result: row!.epoch, news: [["roles", role]] }
        }))
        return { role, epoch, fence: fence(role, epoch) }
      }, Effect.orDie),
      release: ({ epoch, role }: RoleLease) => db.commit(
        Effect.as(sql`UPDATE role_leases SET host = NULL WHERE role = ${role} AND epoch = ${epoch}`, { result: undefined, news: [["roles" as const, role]] as const })
      ).pipe(Effect.orDie),
      holder: (role: string) => sql<any>`SELECT * FROM role_leases WHERE role = ${role} AND host IS NOT NULL`.pipe(
        Effect.orDie,
        Effect.map(([row]) => row === undefined ? Option.none() : Option.some({ role, host: row.host, epoch: row.epoch, address: { host: row.address_host, port: row.address_port } }))
      )
    }
  }))
}
