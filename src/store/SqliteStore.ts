/**
 * The embedded store: one SQLite file in the node's data folder.
 */
import { Clock, Effect, Layer, Option, Schema, Struct } from "effect"
import { Migrator, SqlClient, type SqlError } from "effect/sql"
import type { BlockNumber } from "../domain/Amount.ts"
import { type BlockHash, type ProofId, TransactionHash } from "../domain/Hash.ts"
import { AncestryProof, Proof } from "../domain/Proof.ts"
import { AttemptOutcome, ExpectedCredit, Outgoing, type OutgoingKind, Quarantined, Store, Variant } from "./Store.ts"

/** A job that failed so often since others succeeded is quarantined (ND-4): the fault is with the job. */
const maxFailures = 5
/** What failed before anything else succeeded does not count there: the fault is more likely with the prover. So often is too often all the same. */
const maxFailuresAlone = 25
/** Leases that ended with the node itself count as well: a job that takes the node down with it must not run forever. */
const maxLosses = 25

const migrations = Migrator.fromRecord({
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
  })
})

const json = <S extends Schema.Top & { readonly DecodingServices: never; readonly EncodingServices: never }>(schema: S) => {
  const codec = Schema.fromJsonString(Schema.toCodecJson(schema))
  return { encode: Schema.encodeUnknownSync(codec), decode: Schema.decodeUnknownSync(codec) as (text: unknown) => S["Type"] }
}

const proofJson = json(Proof)
const ancestryJson = json(AncestryProof)
const variantJson = json(Variant)
const detailsJson = json(Schema.Struct(Struct.pick(Outgoing.fields, ["subject", "block", "worth", "expiresAt"])))
const creditJson = json(ExpectedCredit)

