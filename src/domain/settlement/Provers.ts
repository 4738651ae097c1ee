/**
 * Provers that take part in turns (ST-6): the pure `ProverRegistry`.
 */
import { Result } from "effect"
import type { Address } from "../Hash.ts"
import { zeroAddress } from "../Hash.ts"
import type { ProtocolParameters } from "../ProtocolParameters.ts"
import type { Outcome } from "./Emission.ts"
import { type Refusal, refuse } from "./Refusal.ts"

/** A place in the order of turns. */
export interface Place {
  readonly prover: Address
  /** L1 time in seconds since which the prover stands there. */
  readonly since: bigint
}

export interface Provers {
  /** The order that turns go round. */
  readonly order: ReadonlyArray<Place>
  /** L1 time in seconds since which there are so many; 0 at first. */
  readonly countSince: bigint
  /** Provers that left, and the L1 time in seconds from which each can have its bond. */
  readonly leaving: ReadonlyMap<Address, bigint>
}

export const noProvers: Provers = { order: [], countSince: 0n, leaving: new Map() }

const placeOf = ({ order }: Provers, prover: Address): number => order.findIndex((place) => place.prover === prover)

/** Whether a prover takes part in turns. */
export const isRegistered = (provers: Provers, prover: Address): boolean => placeOf(provers, prover) >= 0

/** Joins the order at its end, for exactly the bond. */
export const register = (provers: Provers, bond: bigint, prover: Address, value: bigint, now: bigint): Result.Result<Outcome<Provers>, Refusal> => {
  if (value !== bond) return refuse("ST6_BondMismatch", value, bond)
  if (isRegistered(provers, prover)) return refuse("ST6_AlreadyRegistered", prover)
  const unlocksAt = provers.leaving.get(prover)
  if (unlocksAt !== undefined) return refuse("ST6_StillLeaving", prover, unlocksAt)
  return Result.succeed({
    state: { ...provers, order: [...provers.order, { prover, since: now }], countSince: now },
    effects: [{ _tag: "ProverRegistered", prover, position: provers.order.length }]
  })
}

/** Leaves the order; the last one takes the place. */
export const deregister = (
  provers: Provers,
  { leaveDelay }: ProtocolParameters,
  prover: Address,
  now: bigint
): Result.Result<Outcome<Provers>, Refusal> => {
  const place = placeOf(provers, prover)
  if (place < 0) return refuse("ST6_NotRegistered", prover)
  const last = provers.order[provers.order.length - 1]!.prover
  const unlocksAt = now + BigInt(leaveDelay)
  return Result.succeed({
    state: {
      order: provers.order.with(place, { prover: last, since: now }).slice(0, -1),
      countSince: now,
      leaving: new Map(provers.leaving).set(prover, unlocksAt)
    },
    effects: [{ _tag: "ProverLeft", prover, moved: last === prover ? zeroAddress : last, unlocksAt }]
  })
}

/** Returns the bond of a prover that left; `refused` says that its account does not take ether. */
export const withdraw = (
  provers: Provers,
  bond: bigint,
  prover: Address,
  refused: boolean,
  now: bigint
): Result.Result<Outcome<Provers>, Refusal> => {
  const unlocksAt = provers.leaving.get(prover)
  if (unlocksAt === undefined) return refuse("ST6_NothingToWithdraw", prover)
  if (now < unlocksAt) return refuse("ST6_BondLocked", unlocksAt)
  if (refused) return refuse("ST6_PaymentRefused", prover)
  const leaving = new Map(provers.leaving)
  leaving.delete(prover)
  return Result.succeed({ state: { ...provers, leaving }, effects: [{ _tag: "BondReturned", prover, amount: bond }] })
}

/** Who stands where nobody is registered. */
export const nobody: Place = { prover: zeroAddress, since: 0n }

const latest = (a: bigint, b: bigint) => a > b ? a : b

/**
 * Whose turn it is at a place in the order, which goes round, and since when that is so; the zero address if nobody is registered.
 *
 * @param among how many of the first places go round; those of them that have become empty go round once more among the rest
 */
export const proverAt = ({ countSince, order }: Provers, position: bigint, among: number): Place => {
  if (order.length === 0 || among === 0) return nobody
  const index = Number(position % BigInt(among))
  const place = order[index % order.length]!
  return index < order.length ? place : { ...place, since: latest(place.since, countSince) }
}
