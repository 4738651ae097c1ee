/**
 * What makes a process a host of a cluster: the database of its operator, its own port, its part of the shards.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import type { MessageStorage, Sharding } from "effect/cluster"
import type { SqlClient } from "effect/sql"
import type { SupervisorOptions } from "../node/Supervisor.ts"
import { supervision } from "../node/ProverNode.ts"
import { RoleTransport } from "../rpc/RoleTransport.ts"
import type { Address, ListenFailed } from "../rpc/SecureSocket.ts"
import type { Database } from "../store/Database.ts"
import type { RoleLeases } from "../store/RoleLeases.ts"
import { listening, RoleHolders } from "./ClusterTransport.ts"
import { ControlHost } from "./ControlRoles.ts"
import { RoleStatus } from "./RoleStatus.ts"
import * as Runner from "./Runner.ts"

export interface MembershipOptions extends Pick<Runner.RunnerOptions, "groups" | "secret" | "weight"> {
  readonly name: string
  readonly listen: Address
  /** The host that others reach this one by; the one that it listens at, if not given. */
  readonly advertise?: string | undefined
  readonly supervision?: SupervisorOptions
}

export type Membership = RoleTransport | RoleHolders | RoleStatus | ControlHost | Sharding.Sharding | MessageStorage.MessageStorage

/** Joins until the scope closes; then its roles and shards go to other hosts at once. */
export const joinCluster = Effect.fnUntraced(function*(
  options: MembershipOptions
): Effect.fn.Return<Context.Context<Membership>, ListenFailed, Database | RoleLeases | SqlClient.SqlClient | Scope.Scope> {
  const { advertise, listen, name, secret } = options
  const holders = yield* Layer.build(RoleHolders.layer)
  const { address: listens, transport } = yield* Effect.provideContext(listening({ secret, at: listen }), holders)
  const address = { host: advertise ?? listens.host, port: listens.port }
  return yield* Layer.build(
    Layer.mergeAll(
      Runner.layer({ ...options, address }),
      RoleStatus.layer,
      ControlHost.layer({ name, address, supervision: options.supervision ?? supervision })
    ).pipe(Layer.provideMerge(Layer.succeedContext(Context.add(holders, RoleTransport, transport))))
  )
})
