/**
 * A race of provers in virtual time: every one has a real planner and forest of its own, and knows only what reached it. Proofs and
 * messages are models: a proof takes its time and is right, a message comes a while later or is lost.
 */
import { createHash } from "node:crypto"
import { BlockNumber } from "../src/domain/Amount.ts"
import { BinaryHeap } from "../src/domain/BinaryHeap.ts"
import type { Piece } from "../src/domain/Forest.ts"
import { type Address, ProofId, toAddress } from "../src/domain/Hash.ts"
import { type AtomKey, atomKey, blockAtom, type Range } from "../src/domain/planning/Atom.ts"
import { defaultHintRules, type Hint } from "../src/domain/planning/Peers.ts"
import { Planner, type RunningAtom } from "../src/domain/planning/Planner.ts"
import type { StrategyName } from "../src/domain/planning/Strategy.ts"
import { seededRandom } from "../src/ledger/SeededRandom.ts"

export interface RaceOptions {
  readonly seed: string
  readonly strategy: StrategyName
  /** How many proofs each honest prover runs at once. */
  readonly capacities: ReadonlyArray<number>
  /** Blocks that wait for a proof at the start. */
  readonly blocks: number
  /** Blocks that merges put into one proof; 0 without merges. */
  readonly mergeUpTo: number
  /** Messages that are lost, in thousandths: a hint for good, a proof until it is asked for. */
  readonly loss?: number
  /** How many of the provers stop for good, and when, in milliseconds. */
  readonly deaths?: { readonly count: number; readonly at: number }
  /** Provers beside the others that say that they work on the oldest blocks, and never prove anything. */
  readonly liars?: number
}

/** All times in seconds. */
export interface RaceResult {
  readonly provers: number
  readonly strategy: StrategyName
  /** From the start until everything was proven. */
  readonly makespan: number
  /** max(all necessary work / capacity, critical path): no plan ends earlier. */
  readonly lowerBound: number
  readonly ratio: number
  /** Proving time that nothing came of: work cancelled half done, work that another one had done already. */
  readonly wasted: number
  /** Part of all proving time. */
  readonly waste: number
  /** Proving time that was lost with provers that died. */
  readonly lost: number
  /** What each honest prover proved first, in its order. */
  readonly shares: ReadonlyArray<number>
}

const proofTime = 10_000
const latency = 1_000
/** After so long, whoever misses a proof has asked for it and has it. */
const repair = 10_000
/** Time alone may change a plan: an idle prover looks again. */
const tick = 1_000
/** Nothing takes longer than so many times the lower bound, or the strategy hangs. */
const patience = 1_000

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

const isBefore = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Events by time and, at equal times, in the order in which they were planned. */
class EventQueue {
  readonly #heap = new BinaryHeap<Event>(isBefore)
  #order = 0

  add(at: number, run: () => void): void {
    this.#heap.push({ at, order: this.#order++, run })
  }

  take(): Event | undefined {
    return this.#heap.pop()
  }
}

interface Racer {
  readonly account: Address
  readonly capacity: number
  readonly planner: Planner<Piece>
  readonly isLiar: boolean
  readonly jobs: Map<AtomKey, RunningAtom<Piece>>
  alive: boolean
  /** Whether it looks at its plan at this moment anyway. */
  looks: boolean
  /** Whether it will look again when some time has passed. */
  waits: boolean
  /** How many atoms its last hint named. */
  announced: number
  proven: number
}

/** The ranges that are necessary: every block, and the merges of aligned pairs up to the largest. */
export const necessaryRanges = (blocks: number, mergeUpTo: number): ReadonlyArray<Range> => {
  const ranges: Array<Range> = Array.from({ length: blocks }, (_, i) => blockAtom(i + 1))
  for (let length = 2; length <= mergeUpTo; length *= 2) {
    for (let to = length; to <= blocks; to += length) ranges.push({ from: to - length, to })
  }
  return ranges
}

const digest = (...labels: ReadonlyArray<string | number>) => createHash("sha256").update(JSON.stringify(labels)).digest("hex")

