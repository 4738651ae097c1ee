/**
 * The parameters that the contracts are deployed with.
 */
import { Schema } from "effect"
import { Wei } from "./Amount.ts"
import { signalOne } from "./Block.ts"
import { decayedMultiplier } from "./FeeSignal.ts"
import { defaultShares, RewardShares } from "./Rewards.ts"

/** Whom a turn serves, in the order of the contracts' `Designation` (ST-6). */
export const designations = ["open", "preferred", "exclusive"] as const

/** Epochs in which the multiplier must come down from its highest to 1. */
const longestDecay = 256n

/** Seconds, in the width that the contracts keep them in. */
const Duration = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 32 - 1 }))

/** A factor in millionths. */
const Millionths = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 32 - 1 }))

/** A part of the total reputation in basis points. */
const PartOfTotal = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))

/** An amount that the vault pays out of the protocol reserve, in wei. */
const FromReserve = Wei.check(Schema.makeFilter((value: bigint) => value < 1n << 80n || "below 2^80"))

/** Parameters of the protocol, fixed at deployment. Durations are in seconds. */
export class ProtocolParameters extends Schema.Class<ProtocolParameters>("lignum/ProtocolParameters")(
  Schema.Struct({
    /** Idle time after which turns begin (ST-5, ST-6). */
    idleFallback: Duration,
    /** Length of one turn (ST-6). */
    turnLength: Duration,
    /** Time from a prover's leaving to the return of its bond. */
    leaveDelay: Duration,
    /** How long after an update its redundancy holder may bring a proof of the same transition (RW-4). */
    redundancyWindow: Duration,
    /** Age from which on the oldest unproven checkpoint can be reverted (CP-4). */
    proofDeadline: Duration,
    /** Age from which on a checkpointed block earns a bonus (RW-6). */
    targetLag: Duration,
    /** Time in which the bonus grows from nothing to its cap (RW-6). */
    bonusRamp: Duration,
    /** How often a prover may flag, and how often the signal's multiplier moves (FM-3). */
    signalEpoch: Duration,
    /** Time in which a reputation halves (FM-3). */
    reputationHalfLife: Duration,
    designation: Schema.Literals(designations),
    /** What the protocol reserve pays, as far as it can, for an update that ends a fallback (ST-6). */
    fallbackBounty: FromReserve,
    /** The largest bonus of one block (RW-6). */
    bonusCap: FromReserve,
    /** What a prover deposits to take part in turns. */
    bond: Wei.check(Schema.makeFilter((value: bigint) => value > 0n || "above zero")),
    /** Updates that a prover must have been paid for before it may flag (FM-3). */
    minUpdates: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })),
    /** Part of the total reputation whose flags raise the multiplier (FM-3). */
    signalQuorum: PartOfTotal,
    /** Part of the total reputation that one prover's flag weighs at most (FM-3). */
    signalCap: PartOfTotal,
    /** Factor of an epoch with a quorum, above 1 (FM-3). */
    signalStep: Millionths.check(Schema.isGreaterThan(1_000_000)),
    /** Highest multiplier (FM-3). */
    signalMax: Millionths,
    /** Factor of an epoch without a quorum, below 1 (FM-3). */
    signalDecay: Millionths.check(Schema.isLessThan(1_000_000)),
    /** How pots are split (RW-2). */
    shares: RewardShares
  }).check(
    Schema.makeFilter(({ leaveDelay, turnLength }) =>
      leaveDelay >= turnLength || "a leave delay of at least one turn: else one bond serves several names within one turn"
    ),
    Schema.makeFilter(({ idleFallback, proofDeadline, turnLength }) =>
      proofDeadline > idleFallback + turnLength || "a proof deadline beyond the first turn: else nobody's turn comes before the revert"
    ),
    Schema.makeFilter(({ bonusRamp, proofDeadline, targetLag }) =>
      targetLag + bonusRamp <= proofDeadline || "a bonus that reaches its cap before the proof deadline: else it never does"
    ),
    Schema.makeFilter(({ signalMax, signalStep }) => signalMax >= signalStep || "a highest multiplier of at least one step"),
    Schema.makeFilter(({ signalDecay, signalMax }) =>
      decayedMultiplier(BigInt(signalMax), longestDecay, signalDecay) === signalOne ||
      `a decay that leads from the highest multiplier to 1 within ${longestDecay} epochs: else it is dear to read on L1`
    )
  )
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

/**
 * The same protocol on a faster clock: every duration divided by one factor, rounded up to a whole second. The proof deadline
 * gets the seconds on top that it needs to stay behind the first turn and the full bonus when all of them are rounded.
 */
export const scaleTime = (parameters: ProtocolParameters, timeScale: number): ProtocolParameters => {
  const scaled = (duration: number) => Math.ceil(duration / timeScale)
  const idleFallback = scaled(parameters.idleFallback)
  const turnLength = scaled(parameters.turnLength)
  const targetLag = scaled(parameters.targetLag)
  const bonusRamp = scaled(parameters.bonusRamp)
  return new ProtocolParameters({
    ...parameters,
    idleFallback,
    turnLength,
    targetLag,
    bonusRamp,
    leaveDelay: scaled(parameters.leaveDelay),
    redundancyWindow: scaled(parameters.redundancyWindow),
    proofDeadline: Math.max(scaled(parameters.proofDeadline), idleFallback + turnLength + 1, targetLag + bonusRamp),
    signalEpoch: scaled(parameters.signalEpoch),
    reputationHalfLife: scaled(parameters.reputationHalfLife)
  })
}
