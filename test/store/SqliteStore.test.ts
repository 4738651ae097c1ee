import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Option, type Scope } from "effect"
import { NodeServices } from "@effect/platform-node"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import { keccak256, stringToHex } from "viem"
import { BlockNumber, Wei } from "../../src/domain/Amount.ts"
import { TransactionHash, toHex32 } from "../../src/domain/Hash.ts"
import { AncestryProof, Proof } from "../../src/domain/Proof.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteStore from "../../src/store/SqliteStore.ts"
import { ExpectedCredit, Outgoing, type OutgoingKind, Store, Variant } from "../../src/store/Store.ts"
import { prover, range, ref } from "../domain/builders.ts"

const open = (file: string) => SqliteStore.layer.pipe(Layer.provide(layerSqlite(file)))

/** Uses a store, closes it, and uses it again, as a restart does. */
const acrossRestart = <A, B>(before: Effect.Effect<A, unknown, Store>, after: (a: A) => Effect.Effect<B, unknown, Store>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const file = join(yield* fs.makeTempDirectoryScoped(), "node.db")
    const a = yield* Effect.provide(before, open(file))
    return yield* Effect.provide(after(a), open(file))
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)) as Effect.Effect<B, unknown, Exclude<Scope.Scope, Scope.Scope>>

const hashOf = (n: number) => TransactionHash.make(toHex32(BigInt(n)))
const variant = (n: number, cancels = false) => new Variant({ raw: "0x02", hash: hashOf(5_000 + n), cancels })

const outgoing = (kind: OutgoingKind, key: string, nonce: number) =>
  new Outgoing({
    kind,
    key,
    subject: `the ${kind} ${key}`,
    block: kind === "update" ? BlockNumber.make(3) : null,
    nonce,
    state: "pending",
    worth: kind === "flag" ? null : 75n,
    expiresAt: kind === "redundant" ? 1_000n : null,
    variants: [new Variant({ raw: "0x02", hash: keccak256(stringToHex(`${kind} ${key} ${nonce}`)) as TransactionHash, cancels: false })]
  })
const first = outgoing("update", "0..3", 0)
const second = outgoing("update", "3..6", 1)
const credit = { block: BlockNumber.make(1), account: prover(1), kind: "leaf" as const, amount: Wei.make(75n), proverFees: Wei.make(100n) }
const expectedOf = (transaction: TransactionHash) => new ExpectedCredit({ ...credit, transaction })

