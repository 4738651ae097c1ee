/**
 * One supervised node: the seven roles in one process, talking through typed RPC (ND-1, ND-2).
 */
import { Context, Effect, Layer, Option, type Scope } from "effect"
import { lonely, ProofGossip } from "../gossip/ProofGossip.ts"
import { JobsDesk, JobsRpcs } from "../jobs/JobsDesk.ts"
import { Jobs, OutputCheck } from "../jobs/Jobs.ts"
import { ProvingWorker } from "../jobs/ProvingWorker.ts"
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
import { serveRole } from "../rpc/RoleService.ts"
import { type RoleName, RoleTransport } from "../rpc/RoleTransport.ts"
import { Store } from "../store/Store.ts"
import { NodeRpcs, NodeService } from "./NodeService.ts"
import { type Child, supervise, type Supervisor, type SupervisorOptions } from "./Supervisor.ts"

/** What every role stands on. */
export type NodePorts = L1 | LedgerSource | ProofSystem | Store | Jobs | OutputCheck | SettlerOptions | FeeOptions

/** All roles as clients. */
export type Roles = CheckpointWatcher | TreePlanner | ProverPool | ProofExchange | FeeController | Settler | RewardAuditor

/** The roles from wherever they are served. */
export const connectRoles: Layer.Layer<Roles, never, RoleTransport> = Layer.mergeAll(
  CheckpointWatcher.layerRemote,
  TreePlanner.layerRemote,
  ProverPool.layerRemote,
  ProofExchange.layerRemote,
  FeeController.layerRemote,
  Settler.layerRemote,
  RewardAuditor.layerRemote
)

/** A node of another process: its roles and itself, as clients. */
export const connectNode: Layer.Layer<Roles | NodeService, never, RoleTransport> = Layer.merge(connectRoles, NodeService.layerRemote)

const servers = {
  "checkpoint-watcher": serveRole("checkpoint-watcher", CheckpointWatcherRpcs, CheckpointWatcher),
  "tree-planner": serveRole("tree-planner", TreePlannerRpcs, TreePlanner),
  "prover-pool": serveRole("prover-pool", ProverPoolRpcs, ProverPool),
  "proof-exchange": serveRole("proof-exchange", ProofExchangeRpcs, ProofExchange),
  "fee-controller": serveRole("fee-controller", FeeControllerRpcs, FeeController),
  settler: serveRole("settler", SettlerRpcs, Settler),
  "reward-auditor": serveRole("reward-auditor", RewardAuditorRpcs, RewardAuditor)
}

/** Serves all of a node on a transport, for other processes. */
export const serveNode: Layer.Layer<never, never, Roles | NodeService | Jobs | RoleTransport> = Layer.mergeAll(
  servers["checkpoint-watcher"],
  servers["tree-planner"],
  servers["prover-pool"],
  servers["proof-exchange"],
  servers["fee-controller"],
  servers.settler,
  servers["reward-auditor"],
  serveRole("node", NodeRpcs, NodeService),
  Layer.provide(serveRole("jobs", JobsRpcs, JobsDesk), JobsDesk.layer)
)

/** A role as a supervised child: its service, the server in front of it, and its loops live and fail together. */
const child = <Self, R>(
  name: RoleName,
  server: Layer.Layer<never, never, Self | RoleTransport>,
  layer: Layer.Layer<Self, never, R>
): Child<Exclude<R, RoleFibers> | RoleTransport> => ({
  name,
  start: Layer.build(server.pipe(Layer.provide(layer), Layer.provideMerge(RoleFibers.layer))).pipe(
    Effect.map((built) => Context.get(built, RoleFibers).failure)
  ) as Child<Exclude<R, RoleFibers> | RoleTransport>["start"]
})

/**
 * The host's proving worker as a child: no role, but what the pool's jobs are done by.
 *
 * @param onStart is given the worker each time that it starts
 */
export const provingWorker = (onStart: (worker: ProvingWorker["Service"]) => void = () => {}): Child<Jobs | ProofSystem> => ({
  name: "proving-worker",
  start: Effect.map(Layer.build(Layer.provideMerge(ProvingWorker.layer, RoleFibers.layer)), (built) => {
    onStart(Context.get(built, ProvingWorker))
    return Context.get(built, RoleFibers).failure
  })
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
export const roleChildren: ReadonlyArray<Child<NodePorts | RoleSurroundings | RoleTransport>> = [
  child("checkpoint-watcher", servers["checkpoint-watcher"], CheckpointWatcher.layer),
  child("prover-pool", servers["prover-pool"], ProverPool.layer),
  child("tree-planner", servers["tree-planner"], TreePlanner.layer),
  child("proof-exchange", servers["proof-exchange"], ProofExchange.layer),
  child("fee-controller", servers["fee-controller"], FeeController.layer),
  child("settler", servers.settler, Settler.layer),
  child("reward-auditor", servers["reward-auditor"], RewardAuditor.layer)
]

/** The roles as clients of each other, the outbox below them, and the network of other provers, which is empty without `ProofGossip`. */
export const roleSurroundings: Effect.Effect<Context.Context<RoleSurroundings>, never, NodePorts | RoleTransport | Scope.Scope> = Effect.gen(function*() {
  const roles = yield* Layer.build(Layer.merge(connectRoles, outbox))
  const gossip = Option.getOrElse(yield* Effect.serviceOption(ProofGossip), () => lonely)
  return Context.add(roles, ProofGossip, gossip)
})

/** Starts the proving worker and the seven roles, and keeps them running until the scope closes. */
export const startRoles = (
  options: SupervisorOptions = supervision
): Effect.Effect<Supervisor, never, NodePorts | RoleTransport | Scope.Scope> =>
  Effect.flatMap(roleSurroundings, (surroundings) =>
    supervise<NodePorts | RoleSurroundings | RoleTransport>([provingWorker(), ...roleChildren], options).pipe(Effect.provideContext(surroundings)))
