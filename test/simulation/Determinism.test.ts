/** A simulation can be replayed: the same seed gives the same history, byte for byte, and another seed another. */
import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Exit } from "effect"
import { createHash } from "node:crypto"
import { test } from "vitest"
import { ModelChain } from "../../src/simulation/ModelChain.ts"
import { record } from "../../src/simulation/History.ts"
import { makeOperator, simulatedAccount } from "../../src/simulation/Simulation.ts"
import { runVirtual } from "../../src/simulation/VirtualTime.ts"
import { pass, quietly } from "./virtual.ts"
import { hour, minute, said, worldOf } from "./world.ts"

const names = ["alice", "bob", "carol"]

/** Three operators who race, hold turns and prove redundantly; one loses its power, and L1 takes blocks back. */
const historyOf = async (seed: string) => {
  const accounts = names.map((_, i) => simulatedAccount(i + 1))
  const exit = await runVirtual(
    Effect.scoped(Effect.gen(function*() {
      const operators = yield* Effect.forEach(names, (name, i) =>
        makeOperator({
          name: `${seed}/${name}`,
          account: accounts[i]!,
          settling: { blocksPerUpdate: 2 },
          proofs: { blockTime: () => Duration.minutes(3 + 4 * i), jitter: 0.5 },
          auditing: { claimAtLeast: 1n }
        }))
      const history = yield* record(operators)
      for (const { start } of operators) yield* start
      yield* pass(hour)
      yield* operators[1]!.stop
      yield* pass(20 * minute)
      yield* operators[1]!.start
      yield* (yield* ModelChain).reorg(2, () => false)
      yield* pass(hour)
      return { lines: yield* history.lines, updates: (yield* said("StateUpdated")).length, redundant: (yield* said("RedundancyProven")).length }
    }).pipe(Effect.provide(worldOf(seed, { provers: accounts, ledger: { length: 8 }, chain: { gasPrice: 10_000_000n } })), Effect.provide(quietly))),
    { seed }
  )
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

const digest = (lines: ReadonlyArray<string>) => createHash("sha256").update(lines.join("\n")).digest("hex")

describe("a simulation", () => {
  test("the same seed gives the same event log, byte for byte, and another seed another", async () => {
    const first = await historyOf("one")
    assert.isAtLeast(first.updates, 2)
    assert.isAtLeast(first.redundant, 1)
    assert.isAtLeast(first.lines.length, 300)
    const again = await historyOf("one")
    assert.strictEqual(again.lines.findIndex((line, i) => line !== first.lines[i]), -1)
    assert.strictEqual(digest(again.lines), digest(first.lines))
    const other = await historyOf("two")
    assert.notStrictEqual(digest(other.lines), digest(first.lines))
    assert.isAtLeast(other.updates, 2)
  })
})
