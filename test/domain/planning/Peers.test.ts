import { assert, describe, it } from "@effect/vitest"
import { BlockNumber } from "../../../src/domain/Amount.ts"
import type { Range } from "../../../src/domain/planning/Atom.ts"
import { defaultHintRules, Peers } from "../../../src/domain/planning/Peers.ts"
import { prover } from "../builders.ts"

const [me, alice, bob] = [prover(1), prover(2), prover(3)]
const { claimLimit, grace, lifetime, mostCapacity, suspension } = defaultHintRules
const block = (to: number) => ({ from: BlockNumber.make(to - 1), to: BlockNumber.make(to) })

/** Peers and the blocks that are proven. */
const watch = () => {
  const proven = new Set<number>()
  const isOpen = ({ to }: Range) => !proven.has(to)
  const peers = new Peers({ prover: me, capacity: 4 }, [], defaultHintRules, 0)
  return {
    peers,
    proven,
    says: (who: typeof alice, now: number, blocks: ReadonlyArray<number>, capacity = Math.max(blocks.length, 1), expiresAt = now + lifetime) =>
      peers.hear({ prover: who, capacity, atoms: blocks.map(block), issuedAt: now, expiresAt }, now, isOpen),
    at: (now: number) => peers.advance(now, isOpen),
    claimants: (to: number, now: number) => peers.claims(block(to), now).map((claim) => claim.prover),
    present: (now: number) => peers.members(now).map((member) => member.prover)
  }
}

describe("OC-3: hints", () => {
  it("count until they expire, and not for longer than a hint may", () => {
    const { at, claimants, present, says } = watch()
    says(alice, 0, [1], 1, 10 * lifetime)
    assert.deepStrictEqual(claimants(1, lifetime - 1), [alice])
    assert.deepStrictEqual(claimants(1, lifetime), [])
    at(lifetime)
    assert.deepStrictEqual(present(lifetime), [me])
  })

  it("count for as many atoms as their prover runs, and capacity has a bound", () => {
    const { claimants, peers, says } = watch()
    says(alice, 0, [1, 2, 3], 2)
    assert.deepStrictEqual([1, 2, 3].map((to) => claimants(to, 1).length), [1, 1, 0])
    says(bob, 0, Array.from({ length: 100 }, (_, i) => i + 1), 1_000)
    assert.deepStrictEqual(claimants(mostCapacity, 1), [bob])
    assert.deepStrictEqual(claimants(mostCapacity + 1, 1), [])
    peers.delivered(bob, block(1))
    assert.strictEqual(peers.members(1).find(({ prover }) => prover === bob)!.capacity, mostCapacity)
  })

  it("of a prover, the newest one stands: an older one that comes late changes nothing", () => {
    const { claimants, says } = watch()
    says(alice, 100, [2])
    says(alice, 50, [1])
    assert.deepStrictEqual([claimants(1, 101), claimants(2, 101)], [[], [alice]])
  })

  it("a newcomer counts as one that runs one proof at a time, until its first proof", () => {
    const { peers, says } = watch()
    says(alice, 0, [1, 2, 3])
    assert.deepStrictEqual(peers.members(1), [{ prover: me, capacity: 1 }, { prover: alice, capacity: 1 }])
    peers.delivered(alice, block(1))
    peers.delivered(me, block(9))
    assert.deepStrictEqual(peers.members(1), [{ prover: me, capacity: 4 }, { prover: alice, capacity: 3 }])
  })

  it("who hints and does not deliver is not listened to, for longer with every time, and again when it delivers", () => {
    const { at, claimants, peers, present, says } = watch()
    says(alice, 0, [1])
    at(lifetime)
    says(alice, lifetime + 1, [2])
    assert.deepStrictEqual([claimants(2, lifetime + 2), present(lifetime + 2)], [[], [me]])
    const back = lifetime + suspension
    at(back)
    says(alice, back, [3])
    assert.deepStrictEqual(claimants(3, back), [alice])
    at(back + lifetime)
    says(alice, back + lifetime + suspension, [4])
    assert.deepStrictEqual(claimants(4, back + lifetime + suspension), [], "the second time it is twice as long")
    peers.delivered(alice, block(4))
    says(alice, back + lifetime + suspension + 1, [5])
    assert.deepStrictEqual(claimants(5, back + lifetime + suspension + 1), [alice])
  })

  it("who repeats a hint for ever is not waited for", () => {
    const { claimants, says } = watch()
    for (let now = 0; now <= claimLimit; now += lifetime / 3) says(alice, now, [1])
    assert.deepStrictEqual(claimants(1, claimLimit + 1), [])
    says(alice, claimLimit + lifetime / 3, [1, 2])
    assert.deepStrictEqual(claimants(2, claimLimit + lifetime / 3), [])
  })

  it("what is withdrawn at once was no promise, and what is proven by anybody is none any more", () => {
    const { at, claimants, present, proven, says } = watch()
    says(alice, 0, [1, 2])
    says(alice, grace, [2])
    assert.deepStrictEqual(claimants(1, grace), [])
    proven.add(2)
    says(alice, grace + 10, [])
    at(10 * lifetime)
    says(alice, 10 * lifetime, [3])
    assert.deepStrictEqual(present(10 * lifetime), [me, alice])
  })

  it("when an atom leaves the hints, its proof is on the way for a moment; without it, the promise is broken", () => {
    const { at, claimants, present, says } = watch()
    says(alice, 0, [1])
    says(alice, 9_000, [2])
    assert.deepStrictEqual(claimants(1, 9_000 + grace - 1), [alice])
    assert.deepStrictEqual(claimants(1, 9_000 + grace), [])
    says(alice, 25_000, [2])
    at(9_000 + lifetime)
    assert.deepStrictEqual(present(9_000 + lifetime), [me])
  })

  it("a prover that has time and lets an atom pass breaks a promise, too", () => {
    const { peers, present, says } = watch()
    for (let now = 0; now <= claimLimit; now += lifetime / 3) says(alice, now, [], 1)
    peers.letPass(alice, 0, claimLimit)
    assert.deepStrictEqual(present(claimLimit), [me, alice])
    peers.letPass(alice, 0, claimLimit + 1)
    assert.deepStrictEqual(present(claimLimit + 1), [me])
  })
})
