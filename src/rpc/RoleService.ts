/**
 * One definition per role, used four ways: an RPC group gives the service's type, its server and its remote layer;
 * the local layer is the role itself.
 */
import { Cause, type Context, Effect, Layer, Schedule, Schema, type Scope, Stream } from "effect"
import { type Rpc, RpcClient, RpcClientError, type RpcGroup, type RpcSchema, RpcServer } from "effect/rpc"
import { type ServiceName, RoleTransport } from "./RoleTransport.ts"

/** The service that an RPC group describes: a method per RPC, a stream where the RPC streams. */
export type RoleShape<Group> = {
  readonly [R in RpcGroup.Rpcs<Group> as R["_tag"]]: (
    payload: Rpc.Payload<R>
  ) => Rpc.SuccessSchema<R> extends RpcSchema.Stream<infer A, infer _E> ? Stream.Stream<A["Type"], Rpc.ErrorExit<R>>
    : Effect.Effect<Rpc.Success<R>, Rpc.Error<R>>
}

type Method = (payload: unknown) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

/**
 * Serves a role's service on the transport until the scope closes.
 *
 * @param tag the service, already built by the role's own layer
 */
export const serveRole = <Rpcs extends Rpc.Any, Self>(
  role: ServiceName,
  group: RpcGroup.RpcGroup<Rpcs>,
  tag: Context.Key<Self, RoleShape<RpcGroup.RpcGroup<Rpcs>>>
): Layer.Layer<never, never, Self | RoleTransport> => {
  const handlers = group.toLayer(Effect.map(tag, (service) => service as never))
  const protocol = Layer.effect(
    RpcServer.Protocol,
    Effect.flatMap(RoleTransport, (transport) => transport.serve(role))
  )
  return RpcServer.layer(group, { disableFatalDefects: true }).pipe(
    Layer.provide([handlers, protocol])
  ) as Layer.Layer<never, never, Self | RoleTransport>
}

/** The server went away in the middle of a stream: begin a new one. */
export class ServiceLost extends Schema.TaggedError<ServiceLost>()("ServiceLost", {}) {}

/** How soon something is asked again after its server went away. */
export const reconnect = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("2 seconds")])

/**
 * A server that is killed leaves a broken connection behind; one that stops in order interrupts its calls first. To a caller
 * both mean the same. (Had the caller itself been interrupted, nothing here would run.)
 */
const isLost = (cause: Cause.Cause<unknown>): boolean =>
  Cause.hasInterruptsOnly(cause) || Cause.squash(cause) instanceof RpcClientError.RpcClientError

const lostOr = (cause: Cause.Cause<unknown>) => isLost(cause) ? Cause.fail(new ServiceLost()) : cause

const untilAnswered = (call: Effect.Effect<unknown, unknown>) =>
  call.pipe(
    Effect.catchCause((cause) => Effect.failCause(lostOr(cause))),
    Effect.retry({ schedule: reconnect, while: (error) => error instanceof ServiceLost })
  )

const untilLost = (stream: Stream.Stream<unknown, unknown>) => stream.pipe(Stream.catchCause((cause) => Stream.failCause(lostOr(cause))))

const startedOver = <A, E>(stream: Stream.Stream<A, E | ServiceLost>) =>
  stream.pipe(Stream.retry(reconnect.pipe(Schedule.while(({ input }) => Effect.succeed(input instanceof ServiceLost)))))

/** A service as its clients see it while one server lives: streams also end when the server goes away. */
export type ClientShape<Group> = {
  readonly [R in RpcGroup.Rpcs<Group> as R["_tag"]]: (
    payload: Rpc.Payload<R>
  ) => Rpc.SuccessSchema<R> extends RpcSchema.Stream<infer A, infer _E> ? Stream.Stream<A["Type"], Rpc.ErrorExit<R> | ServiceLost>
    : Effect.Effect<Rpc.Success<R>, Rpc.Error<R>>
}

/** A client whose calls are made again when they lose their server, and whose streams fail then. */
export const connectService = <Rpcs extends Rpc.Any>(
  service: ServiceName,
  group: RpcGroup.RpcGroup<Rpcs>
): Effect.Effect<ClientShape<RpcGroup.RpcGroup<Rpcs>>, never, RoleTransport | Scope.Scope> =>
  Effect.gen(function*() {
    const transport = yield* RoleTransport
    const protocol = yield* transport.connect(service)
    const client = yield* (RpcClient.make(group) as Effect.Effect<Record<string, Method>, never, RpcClient.Protocol | Scope.Scope>)
      .pipe(Effect.provideService(RpcClient.Protocol, protocol))
    const methods: Record<string, Method> = {}
    for (const name of group.requests.keys()) {
      methods[name] = (payload) => {
        const result = client[name]!(payload)
        return Effect.isEffect(result) ? untilAnswered(result) : untilLost(result)
      }
    }
    return methods as never
  })

/**
 * The role as a client. A call that loses its server is made again when there is a new one, and a stream starts over, so
 * every method of a role is idempotent and every stream begins with the present state (ND-1, ND-3).
 */
export const connectRole = <Rpcs extends Rpc.Any, Self>(
  role: ServiceName,
  group: RpcGroup.RpcGroup<Rpcs>,
  tag: Context.Key<Self, RoleShape<RpcGroup.RpcGroup<Rpcs>>>
): Layer.Layer<Self, never, RoleTransport> =>
  Layer.effect(
    tag,
    Effect.map(connectService(role, group), (client) => {
      const methods: Record<string, Method> = {}
      for (const [name, method] of Object.entries(client as Record<string, Method>)) {
        methods[name] = (payload) => {
          const result = method(payload)
          return Effect.isEffect(result) ? result : startedOver(result)
        }
      }
      return methods as never
    })
  )
