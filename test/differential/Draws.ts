/**
 * What random histories are drawn from: accounts, blocks, amounts, and times that land on the rules' boundaries.
 */
import { keccak256, stringToHex } from "viem"
import { BlockNumber, ProverGas, Wei } from "../../src/domain/Amount.ts"
import type { Checkpoint } from "../../src/domain/Checkpoint.ts"
import { type Address, BlockHash, StateRoot, toAddress, toHex32, zeroAddress } from "../../src/domain/Hash.ts"
import { Leaf } from "../../src/domain/Proof.ts"
import type { StatedTransition } from "../../src/domain/Redundancy.ts"
import { isLive } from "../../src/domain/settlement/Registry.ts"
import { turnAt } from "../../src/domain/settlement/Turns.ts"
import type { Event, State } from "../../src/domain/Settlement.ts"
import type { SeededRandom } from "../../src/ledger/SeededRandom.ts"

/** Accounts that act and are paid. */
export const accounts: ReadonlyArray<Address> = Array.from({ length: 6 }, (_, i) =>
  toAddress(`0x${keccak256(stringToHex(`differential/${i}`)).slice(26)}`))

/** A contract that takes no ether: it proves and is credited like anybody, but cannot be paid. Calls come from it by impersonation. */
export const unpayable: Address = toAddress("0x00000000000000000000000000000000000bad01")

/** Whoever can be in an observation: those that act, the one that refuses, and nobody. */
export const everybody: ReadonlyArray<Address> = [...accounts, unpayable, zeroAddress]

/** Whether an account refuses ether. */
export const refuses = (account: Address): boolean => account === unpayable

/** Ether that every account starts with, more than the vault can hold. */
export const startingBalance = 1n << 90n

/** A history while it is drawn: where the contracts stand, and what calls can refer to. */
export interface Draft {
  readonly random: SeededRandom
  /** How often, of some hundred calls, time jumps to a boundary: some histories are hasty, some slow. */
  readonly jumps: number
  readonly state: State
  /** L1 time of the next call. */
  readonly at: bigint
  /** Every checkpoint that was ever registered, oldest first; genesis is the first. */
  readonly checkpoints: ReadonlyArray<Checkpoint>
  /** Tips at which the chain was reverted: consensus built other blocks from there. */
  readonly floors: ReadonlyArray<number>
  /** What updates did, newest last, and whether anybody may bring a redundant proof. */
  readonly transitions: ReadonlyArray<StatedTransition>
}

export const pick = <A>(random: SeededRandom, from: ReadonlyArray<A>): A => from[random.integer(from.length)]!

/** One of several, by weight. */
export const weighted = <A>(random: SeededRandom, choices: ReadonlyArray<readonly [weight: number, choice: A]>): A => {
  let at = random.integer(choices.reduce((sum, [weight]) => sum + weight, 0))
  for (const [weight, choice] of choices) if ((at -= weight) < 0) return choice
  throw new RangeError("nothing to choose from")
}

const fieldHash = (...labels: ReadonlyArray<string | number>) => toHex32(BigInt(keccak256(stringToHex(JSON.stringify(labels)))) >> 8n)

/** The block at a height of the chain that consensus builds, which goes another way after each revert. */
export const blockAt = ({ floors }: Pick<Draft, "floors">, number: number) => {
  const branch = floors.filter((floor) => floor < number).length
  return { hash: BlockHash.make(fieldHash("block", branch, number)), stateRoot: StateRoot.make(fieldHash("state", branch, number)) }
}

/** A hash that no block has. */
export const strangeHash = (random: SeededRandom): BlockHash => BlockHash.make(fieldHash("strange", random.integer(1000)))

/** Anybody; mostly one of those that act. */
export const anyone = (random: SeededRandom): Address =>
  weighted(random, [[20, () => pick(random, accounts)], [3, () => unpayable], [1, () => zeroAddress]])()

/** Somebody who can call. */
export const caller = (random: SeededRandom): Address => random.chance(1, 12) ? unpayable : pick(random, accounts)

const drawGas = (random: SeededRandom): bigint =>
  weighted(random, [[4, () => 16_000n], [4, () => random.below(1n << 20n)], [2, () => 0n], [1, () => random.below(1n << 64n)]])()

const drawFees = (random: SeededRandom): bigint =>
  weighted(random, [
    [60, () => random.below(10n ** 17n)],
    [12, () => random.below(100n)],
    [12, () => 0n],
    [2, () => random.below(1n << 79n)],
    [1, () => (1n << 96n) - 1n]
  ])()

