/** Roles that move between hosts: real sockets, real processes, a real Postgres. */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Redacted, Stream } from "effect"
import { Runners } from "effect/cluster"
import { RpcClient } from "effect/rpc"
import { type ChildProcess, spawn } from "node:child_process"
import * as SocketTransport from "../../src/rpc/SocketTransport.ts"
import { freshDatabase, Postgres } from "../postgres.ts"
import { lookOn, placeHost, quietly, secret } from "./hosts.ts"

/** A host as a process of its own, which ends with the scope. */
const placeProcess = (url: Redacted.Redacted<string>, name: string) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const program = new URL("runPlaceHost.ts", import.meta.url).pathname
      const child = spawn(process.execPath, ["--no-warnings", program, Redacted.value(url), name], { stdio: ["ignore", "pipe", "inherit"] })
      child.stdout.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const until = <A, E>(look: Effect.Effect<A, E>, holds: (a: A) => boolean) =>
  look.pipe(Effect.delay("50 millis"), Effect.repeat({ until: holds }), Effect.timeout("60 seconds"))

layer(Layer.merge(Postgres.layer, quietly), { excludeTestServices: true })("control roles", (it) => {
  it.effect("a role is at one host, any host reaches it, and it moves when its host stops", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      const { writers } = yield* lookOn(url)
      const hosts = yield* Effect.forEach(["a", "b", "c"], (name) => placeHost(url, name), { concurrency: 3 })
      // Hosts that come take their share, and then nothing moves any more.
      const [first] = yield* until(Effect.forEach(hosts, ({ place }) => place.host()), (all) => new Set(all).size === 1)
      const [holder, one, other] = [...hosts].sort((left, right) => Number(right.name === first) - Number(left.name === first))
      // What follows it goes on where it is next.
      const seen = yield* Effect.forkChild(Stream.runCollect(Stream.take(one!.place.changes(), 2)), { startImmediately: true })
      yield* Effect.sleep("100 millis")
      yield* holder!.stop
      const second = yield* one!.place.host()
      assert.notStrictEqual(second, first)
      assert.strictEqual(yield* other!.place.host(), second)
      assert.deepStrictEqual(yield* Fiber.join(seen), [first, second])
      assert.deepStrictEqual((yield* until(writers, (all) => all.at(-1) === second)).slice(-2), [first, second])
    }))

  it.effect("ND-3: a host whose role another has taken writes nothing more and stops, and takes it again if it is the right one", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      const { leases, writers } = yield* lookOn(url)
      const { place } = yield* placeHost(url, "a")
      assert.strictEqual(yield* place.host(), "a")
      yield* until(writers, (all) => all.length === 1)
      const { epoch, fence } = yield* leases.take("settler", "forged", { host: "127.0.0.1", port: 9 })
      yield* Effect.sleep("1 second")
      yield* fence.check
      const after = Option.getOrThrow(yield* until(leases.holder("settler"), Option.exists(({ host }) => host === "a")))
      assert.isAbove(after.epoch, epoch)
      assert.strictEqual((yield* Effect.flip(fence.check)).epoch, epoch)
      assert.strictEqual(yield* place.host(), "a")
    }))

  it.effect("ND-3: after SIGSTOP and after kill -9 another host has the role; who comes back late writes nothing", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      const { leases, writers } = yield* lookOn(url)
      const started = yield* Effect.forEach(["a", "b"] as const, (name) => Effect.map(placeProcess(url, name), (child) => [name, child] as const), { concurrency: 2 })
      const processes = new Map<string, ChildProcess>(started)
      const holder = Effect.map(leases.holder("settler"), (found) => Option.getOrElse(Option.map(found, ({ host }) => host), () => ""))
      const writes = (host: string) => until(writers, (all) => all.at(-1) === host)
      yield* Effect.sleep("2 seconds")
      const first = yield* until(holder, (host) => host !== "")
      yield* writes(first)
      processes.get(first)!.kill("SIGSTOP")
      const second = yield* until(holder, (host) => host !== "" && host !== first)
      yield* writes(second)
      processes.get(first)!.kill("SIGCONT")
      yield* Effect.sleep("1 second")
      assert.deepStrictEqual((yield* writers).slice(-2), [first, second], "the zombie wrote nothing")
      // It may be the right one again, now that it is back.
      const third = yield* until(holder, (host) => host !== "")
      processes.get(third)!.kill("SIGKILL")
      const last = yield* until(holder, (host) => host !== "" && host !== third)
      yield* writes(last)
    }))

  it.effect("who does not know the cluster's secret gets no answer from a host, and who knows it does", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      const { leases } = yield* lookOn(url)
      const { place } = yield* placeHost(url, "a")
      yield* place.host()
      const { address } = Option.getOrThrow(yield* leases.holder("settler"))
      const ping = (key: typeof secret) =>
        SocketTransport.connecting({ secret: key, locate: Effect.succeed(address) }).connect("cluster").pipe(
          Effect.flatMap((protocol) => Effect.provideService(Runners.makeRpcClient, RpcClient.Protocol, protocol)),
          Effect.flatMap((client) => client.Ping()),
          Effect.scoped,
          Effect.timeoutOption("5 seconds"),
          Effect.exit
        )
      const answered = yield* ping(secret)
      assert.isTrue(answered._tag === "Success" && Option.isSome(answered.value))
      const refused = yield* ping(Redacted.make(new Uint8Array(32).fill(4)))
      assert.isFalse(refused._tag === "Success" && Option.isSome(refused.value))
    }))
})
