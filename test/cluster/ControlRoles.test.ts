/** Roles that move between hosts: real sockets, a real Postgres. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { postgres, startHost } from "./hosts.ts"

describe("control roles", () => {
  it.live("a role is at one host, any host reaches it, and it moves when its host stops", () =>
    Effect.gen(function*() {
      const { url } = yield* postgres
      const hosts = yield* Effect.all(["a", "b", "c"].map((name) => startHost(url, name)), { concurrency: 3 })
      const t0 = yield* Clock.currentTimeMillis
      const first = yield* hosts[0]!.place.host()
      console.log("first at", first, (yield* Clock.currentTimeMillis) - t0)
      for (const host of hosts) assert.strictEqual(yield* host.place.host(), first)
      const rest = hosts.filter(({ name }) => name !== first)
      const t1 = yield* Clock.currentTimeMillis
      yield* hosts.find(({ name }) => name === first)!.stop
      console.log("stopped", (yield* Clock.currentTimeMillis) - t1)
      const second = yield* rest[0]!.place.host()
      console.log("second at", second, (yield* Clock.currentTimeMillis) - t1)
      assert.notStrictEqual(second, first)
      assert.strictEqual(yield* rest[1]!.place.host(), second)
    }).pipe(Effect.scoped))
})