describe("ND-1: what the store has taken survives", () => {
  it.effect("proofs, oldest first, each once", () =>
    acrossRestart(
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

describe("ND-3: one transaction in flight", () => {
  it.effect("its variants survive in their order, and what it should bring is expected of each that does something", () =>
    acrossRestart(
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
    Effect.gen(function*() {
      const store = yield* Store
      assert.isTrue(yield* store.putOutgoing(first, []))
      for (const kind of ["update", "redundant", "revert", "claim", "flag"] as const) {
        assert.isFalse(yield* store.putOutgoing(outgoing(kind, "another", 1), [credit]))
        assert.isTrue(Option.isNone(yield* store.outgoing(kind, "another")))
      }
      assert.deepStrictEqual(yield* store.allOutgoing, [first])
      assert.deepStrictEqual(yield* store.expectedCredits, [])
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("what is done is not done again, by whatever transaction", () =>
    Effect.gen(function*() {
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
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("what was given up may be done after all, by the same bytes or by others", () =>
    Effect.gen(function*() {
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
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("what L1 took back is found by its nonce", () =>
    Effect.gen(function*() {
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
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("what a store of the first version holds is found again", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const file = join(yield* fs.makeTempDirectoryScoped(), "node.db")
      yield* Effect.provide(Store, open(file))
      const [from, to] = [ref(0), ref(3)]
      // As that version wrote them: the same blocks were settled by the second of two transactions, which was replaced once.
      yield* Effect.provide(
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`DROP TABLE variants`
          yield* sql`DROP TABLE expected_credits`
          yield* sql`DROP TABLE outgoing`
          yield* sql`DELETE FROM migrations WHERE migration_id > 2`
          yield* sql`CREATE TABLE submissions (
            hash TEXT PRIMARY KEY, to_number INTEGER NOT NULL, nonce INTEGER NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL
          ) STRICT`
          yield* sql`CREATE UNIQUE INDEX one_submission_in_flight ON submissions (state) WHERE state = 'pending'`
          yield* sql`CREATE TABLE expected_credits (
            hash TEXT NOT NULL REFERENCES submissions (hash), position INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (hash, position)
          ) STRICT`
          yield* sql`CREATE TABLE replacements (
            submission TEXT NOT NULL REFERENCES submissions (hash), position INTEGER NOT NULL, hash TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
            PRIMARY KEY (submission, position)
          ) STRICT`
          for (const [nonce, state] of [[0, "confirmed"], [1, "pending"]] as const) {
            const body = JSON.stringify({ from, to, nonce, raw: "0x02", hash: hashOf(nonce), state })
            yield* sql`INSERT INTO submissions VALUES (${hashOf(nonce)}, 3, ${nonce}, ${state}, ${body})`
            const { block, account, kind } = credit
            yield* sql`INSERT INTO expected_credits VALUES (${hashOf(nonce)}, 0, ${JSON.stringify({ transaction: hashOf(nonce), block, account, kind, amount: "75" })})`
          }
          yield* sql`INSERT INTO replacements VALUES (${hashOf(1)}, 1, ${hashOf(2)}, ${JSON.stringify({ raw: "0x03", hash: hashOf(2) })})`
        }),
        layerSqlite(file)
      )
      yield* Effect.provide(
        Effect.gen(function*() {
          const store = yield* Store
          const update = new Outgoing({
            kind: "update",
            key: `${from.hash}..${to.hash}`,
            subject: "the update to block 3",
            block: to.number,
            nonce: 1,
            state: "pending",
            worth: null,
            expiresAt: null,
            variants: [
              new Variant({ raw: "0x02", hash: hashOf(1), cancels: false }),
              new Variant({ raw: "0x03", hash: hashOf(2), cancels: false })
            ]
          })
          assert.deepStrictEqual(yield* store.allOutgoing, [update], "the older one of two that do the same is given up")
          const { proverFees: _, ...former } = credit
          assert.deepStrictEqual(yield* store.expectedCredits, [1, 2].map((n) => new ExpectedCredit({ ...former, transaction: hashOf(n) })))
          yield* store.settleOutgoing(update.id, "confirmed")
          assert.isTrue(yield* store.putOutgoing(second, [credit]), "and it goes on from there")
        }),
        open(file)
      )
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
})

describe("ND-4: attempts", () => {
  it.effect("are counted at every end, and a job that fails too often while others succeed is quarantined", () =>
    Effect.gen(function*() {
      const store = yield* Store
      for (let n = 1; n <= 5; n++) {
        assert.strictEqual(yield* store.beginAttempt("job"), n)
        yield* store.endAttempt("job", n, "failed", "no luck")
      }
      const other = yield* store.beginAttempt("other")
      yield* store.endAttempt("other", other, "done", "")
      const refused = yield* Effect.flip(store.beginAttempt("job"))
      assert.strictEqual(refused.attempts, 5)
      assert.strictEqual(yield* store.beginAttempt("another"), 1)
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("that failed while the prover was broken are not held against a job when others succeed again", () =>
    Effect.gen(function*() {
      const store = yield* Store
      const fail = Effect.gen(function*() {
        yield* store.endAttempt("job", yield* store.beginAttempt("job"), "failed", "the prover is broken")
        yield* TestClock.adjust("1 second")
      })
      yield* Effect.repeat(fail, { times: 9 })
      yield* store.endAttempt("other", yield* store.beginAttempt("other"), "done", "")
      yield* Effect.repeat(fail, { times: 4 })
      assert.strictEqual((yield* Effect.flip(store.beginAttempt("job"))).attempts, 15, "ten before and five since")
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("of a job that fails while nothing succeeds are many, but have an end", () =>
    Effect.gen(function*() {
      const store = yield* Store
      for (let n = 1; n <= 25; n++) yield* store.endAttempt("job", yield* store.beginAttempt("job"), "failed", "the prover is broken")
      assert.strictEqual((yield* Effect.flip(store.beginAttempt("job"))).attempts, 25)
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("persist: what was running when the node died is lost, not forgotten", () =>
    acrossRestart(
      Effect.flatMap(Store, (store) => store.beginAttempt("job")),
      () =>
        Effect.gen(function*() {
          const store = yield* Store
          assert.deepStrictEqual(yield* store.attempts, [{ job: "job", attempt: 1, outcome: "lost" }])
          assert.strictEqual(yield* store.beginAttempt("job"), 2)
        })
    ))

  it.effect("a lease that ended stays as it ended, whatever is reported later", () =>
    Effect.gen(function*() {
      const store = yield* Store
      const attempt = yield* store.beginAttempt("job")
      yield* store.endAttempt("job", attempt, "done", "")
      yield* store.endAttempt("job", attempt, "failed", "a late word")
      assert.deepStrictEqual(yield* store.attempts, [{ job: "job", attempt: 1, outcome: "done" }])
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("inputs that cannot succeed are quarantined at once", () =>
    Effect.gen(function*() {
      const store = yield* Store
      yield* store.quarantine("job", "the witness does not satisfy the circuit")
      const refused = yield* Effect.flip(store.beginAttempt("job"))
      assert.strictEqual(refused.reason, "the witness does not satisfy the circuit")
    }).pipe(Effect.provide(open(":memory:"))))
})
