import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Option, type Scope } from "effect"
import { NodeServices } from "@effect/platform-node"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import { BlockNumber, Wei } from "../../src/domain/Amount.ts"
import { TransactionHash, toHex32 } from "../../src/domain/Hash.ts"
import { AncestryProof, Proof } from "../../src/domain/Proof.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteStore from "../../src/store/SqliteStore.ts"
import { ExpectedCredit, Outgoing, SignedBytes, Store, Submission } from "../../src/store/Store.ts"
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

const submission = (from: number, to: number, nonce: number) =>
  new Submission({
    from: ref(from),
    to: ref(to),
    nonce,
    raw: "0x02",
    hash: TransactionHash.make(toHex32(BigInt(1_000 + nonce))),
    state: "pending"
  })

const flag = (epoch: number, nonce: number) =>
  new Outgoing({
    kind: "flag",
    key: `signal/${epoch}`,
    nonce,
    raw: "0x03",
    hash: TransactionHash.make(toHex32(BigInt(2_000 + 100 * epoch + nonce))),
    state: "pending"
  })

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

  it.effect("submissions with what they should bring, until they are abandoned", () => {
    const credit = (nonce: number) =>
      new ExpectedCredit({
        transaction: submission(0, 3, nonce).hash,
        block: BlockNumber.make(1),
        account: prover(1),
        kind: "leaf",
        amount: Wei.make(75n)
      })
    return acrossRestart(
      Effect.gen(function*() {
        const store = yield* Store
        yield* store.putSubmission(submission(0, 3, 0), [credit(0)])
        yield* store.settleSubmission(submission(0, 3, 0).hash, "confirmed")
        yield* store.putSubmission(submission(3, 6, 1), [credit(1)])
      }),
      () =>
        Effect.gen(function*() {
          const store = yield* Store
          assert.deepStrictEqual((yield* store.submissions).map(({ state, to }) => [to.number, state]), [[3, "confirmed"], [6, "pending"]])
          assert.deepStrictEqual(yield* store.expectedCredits, [credit(0), credit(1)])
          yield* store.settleSubmission(submission(3, 6, 1).hash, "abandoned")
          assert.strictEqual((yield* store.submissions).length, 1)
          assert.deepStrictEqual(yield* store.expectedCredits, [credit(0)])
        })
    )
  })
})

