import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { BlockNumber } from "../../src/domain/Amount.ts"
import { AncestryProof, Proof } from "../../src/domain/Proof.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { Outgoing, Store } from "../../src/store/Store.ts"
import { prover, range, ref } from "../domain/builders.ts"
import { connectionsTo } from "./connections.ts"
import { databases, type TestDatabase } from "./databases.ts"
import { credit, expectedOf, first, outgoing, second, variant } from "./outgoing.ts"

const open = (name: string) => SqlStore.layer.pipe(Layer.provide(connectionsTo(name)))

/** Uses a new store. */
const once = <A, E>({ fresh }: TestDatabase, use: Effect.Effect<A, E, Store>) => Effect.flatMap(fresh, (name) => Effect.provide(use, open(name)))

/** Uses a store, closes it, and uses it again, as a restart does. */
const acrossRestart = <A, B, E, F>({ fresh }: TestDatabase, before: Effect.Effect<A, E, Store>, after: (a: A) => Effect.Effect<B, F, Store>) =>
  Effect.gen(function*() {
    const name = yield* fresh
    const a = yield* Effect.provide(before, open(name))
    return yield* Effect.provide(after(a), open(name))
  })

for (const database of databases()) {
  describe(`ND-1: what the store has taken survives (${database.name})`, () => {
    it.effect("proofs, oldest first, each once", () =>
      acrossRestart(
        database,
        Effect.gen(function*() {
          const store = yield* Store
          for (const proof of [range(2, 3), range(0, 1), range(1, 2), range(0, 1), range(0, 3)]) yield* store.putProof(proof)
        }),
        () =>
          Effect.gen(function*() {
            const store = yield* Store
            const ranges = (yield* store.proofsBeyond(BlockNumber.make(1))).map(({ statement }) => [statement.from.number, statement.to.number])
            assert.deepStrictEqual(ranges, [[1, 2], [0, 3], [2, 3]])
            const pages: Array<ReadonlyArray<Proof>> = []
            for (let last: Proof | undefined; ; last = pages.at(-1)!.at(-1)) {
              const page = yield* store.proofPage(last?.statement.to.number ?? BlockNumber.make(1), last?.id, 2)
              if (page.length === 0) break
              pages.push(page)
            }
            assert.deepStrictEqual(pages.map(({ length }) => length), [2, 1])
            const [first, ...rest] = pages.flat()
            assert.deepStrictEqual(first, range(1, 2))
            assert.deepStrictEqual(rest, [range(0, 3), range(2, 3)].sort((left, right) => (left.id < right.id ? -1 : 1)))
            assert.deepStrictEqual(yield* store.blockProof(ref(2).hash, prover(1)), Option.some(range(1, 2)))
            assert.isTrue(Option.isNone(yield* store.blockProof(ref(2).hash, prover(9))))
            assert.strictEqual(yield* store.blocksProven(prover(1)), 3)
          })
      ))

    it.effect("a second proof of one block by one prover is not kept", () =>
      acrossRestart(
        database,
        Effect.gen(function*() {
          const store = yield* Store
          yield* store.putProof(range(0, 1))
          yield* store.putProof(new Proof({ ...range(0, 1), bytes: "0xff" }))
        }),
        () =>
          Effect.gen(function*() {
            assert.deepStrictEqual(yield* (yield* Store).proofsBeyond(BlockNumber.make(0)), [range(0, 1)])
          })
      ))

    it.effect("ancestry proofs by END and checkpoint", () => {
      const proof = new AncestryProof({ system: "groth16", end: ref(3).hash, via: [], checkpointBlock: ref(4).hash, bytes: "0x01" })
      return acrossRestart(
        database,
        Effect.flatMap(Store, (store) => store.putAncestry(proof)),
        () =>
          Effect.gen(function*() {
            const store = yield* Store
            assert.deepStrictEqual(yield* store.ancestry(ref(3).hash, ref(4).hash), Option.some(proof))
            assert.isTrue(Option.isNone(yield* store.ancestry(ref(3).hash, ref(6).hash)))
          })
      )
    })

    it.effect("transactions with what they should bring, until they are abandoned", () =>
      acrossRestart(
        database,
        Effect.gen(function*() {
          const store = yield* Store
          assert.isTrue(yield* store.putOutgoing(first, [credit]))
          yield* store.settleOutgoing(first.id, "confirmed")
          assert.isTrue(yield* store.putOutgoing(second, [credit]))
        }),
        () =>
          Effect.gen(function*() {
            const store = yield* Store
            assert.deepStrictEqual(yield* store.allOutgoing, [new Outgoing({ ...first, state: "confirmed" }), second])
            assert.deepStrictEqual(yield* store.inFlight, Option.some(second))
            assert.deepStrictEqual(yield* store.expectedCredits, [expectedOf(first.id), expectedOf(second.id)])
            yield* store.settleOutgoing(second.id, "abandoned")
            assert.strictEqual((yield* store.allOutgoing).length, 1)
            assert.deepStrictEqual(yield* store.inFlight, Option.none())
            assert.deepStrictEqual(yield* store.expectedCredits, [expectedOf(first.id)])
          })
      ))
  })

  describe(`ND-3: one transaction in flight (${database.name})`, () => {
    it.effect("its variants survive in their order, and what it should bring is expected of each that does something", () =>
      acrossRestart(
        database,
        Effect.gen(function*() {
          const store = yield* Store
          yield* store.putOutgoing(first, [credit])
          yield* store.putVariant(first.id, variant(1))
          yield* store.putVariant(first.id, variant(2, true))
        }),
        () =>
          Effect.gen(function*() {
            const store = yield* Store
            const kept = Option.getOrThrow(yield* store.inFlight)
            assert.deepStrictEqual(kept.variants, [...first.variants, variant(1), variant(2, true)] as never)
            assert.deepStrictEqual([kept.id, kept.newest.hash, kept.newest.nonce, kept.cancelled], [first.id, variant(2).hash, 0, true])
            assert.deepStrictEqual((yield* store.expectedCredits).map(({ transaction }) => transaction), [first.id, variant(1).hash])
            yield* store.settleOutgoing(first.id, "abandoned")
            assert.deepStrictEqual([yield* store.allOutgoing, yield* store.expectedCredits], [[], []])
          })
      ))

    it.effect("a second one is not taken, of whatever kind, and nothing of it is kept", () =>
      once(database, Effect.gen(function*() {
        const store = yield* Store
        assert.isTrue(yield* store.putOutgoing(first, []))
        for (const kind of ["update", "redundant", "revert", "claim", "flag"] as const) {
          assert.isFalse(yield* store.putOutgoing(outgoing(kind, "another", 1), [credit]))
          assert.isTrue(Option.isNone(yield* store.outgoing(kind, "another")))
        }
        assert.deepStrictEqual(yield* store.allOutgoing, [first])
        assert.deepStrictEqual(yield* store.expectedCredits, [])
      })))

    it.effect("what is done is not done again, by whatever transaction", () =>
      once(database, Effect.gen(function*() {
        const store = yield* Store
        for (const [nonce, kind] of (["update", "redundant", "revert", "claim", "flag"] as const).entries()) {
          const deed = outgoing(kind, "deed", nonce)
          assert.isTrue(yield* store.putOutgoing(deed, []), "the same key of another kind is another deed")
          yield* store.settleOutgoing(deed.id, "confirmed")
          assert.isFalse(yield* store.putOutgoing(deed, []), "the same bytes")
          assert.isFalse(yield* store.putOutgoing(outgoing(kind, "deed", nonce + 1), []), "others")
          assert.deepStrictEqual(yield* store.outgoing(kind, "deed"), Option.some(new Outgoing({ ...deed, state: "confirmed" })))
        }
        assert.isTrue(Option.isNone(yield* store.inFlight))
      })))

    it.effect("what was given up may be done after all, by the same bytes or by others", () =>
      once(database, Effect.gen(function*() {
        const store = yield* Store
        for (let time = 0; time < 2; time++) {
          assert.isTrue(yield* store.putOutgoing(first, [credit]))
          assert.deepStrictEqual(yield* store.allOutgoing, [first])
          assert.deepStrictEqual(yield* store.expectedCredits, [expectedOf(first.id)])
          yield* store.settleOutgoing(first.id, "abandoned")
        }
        const dearer = outgoing("update", "0..3", 4)
        assert.isTrue(yield* store.putOutgoing(dearer, []))
        assert.isFalse(yield* store.putOutgoing(first, [credit]), "but not by both")
        assert.deepStrictEqual(yield* store.allOutgoing, [dearer])
      })))

    it.effect("what L1 took back is found by its nonce", () =>
      once(database, Effect.gen(function*() {
        const store = yield* Store
        for (const each of [first, second]) {
          yield* store.putOutgoing(each, [])
          assert.deepStrictEqual(yield* store.confirmedFrom(each.nonce), [], "it is pending")
          yield* store.settleOutgoing(each.id, "confirmed")
        }
        const nonces = Effect.fnUntraced(function*(from: number) {
          return (yield* store.confirmedFrom(from)).map(({ nonce }) => nonce)
        })
        assert.deepStrictEqual([yield* nonces(0), yield* nonces(1), yield* nonces(2)], [[0, 1], [1], []])
      })))
  })
}
