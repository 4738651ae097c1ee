/**
 * A node's door on its own machine: a role's RPC over HTTP, one line of JSON per message. It listens on loopback alone, and serves
 * what anybody may know: nothing that it answers changes anything.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { ByteSize, Cause, Context, Duration, Effect, Layer, Schema, type Scope } from "effect"
import { FetchHttpClient, HttpIncomingMessage, HttpRouter, HttpServer } from "effect/http"
import { type Rpc, RpcClient, RpcClientError, type RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { createServer } from "node:http"
import { handlersOf, type RoleShape } from "./RoleService.ts"

const path = "/rpc"
const host = "127.0.0.1"

/** Requests are short: whoever sends more wants something else. */
const maxRequest = ByteSize.kibibytes(64)

/** A request must have come whole within seconds; how long it may be answered is in each RPC's definition. */
const limitedServer = () => Object.assign(createServer({ headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 }), { maxConnections: 256 })

/** The door cannot be opened there. Nothing was changed. */
export class DoorNotOpened extends Schema.TaggedError<DoorNotOpened>()("DoorNotOpened", { port: Schema.Int, reason: Schema.String }) {
  override get message() {
    return /EADDRINUSE/.test(this.reason)
      ? `port ${this.port} is taken: stop what listens there, or choose another with --rpc-port (0 picks a free one)`
      : `cannot listen on port ${this.port} (${this.reason}): choose another with --rpc-port (0 picks a free one)`
  }
}

/** Nobody answers at an address, or whoever does is no node of this version. Nothing was changed. */
export class NodeUnreachable extends Schema.TaggedError<NodeUnreachable>()("NodeUnreachable", { url: Schema.String, reason: Schema.String }) {
  override get message() {
    return `no lignum node answers at ${this.url} (${this.reason}): start one with \`lignum devnet --rpc-port PORT\`; its address is printed, and is in rpc.json in its data folder`
  }
}

/** What the innermost error says: the outer ones only say that there was one. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const within = "reason" in error && error.reason instanceof Error ? error.reason : error.cause
  if (within !== undefined && within !== null) return reasonOf(within)
  return error.message !== "" ? error.message : "code" in error ? String(error.code) : error.name
}

/**
 * Serves a role on a port of loopback until the scope closes; answers the address.
 *
 * @param tag the role, itself or a client to it
 * @param port 0 picks a free one
 */
export const openDoor = Effect.fnUntraced(function*<Rpcs extends Rpc.Any, Self>(
  group: RpcGroup.RpcGroup<Rpcs>,
  tag: Context.Key<Self, RoleShape<RpcGroup.RpcGroup<Rpcs>>>,
  port: number
): Effect.fn.Return<string, DoorNotOpened, Self | Scope.Scope> {
  const handlers = Layer.provide(handlersOf(group, tag), Layer.succeed(tag, yield* tag))
  const routes = RpcServer.layerHttp({ group, path, protocol: "http", disableFatalDefects: true }).pipe(
    Layer.provide([handlers, RpcSerialization.layerNdjson])
  ) as Layer.Layer<never, never, HttpRouter.HttpRouter>
  // A stream of changes never ends by itself: closing must not wait for its readers.
  const server = NodeHttpServer.layerServer(limitedServer, { host, port, gracefulShutdownTimeout: Duration.millis(200) })
  const built = yield* Layer.build(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(Layer.succeed(HttpIncomingMessage.MaxBodySize, maxRequest)),
      Layer.provideMerge(server),
      Layer.provide(NodeHttpServer.layerHttpServices)
    )
  ).pipe(Effect.mapError((error) => new DoorNotOpened({ port, reason: reasonOf(error) })))
  return HttpServer.formatAddress(Context.get(built, HttpServer.HttpServer).address)
})

/**
 * Uses a role behind a node's door.
 *
 * @param url as {@link openDoor} answers it
 * @param patience how long the whole use may take
 */
export const knock = <Rpcs extends Rpc.Any, A, E>(
  group: RpcGroup.RpcGroup<Rpcs>,
  url: string,
  use: (client: RpcClient.RpcClient<Rpcs, RpcClientError.RpcClientError>) => Effect.Effect<A, E>,
  patience: Duration.Input = "10 seconds"
): Effect.Effect<A, E | NodeUnreachable> => {
  const unreachable = (reason: string) => new NodeUnreachable({ url, reason })
  const protocol = RpcClient.layerProtocolHttp({ url: `${url.replace(/\/+$/, "")}${path}` }).pipe(
    Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson])
  )
  const client = RpcClient.make(group) as Effect.Effect<RpcClient.RpcClient<Rpcs, RpcClientError.RpcClientError>, never, RpcClient.Protocol | Scope.Scope>
  return client.pipe(
    Effect.flatMap(use),
    Effect.scoped,
    Effect.provide(protocol),
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(unreachable("it does not answer in time")) }),
    // Whatever answers in another language than ours shows itself as a defect of decoding.
    Effect.catchCause((cause): Effect.Effect<A, E | NodeUnreachable> => {
      const error = Cause.squash(cause)
      return Cause.hasDies(cause) || error instanceof RpcClientError.RpcClientError
        ? Effect.fail(unreachable(reasonOf(error)))
        : Effect.failCause(cause)
    })
  )
}
