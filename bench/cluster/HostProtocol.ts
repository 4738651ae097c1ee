/** What a bench tells its hosts, and what they tell it. */
import { Schema } from "effect"

/** What a host is told, as its only argument. */
export const HostOptions = Schema.fromJsonString(Schema.Struct({
  name: Schema.String,
  database: Schema.String,
  /** 64 hexadecimal digits. */
  secret: Schema.String,
  /** What a proof takes. */
  milliseconds: Schema.Int,
  /** How long it goes on with a proof when it is told to stop. */
  drainMilliseconds: Schema.Int,
  /** Whether it can have control roles. Its L1 is a model of its own, on which nothing happens. */
  control: Schema.Boolean
}))

/** What a host says, a line for each. */
export const HostSays = Schema.fromJsonString(Schema.Union([
  Schema.Struct({ says: Schema.Literal("runs") }),
  /** Milliseconds since 1970. */
  Schema.Struct({ says: Schema.Literal("begins"), prover: Schema.String, at: Schema.Finite })
]))
