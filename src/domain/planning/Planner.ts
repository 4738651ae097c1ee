/**
 * The planner's mind: facts go in, and out comes what to start, what to stop and why (OC-3, OC-4, ND-5). Pure: no clock, no I/O. The tree
 * planner drives it with real facts, the race bench with a model's.
 */
import { Forest, type Piece } from "../Forest.ts"
import type { Address } from "../Hash.ts"
import type { PassedOver } from "../ReservationPrice.ts"
import { type Atom, type AtomKey, atomKey, blockAtom, type BlockAtom, type Range } from "./Atom.ts"
import { MergePieces } from "./Merges.ts"
import { defaultHintRules, type Hint, type HintRules, Peers } from "./Peers.ts"
import { goesOn, type Member, Rendezvous } from "./Rendezvous.ts"
import { strategies } from "./Strategies.ts"
import { type Decision, doesNotPay, type PlanningSituation, Reason, type Strategy, type StrategyName } from "./Strategy.ts"

export interface PlannerSettings {
  /** This node, and how many proofs it runs at once. */
  readonly me: Member
  readonly strategy: StrategyName
  /** Blocks that merging puts into one proof at most; 0 where the proof system merges nothing. */
  readonly mergeUpTo: number
  /** Provers that are taken to be there before they were heard, for the lifetime of a hint. */
  readonly peers?: ReadonlyArray<Member>
  readonly rules?: HintRules
  /** Whether a block pays less than this node asks (OC-3). */
  readonly passesOver?: (number: number) => PassedOver | undefined
  /** Whether a block waits for the operator (ND-4). */
  readonly isQuarantined?: (number: number) => boolean
}

/** An atom that this node works on. */
export interface RunningAtom<P extends Piece> {
  readonly atom: Atom<P>
  /** In milliseconds since 1970. */
  readonly since: number
  readonly reason: Reason
}

/** Why work was stopped: somebody's proof made it useless or the ledger dropped its blocks (OC-4), or a peer works on the same. */
export type Stopped = "superseded" | "yielded"

export interface Plan<P extends Piece> {
  readonly start: ReadonlyArray<RunningAtom<P>>
  readonly stop: ReadonlyArray<{ readonly atom: Atom<P>; readonly why: Stopped }>
}

/** How far beyond the horizon the planner looks, in rounds of all provers and in blocks at least. */
const [roundsAhead, leastAhead] = [8, 64]

export class Planner<P extends Piece> {
  #forest: Forest<P>
  readonly #settings: PlannerSettings
  #capacity: number
  readonly #strategy: Strategy
  readonly #rules: HintRules
  readonly #peers: Peers
  #pieces: MergePieces<P> | undefined
  readonly #running = new Map<AtomKey, RunningAtom<P>>()
  /** Work on blocks that the ledger replaced, to be stopped. */
  #dropped: Array<Atom<P>> = []
  /** Blocks that are proven once more for the redundancy share, wherever they lie (RW-4). */
  readonly #turns = new Map<AtomKey, RunningAtom<P>>()
  /** Since when atoms have been left to their holders, as of the last look. */
  #leftSince = new Map<AtomKey, number>()
  #idleSince: number | undefined
  #members: ReadonlyArray<Member>
  #rendezvous: Rendezvous
  /** Up to here, from the tip on, every window is one proof. */
  #wholeTo: number
  /** How long this node's proofs take, in milliseconds; undefined before the first. */
  #usual: number | undefined

  constructor(settings: PlannerSettings, tip: number, now: number) {
    this.#settings = settings
    this.#capacity = settings.me.capacity
    this.#strategy = strategies[settings.strategy]
    this.#rules = settings.rules ?? defaultHintRules
    this.#peers = new Peers(settings.me, settings.peers ?? [], this.#rules, now)
    this.#pieces = settings.mergeUpTo > 1 ? new MergePieces(settings.mergeUpTo) : undefined
    this.#forest = new Forest(tip)
    this.#wholeTo = tip
    this.#members = this.#peers.members(now)
    this.#rendezvous = new Rendezvous(this.#members)
  }

  /** The proofs that were added, over the ledger's present blocks. Change it through the planner alone. */
  get forest(): Forest<P> {
    return this.#forest
  }

