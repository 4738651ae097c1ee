/**
 * Sockets between processes that share a secret: TLS with a pre-shared key, which both ends prove to know before either sends
 * anything else. Whoever does not know it gets nothing, and whoever listens on the way neither reads nor changes anything.
 *
 * What is spoken on a connection is its application protocol (ALPN), so that one port serves many things. To one that it does not speak,
 * a listener says which version it is of, and nothing else.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Effect, type FileSystem, Queue, Redacted, Schema, type Scope } from "effect"
import { NetAddress } from "effect/net"
import { Socket, SocketServer } from "effect/socket"
import { randomBytes } from "node:crypto"
import type { AddressInfo, Socket as TcpSocket } from "node:net"
import { connect, type ConnectionOptions, createServer, type TLSSocket } from "node:tls"
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

/** Counts what both ends must agree on. */
export const version = 1

/** As in `lignum/1/tree-planner`. */
export const protocolOf = (service: string): string => `lignum/${version}/${service}`

/** Wanted besides by every client: on it, a listener that does not speak the other one says its version. */
const greeting = "lignum/version"

/** Not a secret: there is one key for everybody who may connect. */
const identity = "lignum"

const keyOf = (secret: Secret) => Buffer.from(Redacted.value(secret))

/** How much of a listener strangers, and those who know the secret, can take. */
export interface ListenLimits {
  /** Handshakes under way: beyond, the oldest is broken off, so that whoever connects and says nothing keeps nobody out. */
  readonly handshakes: number
  /** Milliseconds for a handshake. */
  readonly handshakeTimeout: number
  /** Beyond, no more are let in. */
  readonly connections: number
  /** Milliseconds. Clients ask for a sign of life every few seconds: who is silent for so long is gone. */
  readonly silence: number
}

const defaultLimits: ListenLimits = { handshakes: 64, handshakeTimeout: 5_000, connections: 1_024, silence: 60_000 }

const endOf = ({ remoteAddress, remotePort }: TcpSocket) => `${remoteAddress}:${remotePort}`

/**
 * Listens until the scope closes. Only connections of those who know the secret, and want a protocol that is spoken here, reach the
 * server's handlers, with a `NodeSocket.NetSocket` whose `alpnProtocol` says which.
 */
export const listen = Effect.fnUntraced(function*(options: {
  readonly secret: Secret
  readonly at: Address
  readonly speaks: (protocol: string) => boolean
  readonly limits?: Partial<ListenLimits>
}): Effect.fn.Return<{ readonly server: SocketServer.SocketServer["Service"]; readonly address: Address }, ListenFailed, Scope.Scope> {
  const limits = { ...defaultLimits, ...options.limits }
  const arrivals = yield* Queue.bounded<TLSSocket>(limits.connections)
  const server = createServer({
    ...cipher,
    handshakeTimeout: limits.handshakeTimeout,
    pskCallback: () => keyOf(options.secret),
    ALPNCallback: ({ protocols }) => protocols.find(options.speaks) ?? protocols.find((protocol) => protocol === greeting)
  })
  const handshaking = new Map<string, TcpSocket>()
  const connected = new Set<TLSSocket>()
  server.on("connection", (socket: TcpSocket) => {
    const key = endOf(socket)
    handshaking.set(key, socket)
    socket.once("close", () => handshaking.delete(key))
    if (handshaking.size > limits.handshakes) for (const [, oldest] of handshaking) return oldest.destroy()
  })
  server.on("tlsClientError", (_, socket) => socket.destroy())
  server.on("secureConnection", (socket) => {
    // Whoever waits to write listens to it.
    socket.on("error", () => undefined).setMaxListeners(0)
    handshaking.delete(endOf(socket))
    if (socket.alpnProtocol === greeting) return void socket.end(`${version}\n`)
    connected.add(socket)
    socket.once("close", () => connected.delete(socket))
    socket.setTimeout(limits.silence, () => socket.destroy())
    // Nothing may be lost before somebody reads.
    socket.pause()
    if (connected.size > limits.connections || !Queue.offerUnsafe(arrivals, socket)) socket.destroy()
  })
  yield* Effect.acquireRelease(
    Effect.callback<void, ListenFailed>((resume) => {
      server.once("error", (error) => resume(Effect.fail(new ListenFailed({ address: options.at, reason: String(error) }))))
      server.listen(options.at, () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of [...handshaking.values(), ...connected]) socket.destroy()
      })
  )
  const { address: ip, port } = server.address() as AddressInfo
  return {
    address: { host: options.at.host, port },
    server: SocketServer.SocketServer.of({
      address: NetAddress.inetAddressFromIpStringUnsafe(ip, port),
      run: (handler) =>
        Queue.take(arrivals).pipe(
          Effect.flatMap((tls) => {
            const open = Effect.acquireRelease(Effect.succeed(tls), (socket) => Effect.sync(() => socket.destroySoon()))
            return NodeSocket.fromDuplex(open).pipe(
              Effect.flatMap(handler),
              Effect.ignoreCause({ log: "Unhandled" }),
              Effect.provideService(NodeSocket.NetSocket, tls),
              Effect.forkScoped
            )
          }),
          Effect.forever,
          Effect.scoped
        )
    })
  }
})

