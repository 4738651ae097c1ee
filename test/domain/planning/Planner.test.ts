import { assert, describe, it } from "@effect/vitest"
import { BlockNumber, Wei } from "../../../src/domain/Amount.ts"
import type { Piece } from "../../../src/domain/Forest.ts"
import { type Address, ProofId, toHex32 } from "../../../src/domain/Hash.ts"
import { atomKey, blockAtom, type Range } from "../../../src/domain/planning/Atom.ts"
import { defaultHintRules, type Hint } from "../../../src/domain/planning/Peers.ts"
import { Planner, type PlannerSettings } from "../../../src/domain/planning/Planner.ts"
import { explain } from "../../../src/domain/planning/Strategy.ts"
import { seededRandom } from "../../../src/ledger/SeededRandom.ts"
import { prover } from "../builders.ts"

const piece = (from: number, to: number): Piece => ({ id: ProofId.make(toHex32(BigInt(1_000 * from + to))), from, to })

const planner = (settings: Partial<PlannerSettings> & { readonly blocks?: number } = {}): Planner<Piece> => {
  const { blocks = 12, ...given } = settings
  const made = new Planner<Piece>({ me: { prover: prover(1), capacity: 2 }, strategy: "rendezvous", mergeUpTo: 0, ...given }, 0, 0)
  for (let number = 1; number <= blocks; number++) made.append(1n)
  return made
}

const hintOf = (who: Address, atoms: ReadonlyArray<Range>, issuedAt: number, capacity = Math.max(1, atoms.length)): Hint => ({
  prover: who,
  capacity,
  atoms: atoms.map(({ from, to }) => ({ from: BlockNumber.make(from), to: BlockNumber.make(to) })),
  issuedAt,
  expiresAt: issuedAt + defaultHintRules.lifetime
})

const started = (plan: ReturnType<Planner<Piece>["decide"]>) => plan.start.map(({ atom: { from, to } }) => [from, to])
const stopped = (plan: ReturnType<Planner<Piece>["decide"]>) => plan.stop.map(({ atom: { to }, why }) => [to, why])

describe("OC-3: what a planner starts", () => {
  it("alone, the oldest blocks, as many as it has workers", () => {
    const alone = planner()
    assert.deepStrictEqual(started(alone.decide(0)), [[0, 1], [1, 2]])
    assert.deepStrictEqual(alone.decide(1), { start: [], stop: [] })
    alone.ended(blockAtom(1), 10, true)
    alone.add(piece(0, 1), prover(1))
    assert.deepStrictEqual(started(alone.decide(10)), [[2, 3]])
  })

  it("provers with equal knowledge take different blocks, and between them the oldest", () => {
    for (let seed = 0; seed < 30; seed++) {
      const count = 1 + seededRandom("equal", seed).integer(10)
      const peers = Array.from({ length: count }, (_, i) => ({ prover: prover(i + 1 + seed), capacity: 1 }))
      const taken = peers.flatMap((me) => started(planner({ me, peers, blocks: 3 * count }).decide(0)).map(([, to]) => to!))
      assert.deepStrictEqual(taken.toSorted((a, b) => a - b), Array.from({ length: count }, (_, i) => i + 1))
    }
  })

  it("smaller merges come before larger ones, and blocks of the horizon before both", () => {
    const merging = planner({ me: { prover: prover(1), capacity: 1 }, mergeUpTo: 4, blocks: 5 })
    for (const [from, to] of [[0, 2], [2, 3], [3, 4]] as const) merging.add(piece(from, to), undefined)
    const order: Array<ReadonlyArray<number>> = []
    for (let now = 0; order.length < 3; now++) {
      const [next] = started(merging.decide(now))
      const [from, to] = next as [number, number]
      order.push([from, to])
      merging.ended({ from, to }, now, true)
      merging.add(piece(from, to), prover(1))
    }
    assert.deepStrictEqual(order, [[4, 5], [2, 4], [0, 4]])
    assert.deepStrictEqual(started(merging.decide(10)), [])
  })

  it("what the tree lacks first is taken even where a proof that does not join covers it", () => {
    const one = planner({ blocks: 4 })
    one.add(piece(0, 2), undefined)
    one.add(piece(1, 4), undefined)
    assert.deepStrictEqual(started(one.decide(0)), [[2, 3]])
  })

  it("looks at the next atoms alone, however many blocks wait", () => {
    const far = planner({ blocks: 100_000 })
    assert.isAtMost(far.explain(0, Number.POSITIVE_INFINITY).length, 100)
  })
})