  /**
   * Begins again at a tip, with no block and no proof beyond it: L1 took back what was forgotten already. What was heard of peers stays.
   * Nothing runs: the caller sets it aside, and has it adopted when its blocks are there again.
   */
  startOver(tip: number): void {
    this.#running.clear()
    this.#forest = new Forest(tip)
    if (this.#pieces !== undefined) this.#pieces = new MergePieces(this.#pieces.window)
    this.#wholeTo = tip
  }

  /** This node runs so many proofs at once; none while no host proves for it. To others it stays one of them. */
  resize(capacity: number): void {
    this.#capacity = capacity
    this.#peers.resize(Math.max(capacity, 1))
  }

  /** The ledger's next block. */
  append(proverGas: bigint): void {
    this.forest.append(proverGas)
  }

  /** The ledger dropped every block above a number (CP-4). */
  truncate(number: number): ReadonlyArray<P> {
    this.#drop(number)
    this.#pieces?.truncate(number)
    this.#wholeTo = this.forest.tip
    return this.forest.truncate(number)
  }

  /** The blocks above a number are gone: others with the same numbers are other work. */
  #drop(above: number): void {
    for (const [key, { atom }] of this.#running) {
      if (atom.to <= above) continue
      this.#running.delete(key)
      this.#dropped.push(atom)
    }
  }

  /** L1 moved the proven tip, or took that back. */
  moveTip(number: number): void {
    this.forest.moveTip(number)
    this.#wholeTo = number
  }

  /** What ends at or before a block is settled for good. */
  forget(below: number): void {
    this.forest.forget(below)
    this.#pieces?.forget(below)
  }

  /**
   * A verified proof. Whoever proved it keeps its word.
   *
   * @param maker who made it, if it is one prover's work
   * @returns false if it was known or is behind the tip
   */
  add(piece: P, maker: Address | undefined): boolean {
    if (!this.forest.add(piece)) return false
    this.#pieces?.add(piece)
    if (maker !== undefined) this.#peers.delivered(maker, piece)
    return true
  }

