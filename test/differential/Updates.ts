/**
 * Random state updates, redundant proofs and reverts: most of them good, the rest good but for one thing.
 */
import { ProverGas, Wei } from "../../src/domain/Amount.ts"
import { Checkpoint } from "../../src/domain/Checkpoint.ts"
import type { Address } from "../../src/domain/Hash.ts"
import { zeroAddress } from "../../src/domain/Hash.ts"
import { Leaf } from "../../src/domain/Proof.ts"
import { turnAt } from "../../src/domain/settlement/Turns.ts"
import type { Update } from "../../src/domain/settlement/Update.ts"
import type { Event } from "../../src/domain/Settlement.ts"
import { anyone, blockAt, caller, type Draft, drawLeaves, number, passed, pick, provable, strangeHash, weighted } from "./Draws.ts"

/** Blocks of one update at most. */
const longest = 10

/** The system that merges nothing, and the one that binds mergers. */
export const plainSystem = 1
export const mergingSystem = 2

type Call<Tag extends Event["_tag"]> = Extract<Event, { readonly _tag: Tag }>

const asProver = (leaf: Leaf, prover: Address) => new Leaf({ ...leaf, prover })

const drawMergers = ({ random }: Draft): ReadonlyArray<Address> => Array.from({ length: random.integer(5) }, () => anyone(random))

/** Who submits: whoever holds the turn, if anybody does, or anybody. */
const submitter = ({ at, random, state }: Draft): Address => {
  const { holder } = turnAt(state, at)
  return holder !== zeroAddress && random.chance(3, 5) ? holder : caller(random)
}

/** A good update from the tip; none where nothing is provable. */
const goodUpdate = (draft: Draft): Update | undefined => {
  const { random, state: { tip } } = draft
  const beyond = provable(draft)
  if (beyond.length === 0) return undefined
  const place = random.chance(1, 2) ? 0 : random.integer(beyond.length)
  const last = beyond[place]!
  const reach = Math.min(last.number, tip.number + longest)
  const end = random.chance(1, 2) ? reach : tip.number + 1 + random.integer(reach - tip.number)
  const older = passed(draft).slice(1)
  // Naming checkpoints that the tip has passed already is no use and no harm.
  const surplus = random.chance(1, 6) && older.length > 0 ? older.slice(-1 - random.integer(Math.min(2, older.length))) : []
  const system = random.chance(1, 2) ? plainSystem : mergingSystem
  return {
    system,
    from: tip.hash,
    leaves: drawLeaves(draft, tip.number + 1, end),
    mergers: system === mergingSystem ? drawMergers(draft) : [],
    checkpoints: [...surplus, ...beyond.slice(0, place + 1)]
  }
}

/** The same from an earlier boundary, through the tip; none where there is no such boundary near. */
const overlapping = (draft: Draft, update: Update): Update | undefined => {
  const { random, state: { boundaries, tip } } = draft
  const near = [...boundaries].filter(([, { number }]) => number < tip.number && tip.number - number <= longest)
  if (near.length === 0) return undefined
  const [from, { number: start }] = pick(random, near)
  return { ...update, from, leaves: [...drawLeaves(draft, start + 1, tip.number), ...update.leaves] }
}

/** Good but for one thing. */
const spoiltUpdate = (draft: Draft, update: Update): { readonly update: Update; readonly proofHolds: boolean } => {
  const { checkpoints: known, random, state } = draft
  const { checkpoints, leaves } = update
  const last = checkpoints[checkpoints.length - 1]!
  const withLast = (hash: Leaf["blockHash"]) => [...leaves.slice(0, -1), new Leaf({ ...leaves[leaves.length - 1]!, blockHash: hash })]
  const as = (change: Partial<Update>) => ({ update: { ...update, ...change }, proofHolds: true })
  return weighted(random, [
    [4, () => ({ update, proofHolds: false })],
    [1, () => as({ leaves: [] })],
    [2, () => as({ from: random.chance(1, 2) ? strangeHash(random) : blockAt(draft, state.tip.number + 1).hash })],
    [3, () => {
      const through = overlapping(draft, update)
      const place = (through?.leaves.length ?? 0) - leaves.length - 1
      return through === undefined
        ? as({ checkpoints: [] })
        : as({ ...through, leaves: through.leaves.with(place, new Leaf({ ...through.leaves[place]!, blockHash: strangeHash(random) })) })
    }],
    [1, () => as({ checkpoints: [] })],
    [2, () => as({ checkpoints: checkpoints.length > 2 ? checkpoints.toSpliced(1, 1) : [...checkpoints, pick(random, known)] })],
    [2, () => as({ checkpoints: [...checkpoints, new Checkpoint({ ...last, parent: last.id, number: number(last.number + 1) })] })],
    // Reverted ones among them.
    [3, () => {
      const one = pick(random, known)
      const parent = known.find(({ id }) => id === one.parent)
      return as({ checkpoints: random.chance(1, 2) && parent !== undefined ? [parent, one] : [one] })
    }],
    [4, () => as({ checkpoints: checkpoints.slice(-1) })],
    [2, () => as({ leaves: withLast(random.chance(1, 2) ? last.blockHash : strangeHash(random)) })],
    [1, () => as({ leaves: drawLeaves(draft, state.tip.number + 1, Math.min(last.number + 1, state.tip.number + 2 * longest)) })],
    [2, () => as({ system: pick(random, [0, 3, 255]) })],
    [2, () => as({ system: plainSystem, mergers: [anyone(random)] })]
  ])()
}

