/**
 * One definition per role, used four ways: an RPC group gives the service's type, its server and its remote layer;
 * the local layer is the role itself.
 *
 * A call ends in one of three ways: it is answered; its caller is interrupted, and with it the work; or it is lost, because the server
 * went away or its deadline passed, and then it is made again, which a log line says. So every method of a role is idempotent, a passed
 * deadline is in no error type, and who will not wait for ever says so with `Effect.timeout` (ND-1, ND-3).
 */
import { Cause, type Context, Duration, Effect, Layer, Schedule, Schema, type Scope, Semaphore, Stream } from "effect"
import { type Headers } from "effect/http"
import { type Rpc, RpcClient, RpcClientError, type RpcGroup, type RpcSchema, RpcServer } from "effect/rpc"
import { deadlineOf, headersFor, stopAtDeadline } from "./Deadline.ts"
import { maxCalls, maxWaits } from "./MessageLimits.ts"
import { type ServiceName, RoleTransport } from "./RoleTransport.ts"

/** The service that an RPC group describes: a method per RPC, a stream where the RPC streams. */
export type RoleShape<Group> = {
  readonly [R in RpcGroup.Rpcs<Group> as R["_tag"]]: (
    payload: Rpc.Payload<R>
  ) => Rpc.SuccessSchema<R> extends RpcSchema.Stream<infer A, infer _E> ? Stream.Stream<A["Type"], Rpc.ErrorExit<R>>
    : Effect.Effect<Rpc.Success<R>, Rpc.Error<R>>
}

type Method = (payload: unknown, options?: { readonly headers: Headers.Input }) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

/** A service's methods as a server runs them: each stops at its deadline. */
export const handlersOf = <Rpcs extends Rpc.Any, Self>(
  group: RpcGroup.RpcGroup<Rpcs>,
  tag: Context.Key<Self, RoleShape<RpcGroup.RpcGroup<Rpcs>>>
) =>
  group.toLayer(Effect.map(tag, (service) => {
    const handlers: Record<string, (payload: unknown, call: { readonly headers: Headers.Headers }) => ReturnType<Method>> = {}
    for (const [name, rpc] of group.requests) {
      const method = (service as Record<string, Method>)[name]!
      handlers[name] = (payload, { headers }) => {
        const result = method(payload)
        return Effect.isEffect(result) ? stopAtDeadline(result, rpc, headers) : result
      }
    }
    return handlers as never
  }))

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
  const handlers = handlersOf(group, tag)
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

/** Given up when its deadline has passed, as lost. */
const inTime = (call: Effect.Effect<unknown, unknown>, what: string, deadline: Duration.Duration) =>
  Duration.isFinite(deadline)
    ? Effect.timeoutOrElse(call, {
      duration: deadline,
      orElse: () =>
        Effect.andThen(Effect.logWarning(`${what} was not answered within ${Duration.format(deadline)}: asks again`), Effect.fail(new ServiceLost()))
    })
    : call

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

/**
 * A client whose calls are made again when they lose their server, and whose streams fail then. No more than so many are under way at
 * once; the others wait for their turn here.
 */
export const connectService = <Rpcs extends Rpc.Any>(
  service: ServiceName,
  group: RpcGroup.RpcGroup<Rpcs>
): Effect.Effect<ClientShape<RpcGroup.RpcGroup<Rpcs>>, never, RoleTransport | Scope.Scope> =>
  Effect.gen(function*() {
    const transport = yield* RoleTransport
    const protocol = yield* transport.connect(service)
    const client = yield* (RpcClient.make(group) as Effect.Effect<Record<string, Method>, never, RpcClient.Protocol | Scope.Scope>)
      .pipe(Effect.provideService(RpcClient.Protocol, protocol))
    // Calls that wait for something have places of their own: they must not keep others from being answered.
    const [calls, waits] = [yield* Semaphore.make(maxCalls), yield* Semaphore.make(maxWaits)]
    const methods: Record<string, Method> = {}
    for (const [name, rpc] of group.requests) {
      const deadline = deadlineOf(rpc)
      const options = { headers: headersFor(deadline) }
      const places = Duration.isFinite(deadline) ? calls : waits
      methods[name] = (payload) => {
        const result = client[name]!(payload, options)
        return Effect.isEffect(result)
          ? untilAnswered(places.withPermit(inTime(result, `${name} of the ${service}`, deadline)))
          : untilLost(result)
      }
    }
    return methods as never
  })

/** The role as a client. A stream that loses its server starts over, and so begins with the present state. */
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