  /** What a registered prover says of its work. */
  hear(hint: Hint, now: number): void {
    if (this.#strategy.listens) this.#peers.hear(hint, now, (range) => this.#isOpen(range))
  }

  /** Takes up the work on a block that was begun before this planner; none if it is not open. */
  adopt(number: number, now: number): BlockAtom | undefined {
    const atom = blockAtom(number)
    if (!this.#isOpen(atom)) return undefined
    this.#running.set(atomKey(atom), { atom, since: now, reason: { _tag: "Begun" } })
    return atom
  }

  /** This node's work on an atom ended: proven or not. */
  ended(atom: Range, now: number, proven: boolean): void {
    const running = this.#running.get(atomKey(atom))
    if (running === undefined) return
    this.#running.delete(atomKey(atom))
    if (!proven) return
    this.#usual = this.#usual === undefined ? now - running.since : (3 * this.#usual + now - running.since) / 4
    this.#peers.expect(this.#usual)
  }

  /** This node proves a settled block once more (RW-4). Such blocks take half of the workers at most: the chain goes on meanwhile. */
  beginTurn(number: number, now: number): void {
    const atom = blockAtom(number)
    this.#turns.set(atomKey(atom), { atom, since: now, reason: { _tag: "Turn" } })
  }

  endTurn(number: number): void {
    this.#turns.delete(atomKey(blockAtom(number)))
  }

  /** What this node works on, in the order in which it began. */
  get running(): ReadonlyArray<RunningAtom<P>> {
    return [...this.#running.values(), ...this.#turns.values()]
  }

  /** Workers with nothing to do. */
  get free(): number {
    return Math.max(this.#capacity - this.#running.size - Math.min(this.#turns.size, Math.ceil(this.#capacity / 2)), 0)
  }

  /** The provers that this node takes to be there, itself among them. */
  members(now: number): ReadonlyArray<Member> {
    return this.#peers.members(now)
  }

  /**
   * What to stop and then to start now. The caller does both: what is started counts as running until it {@link ended}.
   *
   * Where no worker was free and nothing was stopped, looking again makes no difference until a fact changes that; else time alone may.
   */
  decide(now: number): Plan<P> {
    this.#advance(now)
    const stop: Array<{ readonly atom: Atom<P>; readonly why: Stopped }> = this.#dropped.map((atom) => ({ atom, why: "superseded" }))
    this.#dropped = []
    for (const [key, { atom, since }] of this.#running) {
      const why = this.#isOpen(atom) ? (this.#yields(atom, since, now) ? "yielded" : undefined) : "superseded"
      if (why === undefined) continue
      this.#running.delete(key)
      stop.push({ atom, why })
    }

    const start: Array<RunningAtom<P>> = []
    const { free } = this
    if (free > 0) {
      const left = new Map<AtomKey, number>()
      for (const { atom, reason, take } of this.#strategy.choose(this.#situation(now, free))) {
        if (reason._tag === "LeftTo") {
          const since = this.#leftSince.get(atomKey(atom)) ?? now
          left.set(atomKey(atom), since)
          this.#peers.letPass(reason.holder, since, now)
        }
        if (!take) continue
        start.push({ atom, since: now, reason })
        if (start.length === free) break
      }
      for (const running of start) this.#running.set(atomKey(running.atom), running)
      this.#leftSince = left
    }
    this.#idleSince = start.length === free ? undefined : this.#idleSince ?? now
    return { start, stop }
  }

  /** What would be decided about the next atoms, and why; what runs is among them. */
  explain(now: number, most: number): ReadonlyArray<Decision<P>> {
    this.#advance(now)
    const decisions = new Map<AtomKey, Decision<P>>()
    for (const decision of this.#strategy.choose(this.#situation(now, this.free))) {
      const key = atomKey(decision.atom)
      if (decisions.size < most || decisions.has(key)) decisions.set(key, decision)
    }
    return [...decisions.values()]
  }

  #advance(now: number): void {
    this.#peers.advance(now, (range) => this.#isOpen(range))
    const members = this.#peers.members(now)
    if (members === this.#members) return
    this.#members = members
    this.#rendezvous = new Rendezvous(members)
  }

  #isOpen({ from, to }: Range): boolean {
    const { head, reach, tip } = this.forest
    if (to <= tip) return false
    // The ledger shows a block to a peer a little earlier than to this node.
    if (to > head) return true
    // What the tree lacks first is the block after its reach, even where a proof that does not join covers it.
    return to - from === 1 ? !this.forest.covers(to) || to === reach + 1 : this.#pieces?.isWhole(from, to) === false
  }

  /** Whether a peer works on the same and this node is the one to stop, unless it is half done. */
  #yields(atom: Atom<P>, since: number, now: number): boolean {
    if (!this.#strategy.listens || (this.#usual !== undefined && now - since > this.#usual / 2)) return false
    const me = { prover: this.#settings.me.prover, since }
    return this.#peers.claims(atom, now).some((other) => goesOn(atom, other, me, this.#rules.grace))
  }

  #situation(now: number, free: number): PlanningSituation<P> {
    const { isQuarantined, me, passesOver } = this.#settings
    return {
      now,
      me: me.prover,
      free,
      idleSince: this.#idleSince,
      rendezvous: this.#rendezvous,
      grace: this.#rules.grace,
      idle: () => this.#members.filter(({ prover }) => prover === me.prover || this.#peers.isIdle(prover)),
      atoms: (horizon) => this.#atoms(horizon),
      leftSince: (range) => this.#leftSince.get(atomKey(range)) ?? now,
      claim: (range) => this.#peers.claims(range, now)[0],
      obstacle: (atom) => {
        const running = this.#running.get(atomKey(atom))
        if (running !== undefined) return { _tag: "Running", since: running.since }
        if (atom.kind === "merge") return undefined
        if (isQuarantined?.(atom.to) === true) return { _tag: "Quarantined" }
        const cheap = passesOver?.(atom.to)
        return cheap === undefined ? undefined : doesNotPay(cheap)
      }
    }
  }

  /** Where the windows begin that are not one proof yet, the tip's first, until they have so many blocks. */
  #windows(pieces: MergePieces<P>, blocks: number): ReadonlyArray<number> {
    const { head } = this.forest
    const endOf = (start: number) => (Math.floor(start / pieces.window) + 1) * pieces.window
    while (endOf(this.#wholeTo) <= head && pieces.isWhole(this.#wholeTo, endOf(this.#wholeTo))) this.#wholeTo = endOf(this.#wholeTo)
    const windows: Array<number> = []
    let found = 0
    // A rest smaller than the horizon belongs to it: a few windows by themselves would leave most provers idle at the end.
    for (let start = this.#wholeTo; start < head && (found < blocks || head - start < 2 * blocks); start = endOf(start)) {
      if (pieces.isWhole(start, endOf(start))) continue
      windows.push(start)
      found += endOf(start) - start
    }
    return windows
  }

  *#atoms(horizon: number): Generator<Atom<P>> {
    const { forest } = this
    const windows = this.#pieces === undefined ? [] : this.#windows(this.#pieces, horizon)
    const last = windows.at(-1)
    let waiting = last !== undefined
    const end = last === undefined ? forest.tip : last + this.#pieces!.window
    const merges = () => windows.flatMap((start) => this.#pieces!.within(start)).sort((a, b) => (a.to - a.from) - (b.to - b.from) || a.from - b.from)

    const first = forest.reach < forest.head ? forest.reach + 1 : undefined
    const look = Math.max(first ?? 0, end) + Math.max(roundsAhead * this.#rendezvous.capacity, leastAhead)
    for (let number = first; number !== undefined && number <= look; number = forest.uncovered(number)) {
      if (waiting && number > end) {
        waiting = false
        yield* merges()
      }
      yield blockAtom(number)
    }
    if (waiting) yield* merges()
  }
}
