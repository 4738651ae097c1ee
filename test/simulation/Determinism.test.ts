/** The same seed gives the same history, byte for byte; another seed gives another. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { test } from "vitest"
import { layer, makeOperator, simulatedAccount } from "../../src/simulation/Simulation.ts"
import { ModelChain } from "../../src/simulation/ModelChain.ts"
import { runVirtual } from "../../src/simulation/VirtualTime.ts"
import { Duration } from "effect"

test("try", async () => {
  const t = Date.now()
  const exit = await runVirtual(Effect.scoped(Effect.gen(function*() {
    const alice = yield* makeOperator({ name: "alice", account: simulatedAccount(1), l1Poll: "12 seconds" })
    yield* alice.start
    yield* Effect.sleep("2 hours")
    const { events, state } = yield* (yield* ModelChain).head
    console.log(state.tip, (yield* (yield* ModelChain).blocks).length)
  }).pipe(Effect.provide(layer({ seed: "x", ledger: { blockTime: Duration.minutes(5) }, chain: { emptyBlocks: Duration.seconds(60) } })))), { seed: "a" })
  console.log(exit, Date.now() - t)
}, 100000)
