/** What strangers, and those who know the secret, can take of a server: real sockets on loopback. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Logger, Redacted, Ref, Schema, Scope, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { connect as connectTcp, type Socket } from "node:net"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { Deadline } from "../../src/rpc/Deadline.ts"
import { maxCalls, maxMessage } from "../../src/rpc/MessageLimits.ts"
import { connectRole, type RoleShape, serveRole } from "../../src/rpc/RoleService.ts"
import { RoleTransport } from "../../src/rpc/RoleTransport.ts"
import { type Address, dial, type ListenLimits, protocolOf, type Secret } from "../../src/rpc/SecureSocket.ts"
import * as SocketTransport from "../../src/rpc/SocketTransport.ts"

const EchoRpcs = RpcGroup.make(
  Rpc.make("echo", { payload: { text: Schema.String }, success: Schema.String }),
  Rpc.make("long", { payload: { length: Schema.Int }, success: Schema.String }),
  Rpc.make("wait", {}).annotate(Deadline, Duration.infinity),
  Rpc.make("count", { success: Schema.Int, stream: true })
)

class Echo extends Context.Service<Echo, RoleShape<typeof EchoRpcs>>()("test/Echo") {}

const secret: Secret = Redacted.make(new Uint8Array(32).fill(7))
const loopback: Address = { host: "127.0.0.1", port: 0 }

/** A server, a client, what was logged, and how many calls there were at most at once. */
const world = Effect.fnUntraced(function*(limits: Partial<ListenLimits> = {}) {
  const logged: Array<string> = []
  const running = { now: 0, most: 0, long: 0 }
  const [given, waiting] = [yield* Ref.make(0), yield* Ref.make(0)]
  const echo = Layer.succeed(Echo, {
    echo: ({ text }) =>
      Effect.acquireUseRelease(
        Effect.sync(() => (running.most = Math.max(running.most, ++running.now))),
        () => Effect.as(Effect.sleep("5 millis"), text),
        () => Effect.sync(() => running.now--)
      ),
    long: ({ length }) => Effect.sync(() => (running.long++, "x".repeat(length))),
    wait: () => Effect.onInterrupt(Effect.andThen(Ref.update(waiting, (n) => n + 1), Effect.never), () => Ref.update(waiting, (n) => n - 1)),
    count: () => Stream.tap(Stream.rechunk(Stream.range(0, 1_000_000), 1), () => Ref.update(given, (n) => n + 1))
  })
  const logger = Logger.layer([Logger.make(({ message }) => logged.push(String(message)))])
  const { address, transport } = yield* SocketTransport.listening({ secret, at: loopback, limits }).pipe(Effect.provide(logger))
  yield* Layer.build(serveRole("settler", EchoRpcs, Echo).pipe(Layer.provide(echo))).pipe(Effect.provideService(RoleTransport, transport), Effect.provide(logger))
  const connect = Effect.map(
    Effect.provideService(Layer.build(connectRole("settler", EchoRpcs, Echo)), RoleTransport, SocketTransport.connecting({ secret, locate: Effect.succeed(address) })),
    Context.get(Echo)
  ).pipe(Effect.provide(logger))
  return { address, client: yield* connect, connect, given, logged, running, waiting }
})

const soon = <A>(value: () => A, holds: (a: A) => boolean) =>
  Effect.suspend(() => Effect.succeed(value())).pipe(Effect.delay("10 millis"), Effect.repeat({ until: holds }), Effect.timeout("20 seconds"))

