/**
 * The store in an SQL database: the file of SQLite that a lone node has for itself, or the Postgres that an operator's hosts share.
 */
import { Effect, Layer } from "effect"
import type { Database } from "./Database.ts"
import { outgoingTables } from "./OutgoingTables.ts"
import { proofTables } from "./ProofTables.ts"
import { Store } from "./Store.ts"
import { makeStoreTables } from "./StoreTables.ts"

export const layer: Layer.Layer<Store, never, Database> = Layer.effect(
  Store,
  Effect.gen(function*() {
    yield* makeStoreTables
    return Store.of({ ...(yield* proofTables), ...(yield* outgoingTables) })
  })
)
