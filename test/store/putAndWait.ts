/** Stores a transaction in a database, says which, and lives on, to be killed. */
import { Effect, Layer } from "effect"
import { writeSync } from "node:fs"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { Store } from "../../src/store/Store.ts"
import { connectionsTo } from "./connections.ts"
import { credit, first } from "./outgoing.ts"

Effect.runFork(
  Effect.gen(function*() {
    yield* (yield* Store).putOutgoing(first, [credit])
    writeSync(1, `${first.id}\n`)
    return yield* Effect.never
  }).pipe(Effect.provide(SqlStore.layer.pipe(Layer.provide(connectionsTo(process.argv[2]!)))))
)
