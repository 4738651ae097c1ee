/**
 * A host: one process of an operator's cluster. It has control roles, if it has what they stand on, and proves, if it offers to.
 */
import { Context, Deferred, type Duration, Effect, Fiber, Layer, type Redacted, type Scope } from "effect"
import type { ProofGossip } from "../gossip/ProofGossip.ts"
import { proofCheck } from "../jobs/ProofJobs.ts"
import { ProvingHost, type ProvingWorker } from "../jobs/ProvingWorker.ts"
import * as SqlJobs from "../jobs/SqlJobs.ts"
import type { L1 } from "../l1/L1.ts"
import type { LedgerSource } from "../ledger/LedgerSource.ts"
import { connectRoles, type NodePorts, provingWorker, roleChildren, type Roles, type RoleSurroundings, roleSurroundings, supervision } from "../node/ProverNode.ts"
import { type Child, type RestartLimitReached, supervise } from "../node/Supervisor.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import type { FeeOptions } from "../roles/FeeController.ts"
import type { SettlerOptions } from "../roles/Settler.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import type { Address, ListenFailed, Secret } from "../rpc/SecureSocket.ts"
import { Database } from "../store/Database.ts"
import * as PostgresDatabase from "../store/PostgresDatabase.ts"
import { RoleLeases } from "../store/RoleLeases.ts"
import * as SqlStore from "../store/SqlStore.ts"
import { ControlHost, controlRole } from "./ControlRoles.ts"
import { joinCluster } from "./Membership.ts"
import type { RoleStatus } from "./RoleStatus.ts"
import * as ProvingJob from "./ProvingJob.ts"

/** What control roles stand on, beside what all hosts share. What an operator decides about single roles may come along. */
export type ControlPorts = L1 | LedgerSource | SettlerOptions | FeeOptions

export interface HostOptions<E = never> {
  /** Told from all other hosts of the operator. Who comes with the name of another takes its place. */
  readonly name: string
  /** The operator's Postgres, as `postgres://…`. */
  readonly database: Redacted.Redacted<string>
  /** What all hosts of the operator know, and nobody else. */
  readonly secret: Secret
  /** Port 0 picks a free one. */
  readonly listen: Address
  /** The host that others reach this one by; the one that it listens at, if not given. */
  readonly advertise?: string | undefined
  /** Without it, this host has no control roles. */
  readonly control?: {
    readonly ports: Layer.Layer<ControlPorts, E, Database>
    /** The network of other provers, built where the proof exchange is; without it, the operator works alone. */
    readonly gossip?: Layer.Layer<ProofGossip, { readonly message: string }> | undefined
    /** Runs at one host with control roles at a time, beside the roles. */
    readonly beside?: ReadonlyArray<ControlChild>
  } | undefined
  /** What it offers to prove with its `ProofSystem`; nothing if not given. */
  readonly proving?: Omit<ProvingHost, "name"> | undefined
  /** For how long it goes on with what it proves when it is told to stop; then it gives the rest back. */
  readonly drainWithin: Duration.Input
}

/** What runs at one control host at a time. */
export type ControlChild = Child<NodePorts | RoleSurroundings | RoleTransport | RoleStatus | HostPorts>

export interface Host {
  /** Where others reach it. */
  readonly address: Address
  /** The roles, wherever they are. */
  readonly roles: Context.Context<Roles>
  /** Never ends well: fails when a part of this host failed too often. */
  readonly run: Effect.Effect<never, RestartLimitReached>
}

const openDatabase = Effect.fnUntraced(function*(url: Redacted.Redacted<string>) {
  const system = yield* ProofSystem
  const database = yield* Layer.build(PostgresDatabase.layer(url))
  const tables = Layer.mergeAll(SqlStore.layer, SqlJobs.layer, RoleLeases.layer).pipe(
    Layer.provideMerge(Layer.provideMerge(proofCheck, Layer.succeed(ProofSystem, system))),
    Layer.provideMerge(Layer.succeedContext(database))
  )
  // Where the connection breaks while tables are made, they are made again.
  return yield* Context.get(database, Database).read(Layer.build(tables))
})

/** What is the same at every host, beside the cluster itself. */
export type HostPorts = Effect.Success<ReturnType<typeof openDatabase>> extends Context.Context<infer S> ? S : never

/** The proving worker, supervised; `drain` ends when it has nothing in hand any more. */
const startWorker = Effect.fnUntraced(function*(drainWithin: Duration.Input) {
  let present: ProvingWorker["Service"] | undefined
  const { run } = yield* supervise([provingWorker((worker) => void (present = worker))], supervision)
  return { run, drain: Effect.suspend(() => present?.drain(drainWithin) ?? Effect.void) }
})

/** A role, with the network of other provers built where it is. */
const withGossip = <R>(child: Child<R>, gossip: Layer.Layer<ProofGossip, { readonly message: string }>): Child<R> => ({
  ...child,
  start: Effect.flatMap(Layer.build(gossip), (built) => Effect.provideContext(child.start, built))
})

const startControl = Effect.fnUntraced(function*<E>({ beside = [], gossip, ports }: NonNullable<HostOptions<E>["control"]>) {
  const built = yield* Layer.build(ports)
  const surroundings = yield* Effect.provideContext(roleSurroundings, built)
  const roles: ReadonlyArray<ControlChild> = roleChildren.map((child) => child.name === "proof-exchange" && gossip !== undefined ? withGossip(child, gossip) : child)
  yield* Effect.forEach([...roles, ...beside], (child) => Layer.build(controlRole(child)), { discard: true }).pipe(
    Effect.provideContext(Context.merge(built, surroundings))
  )
})

/**
 * Runs a host until the scope closes. Then it begins no more proofs, hands its roles over to other hosts, and finishes what it proves,
 * or gives it back.
 */
export const startHost = Effect.fnUntraced(function*<E = never>(
  options: HostOptions<E>
): Effect.fn.Return<Host, E | ListenFailed | PostgresDatabase.DatabaseUnusable, ProofSystem | Scope.Scope> {
  const { control, drainWithin, name, proving } = options
  const own = yield* openDatabase(options.database)
  const worker = proving === undefined ? undefined : yield* startWorker(drainWithin).pipe(
    Effect.provideContext(Context.add(own, ProvingHost, { ...proving, name }))
  )
  let draining: Fiber.Fiber<void> | undefined
  yield* Effect.addFinalizer(() => draining === undefined ? Effect.void : Fiber.await(draining))

  const cluster = yield* joinCluster({
    ...options,
    groups: [...(control === undefined ? [] : ["control" as const]), ...(proving?.sizes ?? [])],
    weight: Math.max(1, (yield* ProofSystem).capacity)
  }).pipe(Effect.provideContext(own))
  const all = Context.merge(own, cluster)
  if (proving !== undefined) yield* Effect.provideContext(Layer.build(ProvingJob.handlers), all)
  const ports = Context.merge(all, yield* Effect.provideContext(Layer.build(ProvingJob.layer), all))
  const roles = yield* Effect.provideContext(Layer.build(connectRoles), ports)
  if (control !== undefined) yield* startControl(control).pipe(Effect.provideContext(ports))
  if (worker !== undefined) {
    yield* Effect.addFinalizer(() => Effect.map(Effect.forkDetach(worker.drain, { startImmediately: true }), (fiber) => {
      draining = fiber
    }))
  }

  const { address, gaveUp } = Context.get(cluster, ControlHost)
  yield* Effect.logInfo(`host ${name} runs, for others at ${address.host}:${address.port}`)
  return { address, roles, run: Effect.raceFirst(Deferred.await(gaveUp), worker?.run ?? Effect.never) }
})