/** An update; none where nothing is provable. */
export const drawUpdate = (draft: Draft): Call<"SubmitUpdate"> | undefined => {
  const { at, random, state: { boundaries, tip } } = draft
  const good = goodUpdate(draft)
  const sender = submitter(draft)
  const late = (): Call<"SubmitUpdate"> | undefined => {
    const behind = [...boundaries].filter(([, { number }]) => number < tip.number)
    if (behind.length === 0) return undefined
    const [from, start] = pick(random, behind)
    const end = random.chance(1, 2) ? tip.number : start.number + 1 + random.integer(tip.number - start.number)
    const leaves = drawLeaves(draft, start.number + 1, Math.min(end, start.number + longest))
    return { _tag: "SubmitUpdate", sender, at, update: { system: plainSystem, from, leaves, mergers: [], checkpoints: [] }, proofHolds: false }
  }
  if (good === undefined) return random.chance(1, 8) ? late() : undefined
  const through = random.chance(1, 5) ? overlapping(draft, good) ?? good : good
  return weighted(random, [
    [18, () => ({ _tag: "SubmitUpdate" as const, sender, at, update: through, proofHolds: true })],
    [7, () => ({ _tag: "SubmitUpdate" as const, sender, at, ...spoiltUpdate(draft, through) })],
    [1, late]
  ])()
}

/** A redundant proof of an update (RW-4); none where there was no update. */
export const drawRedundancy = (draft: Draft): Call<"SubmitRedundant"> | undefined => {
  const { at, random, state: { boundaries, parameters }, transitions } = draft
  if (transitions.length === 0) return undefined
  const window = BigInt(parameters.redundancyWindow)
  const open = transitions.filter(({ leaves, settledAt }) =>
    at <= settledAt + window && boundaries.get(leaves[leaves.length - 1]!.blockHash)!.claim !== 0n)
  const transition = pick(random, random.chance(9, 10) && open.length > 0 ? open : transitions)
  const { holder, leaves, shares } = transition
  const whole = leaves.map(() => holder)
  const partial = leaves.map((leaf) => random.chance(1, 2) ? holder : random.chance(1, 2) ? leaf.prover : anyone(random))
  const system = random.chance(1, 2) ? plainSystem : mergingSystem
  const good: Call<"SubmitRedundant"> = {
    _tag: "SubmitRedundant",
    sender: holder,
    at,
    redundancy: { transition, system, provers: random.chance(1, 2) ? whole : partial, mergers: system === mergingSystem ? drawMergers(draft) : [] },
    proofHolds: true
  }
  const as = (change: Partial<Call<"SubmitRedundant">["redundancy"]>) => ({ ...good, redundancy: { ...good.redundancy, ...change } })
  const place = random.integer(leaves.length)
  return weighted(random, [
    [14, () => good],
    [3, () => ({ ...good, proofHolds: false })],
    [1, () => ({ ...good, sender: caller(random) })],
    [1, () => as({ provers: leaves.map(({ prover }) => prover) })],
    [1, () => as({ provers: random.chance(1, 2) ? whole.slice(1) : [...whole, holder] })],
    [1, () => as({ system: pick(random, [0, 3, 255]) })],
    [1, () => as({ system: plainSystem, mergers: [anyone(random)] })],
    [1, () => as({ transition: { ...transition, leaves: [], shares: [] } })],
    [1, () => {
      const sender = caller(random)
      return { ...as({ transition: { ...transition, holder: sender } }), sender }
    }],
    [1, () => as({ transition: { ...transition, settledAt: transition.settledAt + 1n } })],
    [1, () => as({ transition: { ...transition, shares: shares.with(place, shares[place]! + 1n) } })],
    [1, () => as({ transition: { ...transition, leaves: leaves.with(place, asProver(leaves[place]!, anyone(random))) } })],
    [1, () => {
      const other = new Leaf({ ...leaves[place]!, proverFees: Wei.make(1n), proverGas: ProverGas.make(1n) })
      return as({ transition: { ...transition, leaves: leaves.with(place, other) } })
    }]
  ])()
}

/** A revert (CP-4) of two neighbouring checkpoints, mostly those around the tip. */
export const drawRevert = (draft: Draft): Call<"RevertUnproven"> | undefined => {
  const { at, checkpoints, random } = draft
  const [fallback, oldest] = [passed(draft).at(-1)!, provable(draft)[0]]
  const any = pick(random, checkpoints)
  const parent = checkpoints.find(({ id }) => id === any.parent)
  const call = (fallback: Checkpoint, oldest: Checkpoint): Call<"RevertUnproven"> =>
    ({ _tag: "RevertUnproven", sender: caller(random), at, fallback, oldest })
  if (oldest === undefined) return parent === undefined ? undefined : call(parent, any)
  return weighted(random, [
    [8, () => call(fallback, oldest)],
    [1, () => call(fallback, any)],
    [1, () => call(any, oldest)],
    [3, () => parent === undefined ? call(fallback, fallback) : call(parent, any)],
    [1, () => call(fallback, new Checkpoint({ ...oldest, number: number(oldest.number + 1) }))]
  ])()
}
