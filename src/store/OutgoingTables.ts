/**
 * What was sent to L1, and what it should bring. Two writers may live at once: unique indexes decide which of them is taken, and one
 * whose role has gone to another host writes nothing (ND-3).
 */
import { Effect, Option, Schema, Struct } from "effect"
import type { SqlError, Statement } from "effect/sql"
import { TransactionHash } from "../domain/Hash.ts"
import { Fence, type FencedOff } from "./Fence.ts"
import { Database } from "./Database.ts"
import { inJson, reading, SqlInteger, withoutNews } from "./Rows.ts"
import { ExpectedCredit, Outgoing, OutgoingKind, Variant } from "./Store.ts"

const VariantJson = inJson(Variant)
const DetailsJson = inJson(Schema.Struct(Struct.pick(Outgoing.fields, ["subject", "block", "worth", "expiresAt"])))
const CreditJson = inJson(ExpectedCredit)
const variantText = Schema.encodeSync(VariantJson)
const detailsText = Schema.encodeSync(DetailsJson)
const creditText = Schema.encodeSync(CreditJson)

const OutgoingRow = Schema.Struct({
  hash: TransactionHash,
  kind: OutgoingKind,
  key: Schema.String,
  nonce: SqlInteger,
  state: Outgoing.fields.state,
  body: DetailsJson
})
const readOutgoing = reading(OutgoingRow)
const readStates = reading(Schema.Struct({ state: Outgoing.fields.state }))
const readVariants = reading(Schema.Struct({ body: VariantJson }))
const readCredits = reading(Schema.Struct({ transaction: TransactionHash, body: CreditJson }))

export const outgoingTables = Effect.gen(function*() {
  const { commit, dialect, read, sql } = yield* Database
  const [forUpdate, cancels] = dialect === "postgres"
    ? [sql.literal("FOR UPDATE"), sql.literal("(v.body::json ->> 'cancels')::boolean")]
    : [sql.literal(""), sql.literal("json_extract(v.body, '$.cancels')")]

  /** One transaction, in which the caller's role is still its own. */
  const fenced = <A>(work: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, SqlError.SqlError | FencedOff> =>
    commit(withoutNews(Effect.andThen(Effect.flatMap(Fence, ({ check }) => check), work)))

  const insertVariant = (id: TransactionHash, variant: Variant) =>
    sql`INSERT INTO variants (outgoing, position, hash, body)
      VALUES (${id}, (SELECT count(*) FROM variants WHERE outgoing = ${id}), ${variant.hash}, ${variantText(variant)})`

  const putVariant = Effect.fn("Store.putVariant")((id: TransactionHash, variant: Variant) =>
    fenced(Effect.gen(function*() {
      // Whoever else adds one to the same transaction waits, and comes behind it.
      yield* sql`SELECT hash FROM outgoing WHERE hash = ${id} ${forUpdate}`
      const known = yield* sql`SELECT hash FROM variants WHERE outgoing = ${id} AND hash = ${variant.hash}`
      if (known.length === 0) yield* insertVariant(id, variant)
    })), Effect.orDie)

  const putOutgoing = Effect.fn("Store.putOutgoing")((outgoing: Outgoing, expected: ReadonlyArray<Omit<ExpectedCredit, "transaction">>) => {
    const { id, key, kind, nonce, state, variants } = outgoing
    return fenced(Effect.gen(function*() {
      // The same bytes, signed again after they were given up, are the same row. The credits were kept with it.
      yield* sql`UPDATE outgoing SET state = 'pending' WHERE hash = ${id} AND state = 'abandoned'`
      const [again] = yield* readStates(sql`SELECT state FROM outgoing WHERE hash = ${id}`)
      if (again !== undefined) return again.state === "pending"
      const kept = yield* sql`INSERT INTO outgoing (hash, kind, key, nonce, state, body)
        VALUES (${id}, ${kind}, ${key}, ${nonce}, ${state}, ${detailsText(outgoing)}) ON CONFLICT DO NOTHING RETURNING hash`
      if (kept.length === 0) return false
      for (const variant of variants) yield* insertVariant(id, variant)
      for (const [position, credit] of expected.entries()) {
        yield* sql`INSERT INTO expected_credits (hash, position, body)
          VALUES (${id}, ${position}, ${creditText(new ExpectedCredit({ ...credit, transaction: id }))})`
      }
      return true
    })).pipe(
      // What was given up cannot come back while something else is on its way, or has done the same.
      Effect.catchTag("SqlError", (error) => error.reason._tag === "UniqueViolation" ? Effect.succeed(false) : Effect.fail(error)),
      Effect.orDie
    )
  })

  const settleOutgoing = Effect.fn("Store.settleOutgoing")((id: TransactionHash, state: Outgoing["state"]) =>
    Effect.asVoid(fenced(sql`UPDATE outgoing SET state = ${state} WHERE hash = ${id}`)), Effect.orDie)

  const select = Effect.fnUntraced(function*(which: Statement.Fragment) {
    const rows = yield* readOutgoing(read(sql`SELECT hash, kind, key, nonce, state, body FROM outgoing WHERE ${which}`))
    return yield* Effect.forEach(rows, Effect.fnUntraced(function*({ body, hash, ...row }) {
      const [first, ...rest] = yield* readVariants(read(sql`SELECT body FROM variants WHERE outgoing = ${hash} ORDER BY position`))
      return new Outgoing({ ...row, ...body, variants: [first!.body, ...rest.map((variant) => variant.body)] })
    }))
  })

  return {
    putOutgoing,
    putVariant,
    settleOutgoing,
    inFlight: Effect.map(select(sql`state = 'pending'`), ([one]) => Option.fromUndefinedOr(one)),
    outgoing: Effect.fn("Store.outgoing")((kind: OutgoingKind, key: string) =>
      Effect.map(select(sql`kind = ${kind} AND key = ${key} AND state <> 'abandoned'`), ([one]) => Option.fromUndefinedOr(one))),
    confirmedFrom: Effect.fn("Store.confirmedFrom")((nonce: number) => select(sql`nonce >= ${nonce} AND state = 'confirmed' ORDER BY nonce`)),
    allOutgoing: select(sql`state <> 'abandoned' ORDER BY nonce`),
    expectedCredits: readCredits(read(sql`SELECT v.hash AS "transaction", e.body AS body
      FROM expected_credits e JOIN outgoing o ON o.hash = e.hash JOIN variants v ON v.outgoing = e.hash
      WHERE o.state <> 'abandoned' AND NOT ${cancels} ORDER BY o.nonce, v.position, e.position`)).pipe(
      Effect.map((rows) => rows.map(({ body, transaction }) => new ExpectedCredit({ ...body, transaction })))
    )
  }
})
