/**
 * Roles that move between the hosts of an operator: served on a host's port, and found by who has taken the lease on them
 * (`store/RoleLeases.ts`). A connection is broken off when its role has moved, and the next one goes where it is now.
 */
import { Context, Effect, Layer, Option, Stream, SubscriptionRef } from "effect"
import { RoleTransport, type ServiceName, serviceNames } from "../rpc/RoleTransport.ts"
import type { Address, Located, Secret } from "../rpc/SecureSocket.ts"
import * as SocketTransport from "../rpc/SocketTransport.ts"
import { Database } from "../store/Database.ts"
import { type Holder, RoleLeases } from "../store/RoleLeases.ts"

/** Who has each role, as far as this process has heard. */
export class RoleHolders extends Context.Service<RoleHolders, {
  /** Where a role is; waits while no host has it. */
  readonly locate: (service: ServiceName) => Effect.Effect<Located>
  /** Ends when somebody has taken a role after an epoch. */
  readonly taken: (service: ServiceName, after: number) => Effect.Effect<Holder>
}>()("lignum/RoleHolders") {
  static readonly layer: Layer.Layer<RoleHolders, never, Database | RoleLeases> = Layer.effect(
    RoleHolders,
    Effect.gen(function*() {
      const { news } = yield* Database
      const leases = yield* RoleLeases
      const holders = yield* SubscriptionRef.make<ReadonlyMap<string, Holder>>(new Map())

      const look = Effect.fnUntraced(function*(service: string) {
        const holder = yield* leases.holder(service)
        yield* SubscriptionRef.update(holders, (known) => {
          const now = new Map(known)
          if (Option.isSome(holder)) now.set(service, holder.value)
          else now.delete(service)
          return now
        })
        return holder
      })

      const heard = yield* news("roles")
      yield* heard.pipe(
        Stream.runForEach((service) => service === undefined ? Effect.forEach(serviceNames, look, { discard: true }) : look(service)),
        Effect.forkScoped
      )

      const next = (service: string, differs: (holder: Holder | undefined) => boolean) =>
        SubscriptionRef.changes(holders).pipe(
          Stream.map((all) => all.get(service)),
          Stream.filter(differs),
          Stream.runHead,
          Effect.map(Option.getOrUndefined)
        )

      const taken = (service: ServiceName, after: number) =>
        Effect.map(next(service, (present) => present !== undefined && present.epoch > after), (holder) => holder!)

      return RoleHolders.of({
        locate: Effect.fnUntraced(function*(service) {
          const { address, epoch } = Option.getOrUndefined(yield* look(service)) ?? (yield* taken(service, 0))
          return { ...address, left: Effect.asVoid(next(service, (present) => present?.epoch !== epoch)) }
        }),
        taken
      })
    })
  )
}

/** A transport to the roles of a cluster, wherever they are; nothing can be served on it. */
export const connecting = (secret: Secret): Effect.Effect<RoleTransport["Service"], never, RoleHolders> =>
  Effect.map(RoleHolders, ({ locate }) => {
    const to = (service: ServiceName) => SocketTransport.connecting({ secret, locate: locate(service) })
    return { serve: to("node").serve, connect: (service) => to(service).connect(service) }
  })

/** A host's transport: what it serves is on its own port, and what it asks for is wherever it is. */
export const listening = Effect.fnUntraced(function*(options: { readonly secret: Secret; readonly at: Address }) {
  const { address, transport } = yield* SocketTransport.listening(options)
  const { connect } = yield* connecting(options.secret)
  return { address, transport: RoleTransport.of({ serve: transport.serve, connect }) }
})