/** Leaves of the chain's blocks in a range, both ends included, by few or many provers. */
export const drawLeaves = (draft: Draft, first: number, last: number): ReadonlyArray<Leaf> => {
  const { random } = draft
  const alone = random.chance(1, 3) ? anyone(random) : undefined
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) =>
    new Leaf({
      blockHash: blockAt(draft, first + i).hash,
      prover: alone ?? anyone(random),
      proverFees: Wei.make(drawFees(random)),
      proverGas: ProverGas.make(drawGas(random))
    }))
}

export const number = (value: number) => BlockNumber.make(value)

/** Live checkpoints beyond the tip, oldest first. */
export const provable = ({ checkpoints, state }: Draft): ReadonlyArray<Checkpoint> =>
  checkpoints.filter(({ id, number }) => number > state.tip.number && isLive(state.registry, id))

/** Live checkpoints at or behind the tip, oldest first. */
export const passed = ({ checkpoints, state }: Draft): ReadonlyArray<Checkpoint> =>
  checkpoints.filter(({ id, number }) => number <= state.tip.number && isLive(state.registry, id))

type Kind = Event["_tag"]

/** Times at which some rule begins to say something else, and the call that feels it. */
const boundaries = (draft: Omit<Draft, "at">, now: bigint): ReadonlyArray<readonly [time: bigint, kind: Kind]> => {
  const { state: { parameters, provers, registry, vault }, transitions } = draft
  const seconds = (name: "proofDeadline" | "targetLag" | "bonusRamp" | "turnLength" | "redundancyWindow" | "signalEpoch" | "reputationHalfLife") =>
    BigInt(parameters[name])
  const { endsAt } = turnAt(draft.state, now)
  const next = (length: bigint) => (now / length + 1n) * length
  const beyond = provable({ ...draft, at: now })
  return [
    ...beyond.slice(0, 1).map(({ id }) => [registry.records.get(id)!.registeredAt + seconds("proofDeadline"), "RevertUnproven"] as const),
    ...beyond.slice(0, 3).flatMap(({ id }) => {
      const lag = registry.records.get(id)!.registeredAt + seconds("targetLag")
      return [[lag, "SubmitUpdate"], [lag + seconds("bonusRamp"), "SubmitUpdate"]] as const
    }),
    ...(endsAt === 0n ? [] : [0n, 1n, 2n, 8n, 9n].map((turns) => [endsAt + turns * seconds("turnLength"), "SubmitUpdate"] as const)),
    ...transitions.slice(-3).map(({ settledAt }) => [settledAt + seconds("redundancyWindow"), "SubmitRedundant"] as const),
    ...[...provers.leaving.values()].map((time) => [time, "Withdraw"] as const),
    [next(seconds("redundancyWindow")), "SubmitRedundant"],
    [next(seconds("redundancyWindow")) + seconds("redundancyWindow"), "Lapse"],
    [next(seconds("signalEpoch")), "Flag"],
    [next(seconds("signalEpoch")) + 7n * seconds("signalEpoch"), "Flag"],
    ...[...vault.accounts.values()].slice(0, 2).map(({ reputation }) => [reputation.workedAt + seconds("reputationHalfLife"), "Flag"] as const)
  ]
}

/** When the next call comes: soon, on a boundary or a second beside it, or after a long silence; and which call would feel a boundary. */
export const nextTime = (draft: Omit<Draft, "at">, last: bigint): { readonly at: bigint; readonly kind?: Kind } => {
  const { jumps, random, state: { parameters } } = draft
  const soon = () => ({ at: last + 1n + random.below(BigInt(Math.ceil(parameters.turnLength / 10))) })
  return weighted(random, [
    [80, soon],
    [jumps, () => {
      const ahead = boundaries(draft, last).filter(([time]) => time > last + 1n)
      if (ahead.length === 0) return soon()
      const kind = pick(random, [...new Set(ahead.map(([, each]) => each))])
      const [time] = pick(random, ahead.filter(([, each]) => each === kind))
      return { at: time - 1n + random.below(3n), kind }
    }],
    [20, () => ({ at: last })],
    [jumps > 30 ? 1 : 0, () => ({ at: last + random.below(BigInt(parameters.proofDeadline * 2)) })],
    [jumps > 30 ? 1 : 0, () => ({ at: last + random.below(BigInt(parameters.reputationHalfLife) * (random.chance(1, 5) ? 120n : 4n)) })]
  ])()
}