describe("ND-3: one transaction in flight", () => {
  const replacement = (n: number) => new SignedBytes({ raw: `0x0${n}` as never, hash: TransactionHash.make(toHex32(BigInt(5_000 + n))) })
  const credit = new ExpectedCredit({
    transaction: submission(0, 3, 0).hash,
    block: BlockNumber.make(1),
    account: prover(1),
    kind: "leaf",
    amount: Wei.make(75n)
  })

  it.effect("its replacements survive in their order, and what it should bring is expected of each", () =>
    acrossRestart(
      Effect.gen(function*() {
        const store = yield* Store
        yield* store.putSubmission(submission(0, 3, 0), [credit])
        yield* store.putReplacement(submission(0, 3, 0).hash, replacement(1))
        yield* store.putReplacement(submission(0, 3, 0).hash, replacement(2))
      }),
      () =>
        Effect.gen(function*() {
          const store = yield* Store
          const [kept] = yield* store.submissions
          const hashes = [replacement(2).hash, replacement(1).hash, submission(0, 3, 0).hash]
          assert.deepStrictEqual(kept!.variants.map(({ hash }) => hash), hashes)
          assert.isTrue(kept!.variants.every(({ nonce }) => nonce === 0))
          assert.deepStrictEqual((yield* store.expectedCredits).map(({ transaction }) => transaction), [...hashes].reverse())
          yield* store.settleSubmission(kept!.hash, "abandoned")
          assert.deepStrictEqual([yield* store.submissions, yield* store.expectedCredits], [[], []])
        })
    ))

  it.effect("what a store of the first version holds is found again", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const file = join(yield* fs.makeTempDirectoryScoped(), "node.db")
      yield* Effect.provide(Effect.flatMap(Store, (store) => store.putSubmission(submission(0, 3, 0), [credit])), open(file))
      yield* Effect.provide(
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`DROP INDEX outgoing_once`
          yield* sql`ALTER TABLE outgoing DROP COLUMN kind`
          yield* sql`ALTER TABLE outgoing DROP COLUMN key`
          yield* sql`ALTER TABLE outgoing RENAME TO submissions`
          yield* sql`DROP TABLE replacements`
          yield* sql`DELETE FROM migrations WHERE migration_id > 1`
        }),
        layerSqlite(file)
      )
      yield* Effect.provide(
        Effect.gen(function*() {
          const store = yield* Store
          assert.deepStrictEqual(yield* store.submissions, [submission(0, 3, 0)])
          assert.deepStrictEqual(yield* store.expectedCredits, [credit])
        }),
        open(file)
      )
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.effect("a second one is not taken, and nothing of it is kept", () =>
    Effect.gen(function*() {
      const store = yield* Store
      assert.isTrue(yield* store.putSubmission(submission(0, 3, 0), []))
      assert.isFalse(yield* store.putSubmission(submission(0, 6, 1), [credit]))
      assert.isFalse(yield* store.putOutgoing(flag(1, 1)))
      assert.strictEqual((yield* store.submissions).length, 1)
      assert.deepStrictEqual(yield* store.expectedCredits, [])
      assert.isTrue(Option.isNone(yield* store.outgoing("flag", "signal/1")))
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("an update that was given up may be made again, to the same bytes too", () =>
    Effect.gen(function*() {
      const store = yield* Store
      for (let time = 0; time < 2; time++) {
        assert.isTrue(yield* store.putSubmission(submission(0, 3, 0), [credit]))
        assert.deepStrictEqual(yield* store.submissions, [submission(0, 3, 0)])
        assert.deepStrictEqual(yield* store.expectedCredits, [credit])
        yield* store.settleSubmission(submission(0, 3, 0).hash, "abandoned")
      }
      assert.isTrue(yield* store.putSubmission(submission(0, 6, 0), []), "or to others")
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("of any kind: whatever is pending survives, and holds the others back", () =>
    acrossRestart(
      Effect.gen(function*() {
        const store = yield* Store
        assert.isTrue(Option.isNone(yield* store.inFlight))
        assert.isTrue(yield* store.putOutgoing(flag(1, 0)))
        yield* store.putReplacement(flag(1, 0).hash, replacement(1))
      }),
      () =>
        Effect.gen(function*() {
          const store = yield* Store
          const pending = Option.getOrThrow(yield* store.inFlight)
          assert.deepStrictEqual(pending, new Outgoing({ ...flag(1, 0), replacements: [replacement(1)] }))
          assert.deepStrictEqual(pending.variants.map(({ hash }) => hash), [replacement(1).hash, flag(1, 0).hash])
          assert.isFalse(yield* store.putSubmission(submission(0, 3, 1), []))
          assert.deepStrictEqual(yield* store.submissions, [], "a flag is no update")
          yield* store.settleSubmission(flag(1, 0).hash, "confirmed")
          assert.isTrue(yield* store.putSubmission(submission(0, 3, 1), []))
          const update = Option.getOrThrow(yield* store.inFlight)
          assert.deepStrictEqual([update.kind, update.hash, update.nonce], ["update", submission(0, 3, 1).hash, 1])
        })
    ))

  it.effect("a key is used once, however it ended", () =>
    Effect.gen(function*() {
      const store = yield* Store
      for (const state of ["confirmed", "abandoned"] as const) {
        const epoch = state === "confirmed" ? 1 : 2
        assert.isTrue(yield* store.putOutgoing(flag(epoch, epoch)))
        yield* store.settleSubmission(flag(epoch, epoch).hash, state)
        assert.isFalse(yield* store.putOutgoing(flag(epoch, epoch)), "the same bytes")
        assert.isFalse(yield* store.putOutgoing(flag(epoch, epoch + 10)), "others")
        assert.strictEqual(Option.getOrThrow(yield* store.outgoing("flag", `signal/${epoch}`)).state, state)
      }
      assert.isTrue(Option.isNone(yield* store.inFlight))
    }).pipe(Effect.provide(open(":memory:"))))

  it.effect("what L1 took back is on its way again, unless something else is", () =>
    Effect.gen(function*() {
      const store = yield* Store
      yield* store.putSubmission(submission(0, 3, 0), [])
      assert.isTrue(yield* store.reopen(submission(0, 3, 0).hash), "it is on its way")
      yield* store.settleSubmission(submission(0, 3, 0).hash, "confirmed")
      yield* store.putOutgoing(flag(1, 1))
      assert.isFalse(yield* store.reopen(submission(0, 3, 0).hash))
      assert.strictEqual((yield* store.submissions)[0]!.state, "confirmed")
      yield* store.settleSubmission(flag(1, 1).hash, "abandoned")
      assert.isTrue(yield* store.reopen(submission(0, 3, 0).hash))
      assert.strictEqual((yield* store.submissions)[0]!.state, "pending")
      assert.isFalse(yield* store.reopen(flag(1, 1).hash), "what was given up stays given up")
    }).pipe(Effect.provide(open(":memory:"))))
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
