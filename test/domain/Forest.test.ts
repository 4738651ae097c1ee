import { assert, describe, it } from "@effect/vitest"
import { Forest } from "../../src/domain/Forest.ts"
import type { Proof } from "../../src/domain/Proof.ts"
import { seededRandom } from "../../src/ledger/SeededRandom.ts"
import { range, ref } from "./builders.ts"

/** Every way to continue the tip with the given proofs, tried one by one: the oracle. */
const covers = (tip: string, proofs: ReadonlyArray<Proof>): ReadonlyArray<ReadonlyArray<Proof>> => [
  [],
  ...proofs.filter(({ statement }) => statement.from.hash === tip).flatMap((proof) =>
    covers(proof.statement.to.hash, proofs).map((rest) => [proof, ...rest])
  )
]

const gas = (cover: ReadonlyArray<Proof>) => cover.reduce((sum, { statement }) => sum + statement.proverGas, 0n)

const reach = (cover: ReadonlyArray<Proof>) => cover.at(-1)?.statement.to.number ?? 0

const heaviestOf = (tip: string, proofs: ReadonlyArray<Proof>): ReadonlyArray<Proof> =>
  [...covers(tip, proofs)].sort((a, b) => {
    if (gas(a) !== gas(b)) return gas(a) > gas(b) ? -1 : 1
    if (reach(a) !== reach(b)) return reach(b) - reach(a)
    if (a.length !== b.length) return a.length - b.length
    for (const [i, { id }] of a.entries()) if (id !== b[i]!.id) return id < b[i]!.id ? -1 : 1
    return 0
  })[0]!

const ids = (proofs: ReadonlyArray<Proof>) => proofs.map(({ id }) => id)

describe("OC-2: the heaviest tree", () => {
  it("is the same from the same set in any order, and what trying everything finds", () => {
    for (let history = 0; history < 60; history++) {
      const random = seededRandom("forest", history)
      const proofs = Array.from({ length: 12 }, (_, tag) => {
        const from = random.integer(8)
        return range(from, from + 1 + random.integer(3), tag, random.chance(1, 2) ? 16_000n : 0n)
      })
      const expected = ids(heaviestOf(ref(0).hash, proofs))
      for (let order = 0; order < 3; order++) {
        const forest = new Forest(ref(0))
        const left = [...proofs]
        while (left.length > 0) forest.add(left.splice(random.integer(left.length), 1)[0]!)
        assert.deepStrictEqual(ids(forest.heaviest()), expected, `history ${history}`)
      }
    }
  })

  it("takes more prover gas before fewer pieces, and fewer pieces before lower ids", () => {
    const forest = new Forest(ref(0))
    const [one, two, both] = [range(0, 1), range(1, 2), range(0, 2)]
    forest.add(one)
    forest.add(two)
    assert.deepStrictEqual(ids(forest.heaviest()), ids([one, two]))
    forest.add(both)
    assert.deepStrictEqual(ids(forest.heaviest()), ids([both]))
    const longer = range(2, 3)
    forest.add(longer)
    assert.deepStrictEqual(ids(forest.heaviest()), ids([both, longer]))
  })

  it("counts idle blocks, which use no prover gas", () => {
    const forest = new Forest(ref(0))
    forest.add(range(0, 1, 0, 0n))
    forest.add(range(1, 2, 0, 0n))
    assert.strictEqual(forest.heaviest().length, 2)
  })

  it("does not see over a gap", () => {
    const forest = new Forest(ref(0))
    forest.add(range(1, 4))
    assert.deepStrictEqual(forest.heaviest(), [])
    forest.add(range(0, 1))
    assert.strictEqual(forest.heaviest().length, 2)
  })

  it("knows what any proof covers, in the heaviest tree or beyond a gap", () => {
    const forest = new Forest(ref(0))
    forest.add(range(2, 4))
    forest.add(range(3, 4))
    assert.deepStrictEqual([1, 2, 3, 4].map((n) => forest.covers(ref(n).hash)), [false, false, true, true])
    forest.moveTip(ref(4))
    assert.isFalse(forest.covers(ref(4).hash))
  })

  it("CP-4: forgets every proof over a block that was replaced, and keeps those beside it", () => {
    const forest = new Forest(ref(0))
    for (const proof of [range(0, 1), range(1, 2), range(0, 3), range(2, 3)]) forest.add(proof)
    forest.drop(ref(2).hash)
    assert.deepStrictEqual([1, 2, 3].map((n) => forest.covers(ref(n).hash)), [true, false, true])
    assert.deepStrictEqual(ids(forest.heaviest()), ids([range(0, 1)]))
    forest.drop(ref(9).hash)
    assert.isTrue(forest.add(range(1, 2)), "it is new again")
    assert.deepStrictEqual(ids(forest.heaviest()), ids([range(0, 1), range(1, 2), range(2, 3)]))
  })

  it("says whether a proof is new, and forgets what lies behind the tip", () => {
    const forest = new Forest(ref(0))
    assert.isTrue(forest.add(range(0, 1)))
    assert.isFalse(forest.add(range(0, 1)))
    forest.add(range(1, 2))
    forest.moveTip(ref(1))
    assert.deepStrictEqual(ids(forest.heaviest()), ids([range(1, 2)]))
    assert.isFalse(forest.add(range(0, 1)), "behind the tip")
    forest.moveTip(ref(2))
    assert.deepStrictEqual(forest.heaviest(), [])
  })
})
