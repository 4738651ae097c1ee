/**
 * Roles in other processes, on this host or another: a secure connection per role, one line of JSON per message (ND-2).
 *
 * To a caller it is as in one process: what is asked while nobody serves a role waits, and a server that goes away is a lost
 * connection, after which `connectRole` asks again.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Deferred, Effect, Option, Schedule, type Scope, Stream, SubscriptionRef } from "effect"
import { RpcClient, RpcSerialization, RpcServer } from "effect/rpc"
import { Socket, SocketServer } from "effect/socket"
import type { TLSSocket } from "node:tls"
import { limitedJson, limitMessages } from "./MessageLimits.ts"
import { type RoleTransport, type ServiceName, serviceNames } from "./RoleTransport.ts"
import { type Address, dial, listen as listenAt, type ListenFailed, type ListenLimits, type Located, protocolOf, type Secret } from "./SecureSocket.ts"

const serviceOf = (protocol: string): ServiceName | undefined => serviceNames.find((service) => protocolOf(service) === protocol)

/** How long a connection waits for somebody to serve what it is for. Then it is closed, and a client that still wants it comes again. */
const deskPatience = "10 seconds"

/** Milliseconds for which a server that stops waits for a client that takes nothing. */
const farewell = 1_000

/** Whoever serves a name at the moment. */
interface Attendant {
  readonly attend: (socket: Socket.Socket) => Effect.Effect<unknown, unknown, Scope.Scope>
  readonly gone: Deferred.Deferred<void>
}

/** A client's connection: no more is read from it while it does not take answers, and nothing is written once it is closed. */
const fromClient = (socket: Socket.Socket, tls: TLSSocket, service: ServiceName): Socket.Socket => {
  const closed = new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause: new Error("the client has gone") }) })
  const drained: Effect.Effect<void> = Effect.suspend(() =>
    !tls.writableNeedDrain ? Effect.void : Effect.callback<void>((resume) => {
      const done = () => resume(Effect.void)
      tls.once("drain", done).once("close", done)
      return Effect.sync(() => tls.off("drain", done).off("close", done))
    }))
  const { reader } = limitMessages(socket, `a client of the ${service}`)
  return Socket.make({
    reader: Effect.map(reader, (whole) => ({ ...whole, pull: Effect.andThen(drained, whole.pull) })),
    // Node waits for ever for a closed stream to drain.
    writer: Effect.map(socket.writer, (writer) => ({ ...writer, write: (chunk) => Effect.suspend(() => (tls.destroyed ? Effect.fail(closed) : writer.write(chunk))) }))
  })
}

type Desk = SubscriptionRef.SubscriptionRef<Attendant | undefined>

/** Takes connections in for everything that is served here; answers where. */
const makeServe = Effect.fnUntraced(function*(secret: Secret, at: Address, limits: Partial<ListenLimits>) {
  const desks = new Map<ServiceName, Desk>()
  const attended = new Map<TLSSocket, ServiceName>()
  for (const service of serviceNames) desks.set(service, yield* SubscriptionRef.make<Attendant | undefined>(undefined))
  const { address, server } = yield* listenAt({ secret, at, limits, speaks: (protocol) => serviceOf(protocol) !== undefined })
  const context = yield* Effect.context<never>()
  const serialization = limitedJson((text) => Effect.runForkWith(context)(Effect.logWarning(text)))

  yield* server.run((socket) =>
    Effect.gen(function*() {
      const tls = Option.getOrThrow(yield* Effect.serviceOption(NodeSocket.NetSocket)) as TLSSocket
      const service = serviceOf(String(tls.alpnProtocol))!
      const desk = desks.get(service)!
      const attendant = yield* SubscriptionRef.changes(desk).pipe(
        Stream.filter((one) => one !== undefined),
        Stream.runHead,
        Effect.timeoutOption(deskPatience),
        Effect.map(Option.flatten)
      )
      if (Option.isNone(attendant)) return
      yield* Effect.acquireRelease(Effect.sync(() => attended.set(tls, service)), () => Effect.sync(() => attended.delete(tls)))
      yield* Effect.raceFirst(attendant.value.attend(fromClient(socket, tls, service)), Deferred.await(attendant.value.gone))
    }).pipe(Effect.scoped, Effect.ignoreCause)
  ).pipe(Effect.forkScoped)

  /** Serves a name on the connections that come for it; the server before it loses those that it had. */
  const takeOver = (desk: Desk) =>
    SocketServer.SocketServer.of({
      address: server.address,
      run: (handler) =>
        Effect.contextWith((context) =>
          Effect.acquireUseRelease(
            Effect.gen(function*() {
              const attendant: Attendant = {
                attend: (socket) => Effect.provideContext(handler(socket), context),
                gone: yield* Deferred.make<void>()
              }
              const before = yield* SubscriptionRef.getAndSet(desk, attendant)
              if (before !== undefined) yield* Deferred.succeed(before.gone, undefined)
              return attendant
            }),
            () => Effect.never,
            (attendant) =>
              Effect.andThen(
                SubscriptionRef.update(desk, (present) => (present === attendant ? undefined : present)),
                Deferred.succeed(attendant.gone, undefined)
              )
          ))
    })

  /** A server that stops says so to those whom it serves: to each for as long as he listens. */
  const hurry = (service: ServiceName) =>
    Effect.sync(() => {
      for (const [socket, of] of attended) if (of === service) socket.setTimeout(farewell)
    })

  const serve: RoleTransport["Service"]["serve"] = (service) =>
    RpcServer.makeProtocolSocketServer.pipe(
      Effect.map((protocol) => ({ ...protocol, run: (receive: Parameters<typeof protocol.run>[0]) => Effect.ensuring(protocol.run(receive), hurry(service)) })),
      Effect.provideService(SocketServer.SocketServer, takeOver(desks.get(service)!)),
      Effect.provideService(RpcSerialization.RpcSerialization, serialization)
    )
  return { serve, address }
})

/** A transport that answers what others serve; nothing can be served on it. */
export const connecting = (options: {
  readonly secret: Secret
  /** Where the roles are served; asked before each connection. */
  readonly locate: Effect.Effect<Located, { readonly message: string }>
}): RoleTransport["Service"] => ({
  serve: (service) => Effect.die(new Error(`the ${service} cannot be served here: this transport does not listen`)),
  connect: (service) =>
    Effect.flatMap(dial({ ...options, protocol: protocolOf(service) }), (socket) =>
      // A process that works hard for a while is not gone.
      RpcClient.makeProtocolSocket({ pingTimeout: "30 seconds", retryPolicy: Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")]) }).pipe(
        Effect.provideService(Socket.Socket, limitMessages(socket, `the ${service}`)),
        Effect.provideService(RpcSerialization.RpcSerialization, limitedJson(() => undefined))
      ))
})

/**
 * A transport whose roles are served and used at one address, which it listens on until the scope closes.
 *
 * @param options.at port 0 picks a free one
 */
export const listening = (options: {
  readonly secret: Secret
  readonly at: Address
  readonly limits?: Partial<ListenLimits>
}): Effect.Effect<{ readonly transport: RoleTransport["Service"]; readonly address: Address }, ListenFailed, Scope.Scope> =>
  Effect.map(makeServe(options.secret, options.at, options.limits ?? {}), ({ address, serve }) => ({
    address,
    transport: { serve, connect: connecting({ secret: options.secret, locate: Effect.succeed(address) }).connect }
  }))
