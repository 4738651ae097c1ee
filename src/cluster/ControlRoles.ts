/**
 * The control roles of an operator, each at one of its hosts at a time: a singleton of the cluster that takes the lease on its role, and then
 * runs the role as a lone node does, supervised.
 *
 * For a moment two hosts can run a role. What either writes that leads to something external is written under its lease's fence, so that
 * the earlier one writes nothing more, and stops (ND-3).
 */
import { Context, Deferred, Duration, Effect, Layer, Stream } from "effect"
import { Singleton } from "effect/cluster"
import { type Child, type RestartLimitReached, supervise, type SupervisorOptions } from "../node/Supervisor.ts"
import type { ServiceName } from "../rpc/RoleTransport.ts"
import type { Address } from "../rpc/SecureSocket.ts"
import { Fence } from "../store/Fence.ts"
import { RoleLeases } from "../store/RoleLeases.ts"
import { RoleHolders } from "./ClusterTransport.ts"
import { RoleStatus } from "./RoleStatus.ts"

/** This host, as it is entered in leases. */
export class ControlHost extends Context.Service<ControlHost, {
  readonly name: string
  readonly address: Address
  readonly supervision: SupervisorOptions
  /** Fails when a role failed too often: then this host is to end, and another one has a try. */
  readonly gaveUp: Deferred.Deferred<never, RestartLimitReached>
}>()("lignum/ControlHost") {
  static readonly layer = (who: { readonly name: string; readonly address: Address; readonly supervision: SupervisorOptions }) =>
    Layer.effect(ControlHost, Effect.map(Deferred.make<never, RestartLimitReached>(), (gaveUp) => ({ ...who, gaveUp })))
}

/**
 * A host that lost a role to another waits so long before it takes it again, if the cluster still holds it for the right one: longer than
 * the locks on shards last, so that by then only one of them does.
 */
const truce = Duration.seconds(6)

/** Has the role once: from its lease's beginning until another host takes it. */
const hold = Effect.fnUntraced(function*<R>(child: Child<R>) {
  const leases = yield* RoleLeases
  const { taken } = yield* RoleHolders
  const { address, gaveUp, name, supervision } = yield* ControlHost
  const { show } = yield* RoleStatus
  const role = child.name as ServiceName
  const lease = yield* leases.take(role, name, address)
  const supervisor = yield* Effect.provideService(supervise([child], supervision), Fence, lease.fence)
  yield* Effect.forkScoped(Stream.runForEach(supervisor.changes, ([present]) => show(lease.epoch, present!)))
  // The next holder need not wait for what is still in hand here.
  yield* Effect.addFinalizer(() => leases.release(lease))
  yield* supervisor.run.pipe(
    Effect.catchTag("RestartLimitReached", (error) => Effect.andThen(Deferred.fail(gaveUp, error), Effect.never)),
    Effect.raceFirst(Effect.flatMap(taken(role, lease.epoch), (holder) =>
      Effect.logWarning(`${holder.host} has taken the ${role} over (epoch ${holder.epoch}): it stops here`)))
  )
}, Effect.scoped)

/** A role as a singleton among the hosts that have control roles. */
export const controlRole = <R>(child: Child<R>) =>
  Singleton.make(
    child.name,
    Effect.gen(function*() {
      yield* Effect.logInfo(`takes the ${child.name}`)
      return yield* Effect.forever(Effect.andThen(hold(child), Effect.sleep(truce)))
    }),
    { shardGroup: "control" }
  )
