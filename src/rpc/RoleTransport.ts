/**
 * How roles reach each other: one server per role name, any number of clients (ND-2). A role never knows which transport it is on.
 */
import { Context, type Effect, type Scope } from "effect"
import type { RpcClient, RpcServer } from "effect/rpc"

/** The roles of a node, in the order in which data walks through them. */
export const roleNames = [
  "checkpoint-watcher",
  "tree-planner",
  "prover-pool",
  "proof-exchange",
  "fee-controller",
  "settler",
  "reward-auditor"
] as const

export type RoleName = (typeof roleNames)[number]

export class RoleTransport extends Context.Service<RoleTransport, {
  /** Takes over a role's name until the scope closes; the newest server wins. */
  readonly serve: (role: RoleName) => Effect.Effect<RpcServer.Protocol["Service"], never, Scope.Scope>
  /** A client's end. Requests made while nobody serves the role wait for the next server. */
  readonly connect: (role: RoleName) => Effect.Effect<RpcClient.Protocol["Service"], never, Scope.Scope>
}>()("lignum/RoleTransport") {}
