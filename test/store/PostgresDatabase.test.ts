import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, ManagedRuntime, Queue, Redacted, type Scope, Stream } from "effect"
import { afterAll } from "vitest"
import { Database, type News } from "../../src/store/Database.ts"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { freshDatabase, Postgres } from "../postgres.ts"

const server = ManagedRuntime.make(Postgres.layer)
afterAll(() => server.dispose())

const withServer = <A, E>(body: Effect.Effect<A, E, Postgres | Scope.Scope>) =>
  Effect.flatMap(Effect.promise(() => server.context()), (context) => Effect.provideContext(Effect.scoped(body), context))

const open = (url: Redacted.Redacted<string>) =>
  Effect.map(Layer.build(Layer.fresh(PostgresDatabase.layer(url))), (built) => Context.get(built, Database))

describe("the shared database", () => {
  it.live("a URL that does not work is an error at once, which says the way out and no password", () =>
    withServer(Effect.gen(function*() {
      const { url } = yield* Postgres
      const changed = (change: (its: URL) => void) => {
        const its = new URL(Redacted.value(url))
        change(its)
        return Redacted.make(its.href)
      }
      const password = new URL(Redacted.value(url)).password
      const cases = [
        [changed((its) => (its.password = "wrong")), "the user or the password is not what it asks for"],
        [changed((its) => (its.username = "nobody")), "the user or the password is not what it asks for"],
        [changed((its) => (its.pathname = "/none")), "the server has no database of that name; create it, or choose another"],
        [changed((its) => (its.port = "1")), "nothing answers there; start the server, or correct the address"],
        [Redacted.make("mysql://host/name"), "it must be a URL like postgres://user:password@host:5432/name"],
        [Redacted.make("here"), "it must be a URL like postgres://user:password@host:5432/name"]
      ] as const
      for (const [wrong, reason] of cases) {
        const error = yield* Effect.flip(open(wrong))
        assert.strictEqual(error.reason, reason)
        assert.notInclude(error.message, password)
        assert.notInclude(error.message, "wrong")
      }
    })))

  it.live("what is told in a transaction is heard by others once it is committed, and not if it is not; connections that break are replaced", () =>
    withServer(Effect.gen(function*() {
      const url = yield* freshDatabase
      const [one, other] = [yield* open(url), yield* open(url)]
      const heard = yield* Queue.unbounded<string | undefined>()
      yield* (yield* other.news("roles")).pipe(Stream.runForEach((payload) => Queue.offer(heard, payload)), Effect.forkScoped({ startImmediately: true }))
      const tell = (...news: ReadonlyArray<News>) => one.commit(Effect.succeed({ result: undefined, news }))
      /** What comes until it has heard this. */
      const until = Effect.fnUntraced(function*(last: string) {
        const payloads: Array<string | undefined> = []
        while (payloads.at(-1) !== last) payloads.push(yield* Queue.take(heard))
        return payloads
      })
      // Whether it listens already shows when it hears.
      const calling = yield* Effect.forkChild(Effect.forever(Effect.andThen(tell(["roles", "are you there"]), Effect.sleep(50))))
      assert.isUndefined((yield* until("are you there"))[0], "the beginning is a gap")
      yield* Fiber.interrupt(calling)
      yield* Effect.ignore(one.commit(Effect.andThen(tell(["roles", "never"]), Effect.fail("given up"))))
      yield* tell(["hosts", "another topic"], ["roles", "two words"])
      assert.notInclude(yield* until("two words"), "never")

      yield* one.sql`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
      assert.isUndefined(yield* Queue.take(heard), "there was a gap")
      yield* tell(["roles", "after it"])
      assert.deepStrictEqual(yield* until("after it"), ["after it"])
      assert.deepStrictEqual(yield* other.read(other.sql`SELECT 1 AS one`), [{ one: 1 }])
    })))
})
