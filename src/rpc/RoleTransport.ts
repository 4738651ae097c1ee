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

/**
 * What a transport carries: the roles, a node as a whole, its jobs, the rollup's ledger from where consensus is, and what the hosts of a
 * cluster tell each other.
 */
export const serviceNames = [...roleNames, "node", "jobs", "ledger", "cluster"] as const

export type ServiceName = (typeof serviceNames)[number]

export class RoleTransport extends Context.Service<RoleTransport, {
  /** Takes over a name until the scope closes; the newest server wins. */
  readonly serve: (service: ServiceName) => Effect.Effect<RpcServer.Protocol["Service"], never, Scope.Scope>
  /**
   * A client's end. Requests made while nobody serves the name wait for the next server; where there is nobody to wait with, or a
   * server goes away, they fail with `RpcClientError` and are to be made again.
   */
  readonly connect: (service: ServiceName) => Effect.Effect<RpcClient.Protocol["Service"], never, Scope.Scope>
}>()("lignum/RoleTransport") {}
