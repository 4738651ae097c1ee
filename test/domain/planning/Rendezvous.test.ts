import { assert, describe, it } from "@effect/vitest"
import { type Address, ProofId, toAddress, toHex32 } from "../../../src/domain/Hash.ts"
import { type Atom, blockAtom, mergeAtom } from "../../../src/domain/planning/Atom.ts"
import { comeBefore, goesOn, type Member, Rendezvous } from "../../../src/domain/planning/Rendezvous.ts"
import { seededRandom } from "../../../src/ledger/SeededRandom.ts"

const address = (number: number): Address => toAddress(`0x${(1_000_003n * BigInt(number) + 7n).toString(16).padStart(40, "0")}`)
const membersOf = (capacities: ReadonlyArray<number>): ReadonlyArray<Member> => capacities.map((capacity, i) => ({ prover: address(i), capacity }))
const piece = (from: number, to: number) => ({ id: ProofId.make(toHex32(BigInt(from * 1_000 + to))), from, to })

/** Provers by how many of the atoms are theirs. */
const sharesOf = (rendezvous: Rendezvous, atoms: ReadonlyArray<Atom>): ReadonlyMap<Address, number> => {
  const shares = new Map<Address, number>()
  for (const atom of atoms) shares.set(rendezvous.holder(atom), (shares.get(rendezvous.holder(atom)) ?? 0) + 1)
  return shares
}

describe("OC-3: rendezvous", () => {
  it("whoever knows the same provers, in whatever order, computes the same holders, and asks in whatever order", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seededRandom("same", seed)
      const members = membersOf(Array.from({ length: 1 + random.integer(12) }, () => 1 + random.integer(4)))
      const shuffled = random.choose(members.length, members.length).map((i) => members[(i + seed) % members.length]!)
      const [one, other] = [new Rendezvous(members), new Rendezvous(shuffled)]
      const numbers = Array.from({ length: 200 }, () => 1 + random.integer(100_000))
      const holders = new Map(numbers.map((number) => [number, one.holder(blockAtom(number))]))
      for (const number of numbers.toReversed()) assert.strictEqual(other.holder(blockAtom(number)), holders.get(number))
    }
  })

  it("shares follow capacities to the atom, for blocks and for merges of each size", () => {
    const members = membersOf([1, 2, 3, 5])
    const rendezvous = new Rendezvous(members)
    const rounds = 30
    const blocks = Array.from({ length: 11 * rounds }, (_, i) => blockAtom(i + 1))
    const pairs = Array.from({ length: 11 * rounds }, (_, i) => mergeAtom(piece(2 * i, 2 * i + 1), piece(2 * i + 1, 2 * i + 2)))
    for (const atoms of [blocks, pairs]) {
      const shares = sharesOf(rendezvous, atoms)
      for (const { capacity, prover } of members) assert.strictEqual(shares.get(prover), capacity * rounds)
    }
  })

  it("neighbouring blocks go to all provers at once: as many of a round as each runs", () => {
    const members = membersOf([1, 1, 2])
    const rendezvous = new Rendezvous(members)
    for (let first = 1; first < 400; first += 4) {
      const shares = sharesOf(rendezvous, [0, 1, 2, 3].map((i) => blockAtom(first + i)))
      assert.deepStrictEqual(members.map(({ prover }) => shares.get(prover)), [1, 1, 2])
    }
  })

  it("is no fixed order: each prover is first in a round about as often as any other", () => {
    const members = membersOf(Array.from({ length: 4 }, () => 1))
    const shares = sharesOf(new Rendezvous(members), Array.from({ length: 2_000 }, (_, round) => blockAtom(4 * round + 1)))
    // Binomial with mean 500 and deviation 19.
    for (const { prover } of members) assert.closeTo(shares.get(prover)!, 500, 90)
  })

  it("helpers have a total order, weighted by capacity", () => {
    const members = membersOf([1, 1, 4])
    let strongFirst = 0
    for (let number = 1; number <= 1_200; number++) {
      const places = members.map(({ prover }) => comeBefore(prover, blockAtom(number), members, address(9)))
      assert.sameMembers(places, [0, 1, 2])
      if (places[2] === 0) strongFirst++
      const others = members.slice(1).map(({ prover }) => comeBefore(prover, blockAtom(number), members, members[0]!.prover))
      assert.sameMembers(others, [0, 1], "the holder is no helper")
    }
    // Binomial with mean 800 and deviation 16.
    assert.closeTo(strongFirst, 800, 80)
  })

  it("of any provers that work on the same atom, one goes on, and it began no later than the grace after the first", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = seededRandom("goes on", seed)
      const atom = blockAtom(1 + random.integer(1_000))
      const workers = Array.from({ length: 2 + random.integer(5) }, (_, i) => ({ prover: address(i), since: random.integer(8_000) }))
      const left = workers.filter((one) => workers.every((other) => other === one || goesOn(atom, one, other, 2_000)))
      assert.strictEqual(left.length, 1)
      assert.isAtMost(left[0]!.since, Math.min(...workers.map(({ since }) => since)) + 2_000)
    }
  })
})