/** Runs a race to its end. The same options give the same result. */
export const race = (options: RaceOptions): RaceResult => {
  const { blocks, capacities, deaths, liars = 0, loss = 0, mergeUpTo, seed, strategy } = options
  const queue = new EventQueue()
  const random = seededRandom("race", seed)
  const { lifetime, mostCapacity } = defaultHintRules
  let now = 0
  let [worked, wasted, lost] = [0, 0, 0]

  const accounts = Array.from({ length: capacities.length + liars }, (_, i) => toAddress(`0x${digest(seed, "account", i).slice(0, 40)}`))
  const racers = accounts.map((account, i): Racer => {
    const isLiar = i >= capacities.length
    const capacity = isLiar ? mostCapacity : capacities[i]!
    const planner = new Planner<Piece>({
      me: { prover: account, capacity },
      strategy,
      mergeUpTo,
      // Nothing but who is registered.
      peers: accounts.map((prover) => ({ prover, capacity: 1 }))
    }, 0, 0)
    for (let number = 1; number <= blocks; number++) planner.append(1n)
    return { account, capacity, planner, isLiar, jobs: new Map(), alive: true, looks: false, waits: false, announced: 0, proven: 0 }
  })

  const missing = new Set(necessaryRanges(blocks, mergeUpTo).map(atomKey))
  const necessaryWork = missing.size * proofTime

  /** Has everybody else hear of something, some of them late or never. */
  const tell = (from: Racer, hear: (racer: Racer) => void, isRepaired: boolean): void => {
    const unlucky: Array<Racer> = []
    const receivers = racers.filter((racer) => {
      if (racer === from) return false
      const isLost = loss > 0 && random.chance(loss, 1_000)
      if (isLost) unlucky.push(racer)
      return !isLost
    })
    const deliver = (to: ReadonlyArray<Racer>) => () => {
      for (const racer of to) {
        if (!racer.alive) continue
        hear(racer)
        look(racer)
      }
    }
    queue.add(now + latency, deliver(receivers))
    if (isRepaired && unlucky.length > 0) queue.add(now + latency + repair, deliver(unlucky))
  }

  const announce = (racer: Racer): void => {
    const claimed = racer.isLiar
      ? Array.from(racer.planner.explain(now, racer.capacity), ({ atom }) => atom)
      : [...racer.jobs.values()].map(({ atom }) => atom)
    const hint: Hint = {
      prover: racer.account,
      capacity: racer.capacity,
      atoms: claimed.map(({ from, to }) => ({ from: BlockNumber.make(from), to: BlockNumber.make(to) })),
      issuedAt: now,
      expiresAt: now + lifetime
    }
    racer.announced = racer.jobs.size
    tell(racer, ({ planner }) => planner.hear(hint, now), false)
  }

  const finish = (racer: Racer, job: RunningAtom<Piece>): void => {
    const { atom } = job
    const key = atomKey(atom)
    if (!racer.alive || racer.jobs.get(key) !== job) return
    racer.jobs.delete(key)
    worked += proofTime
    if (missing.delete(key)) racer.proven++
    else wasted += proofTime
    const piece: Piece = { id: ProofId.make(`0x${digest(racer.account, atom.from, atom.to)}`), from: atom.from, to: atom.to }
    racer.planner.ended(atom, now, true)
    racer.planner.add(piece, racer.account)
    tell(racer, ({ planner }) => planner.add(piece, racer.account), true)
    look(racer)
  }

  const act = (racer: Racer): void => {
    racer.looks = false
    if (!racer.alive || racer.isLiar) return
    const { start, stop } = racer.planner.decide(now)
    for (const { atom } of stop) {
      const { since } = racer.jobs.get(atomKey(atom))!
      racer.jobs.delete(atomKey(atom))
      worked += now - since
      wasted += now - since
    }
    for (const job of start) {
      racer.jobs.set(atomKey(job.atom), job)
      queue.add(now + proofTime, () => finish(racer, job))
    }
    if (start.length + stop.length > 0 || racer.announced !== racer.jobs.size) announce(racer)
    if (racer.planner.free === 0 || racer.waits) return
    racer.waits = true
    queue.add(now + tick, () => {
      racer.waits = false
      look(racer)
    })
  }

  /** Behind everything else that happens at this moment. */
  const look = (racer: Racer): void => {
    if (racer.looks) return
    racer.looks = true
    queue.add(now, () => act(racer))
  }

  for (const racer of racers) {
    const repeat = () => {
      if (!racer.alive) return
      announce(racer)
      queue.add(now + lifetime / 3, repeat)
    }
    queue.add(random.integer(racer.isLiar ? 1 : lifetime / 3), repeat)
    look(racer)
  }
  if (deaths !== undefined) {
    queue.add(deaths.at, () => {
      for (const index of random.choose(deaths.count, capacities.length)) {
        const racer = racers[index]!
        racer.alive = false
        for (const { since } of racer.jobs.values()) lost += now - since
      }
    })
  }

  const criticalPath = proofTime * (1 + Math.floor(Math.log2(Math.max(1, Math.min(mergeUpTo, blocks)))))
  const lowerBound = Math.max(necessaryWork / capacities.reduce((sum, capacity) => sum + capacity, 0), criticalPath)
  while (missing.size > 0) {
    const event = queue.take()
    if (event === undefined || event.at > patience * lowerBound) throw new Error(`${missing.size} atoms are left undone at ${now} ms`)
    now = event.at
    event.run()
  }
  for (const { alive, jobs } of racers) {
    if (!alive) continue
    for (const { since } of jobs.values()) {
      worked += now - since
      wasted += now - since
    }
  }
  return {
    provers: capacities.length,
    strategy,
    makespan: now / 1_000,
    lowerBound: lowerBound / 1_000,
    ratio: now / lowerBound,
    wasted: wasted / 1_000,
    waste: wasted / worked,
    lost: lost / 1_000,
    shares: racers.filter(({ isLiar }) => !isLiar).map(({ proven }) => proven)
  }
}
