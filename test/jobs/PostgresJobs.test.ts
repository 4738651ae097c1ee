import { Effect, Layer, ManagedRuntime } from "effect"
import { afterAll } from "vitest"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { freshDatabase, Postgres } from "../postgres.ts"
import { conformance } from "./conformance.ts"

const server = ManagedRuntime.make(Postgres.layer)
afterAll(() => server.dispose())

conformance("jobs on Postgres", Effect.flatMap(Effect.promise(() => server.context()), (context) =>
  Effect.provideContext(Effect.map(freshDatabase, (url) => ({ open: () => Layer.fresh(PostgresDatabase.layer(url)), restart: Effect.void })), context)))
