/**
 * Sockets between processes that share a secret: TLS with a pre-shared key, which both ends prove to know before either sends
 * anything else. Whoever does not know it gets nothing, and whoever listens on the way neither reads nor changes anything.
 *
 * What is spoken on a connection is its application protocol (ALPN), so that one port serves many things, and a version that the
 * other end does not know is refused in the handshake.
 */
import { NodeSocket, NodeSocketServer } from "@effect/platform-node"
import { Effect, type FileSystem, Redacted, Schema, Scope } from "effect"
import { NetAddress } from "effect/net"
import { Socket, type SocketServer } from "effect/socket"
import { randomBytes } from "node:crypto"
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls"
import { type PrivateFileUnusable, PrivateFileUnusable as Unusable, readPrivateFile, writePrivateFile } from "./PrivateFile.ts"

/** Where something listens. */
export const Address = Schema.Struct({
  host: Schema.String,
  port: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))
})
export type Address = typeof Address.Type

/** Where something is at the moment. */
export interface Located extends Address {
  /** Ends when it is there no more, though whoever listens there may answer on. */
  readonly left?: Effect.Effect<void>
}

/** What both ends of a connection know: 32 bytes. */
export type Secret = Redacted.Redacted<Uint8Array>

/** A port cannot be listened on. Nothing was changed. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", { address: Address, reason: Schema.String }) {
  override get message() {
    const { host, port } = this.address
    return /EADDRINUSE/.test(this.reason)
      ? `port ${port} of ${host} is taken: stop what listens there, or choose another (0 picks a free one)`
      : `cannot listen on port ${port} of ${host} (${this.reason}): choose another address (port 0 picks a free one)`
  }
}

/** Reads a secret from its file, which only its owner may read. */
export const readSecret = (path: string): Effect.Effect<Secret, PrivateFileUnusable, FileSystem.FileSystem> =>
  Effect.flatMap(readPrivateFile(path), (text) =>
    /^[0-9a-f]{64}$/.test(Redacted.value(text))
      ? Effect.succeed(Redacted.make(Buffer.from(Redacted.value(text), "hex")))
      : Effect.fail(new Unusable({ path, reason: "it is no secret of lignum's, which is 64 hexadecimal digits; copy it from the other end" })))

/** Makes a secret and keeps it in a file. */
export const makeSecret = (path: string): Effect.Effect<Secret, PrivateFileUnusable, FileSystem.FileSystem> =>
  Effect.suspend(() => {
    const secret = randomBytes(32)
    return Effect.as(writePrivateFile(path, Redacted.make(secret.toString("hex"))), Redacted.make(secret))
  })

// Pre-shared keys without certificates are of TLS 1.2 in Node. ECDHE: who learns the secret later cannot read what was recorded.
const cipher = { ciphers: "ECDHE-PSK-CHACHA20-POLY1305", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const

/** Not a secret: there is one key for everybody who may connect. */
const identity = "lignum"

const keyOf = (secret: Secret) => Buffer.from(Redacted.value(secret))

/**
 * Listens until the scope closes. Only connections of those who know the secret, and want a protocol that is spoken here, reach the
 * server's handlers, with a `NodeSocket.NetSocket` whose `alpnProtocol` says which.
 */
export const listen = (options: {
  readonly secret: Secret
  readonly at: Address
  readonly speaks: (protocol: string) => boolean
}): Effect.Effect<{ readonly server: SocketServer.SocketServer["Service"]; readonly address: Address }, ListenFailed, Scope.Scope> =>
  NodeSocketServer.makeTls({
    ...cipher,
    ...options.at,
    handshakeTimeout: 5_000,
    pskCallback: () => keyOf(options.secret),
    ALPNCallback: ({ protocols }) => protocols.find(options.speaks)
  }).pipe(
    Effect.mapError(({ reason }) => new ListenFailed({ address: options.at, reason: String(reason.cause) })),
    Effect.map((server) => ({ server, address: { host: options.at.host, port: NetAddress.isInetAddress(server.address) ? server.address.port : 0 } }))
  )

/**
 * A connection to where somebody listens; it is made when the socket is read, anew each time.
 *
 * @param locate asked before each connection, because whoever is restarted may listen elsewhere; a connection is broken off when what
 * it was for has left
 */
export const dial = (options: {
  readonly secret: Secret
  readonly locate: Effect.Effect<Located, { readonly message: string }>
  readonly protocol: string
}): Effect.Effect<Socket.Socket> => {
  const failed = (cause: unknown) => new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) })
  const tls: ConnectionOptions = {
    ...cipher,
    ALPNProtocols: [options.protocol],
    pskCallback: () => ({ psk: keyOf(options.secret), identity }),
    // The key says who the other end is.
    checkServerIdentity: () => undefined
  }
  const open = Effect.gen(function*() {
    const { host, left, port } = yield* Effect.mapError(options.locate, failed)
    const socket = yield* Effect.acquireRelease(Effect.sync(() => connect({ ...tls, host, port })), (socket) => Effect.sync(() => socket.destroy()))
    if (left !== undefined) yield* Effect.forkScoped(Effect.andThen(left, Effect.sync(() => socket.destroy())))
    return yield* Effect.callback<TLSSocket, Socket.SocketError>((resume) => {
      socket.once("secureConnect", () => resume(Effect.succeed(socket)))
      socket.on("error", (cause) => resume(Effect.fail(failed(cause))))
      socket.once("close", () => resume(Effect.fail(failed(new Error("the other end hung up")))))
    })
  })
  return NodeSocket.fromDuplex(open, { openTimeout: "10 seconds" })
}
