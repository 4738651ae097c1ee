/**
 * Fields of configurations that may be left out.
 */
import { Effect, Schema } from "effect"

/** A field that may be left out, of the constructor and of the encoded form. */
export const defaulting = <S extends Schema.Top & Schema.WithoutConstructorDefault>(schema: S, value: S["Type"] & S["~type.make.in"]) =>
  Schema.withConstructorDefault<Schema.withDecodingDefaultTypeKey<S> & Schema.WithoutConstructorDefault>(Effect.succeed(value))(
    Schema.withDecodingDefaultTypeKey<S>(Effect.succeed(value))(schema)
  )
