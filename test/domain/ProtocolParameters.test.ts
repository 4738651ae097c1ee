import { assert, describe, it } from "@effect/vitest"
import { Wei } from "../../src/domain/Amount.ts"
import { defaultParameters, ProtocolParameters, scaleTime } from "../../src/domain/ProtocolParameters.ts"

const durations = [
  "idleFallback",
  "turnLength",
  "leaveDelay",
  "redundancyWindow",
  "proofDeadline",
  "targetLag",
  "bonusRamp",
  "signalEpoch",
  "reputationHalfLife"
] as const

const refuses = (change: Partial<ProtocolParameters>) => assert.throws(() => new ProtocolParameters({ ...defaultParameters, ...change }))
const takes = (change: Partial<ProtocolParameters>) => assert.doesNotThrow(() => new ProtocolParameters({ ...defaultParameters, ...change }))

describe("protocol parameters", () => {
  it("ST-5, ST-6, RW-4, RW-6, CP-4, FM-3: a time scale divides all durations, and nothing else", () => {
    const scaled = scaleTime(defaultParameters, 600)
    assert.deepEqual({ ...scaled } as object, {
      ...defaultParameters,
      idleFallback: 30,
      turnLength: 3,
      leaveDelay: 144,
      redundancyWindow: 6,
      proofDeadline: 144,
      targetLag: 3,
      bonusRamp: 72,
      signalEpoch: 6,
      reputationHalfLife: 1008
    })
    assert.deepEqual({ ...scaleTime(defaultParameters, 1) } as object, { ...defaultParameters })
  })

  it("CP-4: however fast the clock, no duration vanishes and the deadline stays behind the first turn and the full bonus", () => {
    const fastest = scaleTime(defaultParameters, 1e9)
    assert.deepEqual(durations.map((name) => fastest[name]), [1, 1, 1, 1, 3, 1, 1, 1, 1])
    for (let scale = 1; scale < 1e6; scale = Math.ceil(scale * 1.7)) assert.doesNotThrow(() => scaleTime(defaultParameters, scale), `${scale}`)
  })

  it("ST-6: what makes no sense is refused", () => {
    for (const name of durations) refuses({ [name]: 0 })
    refuses({ leaveDelay: 1799 })
    takes({ leaveDelay: 1800 })
    refuses({ bond: Wei.make(0n) })
    refuses({ fallbackBounty: Wei.make(1n << 80n) })
  })

  it("CP-4: the deadline comes after the first turn", () => {
    refuses({ proofDeadline: 5 * 3600 + 1800, bonusRamp: 1 })
    takes({ proofDeadline: 5 * 3600 + 1801, bonusRamp: 1 })
  })

  it("RW-6: the bonus reaches its cap by the deadline", () => {
    takes({ bonusRamp: 86_400 - 1800 })
    refuses({ bonusRamp: 86_400 - 1799 })
    refuses({ bonusCap: Wei.make(1n << 80n) })
  })

  it("FM-3: factors and parts that would not work are refused", () => {
    for (const part of ["signalQuorum", "signalCap"] as const) {
      refuses({ [part]: 0 })
      takes({ [part]: 10_000 })
      refuses({ [part]: 10_001 })
    }
    refuses({ signalStep: 1_000_000 })
    takes({ signalStep: 1_000_001 })
    refuses({ signalMax: defaultParameters.signalStep - 1 })
    takes({ signalMax: defaultParameters.signalStep })
    refuses({ signalDecay: 0 })
    refuses({ signalDecay: 1_000_000 })
    // 1.25 down to 1 takes 256 epochs at most.
    takes({ signalMax: 1_250_000, signalDecay: 999_127 })
    refuses({ signalMax: 1_250_000, signalDecay: 999_130 })
    takes({ minUpdates: 0 })
  })
})
