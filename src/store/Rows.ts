/**
 * What a database answers is decoded like everything that comes from outside.
 */
import { Effect, Schema, SchemaGetter } from "effect"

type Plain = Schema.Top & { readonly DecodingServices: never; readonly EncodingServices: never }

/** A value kept as JSON in a column of text. */
export const inJson = <S extends Plain>(schema: S) => Schema.fromJsonString(Schema.toCodecJson(schema))

/** A whole number: SQLite gives a number, Postgres a bigint for what has 64 bits there. */
export const SqlInteger = Schema.Union([Schema.Number, Schema.BigInt]).pipe(
  Schema.decodeTo(Schema.Int, { decode: SchemaGetter.transform(Number), encode: SchemaGetter.transform((value: number) => value) })
)

/** Runs a query whose rows are of that shape. One that is not is a defect: somebody else wrote it. */
export const reading = <S extends Plain>(row: S) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(row))
  return <E>(query: Effect.Effect<ReadonlyArray<object>, E>): Effect.Effect<ReadonlyArray<S["Type"]>> =>
    Effect.orDie(Effect.flatMap(query, decode))
}

/** For a transaction of which nobody needs to hear. */
export const withoutNews = <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.map(work, (result) => ({ result, news: [] }))
