/**
 * Roles in one process. Messages pass through the same codecs as on a wire, so what works here works between hosts.
 *
 * When a role's server goes away, its running requests fail with `RpcClientError`; requests made until the next server
 * takes over wait for it. A restart is therefore the same to a caller as a lost connection.
 */
import { Effect, Layer, Option, Queue, Schema } from "effect"
import { RpcClient, RpcClientError, type RpcMessage, type RpcSerialization, RpcServer } from "effect/rpc"
import { type ServiceName, RoleTransport } from "./RoleTransport.ts"

type ToServer = (clientId: number, message: RpcMessage.FromClientEncoded) => Effect.Effect<void>
type ToClient = (clientId: number, message: RpcMessage.FromServerEncoded) => Effect.Effect<void>

/** One role's place: its server, if there is one, its clients, and the requests that wait for a server. */
interface Exchange {
  server: { readonly receive: ToServer; readonly served: Set<number>; readonly disconnects: Queue.Queue<number> } | undefined
  waiting: Array<readonly [clientId: number, message: RpcMessage.FromClientEncoded]>
  readonly clients: Map<number, ToClient>
}

const codecFor = Schema.toCodecJson as RpcSerialization.CodecFor

const serverGone = (role: ServiceName) =>
  new RpcClientError.RpcClientError({
    reason: new RpcClientError.RpcClientDefect({ message: `the ${role} stopped`, cause: undefined })
  })

const make = Effect.sync(() => {
  const exchanges = new Map<ServiceName, Exchange>()
  const exchange = (role: ServiceName): Exchange => {
    let found = exchanges.get(role)
    if (found === undefined) {
      found = { server: undefined, waiting: [], clients: new Map() }
      exchanges.set(role, found)
    }
    return found
  }

  const deliver = (to: Exchange, clientId: number, message: RpcMessage.FromClientEncoded): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (to.server === undefined) {
        if (message._tag === "Interrupt") to.waiting = to.waiting.filter(([client, other]) => !(client === clientId && other._tag === "Request" && other.id === message.requestId))
        else to.waiting.push([clientId, message])
        return Effect.void
      }
      to.server.served.add(clientId)
      return to.server.receive(clientId, message)
    })

  const serve = Effect.fnUntraced(function*(role: ServiceName) {
    const here = exchange(role)
    const disconnects = yield* Queue.unbounded<number>()
    return yield* RpcServer.Protocol.make(Effect.fnUntraced(function*(receive) {
      const server = { receive, served: new Set<number>(), disconnects }
      yield* Effect.acquireRelease(
        Effect.suspend(() => {
          here.server = server
          const waiting = here.waiting
          here.waiting = []
          return Effect.forEach(waiting, ([clientId, message]) => deliver(here, clientId, message), { discard: true })
        }),
        () =>
          Effect.suspend(() => {
            if (here.server === server) here.server = undefined
            return Effect.forEach(server.served, (clientId) =>
              here.clients.get(clientId)?.(clientId, { _tag: "ClientProtocolError", error: serverGone(role) }) ?? Effect.void, {
              discard: true
            })
          })
      )
      return {
        disconnects,
        send: (clientId, response) => here.clients.get(clientId)?.(clientId, response) ?? Effect.void,
        end: () => Effect.void,
        clientIds: Effect.sync(() => server.served),
        initialMessage: Effect.succeed(Option.none()),
        supportsAck: true,
        supportsTransferables: false,
        supportsSpanPropagation: true,
        supportsNotifications: true,
        codecFor
      }
    }))
  })

  const connect = Effect.fnUntraced(function*(role: ServiceName) {
    const here = exchange(role)
    const mine = new Set<number>()
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        here.waiting = here.waiting.filter(([clientId]) => !mine.has(clientId))
        return Effect.forEach(mine, (clientId) => {
          here.clients.delete(clientId)
          here.server?.served.delete(clientId)
          return here.server === undefined ? Effect.void : Queue.offer(here.server.disconnects, clientId)
        }, { discard: true })
      })
    )
    return yield* RpcClient.Protocol.make((write) =>
      Effect.succeed({
        send: (clientId, request) =>
          Effect.suspend(() => {
            mine.add(clientId)
            here.clients.set(clientId, write)
            return deliver(here, clientId, request)
          }),
        supportsAck: true,
        supportsTransferables: false,
        codecFor
      })
    )
  })

  return RoleTransport.of({ serve, connect })
})

/** All roles of one process. */
export const layer: Layer.Layer<RoleTransport> = Layer.effect(RoleTransport, make)
