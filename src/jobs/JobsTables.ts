/**
 * The tables of the jobs. They are the same in both databases, but for the names of types.
 */
import { Effect } from "effect"
import { Migrator, SqlClient } from "effect/sql"

const migrations = Migrator.fromRecord({
  "1_jobs": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [bytes, number, serial, time, strict] = sql.onDialectOrElse({
      pg: () => ["bytea", "bigint", "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "float8", ""],
      orElse: () => ["BLOB", "INTEGER", "INTEGER PRIMARY KEY AUTOINCREMENT", "REAL", " STRICT"]
    }).map(sql.literal)
    // Inputs by their SHA-256, with how many jobs and commands they are of: each is sent once, and found by whoever needs it.
    yield* sql`CREATE TABLE blobs (hash TEXT PRIMARY KEY, uses INTEGER NOT NULL, bytes ${bytes!} NOT NULL)${strict!}`
    yield* sql`CREATE TABLE jobs (
      seq ${serial!}, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, subject TEXT NOT NULL, size TEXT NOT NULL, proof_system TEXT NOT NULL,
      cores INTEGER NOT NULL, memory INTEGER NOT NULL, priority INTEGER NOT NULL, needs TEXT NOT NULL, input TEXT NOT NULL,
      state TEXT NOT NULL, reason TEXT NOT NULL, submitted_at ${time!} NOT NULL,
      waiting INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, forgiven INTEGER NOT NULL DEFAULT 0, troubles INTEGER NOT NULL DEFAULT 0,
      success_at ${time!}, session TEXT, ended_by TEXT
    )${strict!}`
    yield* sql`CREATE INDEX jobs_ready ON jobs (priority DESC, seq) WHERE state = 'ready'`
    yield* sql`CREATE INDEX jobs_running ON jobs (session) WHERE state = 'running'`
    yield* sql`CREATE INDEX jobs_troubled ON jobs (seq) WHERE troubles > 0 AND state IN ('blocked', 'ready', 'running')`
    // By the job's number: so they are written one behind the other.
    yield* sql`CREATE TABLE job_outputs (seq ${number!} PRIMARY KEY, bytes ${bytes!} NOT NULL)${strict!}`
    yield* sql`CREATE TABLE job_needs (need TEXT NOT NULL, job TEXT NOT NULL, PRIMARY KEY (need, job))${strict!}`
    yield* sql`CREATE INDEX job_needs_by_job ON job_needs (job)`
    yield* sql`CREATE TABLE job_attempts (
      job TEXT NOT NULL, number INTEGER NOT NULL, session TEXT NOT NULL, host TEXT NOT NULL, started_at ${time!} NOT NULL, ended_at ${time!},
      outcome TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (job, number)
    )${strict!}`
    // What succeeded when, to tell a broken job from a broken prover.
    yield* sql`CREATE INDEX job_attempts_done ON job_attempts (started_at) WHERE outcome = 'done'`
    yield* sql`CREATE TABLE job_hosts (
      name TEXT PRIMARY KEY, session TEXT NOT NULL UNIQUE, can TEXT NOT NULL, draining INTEGER NOT NULL, seen_at ${time!} NOT NULL,
      expiry ${time!} NOT NULL, running TEXT NOT NULL
    )${strict!}`
  })
})

/** Several hosts may do this at once. */
export const migrateJobs = Migrator.make({})({ loader: migrations, table: "jobs_migrations" })
