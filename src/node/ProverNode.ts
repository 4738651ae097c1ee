/**
 * One supervised node: the seven roles in one process, talking through typed RPC (ND-1, ND-2).
 */
import { Context, Effect, Layer, Option, type Scope } from "effect"
import type { Rpc, RpcGroup } from "effect/rpc"
import { lonely, ProofGossip } from "../gossip/ProofGossip.ts"
import { L1 } from "../l1/L1.ts"
import { LedgerSource } from "../ledger/LedgerSource.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import { CheckpointWatcher, CheckpointWatcherRpcs } from "../roles/CheckpointWatcher.ts"
import { FeeController, FeeControllerRpcs, type FeeOptions } from "../roles/FeeController.ts"
import { Outbox, OutboxOptions } from "../roles/Outbox.ts"
import { ProofExchange, ProofExchangeRpcs } from "../roles/ProofExchange.ts"
import { ProverPool, ProverPoolRpcs } from "../roles/ProverPool.ts"
import { RewardAuditor, RewardAuditorRpcs } from "../roles/RewardAuditor.ts"
import { RoleFibers } from "../roles/RoleFibers.ts"
import { Settler, SettlerOptions, SettlerRpcs } from "../roles/Settler.ts"
import { TreePlanner, TreePlannerRpcs } from "../roles/TreePlanner.ts"
import { connectRole, type RoleShape, serveRole } from "../rpc/RoleService.ts"
import { type RoleName, RoleTransport } from "../rpc/RoleTransport.ts"
import { Store } from "../store/Store.ts"
import { NodeRpcs, NodeService } from "./NodeService.ts"
import { type Child, supervise, type Supervisor, type SupervisorOptions } from "./Supervisor.ts"

/** What every role stands on. */
export type NodePorts = L1 | LedgerSource | ProofSystem | Store | SettlerOptions | FeeOptions

/** All roles as clients. */
export type Roles = CheckpointWatcher | TreePlanner | ProverPool | ProofExchange | FeeController | Settler | RewardAuditor

/** A role's two ends on a transport: the client, and the server in front of the role itself. */
const ends = <Name extends Parameters<typeof serveRole>[0], Rpcs extends Rpc.Any, Self>(
  name: Name,
  group: RpcGroup.RpcGroup<Rpcs>,
  tag: Context.Key<Self, RoleShape<RpcGroup.RpcGroup<Rpcs>>>
) => ({ name, client: connectRole(name, group, tag), server: serveRole(name, group, tag) })

const checkpointWatcher = ends("checkpoint-watcher", CheckpointWatcherRpcs, CheckpointWatcher)
const treePlanner = ends("tree-planner", TreePlannerRpcs, TreePlanner)
const proverPool = ends("prover-pool", ProverPoolRpcs, ProverPool)
const proofExchange = ends("proof-exchange", ProofExchangeRpcs, ProofExchange)
const feeController = ends("fee-controller", FeeControllerRpcs, FeeController)
const settler = ends("settler", SettlerRpcs, Settler)
const rewardAuditor = ends("reward-auditor", RewardAuditorRpcs, RewardAuditor)
const nodeItself = ends("node", NodeRpcs, NodeService)

/** The roles from wherever they are served. */
export const connectRoles: Layer.Layer<Roles, never, RoleTransport> = Layer.mergeAll(
  checkpointWatcher.client,
  treePlanner.client,
  proverPool.client,
  proofExchange.client,
  feeController.client,
  settler.client,
  rewardAuditor.client
)

/** A node of another process: its roles and itself, as clients. */
export const connectNode: Layer.Layer<Roles | NodeService, never, RoleTransport> = Layer.merge(connectRoles, nodeItself.client)

/** Serves all of a node on a transport, for other processes. */
export const serveNode: Layer.Layer<never, never, Roles | NodeService | RoleTransport> = Layer.mergeAll(
  checkpointWatcher.server,
  treePlanner.server,
  proverPool.server,
  proofExchange.server,
  feeController.server,
  settler.server,
  rewardAuditor.server,
  nodeItself.server
)

/** A role as a supervised child: its service, the server in front of it, and its loops live and fail together. */
const child = <Self, R>(
  { name, server }: { readonly name: RoleName; readonly server: Layer.Layer<never, never, Self | RoleTransport> },
  layer: Layer.Layer<Self, never, R>
): Child<Exclude<R, RoleFibers> | RoleTransport> => ({
  name,
  start: Layer.build(server.pipe(Layer.provide(layer), Layer.provideMerge(RoleFibers.layer))).pipe(
    Effect.map((built) => Context.get(built, RoleFibers).failure)
  ) as Child<Exclude<R, RoleFibers> | RoleTransport>["start"]
})

/** Below the roles, so that none of them takes it along when it fails: all that matters of it is in the store. */
const outbox: Layer.Layer<Outbox, never, L1 | Store | SettlerOptions> = Outbox.layer.pipe(
  Layer.provide(Layer.effect(OutboxOptions, SettlerOptions))
)

/** The defaults of a node: a role that fails is restarted alone, at first after a quarter second. */
export const supervision: SupervisorOptions = {
  strategy: "one-for-one",
  backoff: "250 millis",
  maxBackoff: "15 seconds",
  restartLimit: { times: 8, within: "5 minutes" }
}

/** What the children take beside their ports. */
export type RoleSurroundings = Roles | Outbox | ProofGossip

/** The seven roles as supervised children, in the order in which they are started. */
export const roleChildren = [
  child(checkpointWatcher, CheckpointWatcher.layer),
  child(proverPool, ProverPool.layer),
  child(treePlanner, TreePlanner.layer),
  child(proofExchange, ProofExchange.layer),
  child(feeController, FeeController.layer),
  child(settler, Settler.layer),
  child(rewardAuditor, RewardAuditor.layer)
] satisfies ReadonlyArray<Child<NodePorts | RoleSurroundings | RoleTransport>>

/** The roles as clients of each other, the outbox below them, and the network of other provers, which is empty without `ProofGossip`. */
export const roleSurroundings: Effect.Effect<Context.Context<RoleSurroundings>, never, NodePorts | RoleTransport | Scope.Scope> = Effect.gen(function*() {
  const roles = yield* Layer.build(Layer.merge(connectRoles, outbox))
  const gossip = Option.getOrElse(yield* Effect.serviceOption(ProofGossip), () => lonely)
  return Context.add(roles, ProofGossip, gossip)
})

/** Starts the seven roles and keeps them running until the scope closes. */
export const startRoles = (
  options: SupervisorOptions = supervision
): Effect.Effect<Supervisor, never, NodePorts | RoleTransport | Scope.Scope> =>
  Effect.flatMap(roleSurroundings, (surroundings) =>
    supervise<NodePorts | RoleSurroundings | RoleTransport>(roleChildren, options).pipe(Effect.provideContext(surroundings)))
