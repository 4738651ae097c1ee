/**
 * The parameters that the contracts are deployed with.
 */
import { Schema } from "effect"
import { Wei } from "./Amount.ts"
import { defaultShares, RewardShares } from "./Rewards.ts"

/** Whom a turn serves, in the order of the contracts' `Designation` (ST-6). */
export const designations = ["open", "preferred", "exclusive"] as const

/** Seconds, in the width that the contracts keep them in. */
const Duration = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 32 - 1 }))

/** Parameters of the protocol, fixed at deployment. Durations are in seconds. */
export class ProtocolParameters extends Schema.Class<ProtocolParameters>("lignum/ProtocolParameters")(
  Schema.Struct({
    /** Idle time after which turns begin (ST-5, ST-6). */
    idleFallback: Duration,
    /** Length of one turn (ST-6). */
    turnLength: Duration,
    /** Time from a prover's leaving to the return of its bond. */
    leaveDelay: Duration,
    designation: Schema.Literals(designations),
    /** What the protocol reserve pays, as far as it can, for an update that ends a fallback (ST-6). */
    fallbackBounty: Wei.check(Schema.makeFilter((value: bigint) => value < 1n << 80n || "below 2^80")),
    /** What a prover deposits to take part in turns. */
    bond: Wei.check(Schema.makeFilter((value: bigint) => value > 0n || "above zero")),
    /** How pots are split (RW-2). */
    shares: RewardShares
  }).check(Schema.makeFilter(({ leaveDelay, turnLength }) =>
    leaveDelay >= turnLength || "a leave delay of at least one turn: else one bond serves several names within one turn"
  ))
) {}

const minute = 60
const hour = 60 * minute

/** The protocol's defaults. */
export const defaultParameters = new ProtocolParameters({
  idleFallback: 5 * hour,
  turnLength: 30 * minute,
  leaveDelay: 24 * hour,
  designation: "preferred",
  fallbackBounty: Wei.make(10n ** 16n),
  bond: Wei.make(10n ** 18n),
  shares: defaultShares
})

/** The same protocol on a faster clock: every duration divided by one factor, rounded up to a whole second. */
export const scaleTime = (parameters: ProtocolParameters, timeScale: number): ProtocolParameters =>
  new ProtocolParameters({
    ...parameters,
    idleFallback: Math.ceil(parameters.idleFallback / timeScale),
    turnLength: Math.ceil(parameters.turnLength / timeScale),
    leaveDelay: Math.ceil(parameters.leaveDelay / timeScale)
  })
