/**
 * Provers that take part in turns (ST-6): the pure `ProverRegistry`.
 */
import { Result } from "effect"
import type { Address } from "../Hash.ts"
import { zeroAddress } from "../Hash.ts"
import type { ProtocolParameters } from "../ProtocolParameters.ts"
import type { Outcome } from "./Emission.ts"
import { type Refusal, refuse } from "./Refusal.ts"

export interface Provers {
  /** The order that turns go round. */
  readonly order: ReadonlyArray<Address>
  /** Provers that left, and the L1 time in seconds from which each can have its bond. */
  readonly leaving: ReadonlyMap<Address, bigint>
}

export const noProvers: Provers = { order: [], leaving: new Map() }

/** Joins the order at its end, for exactly the bond. */
export const register = (provers: Provers, bond: bigint, prover: Address, value: bigint): Result.Result<Outcome<Provers>, Refusal> => {
  if (value !== bond) return refuse("ST6_BondMismatch", value, bond)
  if (provers.order.includes(prover)) return refuse("ST6_AlreadyRegistered", prover)
  const unlocksAt = provers.leaving.get(prover)
  if (unlocksAt !== undefined) return refuse("ST6_StillLeaving", prover, unlocksAt)
  return Result.succeed({
    state: { ...provers, order: [...provers.order, prover] },
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
  const place = provers.order.indexOf(prover)
  if (place < 0) return refuse("ST6_NotRegistered", prover)
  const last = provers.order[provers.order.length - 1]!
  const unlocksAt = now + BigInt(leaveDelay)
  return Result.succeed({
    state: {
      order: provers.order.with(place, last).slice(0, -1),
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

/**
 * Whose turn it is at a place in the order, which goes round; the zero address if nobody is registered.
 *
 * @param among how many of the first places go round; 0 stands for all, and so does what lies beyond them
 */
export const proverAt = ({ order }: Provers, position: bigint, among: number): Address => {
  if (order.length === 0) return zeroAddress
  const index = Number(position % BigInt(among === 0 ? order.length : among))
  return order[index < order.length ? index : index % order.length]!
}