/** A connection of somebody who knows the secret and speaks for himself. */
const raw = (address: Address) =>
  Effect.acquireRelease(
    Effect.callback<TLSSocket>((resume) => {
      const socket = connectTls({
        ...address,
        ciphers: "ECDHE-PSK-CHACHA20-POLY1305",
        minVersion: "TLSv1.2",
        maxVersion: "TLSv1.2",
        ALPNProtocols: [protocolOf("settler")],
        pskCallback: () => ({ psk: Buffer.from(Redacted.value(secret)), identity: "lignum" }),
        checkServerIdentity: () => undefined
      }, () => resume(Effect.succeed(socket)))
      socket.on("error", () => undefined).once("close", () => resume(Effect.succeed(socket)))
      socket.resume()
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** A connection over which nothing is said. */
const silent = (address: Address) =>
  Effect.acquireRelease(
    Effect.callback<Socket>((resume) => {
      const socket = connectTcp(address.port, address.host, () => resume(Effect.succeed(socket)))
      socket.on("error", () => undefined)
      socket.resume()
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** A socket that nobody reads does not notice that it was closed. */
const closed = (socket: Socket) => socket.closed ? Effect.void : Effect.callback<void>((resume) => void socket.resume().once("close", () => resume(Effect.void)))

const request = (id: number, tag: string, payload: unknown = null) => `${JSON.stringify({ _tag: "Request", id: `${id}`, tag, payload, headers: [] })}\n`

describe("ND-2: bounds of a connection", () => {
  it.live("a thousand calls at once are all answered, and never more than the bound at a time", () =>
    Effect.gen(function*() {
      const { client, running } = yield* world()
      const texts = Array.from({ length: 1_000 }, (_, i) => `${i}`)
      assert.deepStrictEqual(yield* Effect.forEach(texts, (text) => client.echo({ text }), { concurrency: "unbounded" }), texts)
      assert.isAtMost(running.most, maxCalls)
      assert.isAtLeast(running.most, 2)
    }).pipe(Effect.scoped))

  it.live("calls that wait keep no other from being answered, and end with their connection", () =>
    Effect.gen(function*() {
      const { client, connect, waiting } = yield* world()
      yield* Effect.scoped(Effect.gen(function*() {
        const other = yield* connect
        const waits = yield* Effect.forEach(Array.from({ length: 200 }), () => Effect.forkChild(other.wait(), { startImmediately: true }))
        while ((yield* Ref.get(waiting)) < 200) yield* Effect.sleep("10 millis")
        assert.strictEqual(yield* other.echo({ text: "here" }), "here")
        yield* Fiber.interrupt(waits[0]!)
      }))
      while ((yield* Ref.get(waiting)) > 0) yield* Effect.sleep("10 millis")
      assert.strictEqual(yield* client.echo({ text: "there" }), "there")
    }).pipe(Effect.scoped, Effect.timeout("20 seconds")))

  it.live("a reader that takes nothing holds its stream up: the server makes no item before the last one is taken", () =>
    Effect.gen(function*() {
      const { client, given } = yield* world()
      const first = yield* Deferred.make<void>()
      const reader = yield* Effect.forkScoped(client.count().pipe(Stream.runForEach(() => Effect.andThen(Deferred.succeed(first, undefined), Effect.never))))
      yield* Deferred.await(first)
      yield* Effect.sleep("300 millis")
      assert.isBelow(yield* Ref.get(given), 40)
      yield* Fiber.interrupt(reader)
    }).pipe(Effect.scoped))

  it.live("whoever reads nothing at all stalls his own connection alone, and not the server when it stops", () =>
    Effect.gen(function*() {
      const outlives = yield* Effect.scope
      yield* Effect.scoped(Effect.gen(function*() {
        const { address, client, given, running } = yield* world()
        const deaf = yield* Effect.provideService(raw(address), Scope.Scope, outlives)
        deaf.pause()
        for (let id = 0; id < 20_000; id++) deaf.write(id % 100 === 0 ? request(id, "count") : request(id, "long", { length: 20_000 }))
        while (running.long === 0) yield* Effect.sleep("10 millis")
        yield* Effect.sleep("1 second")
        assert.isBelow(running.long, 2_000)
        assert.isBelow(yield* Ref.get(given), 100)
        assert.strictEqual(yield* client.echo({ text: "still here" }), "still here")
      }))
    }).pipe(Effect.scoped, Effect.timeout("20 seconds")))

  it.live("a message that is too long closes its connection, as soon as it is, and is told; the others go on", () =>
    Effect.gen(function*() {
      const { address, client, logged } = yield* world()
      const socket = yield* raw(address)
      const block = Buffer.alloc(1024 * 1024, "x")
      let sent = 0
      const send = (): void => {
        while (!socket.destroyed && sent < 4 * maxMessage) {
          sent += block.length
          if (!socket.write(block)) return void socket.once("drain", send)
        }
      }
      send()
      yield* closed(socket)
      assert.isBelow(sent, 2 * maxMessage)
      assert.match(logged.join("\n"), /a client of the settler sent a message of more than 16\.0 MiB: its connection is closed/)
      assert.strictEqual(yield* client.echo({ text: "fine" }), "fine")
    }).pipe(Effect.scoped))

  it.live("an answer, and a question, that are too long fail their own call alone", () =>
    Effect.gen(function*() {
      const { client } = yield* world()
      const waits = yield* Effect.forkChild(client.wait(), { startImmediately: true })
      for (const call of [client.long({ length: maxMessage + 1 }), client.echo({ text: "x".repeat(maxMessage) })]) {
        const exit = yield* Effect.exit(call)
        assert.match(String(exit), /a message of 16\.0 MiB is longer than a connection carries/)
      }
      assert.strictEqual(yield* client.echo({ text: "fine" }), "fine")
      assert.isUndefined(waits.pollUnsafe())
      yield* Fiber.interrupt(waits)
    }).pipe(Effect.scoped))

  it.live("who begins calls without end is disconnected, and what he began is stopped", () =>
    Effect.gen(function*() {
      const { address, client, logged, waiting } = yield* world()
      const socket = yield* raw(address)
      for (let id = 0; id < 5_000; id++) socket.write(request(id, "wait"))
      yield* closed(socket)
      while ((yield* Ref.get(waiting)) > 0) yield* Effect.sleep("10 millis")
      assert.match(logged.join("\n"), /a client has more than \d+ calls under way: its connection is closed/)
      assert.strictEqual(yield* client.echo({ text: "fine" }), "fine")
    }).pipe(Effect.scoped, Effect.timeout("20 seconds")))
})

describe("ND-2: bounds of a listener", () => {
  it.live("handshakes that say nothing keep nobody out: the oldest gives way, and none lasts", () =>
    Effect.gen(function*() {
      const { address, connect } = yield* world({ handshakes: 8, handshakeTimeout: 1_000 })
      const sockets = yield* Effect.forEach(Array.from({ length: 40 }), () => silent(address), { concurrency: 8 })
      const open = () => sockets.filter((socket) => !socket.closed && !socket.destroyed).length
      yield* soon(open, (n) => n <= 8)
      // A byte now and then does not make a handshake longer.
      const drip = yield* silent(address)
      yield* Effect.forkScoped(Effect.sync(() => drip.destroyed || drip.write("\x16")).pipe(Effect.delay("100 millis"), Effect.forever))
      assert.strictEqual(yield* (yield* connect).echo({ text: "let in" }), "let in")
      yield* closed(drip)
      yield* soon(open, (n) => n === 0)
    }).pipe(Effect.scoped))

  it.live("no more connections than the bound, and a place that is left is given again", () =>
    Effect.gen(function*() {
      const { address, client } = yield* world({ connections: 3 })
      assert.strictEqual(yield* client.echo({ text: "first" }), "first")
      const others = yield* Effect.forEach([1, 2], () => raw(address))
      const tooMany = yield* raw(address)
      yield* closed(tooMany)
      others[0]!.destroy()
      yield* Effect.sleep("50 millis")
      const next = yield* raw(address)
      next.write(request(1, "echo", { text: "in" }))
      const answer = yield* Effect.callback<string>((resume) => void next.once("data", (chunk: Buffer) => resume(Effect.succeed(chunk.toString()))))
      assert.include(answer, `"in"`)
      assert.strictEqual(yield* client.echo({ text: "last" }), "last")
    }).pipe(Effect.scoped))

  it.live("a client that gives no sign of life is let go, with what it asked for", () =>
    Effect.gen(function*() {
      const { address, waiting } = yield* world({ silence: 300 })
      const socket = yield* raw(address)
      socket.write(request(1, "wait"))
      while ((yield* Ref.get(waiting)) < 1) yield* Effect.sleep("10 millis")
      yield* closed(socket)
      while ((yield* Ref.get(waiting)) > 0) yield* Effect.sleep("10 millis")
    }).pipe(Effect.scoped, Effect.timeout("20 seconds")))

  it.live("another version, what is not served, and another secret are named with the way out, once each", () =>
    Effect.gen(function*() {
      const { address } = yield* world()
      const told = (protocol: string, key = secret) =>
        Effect.gen(function*() {
          const lines: Array<string> = []
          const locate = Effect.succeed(address)
          const socket = yield* dial({ secret: key, locate, protocol })
          const attempts = [1, 2, 3].map(() => Effect.exit(Effect.scoped(socket.reader)))
          yield* Effect.all(attempts).pipe(Effect.provide(Logger.layer([Logger.make(({ message }) => lines.push(String(message)))])))
          assert.lengthOf(lines, 1)
          return lines[0]!.replace(`${address.host}:${address.port}`, "ADDRESS")
        })
      assert.strictEqual(
        yield* told("lignum/9/settler"),
        "cannot speak with ADDRESS: it speaks version 1 of lignum's protocol and this process version 9: run the same release of lignum on both ends; tries again"
      )
      assert.strictEqual(yield* told(protocolOf("barber")), "cannot speak with ADDRESS: it does not serve the barber; tries again")
      assert.strictEqual(
        yield* told(protocolOf("settler"), Redacted.make(new Uint8Array(32).fill(9))),
        "cannot speak with ADDRESS: it knows another secret, or is no lignum: copy the file of its secret here; tries again"
      )
    }).pipe(Effect.scoped))

  it.live("without a secret, or without TLS 1.2 and its cipher, there is no answer", () =>
    Effect.gen(function*() {
      const { address, client, logged } = yield* world()
      for (const options of [{ maxVersion: "TLSv1.2", ciphers: "ALL" }, { minVersion: "TLSv1.3" }] as const) {
        const error = yield* Effect.callback<Error>((resume) =>
          void connectTls({ ...address, ...options, rejectUnauthorized: false, ALPNProtocols: [protocolOf("settler")] }).once("error", (error) => resume(Effect.succeed(error))))
        assert.match(error.message, /alert|reset|hang up|disconnected/)
      }
      assert.strictEqual(yield* client.echo({ text: "fine" }), "fine")
      assert.deepStrictEqual(logged, [])
    }).pipe(Effect.scoped))
})
