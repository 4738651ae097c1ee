import { assert, describe, it } from "@effect/vitest"
import { Wei } from "../../src/domain/Amount.ts"
import { Leaf } from "../../src/domain/Proof.ts"
import { redundantEarnings, Transition, transitionClaim } from "../../src/domain/Redundancy.ts"
import { prover, range } from "./builders.ts"

const [holder, winner] = [prover(1), prover(2)]
const { statement } = range(0, 3)
const [first, second, third] = statement.leaves.map((leaf) => new Leaf({ ...leaf, prover: winner }))
const transition = new Transition({
  from: statement.from,
  leaves: [first!, new Leaf({ ...second!, prover: holder }), third!],
  shares: [Wei.make(5n), Wei.make(7n), Wei.make(0n)],
  holder,
  settledAt: 1_000n
})

describe("redundancy", () => {
  it("RW-4: a block earns where the holder proved it and another was paid, and only there", () => {
    const own = redundantEarnings(transition, [holder, holder, holder])
    assert.deepStrictEqual([own.shares, own.total, own.proverGas], [[5n, 0n, 0n], 5n, first!.proverGas])
    const copied = redundantEarnings(transition, [winner, holder, winner])
    assert.deepStrictEqual([copied.shares, copied.total, copied.proverGas as bigint], [[0n, 0n, 0n], 0n, 0n])
  })

  it("RW-4: L1's commitment covers every field", () => {
    const claim = transitionClaim(transition)
    assert.isTrue(claim > 0n && claim < 1n << 184n)
    const others = [
      { leaves: [first!, second!, third!] },
      { shares: [Wei.make(5n), Wei.make(7n), Wei.make(1n)] },
      { holder: winner },
      { settledAt: 1_001n },
      { from: transition.to }
    ] as const
    for (const change of others) assert.notStrictEqual(transitionClaim(new Transition({ ...transition, ...change })), claim)
  })
})
