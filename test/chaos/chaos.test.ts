/** A small piece of `npm run chaos`: the faults that hosts and databases die of, one round of them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { onDatabase, onHost } from "./Faults.ts"
import { playRound } from "./Round.ts"
import { openWorld } from "./World.ts"

describe("chaos over real processes and a real Postgres", () => {
  it.live("ND-3, ND-4: a host is killed, one is frozen, the database crashes, clocks are apart, a disk is full: nothing is lost, nothing comes twice", () =>
    Effect.gen(function*() {
      const world = yield* openWorld({ clockOffsets: [-4_000, 5_000, 0], proofTime: 400, slots: 2 })
      const [first, second, third] = world.hosts
      // More work than there are hands for: whoever is struck has something in hand.
      const faults = [
        onHost("killed", first!, 1_500),
        onHost("frozen for longer than its leases last", second!, 300),
        onHost("out of disk", third!, 1_000),
        onDatabase("crashes", world, 6_500)
      ]
      const { attempts, jobs, violations } = yield* playRound(world, faults, { round: 0, trees: 8, every: 300, patience: 120_000 })
      assert.deepStrictEqual(violations, [])
      assert.strictEqual(jobs, 8 * 15)
      assert.isAtLeast(attempts["lost"] ?? 0, 1, "somebody died over something")
    }).pipe(Effect.scoped))
})
