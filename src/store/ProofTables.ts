/**
 * The proofs of the store.
 */
import { Effect, Option, Schema } from "effect"
import type { BlockNumber } from "../domain/Amount.ts"
import type { BlockHash, ProofId } from "../domain/Hash.ts"
import { AncestryProof, Proof } from "../domain/Proof.ts"
import { Database } from "./Database.ts"
import { inJson, reading, SqlInteger, withoutNews } from "./Rows.ts"

const ProofJson = inJson(Proof)
const AncestryJson = inJson(AncestryProof)
const proofText = Schema.encodeSync(ProofJson)
const ancestryText = Schema.encodeSync(AncestryJson)
const readProofs = reading(Schema.Struct({ body: ProofJson }))
const readAncestry = reading(Schema.Struct({ body: AncestryJson }))
const readCount = reading(Schema.Struct({ count: SqlInteger }))

export const proofTables = Effect.gen(function*() {
  const { commit, read, sql } = yield* Database

  return {
    putProof: Effect.fn("Store.putProof")(function*(proof: Proof) {
      const { from, to, leaves } = proof.statement
      const prover = leaves.length === 1 ? leaves[0].prover : null
      yield* commit(withoutNews(sql`INSERT INTO proofs (id, end_number, start_number, end_hash, prover, body)
        VALUES (${proof.id}, ${to.number}, ${from.number}, ${to.hash}, ${prover}, ${proofText(proof)})
        ON CONFLICT DO NOTHING`))
    }, Effect.orDie),

    proofsBeyond: Effect.fn("Store.proofsBeyond")(function*(number: BlockNumber) {
      const rows = yield* readProofs(read(sql`SELECT body FROM proofs WHERE end_number > ${number} ORDER BY end_number, start_number, id`))
      return rows.map(({ body }) => body)
    }),

    proofPage: Effect.fn("Store.proofPage")(function*(after: BlockNumber, afterId: ProofId | undefined, most: number) {
      // Every id begins with 0x, so that none is greater than this.
      const rows = yield* readProofs(read(sql`SELECT body FROM proofs
        WHERE end_number >= ${after} AND (end_number > ${after} OR id > ${afterId ?? "~"}) ORDER BY end_number, id LIMIT ${most}`))
      return rows.map(({ body }) => body)
    }),

    blockProof: Effect.fn("Store.blockProof")(function*(block: BlockHash, prover: string) {
      const rows = yield* readProofs(read(sql`SELECT body FROM proofs WHERE end_hash = ${block} AND prover = ${prover}`))
      return Option.map(Option.fromUndefinedOr(rows[0]), ({ body }) => body)
    }),

    blocksProven: Effect.fn("Store.blocksProven")(function*(prover: string) {
      const [row] = yield* readCount(read(sql`SELECT count(*) AS count FROM proofs WHERE prover = ${prover}`))
      return row!.count
    }),

    putAncestry: Effect.fn("Store.putAncestry")(function*(proof: AncestryProof) {
      yield* commit(withoutNews(sql`INSERT INTO ancestry_proofs (end_hash, checkpoint_hash, body)
        VALUES (${proof.end}, ${proof.checkpointBlock}, ${ancestryText(proof)}) ON CONFLICT DO NOTHING`))
    }, Effect.orDie),

    ancestry: Effect.fn("Store.ancestry")(function*(end: BlockHash, checkpointBlock: BlockHash) {
      const rows = yield* readAncestry(read(sql`SELECT body FROM ancestry_proofs WHERE end_hash = ${end} AND checkpoint_hash = ${checkpointBlock}`))
      return Option.map(Option.fromUndefinedOr(rows[0]), ({ body }) => body)
    })
  }
})
