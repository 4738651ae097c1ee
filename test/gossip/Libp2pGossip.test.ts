import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { proofMessage } from "../../src/gossip/Messages.ts"
import { make } from "../../src/gossip/Libp2pGossip.ts"
import { defaultLibp2pGossip } from "../../src/gossip/libp2p/Options.ts"
import { range } from "../domain/builders.ts"
import { conformance, isConnected, listen, type Network, statusOf } from "./conformance.ts"
import { addressOf, barePeer, domain, live, startGossip, until } from "./peers.ts"

const network: Network = {
  start: (_, knows) => Effect.flatMap(Effect.forEach(knows, addressOf), (bootstrap) => startGossip({ bootstrap })),
  shout: (to, bytes) =>
    Effect.gen(function*() {
      const peer = yield* barePeer
      yield* peer.dial(to)
      for (const each of bytes) yield* peer.publish(each)
    }),
  until
}

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "lignum-gossip-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

describe("gossip over libp2p", () => {
  conformance((name, program) => live(name, () => program(network)))

  live("a node keeps its peer id, and those that hold on to it find it again", () =>
    Effect.gen(function*() {
      const identityFile = join(yield* folder, "peer.key")
      const first = yield* Scope.make()
      const before = yield* Scope.provide(startGossip({ identityFile }), first)
      const address = yield* addressOf(before)
      const [, port] = /\/tcp\/(\d+)\//.exec(address)!
      const other = yield* startGossip({ bootstrap: [address] })
      yield* until("they are connected", isConnected(other, 1))
      assert.strictEqual((yield* Effect.promise(() => stat(identityFile))).mode & 0o777, 0o600)
      yield* Scope.close(first, Exit.void)
      yield* until("it is gone", Effect.map(isConnected(other, 1), (connected) => !connected))
      const after = yield* startGossip({ identityFile, listen: [`/ip4/127.0.0.1/tcp/${port}`] })
      assert.strictEqual(after.self, before.self)
      const heard = yield* listen(other)
      yield* until("they are connected again", isConnected(other, 1))
      yield* until("and heard again", Effect.gen(function*() {
        yield* after.publish(proofMessage(range(0, 1 + (yield* heard.seen).length)))
        yield* Effect.sleep("100 millis")
        return (yield* heard.seen).length > 0
      }))
    }))

  live("nodes of different rollups hear nothing of each other", () =>
    Effect.gen(function*() {
      const here = yield* startGossip()
      const elsewhere = yield* startGossip({ bootstrap: [yield* addressOf(here)], domain: { ...domain, chainId: 1n } })
      const friend = yield* startGossip({ bootstrap: [yield* addressOf(here)] })
      const heard = yield* listen(friend)
      yield* listen(here)
      yield* until("those of one rollup are peers", isConnected(here, 1))
      yield* until("those of one rollup hear each other", Effect.gen(function*() {
        yield* elsewhere.publish(proofMessage(range(0, 1)))
        yield* here.publish(proofMessage(range(0, 2 + (yield* heard.seen).length)))
        yield* Effect.sleep("100 millis")
        return (yield* heard.seen).length > 0
      }))
      assert.notInclude(yield* heard.seen, range(0, 1).id)
      const { counters, peers } = yield* statusOf(here)
      assert.strictEqual(counters.received, 0)
      assert.deepStrictEqual(peers.map(({ id }) => id), [friend.self])
    }))

  live("a key that others may read, or that is none, is not used", () =>
    Effect.gen(function*() {
      const identityFile = join(yield* folder, "peer.key")
      yield* Effect.promise(() => writeFile(identityFile, "secret", { mode: 0o644 }))
      const start = Effect.scoped(make({ ...defaultLibp2pGossip, domain, identityFile }))
      assert.match((yield* Effect.flip(start)).message, /others may read it; run chmod 600/)
      yield* Effect.promise(() => rm(identityFile))
      yield* Effect.promise(() => writeFile(identityFile, "secret", { mode: 0o600 }))
      assert.match((yield* Effect.flip(start)).message, /it is not a key; remove it/)
    }))

  live("wrong addresses are said to be so", () =>
    Effect.gen(function*() {
      const start = (options: { readonly listen?: ReadonlyArray<string>; readonly bootstrap?: ReadonlyArray<string> }) =>
        Effect.flip(Effect.scoped(make({ ...defaultLibp2pGossip, domain, ...options })))
      assert.match((yield* start({ bootstrap: ["somewhere"] })).message, /somewhere is no address of a peer/)
      assert.match((yield* start({ listen: ["/ip4/203.0.113.7/tcp/0"] })).message, /cannot listen for its peers/)
    }))
})
