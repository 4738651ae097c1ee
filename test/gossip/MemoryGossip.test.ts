import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { BlockNumber } from "../../src/domain/Amount.ts"
import { answers, fetchBeyond, proofMessage } from "../../src/gossip/Messages.ts"
import { layerNetwork, MemoryNetwork, type MemoryNetworkOptions } from "../../src/gossip/MemoryGossip.ts"
import { range } from "../domain/builders.ts"
import { pass, virtual } from "../simulation/virtual.ts"
import { conformance, listen, type Network, statusOf } from "./conformance.ts"

const network = Effect.gen(function*() {
  const { connect, join, shout } = yield* MemoryNetwork
  const knows = new Map<string, ReadonlyArray<string>>()
  let shouters = 0
  return {
    start: (name, known) =>
      Effect.gen(function*() {
        knows.set(name, known.map(({ self }) => self))
        yield* connect((left, right) => knows.get(left)?.includes(right) === true)
        return yield* join(name)
      }),
    shout: (to, bytes) =>
      Effect.gen(function*() {
        const name = `shouter-${++shouters}`
        knows.set(name, [to.self])
        for (const each of bytes) yield* shout(name, each)
      }),
    until: (what, condition) =>
      Effect.gen(function*() {
        for (let second = 0; second < 600; second++) {
          if (yield* condition) return
          yield* pass(1)
        }
        assert.fail(`${what}: never`)
      })
  } satisfies Network
})

const inMemory = (options: Partial<MemoryNetworkOptions> = {}) => (name: string, program: (network: Network) => Effect.Effect<void, never, any>) =>
  virtual(name, () => Effect.flatMap(network, program).pipe(Effect.provide(layerNetwork(options))))

describe("gossip in memory", () => {
  conformance(inMemory())

  const nodes = Effect.fnUntraced(function*(count: number) {
    const { join } = yield* MemoryNetwork
    return yield* Effect.forEach(Array.from({ length: count }, (_, i) => `node-${i}`), (name) =>
      Effect.flatMap(join(name), (gossip) => Effect.map(listen(gossip), (heard) => ({ ...heard, gossip }))))
  })

  virtual("OC-5: a partition that heals leaves nothing behind that cannot be fetched", () =>
    Effect.gen(function*() {
      const { connect } = yield* MemoryNetwork
      const [left, right] = yield* nodes(2)
      yield* connect(() => false)
      const proof = range(0, 1)
      yield* left!.gossip.publish(proofMessage(proof))
      yield* Effect.forkScoped(left!.gossip.serve((request) => Effect.succeed([proof].filter((each) => answers(request, each)))))
      yield* pass(60)
      assert.deepStrictEqual(yield* right!.seen, [])
      assert.strictEqual(yield* right!.gossip.fetch(fetchBeyond(BlockNumber.make(0)), right!.judge), 0)
      yield* connect(() => true)
      assert.strictEqual(yield* right!.gossip.fetch(fetchBeyond(BlockNumber.make(0)), right!.judge), 1)
      assert.deepStrictEqual(yield* right!.seen, [proof.id])
    }).pipe(Effect.provide(layerNetwork())))

  virtual("OC-1: with losses and copies, relays bring nearly everything to everybody, and nothing twice", () =>
    Effect.gen(function*() {
      const all = yield* nodes(8)
      const proofs = Array.from({ length: 50 }, (_, i) => range(i, i + 1))
      for (const [i, proof] of proofs.entries()) yield* all[i % all.length]!.gossip.publish(proofMessage(proof))
      yield* pass(30)
      for (const { seen } of all) {
        const ids = yield* seen
        assert.strictEqual(new Set(ids).size, ids.length)
      }
      const heard = (yield* Effect.forEach(all, ({ seen }) => seen)).reduce((sum, { length }) => sum + length, 0)
      assert.isAtLeast(heard / (proofs.length * (all.length - 1)), 0.999)
    }).pipe(Effect.provide(layerNetwork({ loss: 200, duplication: 200 }))))

  virtual("the same seed, the same journeys", () =>
    Effect.gen(function*() {
      const run = Effect.gen(function*() {
        const all = yield* nodes(3)
        for (let i = 0; i < 20; i++) yield* all[i % 3]!.gossip.publish(proofMessage(range(i, i + 1)))
        yield* pass(10)
        return yield* Effect.forEach(all, ({ seen }) => seen)
      }).pipe(Effect.scoped, Effect.provide(layerNetwork({ loss: 300, jitter: "2 seconds" })))
      assert.deepStrictEqual(yield* run, yield* run)
    }))

  virtual("OC-1: who was cut off is refused for a while, longer each time", () =>
    Effect.gen(function*() {
      const { shout } = yield* MemoryNetwork
      const [node] = yield* nodes(1)
      const rubbish = (n: number) => new TextEncoder().encode(`rubbish ${n}`)
      const misbehave = Effect.fnUntraced(function*(from: number) {
        for (let n = from; n < from + 10; n++) yield* shout("liar", rubbish(n))
        yield* pass(5)
        return (yield* statusOf(node!.gossip)).counters.malformed
      })
      assert.strictEqual(yield* misbehave(0), 4)
      assert.strictEqual(yield* misbehave(10), 4, "refused")
      yield* pass("11 minutes")
      assert.strictEqual(yield* misbehave(20), 8, "and a stranger again")
      yield* pass("11 minutes")
      assert.strictEqual(yield* misbehave(30), 8, "refused for twice as long")
      yield* pass("10 minutes")
      assert.strictEqual(yield* misbehave(40), 12)
    }).pipe(Effect.provide(layerNetwork())))
})

