import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { epochOf, type FeeSignal, flag, hasFlaggedIn, multiplierIn, quietSignal, weightIn } from "../../src/domain/FeeSignal.ts"
import { defaultParameters } from "../../src/domain/ProtocolParameters.ts"
import { prover } from "./builders.ts"

const rule = defaultParameters
const one = 1_000_000n

const by = (n: number, reputation = 1000n, totalReputation = 10_000n, updates = 3) => ({ prover: prover(n), reputation, updates, totalReputation })

const flagged = (signal: FeeSignal, epoch: bigint, ...flaggers: ReadonlyArray<ReturnType<typeof by>>) =>
  flaggers.reduce((now, each) => Result.getOrThrow(flag(rule, now, each, epoch)).signal, signal)

/** Four provers of a tenth each reach the quorum of 33.33 %. */
const raised = (signal: FeeSignal, epoch: bigint) => flagged(signal, epoch, by(1), by(2), by(3), by(4))

const refused = (signal: FeeSignal, flagger: ReturnType<typeof by>, epoch = 7n) => Result.getOrThrow(Result.flip(flag(rule, signal, flagger, epoch)))

describe("FM-3: who may flag", () => {
  it("FM-3: a prover with enough updates, once per epoch, with some reputation", () => {
    assert.deepEqual(refused(quietSignal, by(1, 1000n, 10_000n, 2)), { reason: "NotActive", updates: 2, needed: 3 })
    assert.deepEqual(refused(quietSignal, by(1, 0n)), { reason: "NoReputation" })
    assert.deepEqual(refused(quietSignal, by(1, 1n, 0n)), { reason: "NoReputation" })
    const signal = flagged(quietSignal, 7n, by(1))
    assert.deepEqual(refused(signal, by(1)), { reason: "AlreadyFlagged", epoch: 7n })
    assert.isTrue(hasFlaggedIn(signal, prover(1), 7n))
    assert.isFalse(hasFlaggedIn(signal, prover(1), 8n))
    assert.isFalse(hasFlaggedIn(signal, prover(2), 7n))
    flagged(signal, 8n, by(1))
  })

  it("FM-3: of several reasons, the first in this order", () => {
    const signal = flagged(quietSignal, 7n, by(1))
    assert.strictEqual(refused(signal, by(1, 0n, 10_000n, 2)).reason, "NotActive")
    assert.strictEqual(refused(signal, by(1, 0n)).reason, "AlreadyFlagged")
  })

  it("FM-3: epoch 0 is one like any other", () => {
    assert.isFalse(hasFlaggedIn(quietSignal, prover(1), 0n))
    assert.isTrue(hasFlaggedIn(flagged(quietSignal, 0n, by(1)), prover(1), 0n))
  })
})

describe("FM-3: weight and quorum", () => {
  it("FM-3: a flag weighs its prover's reputation, at most a fifth of all", () => {
    for (const [reputation, weight] of [[1999n, 1999n], [2000n, 2000n], [2001n, 2000n], [9000n, 2000n]] as const) {
      assert.strictEqual(Result.getOrThrow(flag(rule, quietSignal, by(1, reputation), 7n)).weight, weight)
    }
  })

  it("FM-3: the quorum is reached at 33.33 %, once", () => {
    const before = flagged(quietSignal, 7n, by(1, 2000n), by(2, 1332n))
    assert.deepEqual([before.weight, before.raised, before.multiplier], [3332n, false, one])
    const last = Result.getOrThrow(flag(rule, before, by(3, 1n), 7n))
    assert.deepEqual([last.raises, last.signal.weight, last.signal.raised, last.signal.multiplier], [true, 3333n, true, 1_250_000n])
    const more = Result.getOrThrow(flag(rule, last.signal, by(4, 2000n), 7n))
    assert.deepEqual([more.raises, more.signal.weight, more.signal.multiplier], [false, 5333n, 1_250_000n])
  })

  it("FM-3: weight is gathered anew in each epoch", () => {
    const signal = flagged(flagged(quietSignal, 7n, by(1, 2000n), by(2, 1000n)), 8n, by(3, 1000n))
    assert.deepEqual([signal.weight, signal.raised], [1000n, false])
    assert.deepEqual([weightIn(signal, 8n), weightIn(signal, 9n)], [1000n, 0n])
  })
})

describe("FM-3: the multiplier", () => {
  it("FM-3: steps up with each quorum, to its highest", () => {
    let signal = quietSignal
    const seen = Array.from({ length: 12 }, (_, i) => {
      signal = raised(signal, BigInt(i))
      return signal.multiplier
    })
    assert.deepEqual(seen.slice(0, 4), [1_250_000n, 1_562_500n, 1_953_125n, 2_441_406n])
    assert.deepEqual(seen.slice(-3), [8_000_000n, 8_000_000n, 8_000_000n])
  })

  it("FM-3: falls in each epoch that ended without one, to 1", () => {
    const signal = raised(raised(quietSignal, 0n), 1n)
    assert.deepEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n].map((epoch) => multiplierIn(rule, signal, epoch)), [
      1_562_500n,
      // The epoch after: the one with the quorum ended, and it was not quiet.
      1_562_500n,
      1_406_250n,
      1_265_625n,
      1_139_062n,
      1_025_155n,
      one
    ])
    assert.strictEqual(multiplierIn(rule, signal, 1n << 40n), one)
  })

  it("FM-3: an epoch whose flags missed the quorum is quiet", () => {
    const signal = flagged(raised(quietSignal, 0n), 1n, by(1))
    assert.deepEqual([1n, 2n].map((epoch) => multiplierIn(rule, signal, epoch)), [1_250_000n, 1_125_000n])
  })

  it("FM-3: an epoch begins at its first second", () => {
    assert.deepEqual([3599n, 3600n, 7199n, 7200n].map((time) => epochOf(rule, time)), [0n, 1n, 1n, 2n])
  })

  const Moves = Schema.Array(Schema.Tuple([Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })), Schema.Boolean]))
  it.prop("FM-3: stays between 1 and its highest, and moves by a step at most, whatever happens", [Moves], ([moves]) => {
    let signal = quietSignal
    let epoch = 0n
    let last = one
    for (const [wait, quorum] of moves) {
      epoch += BigInt(wait)
      if (wait === 0 && signal.epoch === epoch && signal.weight > 0n) continue
      signal = quorum ? raised(signal, epoch) : flagged(signal, epoch, by(1))
      assert.isTrue(signal.multiplier >= one && signal.multiplier <= BigInt(rule.signalMax))
      assert.isTrue(signal.multiplier <= last * 5n / 4n)
      last = signal.multiplier
    }
  })
})
