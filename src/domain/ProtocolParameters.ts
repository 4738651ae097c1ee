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

const Amount80 = Wei.check(Schema.makeFilter((value: bigint) => value < 1n << 80n || "below 2^80"))

/** A share of the total reputation, in basis points. */
const ReputationShare = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))

const one = 1_000_000

/** A factor above 1, in millionths. */
const Raising = Schema.Int.check(Schema.isBetween({ minimum: one + 1, maximum: 2 ** 32 - 1 }))

/** Parameters of the protocol, fixed at deployment. Durations are in seconds. */
export class ProtocolParameters extends Schema.Class<ProtocolParameters>("lignum/ProtocolParameters")(
  Schema.Struct({
    /** Idle time after which turns begin (ST-5, ST-6). */
    idleFallback: Duration,
    /** Length of one turn (ST-6). */
    turnLength: Duration,
    /** Time from a prover's leaving to the return of its bond. */
    leaveDelay: Duration,
    /** Time after an update in which its turn-holder may bring a redundant proof (RW-4). */
    redundancyWindow: Duration,
    /** Age from which the oldest unproven checkpoint can be reverted (CP-4). */
    proofDeadline: Duration,
    /** Age up to which a checkpointed block earns no bonus (RW-6). */
    targetLag: Duration,
    /** Time beyond the target lag after which the bonus is full (RW-6). */
    bonusRamp: Duration,
    /** Length of an epoch of the fee signal (FM-3). */
    signalEpoch: Duration,
    /** Time in which a prover's reputation halves (FM-3). */
    reputationHalfLife: Duration,
    designation: Schema.Literals(designations),
    /** What the protocol reserve pays, as far as it can, for an update that ends a fallback (ST-6). */
    fallbackBounty: Amount80,
    /** The full bonus of one block (RW-6). */
    bonusCap: Amount80,
    /** What a prover deposits to take part in turns. */
    bond: Wei.check(Schema.makeFilter((value: bigint) => value > 0n || "above zero")),
    /** Updates with a prover's work from which on it may flag (FM-3). */
    minUpdates: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })),
    /** Flagged weight at which the multiplier rises (FM-3). */
    signalQuorum: ReputationShare,
    /** The most that one prover's flag weighs (FM-3). */
    signalCap: ReputationShare,
    /** Factor by which the multiplier rises at a quorum, in millionths (FM-3). */
    signalStep: Raising,
    /** The highest multiplier, in millionths (FM-3). */
    signalMax: Raising,
    /** Factor by which the multiplier falls in an epoch without a quorum, in millionths (FM-3). */
    signalDecay: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: one - 1 })),
    /** How pots are split (RW-2). */
    shares: RewardShares
  }).check(
    Schema.makeFilter(({ leaveDelay, turnLength }) =>
      leaveDelay >= turnLength || "a leave delay of at least one turn: else one bond serves several names within one turn"
    ),
    Schema.makeFilter(({ idleFallback, proofDeadline, turnLength }) =>
      proofDeadline > idleFallback + turnLength || "a proof deadline beyond the first turn: else blocks are reverted before anybody's turn"
    ),
    Schema.makeFilter(({ bonusRamp, proofDeadline, targetLag }) =>
      targetLag + bonusRamp <= proofDeadline || "a bonus that is full before the proof deadline"
    ),
    Schema.makeFilter(({ signalMax, signalStep }) => signalMax >= signalStep || "a highest multiplier of at least one step")
  )
) {}

const minute = 60
const hour = 60 * minute

/** The protocol's defaults. */
export const defaultParameters = new ProtocolParameters({
  idleFallback: 5 * hour,
  turnLength: 30 * minute,
  leaveDelay: 24 * hour,
  redundancyWindow: hour,
  proofDeadline: 24 * hour,
  targetLag: 30 * minute,
  bonusRamp: 12 * hour,
  signalEpoch: hour,
  reputationHalfLife: 7 * 24 * hour,
  designation: "preferred",
  fallbackBounty: Wei.make(10n ** 16n),
  bonusCap: Wei.make(10n ** 15n),
  bond: Wei.make(10n ** 18n),
  minUpdates: 3,
  signalQuorum: 3333,
  signalCap: 2000,
  signalStep: 1_250_000,
  signalMax: 8_000_000,
  signalDecay: 900_000,
  shares: defaultShares
})

const durations = [
  "idleFallback",
  "turnLength",
  "leaveDelay",
  "redundancyWindow",
  "proofDeadline",
  "targetLag",
  "bonusRamp",
  "signalEpoch",
  "reputationHalfLife"
] as const

/** The same protocol on a faster clock: every duration divided by one factor, rounded up to a whole second. */
export const scaleTime = (parameters: ProtocolParameters, timeScale: number): ProtocolParameters =>
  new ProtocolParameters({
    ...parameters,
    ...Object.fromEntries(durations.map((name) => [name, Math.ceil(parameters[name] / timeScale)]))
  })
