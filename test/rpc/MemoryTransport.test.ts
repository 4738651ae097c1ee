import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Ref, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Rpc, RpcGroup } from "effect/rpc"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { connectRole, type RoleShape, serveRole } from "../../src/rpc/RoleService.ts"
import { RoleTransport } from "../../src/rpc/RoleTransport.ts"

class TooSmall extends Schema.TaggedError<TooSmall>()("TooSmall", { least: Schema.BigIntFromString }) {}

const CounterRpcs = RpcGroup.make(
  Rpc.make("add", { payload: { by: Schema.BigIntFromString }, success: Schema.BigIntFromString, error: TooSmall }),
  Rpc.make("wait", {}),
  Rpc.make("changes", { success: Schema.BigIntFromString, stream: true })
)

class Counter extends Context.Service<Counter, RoleShape<typeof CounterRpcs>>()("test/Counter") {}

const counter = (total: Ref.Ref<bigint>, interrupted: Ref.Ref<number>, generation = 0n) =>
  Layer.succeed(Counter, {
    add: ({ by }) => by < 1n ? Effect.fail(new TooSmall({ least: 1n })) : Ref.updateAndGet(total, (n) => n + by),
    wait: () => Effect.onInterrupt(Effect.never, () => Ref.update(interrupted, (n) => n + 1)),
    changes: () => Stream.concat(Stream.make(generation), Stream.never)
  })

const world = Effect.gen(function*() {
  const total = yield* Ref.make(0n)
  const interrupted = yield* Ref.make(0)
  const transport = yield* Layer.build(MemoryTransport.layer)
  const serve = (generation?: bigint) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(
        serveRole("settler", CounterRpcs, Counter).pipe(Layer.provide(counter(total, interrupted, generation))),
        scope
      ).pipe(Effect.provideContext(transport))
      return scope
    })
  const client = Context.get(
    yield* Effect.provideContext(Layer.build(connectRole("settler", CounterRpcs, Counter)), transport),
    Counter
  )
  return { total, interrupted, serve, client, transport }
})

describe("ND-2: roles over the memory transport", () => {
  it.effect("answers calls with values and typed errors, through the codecs", () =>
    Effect.gen(function*() {
      const { client, serve } = yield* world
      yield* serve()
      assert.strictEqual(yield* client.add({ by: 2n }), 2n)
      assert.deepStrictEqual(yield* Effect.exit(client.add({ by: 0n })), Exit.fail(new TooSmall({ least: 1n })))
    }))

  it.effect("keeps a call until somebody serves the role", () =>
    Effect.gen(function*() {
      const { client, serve } = yield* world
      const early = yield* Effect.forkChild(client.add({ by: 7n }), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.isUndefined(early.pollUnsafe())
      yield* serve()
      assert.strictEqual(yield* Fiber.join(early), 7n)
    }))

  it.effect("makes a running call again when its server was replaced", () =>
    Effect.gen(function*() {
      const { client, interrupted, serve } = yield* world
      const first = yield* serve()
      const call = yield* Effect.forkChild(client.wait(), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Scope.close(first, Exit.void)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Ref.get(interrupted), 1)
      assert.isUndefined(call.pollUnsafe())
      const second = yield* serve()
      yield* TestClock.adjust("5 seconds")
      yield* Scope.close(second, Exit.void)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Ref.get(interrupted), 2)
      yield* Fiber.interrupt(call)
    }))

  it.effect("starts a stream over, from the new server's present state", () =>
    Effect.gen(function*() {
      const { client, serve } = yield* world
      const first = yield* serve(1n)
      const seen = yield* Ref.make<ReadonlyArray<bigint>>([])
      yield* Effect.forkScoped(Stream.runForEach(client.changes(), (n) => Ref.update(seen, (all) => [...all, n])), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Scope.close(first, Exit.void)
      yield* serve(2n)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* Ref.get(seen), [1n, 2n])
    }))

  it.effect("interrupts the server's work when a caller goes away", () =>
    Effect.gen(function*() {
      const { interrupted, serve, transport } = yield* world
      yield* serve()
      const scope = yield* Scope.make()
      const other = Context.get(
        yield* Effect.provideContext(Layer.buildWithScope(connectRole("settler", CounterRpcs, Counter), scope), transport),
        Counter
      )
      const call = yield* Effect.forkChild(other.wait(), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(call)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Ref.get(interrupted), 1)
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("knows no difference between roles", () =>
    Effect.gen(function*() {
      const transport = yield* RoleTransport
      assert.notStrictEqual(yield* transport.connect("settler"), yield* transport.connect("prover-pool"))
    }).pipe(Effect.provide(MemoryTransport.layer)))
})
