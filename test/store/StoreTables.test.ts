import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteDatabase from "../../src/store/SqliteDatabase.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { ExpectedCredit, Outgoing, Store, Variant } from "../../src/store/Store.ts"
import { ref } from "../domain/builders.ts"
import { credit, hashOf, second } from "./outgoing.ts"

const open = (file: string) => SqlStore.layer.pipe(Layer.provide(SqliteDatabase.layer), Layer.provide(layerSqlite(file)))

describe("the tables of the store", () => {
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
          yield* sql`CREATE TABLE attempts (job TEXT NOT NULL)`
          yield* sql`CREATE TABLE quarantine (job TEXT NOT NULL)`
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
