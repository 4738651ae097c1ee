import { assert, describe, it } from "@effect/vitest"
import { BlockHash, toHex32 } from "../../src/domain/Hash.ts"
import { startsBehind } from "../../src/domain/RaceOrder.ts"
import { prover } from "./builders.ts"

const tips = Array.from({ length: 240 }, (_, i) => BlockHash.make(toHex32(BigInt(i))))
const provers = Array.from({ length: 8 }, (_, i) => prover(i + 1))
const registered = new Set(provers)

describe("who goes first in a race", () => {
  it("ST-5: everybody draws the same order, each is first as often as others, and the fourth waits twice as long as the second", () => {
    const firsts = new Map(provers.map((one) => [one, 0]))
    for (const tip of tips) {
      const places = provers.map((one) => startsBehind(one, tip, registered))
      assert.deepStrictEqual([...places].sort((a, b) => a - b), provers.map((_, i) => Math.log2(1 + i)))
      assert.deepStrictEqual(provers.map((one) => startsBehind(one, tip, new Set([...provers].reverse()))), places)
      const first = provers[places.indexOf(0)]!
      firsts.set(first, firsts.get(first)! + 1)
    }
    // 30 each, give or take five standard deviations.
    for (const [one, times] of firsts) assert.isTrue(times >= 5 && times <= 55, `${one} is first ${times} times of ${tips.length}`)
  })

  it("ST-5: who is not registered lets all of them go first, and nobody where there are none", () => {
    const stranger = prover(99)
    assert.strictEqual(startsBehind(stranger, tips[0]!, new Set(provers.slice(0, 3))), 2)
    assert.strictEqual(startsBehind(stranger, tips[0]!, registered), Math.log2(9))
    assert.strictEqual(startsBehind(stranger, tips[0]!, new Set()), 0)
  })

  it("ST-5: three that race among hundreds that do not are a head start apart, as three alone are", () => {
    const many = new Set(Array.from({ length: 200 }, (_, i) => prover(i + 1)))
    const gaps = tips.slice(0, 60).map((tip) => {
      const [first, second] = [...many].slice(0, 3).map((one) => startsBehind(one, tip, many)).sort((a, b) => a - b)
      return second! - first!
    }).sort((a, b) => a - b)
    assert.isAbove(gaps[30]!, 0.6, "in the median; of a draw, it is one")
  })
})