/** The store on an SQL client; leases that a former process left open are closed as lost. */
export const layer: Layer.Layer<Store, never, SqlClient.SqlClient> = Layer.effect(
  Store,
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* Migrator.make({})({ loader: migrations, table: "migrations" })
    yield* sql`UPDATE attempts SET outcome = 'lost', reason = 'the node stopped' WHERE outcome = 'running'`

    const putProof = Effect.fn("Store.putProof")(function*(proof: Proof) {
      const { from, to, leaves } = proof.statement
      const prover = leaves.length === 1 ? leaves[0].prover : null
      yield* sql`INSERT INTO proofs (id, end_number, start_number, end_hash, prover, body)
        VALUES (${proof.id}, ${to.number}, ${from.number}, ${to.hash}, ${prover}, ${proofJson.encode(proof)})
        ON CONFLICT DO NOTHING`
    }, Effect.orDie)

    const proofsBeyond = Effect.fn("Store.proofsBeyond")(function*(number: BlockNumber) {
      const rows = yield* sql<{ body: string }>`SELECT body FROM proofs WHERE end_number > ${number} ORDER BY end_number, start_number, id`
      return rows.map(({ body }) => proofJson.decode(body))
    }, Effect.orDie)

    const proofPage = Effect.fn("Store.proofPage")(function*(after: BlockNumber, afterId: ProofId | undefined, most: number) {
      // Every id begins with 0x, so that none is greater than this.
      const rows = yield* sql<{ body: string }>`SELECT body FROM proofs
        WHERE end_number >= ${after} AND (end_number > ${after} OR id > ${afterId ?? "~"}) ORDER BY end_number, id LIMIT ${most}`
      return rows.map(({ body }) => proofJson.decode(body))
    }, Effect.orDie)

    const blockProof = Effect.fn("Store.blockProof")(function*(block: BlockHash, prover: string) {
      const rows = yield* sql<{ body: string }>`SELECT body FROM proofs WHERE end_hash = ${block} AND prover = ${prover}`
      return Option.map(Option.fromNullishOr(rows[0]), ({ body }) => proofJson.decode(body))
    }, Effect.orDie)

    const blocksProven = Effect.fn("Store.blocksProven")(function*(prover: string) {
      const [row] = yield* sql<{ blocks: number }>`SELECT count(*) AS blocks FROM proofs WHERE prover = ${prover}`
      return row!.blocks
    }, Effect.orDie)

    const putAncestry = Effect.fn("Store.putAncestry")(function*(proof: AncestryProof) {
      yield* sql`INSERT INTO ancestry_proofs (end_hash, checkpoint_hash, body)
        VALUES (${proof.end}, ${proof.checkpointBlock}, ${ancestryJson.encode(proof)}) ON CONFLICT DO NOTHING`
    }, Effect.orDie)

    const ancestry = Effect.fn("Store.ancestry")(function*(end: BlockHash, checkpointBlock: BlockHash) {
      const rows = yield* sql<{ body: string }>`SELECT body FROM ancestry_proofs
        WHERE end_hash = ${end} AND checkpoint_hash = ${checkpointBlock}`
      return Option.map(Option.fromNullishOr(rows[0]), ({ body }) => ancestryJson.decode(body))
    }, Effect.orDie)

    const beginAttempt = Effect.fn("Store.beginAttempt")(function*(job: string) {
      const now = yield* Clock.currentTimeMillis
      return yield* sql.withTransaction(Effect.gen(function*() {
        const [before] = yield* sql<{ attempts: number; failures: number; alone: number; losses: number; reason: string | null }>`
          SELECT count(*) AS attempts, count(*) FILTER (WHERE outcome = 'failed') AS failures, count(*) FILTER (WHERE outcome = 'lost') AS losses,
            count(*) FILTER (WHERE outcome = 'failed' AND started_at < coalesce(
              (SELECT min(started_at) FROM attempts WHERE outcome = 'done' AND started_at >=
                (SELECT min(started_at) FROM attempts WHERE job = ${job} AND outcome = 'failed')), started_at + 1)) AS alone,
            (SELECT reason FROM quarantine WHERE job = ${job}) AS reason
          FROM attempts WHERE job = ${job}`
        const { alone, attempts, failures, losses, reason } = before!
        const failsOften = failures - alone >= maxFailures || failures >= maxFailuresAlone
        const why = reason ?? (failsOften ? "it failed too often" : losses >= maxLosses ? "it was lost too often" : null)
        if (why !== null) {
          yield* sql`INSERT INTO quarantine (job, reason) VALUES (${job}, ${why}) ON CONFLICT DO NOTHING`
          return Option.none<number>()
        }
        yield* sql`INSERT INTO attempts (job, attempt, started_at, outcome, reason) VALUES (${job}, ${attempts + 1}, ${now}, 'running', '')`
        return Option.some(attempts + 1)
      })).pipe(
        Effect.orDie,
        Effect.flatMap((attempt) =>
          Option.isSome(attempt) ? Effect.succeed(attempt.value) : Effect.flatMap(quarantined(job), Effect.fail)
        )
      )
    })

    const quarantined = (job: string) =>
      sql<{ attempts: number; reason: string }>`SELECT reason, (SELECT count(*) FROM attempts WHERE job = ${job}) AS attempts
        FROM quarantine WHERE job = ${job}`.pipe(
        Effect.map(([row]) => new Quarantined({ job, attempts: row!.attempts, reason: row!.reason })),
        Effect.orDie
      )

    const endAttempt = Effect.fn("Store.endAttempt")(function*(job: string, attempt: number, outcome: AttemptOutcome, reason: string) {
      yield* sql`UPDATE attempts SET outcome = ${outcome}, reason = ${reason}
        WHERE job = ${job} AND attempt = ${attempt} AND outcome = 'running'`
    }, Effect.orDie)

    const quarantine = Effect.fn("Store.quarantine")(function*(job: string, reason: string) {
      yield* sql`INSERT INTO quarantine (job, reason) VALUES (${job}, ${reason}) ON CONFLICT DO NOTHING`
    }, Effect.orDie)

    const attempts = sql<{ job: string; attempt: number; outcome: string }>`SELECT job, attempt, outcome FROM attempts ORDER BY job, attempt`.pipe(
      Effect.map((rows) => rows.map((row) => ({ ...row, outcome: AttemptOutcome.make(row.outcome as AttemptOutcome) }))),
      Effect.orDie
    )

    const putVariant = Effect.fn("Store.putVariant")(function*(id: TransactionHash, variant: Variant) {
      yield* sql`INSERT INTO variants (outgoing, position, hash, body)
        SELECT ${id}, count(*), ${variant.hash}, ${variantJson.encode(variant)} FROM variants WHERE outgoing = ${id}`
    }, Effect.orDie)

    const putOutgoing = Effect.fn("Store.putOutgoing")(function*(
      outgoing: Outgoing,
      expected: ReadonlyArray<Omit<ExpectedCredit, "transaction">>
    ) {
      const { id, key, kind, nonce, state, variants } = outgoing
      return yield* sql.withTransaction(Effect.gen(function*() {
        // The same bytes, signed again after they were given up, are the same row. The credits were kept with it.
        yield* sql`UPDATE OR IGNORE outgoing SET state = 'pending' WHERE hash = ${id} AND state = 'abandoned'`
        const [again] = yield* sql<{ state: string }>`SELECT state FROM outgoing WHERE hash = ${id}`
        if (again !== undefined) return again.state === "pending"
        const kept = yield* sql`INSERT INTO outgoing (hash, kind, key, nonce, state, body)
          VALUES (${id}, ${kind}, ${key}, ${nonce}, ${state}, ${detailsJson.encode(outgoing)}) ON CONFLICT DO NOTHING RETURNING hash`
        if (kept.length === 0) return false
        for (const variant of variants) yield* putVariant(id, variant)
        for (const [position, credit] of expected.entries()) {
          yield* sql`INSERT INTO expected_credits (hash, position, body)
            VALUES (${id}, ${position}, ${creditJson.encode(new ExpectedCredit({ ...credit, transaction: id }))})`
        }
        return true
      }))
    }, Effect.orDie)

    const settleOutgoing = Effect.fn("Store.settleOutgoing")(function*(id: TransactionHash, state: Outgoing["state"]) {
      yield* sql`UPDATE outgoing SET state = ${state} WHERE hash = ${id}`
    }, Effect.orDie)

    interface OutgoingRow {
      readonly hash: string
      readonly kind: OutgoingKind
      readonly key: string
      readonly nonce: number
      readonly state: Outgoing["state"]
      readonly body: string
    }

    const withVariants = Effect.fnUntraced(function*(rows: ReadonlyArray<OutgoingRow>) {
      return yield* Effect.forEach(rows, Effect.fnUntraced(function*({ body, hash, ...row }) {
        const kept = yield* sql<{ body: string }>`SELECT body FROM variants WHERE outgoing = ${hash} ORDER BY position`
        const [first, ...rest] = kept.map((each) => variantJson.decode(each.body))
        return new Outgoing({ ...row, ...detailsJson.decode(body), variants: [first!, ...rest] })
      }))
    }, Effect.orDie)

    const first = (rows: Effect.Effect<ReadonlyArray<OutgoingRow>, SqlError.SqlError>) =>
      rows.pipe(Effect.orDie, Effect.flatMap(withVariants), Effect.map(([row]) => Option.fromUndefinedOr(row)))

    const inFlight = first(sql<OutgoingRow>`SELECT hash, kind, key, nonce, state, body FROM outgoing WHERE state = 'pending'`)

    const outgoing = Effect.fn("Store.outgoing")((kind: OutgoingKind, key: string) =>
      first(sql<OutgoingRow>`SELECT hash, kind, key, nonce, state, body FROM outgoing
        WHERE kind = ${kind} AND key = ${key} AND state <> 'abandoned'`))

    const confirmedFrom = Effect.fn("Store.confirmedFrom")((nonce: number) =>
      sql<OutgoingRow>`SELECT hash, kind, key, nonce, state, body FROM outgoing
        WHERE nonce >= ${nonce} AND state = 'confirmed' ORDER BY nonce`.pipe(Effect.orDie, Effect.flatMap(withVariants)))

    const allOutgoing = sql<OutgoingRow>`SELECT hash, kind, key, nonce, state, body FROM outgoing WHERE state <> 'abandoned' ORDER BY nonce`.pipe(
      Effect.orDie,
      Effect.flatMap(withVariants)
    )

    const expectedCredits = sql<{ transaction: string; body: string }>`SELECT v.hash AS "transaction", e.body AS body
      FROM expected_credits e JOIN outgoing o ON o.hash = e.hash JOIN variants v ON v.outgoing = e.hash
      WHERE o.state <> 'abandoned' AND NOT json_extract(v.body, '$.cancels') ORDER BY o.nonce, v.position, e.position`.pipe(
      Effect.map((rows) =>
        rows.map(({ body, transaction }) =>
          new ExpectedCredit({ ...creditJson.decode(body), transaction: TransactionHash.make(transaction as TransactionHash) })
        )
      ),
      Effect.orDie
    )

    return Store.of({
      putProof,
      proofsBeyond,
      proofPage,
      blockProof,
      blocksProven,
      putAncestry,
      ancestry,
      beginAttempt,
      endAttempt,
      quarantine,
      attempts,
      putOutgoing,
      putVariant,
      settleOutgoing,
      inFlight,
      outgoing,
      confirmedFrom,
      allOutgoing,
      expectedCredits
    })
  }).pipe(Effect.orDie)
)
