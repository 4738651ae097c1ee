import { assert, describe, it } from "@effect/vitest"
import { Wei } from "../../src/domain/Amount.ts"
import { defaultParameters, ProtocolParameters, scaleTime } from "../../src/domain/ProtocolParameters.ts"

describe("protocol parameters", () => {
  it("ST-5, ST-6: a time scale divides all durations, and nothing else", () => {
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
    // No duration ever vanishes.
    assert.strictEqual(scaleTime(defaultParameters, 1e9).turnLength, 1)
  })

  it("ST-6: what makes no sense is refused", () => {
    assert.throws(() => new ProtocolParameters({ ...defaultParameters, turnLength: 0 }))
    assert.throws(() => new ProtocolParameters({ ...defaultParameters, idleFallback: 0 }))
    assert.throws(() => new ProtocolParameters({ ...defaultParameters, leaveDelay: 1799 }))
    assert.throws(() => new ProtocolParameters({ ...defaultParameters, bond: Wei.make(0n) }))
    assert.throws(() => new ProtocolParameters({ ...defaultParameters, fallbackBounty: Wei.make(1n << 80n) }))
  })
})
