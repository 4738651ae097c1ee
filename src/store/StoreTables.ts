/**
 * The tables of the store, made and brought up to date. Several hosts may start at once: one of them makes the tables.
 *
 * What is in one migration is never changed. A file of SQLite may be as old as the first; a database of Postgres began with the fourth.
 */
import { Effect } from "effect"
import { Migrator, SqlClient } from "effect/sql"
import { Database } from "./Database.ts"

const sqliteMigrations = Migrator.fromRecord({
  "1_proofs_attempts_submissions": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE TABLE proofs (
      id TEXT PRIMARY KEY, end_number INTEGER NOT NULL, start_number INTEGER NOT NULL, end_hash TEXT NOT NULL, prover TEXT, body TEXT NOT NULL
    ) STRICT`
    yield* sql`CREATE INDEX proofs_by_end ON proofs (end_number, start_number)`
    // A block is proved once in one prover's name, whatever happens.
    yield* sql`CREATE UNIQUE INDEX proofs_by_block ON proofs (end_hash, prover) WHERE prover IS NOT NULL`
    yield* sql`CREATE TABLE ancestry_proofs (
      end_hash TEXT NOT NULL, checkpoint_hash TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (end_hash, checkpoint_hash)
    ) STRICT`
    yield* sql`CREATE TABLE attempts (
      job TEXT NOT NULL, attempt INTEGER NOT NULL, started_at INTEGER NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
      PRIMARY KEY (job, attempt)
    ) STRICT`
    yield* sql`CREATE TABLE quarantine (job TEXT PRIMARY KEY, reason TEXT NOT NULL) STRICT`
    yield* sql`CREATE TABLE submissions (
      hash TEXT PRIMARY KEY, to_number INTEGER NOT NULL, nonce INTEGER NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL
    ) STRICT`
    // Two transactions for one piece of the chain can never both be on their way (ND-3).
    yield* sql`CREATE UNIQUE INDEX one_submission_in_flight ON submissions (state) WHERE state = 'pending'`
    yield* sql`CREATE TABLE expected_credits (
      hash TEXT NOT NULL REFERENCES submissions (hash), position INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (hash, position)
    ) STRICT`
  }),
  "2_replacements": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE TABLE replacements (
      submission TEXT NOT NULL REFERENCES submissions (hash), position INTEGER NOT NULL, hash TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
      PRIMARY KEY (submission, position)
    ) STRICT`
  }),
  "3_outgoing": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    // Updates become one kind of several. The index on what is pending goes with the table, and so holds across all kinds.
    yield* sql`ALTER TABLE submissions RENAME TO outgoing`
    yield* sql`ALTER TABLE outgoing ADD COLUMN kind TEXT NOT NULL DEFAULT 'update'`
    yield* sql`ALTER TABLE outgoing ADD COLUMN key TEXT NOT NULL DEFAULT ''`
    yield* sql`UPDATE outgoing SET key = json_extract(body, '$.from.hash') || '..' || json_extract(body, '$.to.hash')`
    // What was signed first stands beside what replaced it.
    yield* sql`ALTER TABLE replacements RENAME TO variants`
    yield* sql`ALTER TABLE variants RENAME COLUMN submission TO outgoing`
    yield* sql`UPDATE variants SET body = json_set(body, '$.cancels', json('false'))`
    yield* sql`INSERT INTO variants (outgoing, position, hash, body)
      SELECT hash, 0, hash, json_object('raw', json_extract(body, '$.raw'), 'hash', hash, 'cancels', json('false')) FROM outgoing`
    yield* sql`UPDATE outgoing SET body = json_object('subject', 'the update to block ' || to_number, 'block', to_number, 'worth', NULL, 'expiresAt', NULL)`
    yield* sql`ALTER TABLE outgoing DROP COLUMN to_number`
    yield* sql`UPDATE outgoing SET state = 'abandoned' WHERE EXISTS
      (SELECT 1 FROM outgoing AS later WHERE later.key = outgoing.key AND later.nonce > outgoing.nonce AND later.state <> 'abandoned')`
    // What was given up may be done after all, by another transaction. Nothing is done by two (ND-3).
    yield* sql`CREATE UNIQUE INDEX outgoing_once ON outgoing (kind, key) WHERE state <> 'abandoned'`
    yield* sql`CREATE INDEX outgoing_by_nonce ON outgoing (nonce)`
  }),
  "4_jobs": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    // Attempts are a job's (`jobs/JobsTables.ts`). What was in quarantine has no input to be replayed: it is tried anew, and comes back.
    yield* sql`DROP TABLE attempts`
    yield* sql`DROP TABLE quarantine`
  })
})

const postgresMigrations = Migrator.fromRecord({
  "4_jobs": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    // Ids are ordered by their bytes, whatever the order of words in the database's language.
    yield* sql`CREATE TABLE proofs (
      id TEXT COLLATE "C" PRIMARY KEY, end_number BIGINT NOT NULL, start_number BIGINT NOT NULL, end_hash TEXT NOT NULL, prover TEXT, body TEXT NOT NULL
    )`
    yield* sql`CREATE INDEX proofs_by_end ON proofs (end_number, start_number)`
    yield* sql`CREATE UNIQUE INDEX proofs_by_block ON proofs (end_hash, prover) WHERE prover IS NOT NULL`
    yield* sql`CREATE TABLE ancestry_proofs (
      end_hash TEXT NOT NULL, checkpoint_hash TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (end_hash, checkpoint_hash)
    )`
    yield* sql`CREATE TABLE outgoing (
      hash TEXT PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, nonce BIGINT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL
    )`
    yield* sql`CREATE UNIQUE INDEX one_outgoing_in_flight ON outgoing (state) WHERE state = 'pending'`
    yield* sql`CREATE UNIQUE INDEX outgoing_once ON outgoing (kind, key) WHERE state <> 'abandoned'`
    yield* sql`CREATE INDEX outgoing_by_nonce ON outgoing (nonce)`
    yield* sql`CREATE TABLE variants (
      outgoing TEXT NOT NULL REFERENCES outgoing (hash), position BIGINT NOT NULL, hash TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
      PRIMARY KEY (outgoing, position)
    )`
    yield* sql`CREATE TABLE expected_credits (
      hash TEXT NOT NULL REFERENCES outgoing (hash), position BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (hash, position)
    )`
  })
})

export const makeStoreTables = Effect.gen(function*() {
  const { dialect, sql } = yield* Database
  const loader = dialect === "postgres" ? postgresMigrations : sqliteMigrations
  yield* Migrator.make({})({ loader, table: "migrations" }).pipe(Effect.provideService(SqlClient.SqlClient, sql))
}).pipe(Effect.orDie)