describe("OC-4: what a planner stops", () => {
  it("what a proof made superfluous, and what the ledger dropped, although the same number is there again", () => {
    const one = planner()
    one.decide(0)
    one.add(piece(0, 1), prover(9))
    assert.deepStrictEqual(stopped(one.decide(1)), [[1, "superseded"]])
    one.truncate(1)
    one.append(1n)
    const plan = one.decide(2)
    assert.sameDeepMembers(stopped(plan), [[2, "superseded"], [3, "superseded"]])
    assert.deepStrictEqual(started(plan), [[1, 2]])
  })

  it("of two that began the same, one yields, and neither once it is half done", () => {
    for (let seed = 0; seed < 30; seed++) {
      const accounts = [prover(2 * seed + 1), prover(2 * seed + 2)] as const
      const nodes = accounts.map((account) => planner({ me: { prover: account, capacity: 1 }, strategy: "critical-path", blocks: 1 }))
      for (const node of nodes) node.decide(0)
      nodes.forEach((node, i) => node.hear(hintOf(accounts[1 - i]!, [blockAtom(1)], 0), 1_000))
      assert.deepStrictEqual(nodes.flatMap((node) => stopped(node.decide(1_000))), [[1, "yielded"]])
    }
    const usual = planner({ me: { prover: prover(1), capacity: 1 }, strategy: "critical-path", blocks: 2 })
    usual.decide(0)
    usual.ended(blockAtom(1), 10_000, true)
    usual.add(piece(0, 1), prover(1))
    usual.decide(10_000)
    usual.hear(hintOf(prover(2), [blockAtom(2)], 7_000), 16_000)
    assert.deepStrictEqual(usual.decide(16_000), { start: [], stop: [] })
  })

  it("the naive racer does not listen", () => {
    const naive = planner({ strategy: "greedy" })
    naive.hear(hintOf(prover(2), [blockAtom(1)], 0), 0)
    assert.deepStrictEqual(started(naive.decide(1)), [[0, 1], [1, 2]])
  })
})

describe("ND-5: every atom has a reason", () => {
  it("what is passed over and what is taken, with numbers, for people", () => {
    const one = planner({
      me: { prover: prover(1), capacity: 1 },
      blocks: 5,
      isQuarantined: (number) => number === 2,
      passesOver: (number) => number === 3 ? { number: BlockNumber.make(3), pays: Wei.make(7n), asked: Wei.make(9n) } : undefined
    })
    one.decide(100)
    one.hear(hintOf(prover(2), [blockAtom(4)], 100), 100)
    const reasons = one.explain(200, 4).map(({ reason }) => explain(reason, (account) => account === prover(2) ? "Bob" : "?"))
    assert.deepStrictEqual(reasons, ["this node works on it", "it waits in quarantine for the operator", "it brings 7 wei, the reservation price asks 9 wei", "Bob works on it"])
  })

  it("RW-4: a block that is proven once more takes a worker, and the planner knows why", () => {
    const one = planner()
    one.beginTurn(0, 5)
    assert.deepStrictEqual(started(one.decide(6)), [[0, 1]])
    assert.deepStrictEqual(one.running.map(({ atom, reason }) => [atom.to, reason._tag]), [[1, "Assigned"], [0, "Turn"]])
    one.endTurn(0)
    assert.deepStrictEqual(started(one.decide(7)), [[1, 2]])

    const busy = planner({ me: { prover: prover(1), capacity: 4 } })
    for (let number = -8; number <= 0; number++) busy.beginTurn(number, 0)
    assert.strictEqual(started(busy.decide(0)).length, 2, "however many there are, half of the workers go on with the chain")
  })
})

describe("OC-3: whoever dies or lies, every atom is taken in the end", () => {
  it("with any number of peers that say anything and prove nothing", () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = seededRandom("liveness", seed)
      const liars = Array.from({ length: 1 + random.integer(6) }, (_, i) => prover(i + 2))
      const me = { prover: prover(1), capacity: 1 + random.integer(2) }
      const one = planner({ me, peers: liars.map((account) => ({ prover: account, capacity: 1 })), mergeUpTo: seed % 2 === 0 ? 4 : 0, blocks: 8 })
      const running = new Map<number, { readonly atom: Range; readonly since: number }>()
      const hour = 3_600_000
      let now = 0
      for (; now < hour && (one.forest.uncovered(0) !== undefined || (seed % 2 === 0 && one.forest.heaviest().length > 2)); now += 1_000) {
        for (const liar of liars) {
          if (!random.chance(1, 5)) continue
          const claimed = Array.from({ length: random.integer(4) }, () => blockAtom(1 + random.integer(8)))
          one.hear(hintOf(liar, claimed, now - random.integer(20_000), 1 + random.integer(64)), now)
        }
        for (const [key, { atom, since }] of running) {
          if (now - since < 10_000) continue
          running.delete(key)
          one.ended(atom, now, true)
          one.add(piece(atom.from, atom.to), me.prover)
        }
        const { start, stop } = one.decide(now)
        for (const { atom } of stop) running.delete(atomKey(atom))
        for (const { atom, since } of start) running.set(atomKey(atom), { atom, since })
        assert.isAtMost(running.size, me.capacity)
      }
      assert.isBelow(now, hour)
    }
  })
})
