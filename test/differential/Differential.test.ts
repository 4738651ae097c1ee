import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { refusals, successes } from "./Coverage.ts"
import { described, differential } from "./Differential.ts"

describe("the contracts and the pure settlement", () => {
  it.live("CP-1, CP-2, CP-3, CP-4, ST-1, ST-2, ST-3, ST-4, ST-5, ST-6, ST-7, RW-1, RW-2, RW-3, RW-4, RW-5, RW-6, RW-7, FM-3: agree on every call, event and word", () =>
    Effect.gen(function*() {
      const { calls, coverage, failure } = yield* differential({ histories: 200, events: 60, seed: "1", progress: () => {} })
      if (failure !== undefined) assert.fail(described(failure))
      assert.strictEqual(calls, 12_000)
      assert.deepEqual(coverage.missing([...successes, ...refusals]), [])
    }).pipe(Effect.scoped), 600_000)
})
