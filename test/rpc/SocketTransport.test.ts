/** Roles in another process: real sockets on loopback, and strangers at either end. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Redacted, Ref, Schema, Scope, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connectRole, type RoleShape, serveRole } from "../../src/rpc/RoleService.ts"
import { RoleTransport } from "../../src/rpc/RoleTransport.ts"
import { type Address, makeSecret, readSecret, type Secret } from "../../src/rpc/SecureSocket.ts"
import * as SocketTransport from "../../src/rpc/SocketTransport.ts"

class TooSmall extends Schema.TaggedError<TooSmall>()("TooSmall", { least: Schema.BigIntFromString }) {}

const CounterRpcs = RpcGroup.make(
  Rpc.make("add", { payload: { by: Schema.BigIntFromString }, success: Schema.BigIntFromString, error: TooSmall }),
  Rpc.make("wait", {}),
  Rpc.make("changes", { success: Schema.BigIntFromString, stream: true }),
  Rpc.make("count", { success: Schema.Int, stream: true })
)

class Counter extends Context.Service<Counter, RoleShape<typeof CounterRpcs>>()("test/Counter") {}

const secret: Secret = Redacted.make(new Uint8Array(32).fill(7))
const loopback: Address = { host: "127.0.0.1", port: 0 }

const world = Effect.gen(function*() {
  const total = yield* Ref.make(0n)
  const interrupted = yield* Ref.make(0)
  const given = yield* Ref.make(0)
  const begun = yield* Deferred.make<void>()
  const counter = (generation: bigint) =>
    Layer.succeed(Counter, {
      add: ({ by }) => by < 1n ? Effect.fail(new TooSmall({ least: 1n })) : Ref.updateAndGet(total, (n) => n + by),
      wait: () => Effect.onInterrupt(Effect.andThen(Deferred.succeed(begun, undefined), Effect.never), () => Ref.update(interrupted, (n) => n + 1)),
      changes: () => Stream.concat(Stream.make(generation), Stream.never),
      count: () => Stream.tap(Stream.fromIterable(Array.from({ length: 100_000 }, (_, i) => i)).pipe(Stream.rechunk(1)), () => Ref.update(given, (n) => n + 1))
    })
  const { address, transport } = yield* SocketTransport.listening({ secret, at: loopback })
  /** Serves the counter until the scope that it answers is closed. */
  const serve = Effect.fnUntraced(function*(generation = 0n, on = transport) {
    const scope = yield* Scope.make()
    yield* Layer.buildWithScope(serveRole("settler", CounterRpcs, Counter).pipe(Layer.provide(counter(generation))), scope).pipe(
      Effect.provideService(RoleTransport, on)
    )
    return scope
  })
  const clientWith = (key: Secret, locate: Effect.Effect<Address, { readonly message: string }> = Effect.succeed(address)) =>
    Layer.build(connectRole("settler", CounterRpcs, Counter)).pipe(
      Effect.provideService(RoleTransport, SocketTransport.connecting({ secret: key, locate })),
      Effect.map(Context.get(Counter))
    )
  return { total, interrupted, begun, given, address, serve, clientWith, client: yield* clientWith(secret) }
})

const soon = <A>(ref: Ref.Ref<A>, holds: (a: A) => boolean) =>
  Ref.get(ref).pipe(Effect.delay("10 millis"), Effect.repeat({ until: holds }), Effect.timeout("20 seconds"))

/** Everything that the other end says until it hangs up, at most for so long. */
const told = (address: Address, say: (socket: Socket) => void) =>
  Effect.promise(() =>
    new Promise<string>((resolve) => {
      let text = ""
      const socket = connect(address.port, address.host, () => say(socket))
      socket.on("data", (chunk) => (text += chunk.toString("latin1")))
      socket.on("error", () => undefined)
      socket.on("close", () => resolve(text))
      setTimeout(() => socket.destroy(), 8_000).unref()
    }))

