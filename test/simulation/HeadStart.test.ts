/**
 * Races of whole nodes that are ready at the same moment, over an L1 with slots of 12 seconds: what those pay who come too late.
 */
import { assert, describe } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type { Address } from "../../src/domain/Hash.ts"
import { startsBehind } from "../../src/domain/RaceOrder.ts"
import { makeOperator, simulatedAccount } from "../../src/simulation/Simulation.ts"
import { virtual } from "./virtual.ts"
import { assertSound, deedsOf, minute, said, until, worldOf } from "./world.ts"

const provers = [simulatedAccount(1), simulatedAccount(2), simulatedAccount(3)]
const world = (seed: string) =>
  worldOf(seed, { provers, chain: { slot: Duration.seconds(12) }, ledger: { blockTime: Duration.minutes(1), length: 8 } })

/** Operators settle everything, each proving for itself; the updates, and how many transactions were sent for them in vain. */
const race = Effect.fnUntraced(function*(running: ReadonlyArray<Address>) {
  const nodes = yield* Effect.forEach(running, (account, i) =>
    makeOperator({ name: `prover-${i + 1}`, account, settling: { blocksPerUpdate: 2, headStart: "3 seconds" } }))
  for (const node of nodes) yield* node.start
  yield* until("all is settled", Effect.map(said("StateUpdated"), (all) => all.at(-1)?.to.number === 8))
  for (const node of nodes) yield* assertSound(node)
  const updates = yield* said("StateUpdated")
  const sent = (yield* Effect.forEach(running, deedsOf)).flat().filter((deed) => /^(update|nothing)/.test(deed))
  return { updates, useless: sent.length - updates.length }
})

describe("ST-1, ST-5: the head start", () => {
  virtual("ST-1, ST-5: whoever is drawn first for a tip brings the update, and nobody else pays for anything", () =>
    Effect.gen(function*() {
      const { updates, useless } = yield* race(provers)
      assert.strictEqual(useless, 0)
      for (const { from, submitter } of updates) assert.strictEqual(startsBehind(submitter, from.hash, new Set(provers)), 0)
      assert.isAbove(new Set(updates.map(({ submitter }) => submitter)).size, 1, "not always the same")
    }).pipe(Effect.provide(world("in order"))))

  virtual("ST-5: whoever is not there is waited for no longer than its head start", () =>
    Effect.gen(function*() {
      const absent = provers[2]!
      const { updates, useless } = yield* race(provers.slice(0, 2))
      assert.strictEqual(useless, 0)
      const without = updates.filter(({ from }) => startsBehind(absent, from.hash, new Set(provers)) === 0)
      assert.isAbove(without.length, 0, "it was first for some")
      assert.isTrue(updates.every(({ time }, i) => i === 0 || time - updates[i - 1]!.time < 3 * minute))
    }).pipe(Effect.provide(world("one is away"))))
})
