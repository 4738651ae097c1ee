/** Deadlines of calls, under a virtual clock. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Ref, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Rpc, RpcClient, RpcGroup } from "effect/rpc"
import { Deadline } from "../../src/rpc/Deadline.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { connectRole, type RoleShape, serveRole } from "../../src/rpc/RoleService.ts"
import { RoleTransport } from "../../src/rpc/RoleTransport.ts"

const WorkRpcs = RpcGroup.make(
  Rpc.make("work", { success: Schema.Int }),
  Rpc.make("long", { success: Schema.Int }).annotate(Deadline, Duration.minutes(10)),
  Rpc.make("wait", { success: Schema.Int }).annotate(Deadline, Duration.infinity)
)

class Work extends Context.Service<Work, RoleShape<typeof WorkRpcs>>()("test/Work") {}

/** Calls begin, take as long as they are told, and are counted when they are stopped before their end. */
const world = Effect.gen(function*() {
  const begun = yield* Ref.make(0)
  const stopped = yield* Ref.make(0)
  const takes = yield* Ref.make(Duration.infinity)
  const call = () =>
    Ref.updateAndGet(begun, (n) => n + 1).pipe(
      Effect.tap(() => Effect.flatMap(Ref.get(takes), (time) => Duration.isFinite(time) ? Effect.sleep(time) : Effect.never)),
      Effect.onInterrupt(() => Ref.update(stopped, (n) => n + 1))
    )
  const transport = yield* Layer.build(MemoryTransport.layer)
  const server = yield* Scope.make()
  yield* Layer.buildWithScope(serveRole("settler", WorkRpcs, Work).pipe(Layer.provide(Layer.succeed(Work, { work: call, long: call, wait: call }))), server).pipe(
    Effect.provideContext(transport)
  )
  const client = Context.get(yield* Effect.provideContext(Layer.build(connectRole("settler", WorkRpcs, Work)), transport), Work)
  return { begun, stopped, takes, client, transport: Context.get(transport, RoleTransport) }
})

describe("ND-2: deadlines", () => {
  it.effect("a call that is not answered in time is stopped at the server, and made again", () =>
    Effect.gen(function*() {
      const { begun, client, stopped, takes } = yield* world
      const call = yield* Effect.forkChild(client.work(), { startImmediately: true })
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(yield* Ref.get(stopped), 0)
      yield* Ref.set(takes, Duration.seconds(3))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Ref.get(stopped), 1)
      assert.strictEqual(yield* Fiber.join(call), 2, "the second time it is answered")
      assert.strictEqual(yield* Ref.get(begun), 2)
    }))

  it.effect("an RPC's own deadline counts where it is longer, and one that waits for something has none", () =>
    Effect.gen(function*() {
      const { client, stopped } = yield* world
      const calls = yield* Effect.forEach([client.long(), client.wait()], (call) => Effect.forkChild(call, { startImmediately: true }))
      yield* TestClock.adjust("9 minutes")
      assert.strictEqual(yield* Ref.get(stopped), 0)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Ref.get(stopped), 1)
      yield* TestClock.adjust("20 hours")
      assert.isUndefined(calls[1]!.pollUnsafe())
      yield* Fiber.interruptAll(calls)
    }))

  it.effect("the server stops the work by itself, also for a caller that is silent, and never later than the RPC's own deadline", () =>
    Effect.gen(function*() {
      const { stopped, transport } = yield* world
      const protocol = yield* transport.connect("settler")
      // A client that asks and never gives up.
      const client = yield* Effect.provideService(RpcClient.make(WorkRpcs), RpcClient.Protocol, protocol)
      const ask = (headers: Record<string, string>) => Effect.forkScoped(Effect.exit(client.work(undefined, { headers })), { startImmediately: true })
      for (const left of ["5000", "86400000", "soon", "-1"]) yield* ask({ "lignum-deadline": left })
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* Ref.get(stopped), 1)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* Ref.get(stopped), 4)
    }))

  it.effect("a caller that has waited long enough stops the work as well", () =>
    Effect.gen(function*() {
      const { client, stopped } = yield* world
      const call = yield* Effect.forkChild(Effect.timeoutOption(client.wait(), "1 minute"), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(call)
      assert.strictEqual(yield* Ref.get(stopped), 1)
    }))
})
