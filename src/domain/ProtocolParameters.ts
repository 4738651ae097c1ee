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

/** Wei, in the width that the vault keeps reserves in. */
const Money80 = Wei.check(Schema.makeFilter((value: bigint) => value < 1n << 80n || "below 2^80"))

/** Parameters of the protocol, fixed at deployment. Durations are in seconds. */
export class ProtocolParameters extends Schema.Class<ProtocolParameters>("lignum/ProtocolParameters")(
  Schema.Struct({
    /** Idle time after which turns begin (ST-5, ST-6). */
    idleFallback: Duration,
    /** Length of one turn (ST-6). */
    turnLength: Duration,
    /** Time from a prover's leaving to the return of its bond. */
    leaveDelay: Duration,
    /** Time after an update within which its turn-holder may bring a redundant proof (RW-4). */
    redundancyWindow: Duration,
    /** Age from which an unproven checkpoint may be reverted; beyond the first turn's end (CP-4). */
    proofDeadline: Duration,
    /** Age up to which a checkpointed block earns no bonus (RW-6). */
    targetLag: Duration,
    /** Time beyond `targetLag` in which the bonus grows to its cap; it ends before the proof deadline (RW-6). */
    bonusRamp: Duration,
    /** Length of an epoch of the fee signal (FM-3). */
    signalEpoch: Duration,
    /** Time in which a prover's reputation halves (FM-3). */
    reputationHalfLife: Duration,
    designation: Schema.Literals(designations),
    /** What the protocol reserve pays, as far as it can, for an update that ends a fallback (ST-6). */
    fallbackBounty: Money80,
    /** The largest age bonus of one block (RW-6). */
    bonusCap: Money80,
    /** What a prover deposits to take part in turns. */
    bond: Wei.check(Schema.makeFilter((value: bigint) => value > 0n || "above zero")),
    /** Updates with work of its own after which a prover may flag (FM-3). */
    minUpdates: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })),
    /** Share of all reputation that raises the multiplier, in basis points (FM-3). */
    signalQuorum: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })),
    /** Share of all reputation that one prover's flag weighs at most, in basis points (FM-3). */
    signalCap: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })),
    /** Factor of a raise, in millionths (FM-3). */
    signalStep: Schema.Int.check(Schema.isBetween({ minimum: 1_000_001, maximum: 2 ** 32 - 1 })),
    /** The highest multiplier, in millionths (FM-3). */
    signalMax: Schema.Int.check(Schema.isBetween({ minimum: 1_000_001, maximum: 2 ** 32 - 1 })),
    /** Factor of an epoch without quorum, in millionths (FM-3). */
    signalDecay: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 999_999 })),
    /** How pots are split (RW-2). */
    shares: RewardShares
  }).check(Schema.makeFilter(({ leaveDelay, turnLength }) =>
    leaveDelay >= turnLength || "a leave delay of at least one turn: else one bond serves several names within one turn"
  ))
) {}

const minute = 60
const hour = 60 * minute
const day = 24 * hour

/** The protocol's defaults. */
export const defaultParameters = new ProtocolParameters({
  idleFallback: 5 * hour,
  turnLength: 30 * minute,
  leaveDelay: day,
  redundancyWindow: hour,
  proofDeadline: day,
  targetLag: 30 * minute,
  bonusRamp: 12 * hour,
  signalEpoch: hour,
  reputationHalfLife: 7 * day,
  designation: "preferred",
  fallbackBounty: Wei.make(10n ** 16n),
  bonusCap: Wei.make(10n ** 15n),
  bond: Wei.make(10n ** 18n),
  minUpdates: 3,
  signalQuorum: 3_333,
  signalCap: 2_000,
  signalStep: 1_250_000,
  signalMax: 8_000_000,
  signalDecay: 900_000,
  shares: defaultShares
})

/** The same protocol on a faster clock: every duration divided by one factor, rounded up to a whole second. */
export const scaleTime = (parameters: ProtocolParameters, timeScale: number): ProtocolParameters => {
  const scaled = (seconds: number) => Math.ceil(seconds / timeScale)
  return new ProtocolParameters({
    ...parameters,
    idleFallback: scaled(parameters.idleFallback),
    turnLength: scaled(parameters.turnLength),
    leaveDelay: scaled(parameters.leaveDelay),
    redundancyWindow: scaled(parameters.redundancyWindow),
    proofDeadline: scaled(parameters.proofDeadline),
    targetLag: scaled(parameters.targetLag),
    bonusRamp: scaled(parameters.bonusRamp),
    signalEpoch: scaled(parameters.signalEpoch),
    reputationHalfLife: scaled(parameters.reputationHalfLife)
  })
}