/** Nobody at an address can be spoken with. It is tried again. */
export class NotConnected extends Schema.TaggedError<NotConnected>()("NotConnected", { address: Address, reason: Schema.String }) {
  override get message() {
    return `cannot speak with ${this.address.host}:${this.address.port}: ${this.reason}`
  }
}

const hungUp = "it hung up in the handshake: it is about to stop, or too busy"

const reasonOf = (error: Error & { readonly code?: string }): string => {
  if (error.code === "ECONNREFUSED") return "nobody listens there"
  if (/alert|decrypt|bad record mac|psk/i.test(error.message)) return `it knows another secret, or is no lignum: copy the file of its secret here`
  if (error.code === "ECONNRESET") return hungUp
  return error.message
}

/** Why a listener that said its version does not speak a protocol. */
const refusal = (protocol: string, theirs: string): string => {
  const [, ours, service] = protocol.split("/")
  if (theirs === ours) return `it does not serve the ${service}`
  return `it speaks version ${theirs} of lignum's protocol and this process version ${ours}: run the same release of lignum on both ends`
}

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
    ALPNProtocols: [options.protocol, greeting],
    pskCallback: () => ({ psk: keyOf(options.secret), identity }),
    // The key says who the other end is.
    checkServerIdentity: () => undefined
  }
  const attempt = Effect.fnUntraced(function*({ host, left, port }: Located) {
    const address = { host, port }
    const socket = yield* Effect.acquireRelease(Effect.sync(() => connect({ ...tls, ...address })), (socket) => Effect.sync(() => socket.destroy()))
    socket.setMaxListeners(0)
    if (left !== undefined) yield* Effect.forkScoped(Effect.andThen(left, Effect.sync(() => socket.destroy())))
    return yield* Effect.callback<TLSSocket, NotConnected>((resume) => {
      const fail = (reason: string) => resume(Effect.fail(new NotConnected({ address, reason })))
      let said = ""
      socket.once("secureConnect", () => {
        if (socket.alpnProtocol !== greeting) resume(Effect.succeed(socket))
        else socket.on("data", (chunk: Buffer) => (said = (said + chunk.toString("latin1")).slice(0, 16)))
      })
      socket.on("error", (error) => fail(reasonOf(error)))
      socket.once("close", () => fail(said === "" ? hungUp : refusal(options.protocol, said.trim())))
    })
  })
  return Effect.suspend(() => {
    // A connection is tried again many times a minute: what is wrong is said once, until it changes.
    let said = ""
    const open = Effect.flatMap(Effect.mapError(options.locate, failed), (address) =>
      attempt(address).pipe(
        Effect.tap(() => Effect.sync(() => (said = ""))),
        Effect.tapError(({ message }) => {
          if (message === said || message.endsWith("nobody listens there")) return Effect.void
          said = message
          return Effect.logWarning(`${message}; tries again`)
        }),
        Effect.mapError(failed)
      ))
    return NodeSocket.fromDuplex(open, { openTimeout: "10 seconds" })
  })
}
