import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, ManagedRuntime } from "effect"
import { afterAll } from "vitest"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { freshDatabase, Postgres } from "../postgres.ts"
import { conformance, openJobs, type Place, spec } from "./conformance.ts"

const server = ManagedRuntime.make(Postgres.layer)
afterAll(() => server.dispose())

const place: Place = Effect.flatMap(Effect.promise(() => server.context()), (context) =>
  Effect.provideContext(Effect.map(freshDatabase, (url) => ({ open: () => Layer.fresh(PostgresDatabase.layer(url)), restart: Effect.void })), context))

conformance("jobs on Postgres", place)

describe("on a new Postgres", () => {
  it.live("hosts that start at once make the tables once", () =>
    Effect.gen(function*() {
      for (let time = 0; time < 5; time++) {
        const { open } = yield* place
        const hosts = yield* Effect.all(Array.from({ length: 5 }, () => openJobs(open())), { concurrency: "unbounded" })
        yield* Effect.forEach(hosts, (jobs, at) => jobs.submit([spec(`job ${at}`)]))
        assert.strictEqual((yield* hosts[0]!.list({ states: ["ready"], most: 9 })).length, 5)
      }
    }).pipe(Effect.scoped))
})