describe("ND-2: roles over sockets", () => {
  it.live("answers calls with values and typed errors, and streams", () =>
    Effect.gen(function*() {
      const { client, serve } = yield* world
      yield* serve(3n)
      assert.strictEqual(yield* client.add({ by: 1n << 80n }), 1n << 80n)
      assert.deepStrictEqual(yield* Effect.exit(client.add({ by: 0n })), Exit.fail(new TooSmall({ least: 1n })))
      assert.deepStrictEqual(yield* client.changes().pipe(Stream.take(1), Stream.runCollect), [3n])
    }).pipe(Effect.scoped))

  it.live("keeps a call until somebody serves the role", () =>
    Effect.gen(function*() {
      const { client, serve } = yield* world
      const early = yield* Effect.forkChild(client.add({ by: 7n }), { startImmediately: true })
      yield* Effect.sleep("200 millis")
      assert.isUndefined(early.pollUnsafe())
      yield* serve()
      assert.strictEqual(yield* Fiber.join(early), 7n)
    }).pipe(Effect.scoped))

  it.live("makes a running call again, and starts streams over, when a new server takes over", () =>
    Effect.gen(function*() {
      const { begun, client, interrupted, serve } = yield* world
      const first = yield* serve(1n)
      const seen = yield* Ref.make<ReadonlyArray<bigint>>([])
      yield* Effect.forkScoped(Stream.runForEach(client.changes(), (n) => Ref.update(seen, (all) => [...all, n])))
      const call = yield* Effect.forkChild(client.wait(), { startImmediately: true })
      yield* Deferred.await(begun)
      yield* soon(seen, (all) => all.length === 1)
      yield* serve(2n)
      yield* soon(seen, (all) => all.length === 2)
      assert.deepStrictEqual(yield* Ref.get(seen), [1n, 2n])
      yield* Scope.close(first, Exit.void)
      assert.isUndefined(call.pollUnsafe(), "it is being made again")
      yield* soon(interrupted, (n) => n === 1)
      yield* Fiber.interrupt(call)
      yield* soon(interrupted, (n) => n === 2)
    }).pipe(Effect.scoped))

  it.live("follows a process that comes back at another port", () =>
    Effect.gen(function*() {
      const { clientWith, serve } = yield* world
      const where = yield* Ref.make<Address | undefined>(undefined)
      const locate = Effect.flatMap(Ref.get(where), (address) => address === undefined ? Effect.fail({ message: "it has not started yet" }) : Effect.succeed(address))
      const client = yield* clientWith(secret, locate)
      const seen = yield* Ref.make<ReadonlyArray<bigint>>([])
      yield* Effect.forkScoped(Stream.runForEach(client.changes(), (n) => Ref.update(seen, (all) => [...all, n])))
      for (const life of [1n, 2n, 3n]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const { address, transport } = yield* SocketTransport.listening({ secret, at: loopback })
          const server = yield* serve(life, transport)
          yield* Ref.set(where, address)
          yield* soon(seen, (all) => all.includes(life))
          yield* Scope.close(server, Exit.void)
        }))
      }
      assert.deepStrictEqual(yield* Ref.get(seen), [1n, 2n, 3n])
    }).pipe(Effect.scoped))

  it.live("a slow reader holds its stream up, not the server's memory", () =>
    Effect.gen(function*() {
      const { client, given, serve } = yield* world
      yield* serve()
      yield* client.count().pipe(Stream.take(5), Stream.runForEach(() => Effect.sleep("40 millis")))
      assert.isBelow(yield* Ref.get(given), 200)
    }).pipe(Effect.scoped))

  it.live("who does not know the secret gets not a byte of an answer, and the others do not notice", () =>
    Effect.gen(function*() {
      const { address, client, clientWith, interrupted, serve, total } = yield* world
      yield* serve()
      const stranger = yield* clientWith(Redacted.make(new Uint8Array(32).fill(8)))
      const call = yield* Effect.forkChild(stranger.add({ by: 1n }), { startImmediately: true })
      const request = `{"_tag":"Request","id":"1","tag":"add","payload":{"by":"1"},"headers":[]}\n`
      const answers = yield* Effect.all([
        told(address, (socket) => socket.write(request)),
        told(address, (socket) => socket.write(`GET / HTTP/1.1\r\nHost: ${address.host}\r\n\r\n`)),
        told(address, (socket) => socket.end())
      ], { concurrency: "unbounded" })
      // A TLS alert is two bytes behind a header of five.
      for (const answer of answers) assert.isAtMost(answer.length, 7)
      assert.isUndefined(call.pollUnsafe())
      assert.strictEqual(yield* Ref.get(total), 0n)
      assert.strictEqual(yield* client.add({ by: 5n }), 5n)
      assert.strictEqual(yield* Ref.get(interrupted), 0)
      yield* Fiber.interrupt(call)
    }).pipe(Effect.scoped))

  it.live("a client tells a stranger who listens in the server's place nothing", () =>
    Effect.gen(function*() {
      const { clientWith } = yield* world
      let heard = ""
      const server = createServer((socket) => {
        socket.on("data", (chunk) => (heard += chunk.toString("latin1")))
        socket.on("error", () => undefined)
      })
      const port = yield* Effect.promise(() =>
        new Promise<number>((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))))
      const client = yield* clientWith(secret, Effect.succeed({ host: "127.0.0.1", port }))
      const call = yield* Effect.forkChild(client.add({ by: 987_654_321n }), { startImmediately: true })
      yield* Effect.suspend(() => Effect.succeed(heard)).pipe(Effect.delay("10 millis"), Effect.repeat({ until: (text) => text !== "" }))
      yield* Effect.sleep("200 millis")
      assert.include(heard, "lignum/1/settler", "what it wants is said openly")
      assert.notInclude(heard, "987654321")
      assert.isUndefined(call.pollUnsafe())
      yield* Fiber.interrupt(call)
      server.close()
    }).pipe(Effect.scoped))

  it.live("a taken port is named with the way out", () =>
    Effect.gen(function*() {
      const { address } = yield* world
      const failure = yield* Effect.flip(SocketTransport.listening({ secret, at: address }))
      assert.match(failure.message, new RegExp(`^port ${address.port} of 127\\.0\\.0\\.1 is taken: .*choose another`))
    }).pipe(Effect.scoped))
})

describe("shared secrets", () => {
  it.live("are made for their owner alone, read back, and refused when others may read them or they are none", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lignum-secret-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const file = join(folder, "node.secret")
      const made = yield* makeSecret(file)
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.deepStrictEqual(Redacted.value(yield* readSecret(file)), Redacted.value(made))
      assert.notDeepEqual(Redacted.value(yield* makeSecret(file)), Redacted.value(made))
      chmodSync(file, 0o640)
      assert.match((yield* Effect.flip(readSecret(file))).message, /others may read.*mode 640.*chmod 600/)
      writeFileSync(file, "secret")
      chmodSync(file, 0o600)
      assert.match((yield* Effect.flip(readSecret(file))).message, /64 hexadecimal digits/)
      assert.match((yield* Effect.flip(readSecret(join(folder, "none")))).message, /no such file/)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
})
