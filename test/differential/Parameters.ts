/**
 * The sets of parameters that histories run under: the protocol's own, and such as bring other rules to the fore.
 */
import { Wei } from "../../src/domain/Amount.ts"
import { defaultParameters, ProtocolParameters, scaleTime } from "../../src/domain/ProtocolParameters.ts"
import { RewardShares } from "../../src/domain/Rewards.ts"

export const parameterSets: ReadonlyArray<ProtocolParameters> = [
  defaultParameters,
  // A devnet's clock, flags from the first update on, and an easy quorum: the multiplier reaches its highest and falls again.
  new ProtocolParameters({
    ...scaleTime(defaultParameters, 600),
    minUpdates: 1,
    signalCap: 10_000,
    signalMax: 2_000_000,
    signalStep: 1_300_001,
    signalDecay: 777_777
  }),
  // Bonuses larger than pots, ramps that do not divide them, shares that leave much to rounding, a window longer than an epoch, and
  // a quorum that a single flag can reach to the unit.
  new ProtocolParameters({
    ...defaultParameters,
    designation: "open",
    targetLag: 601,
    bonusRamp: 6007,
    bonusCap: Wei.make(10n ** 18n + 7n),
    fallbackBounty: Wei.make(3n),
    redundancyWindow: 7207,
    signalEpoch: 1801,
    signalCap: 2_500,
    signalQuorum: 2_500,
    minUpdates: 0,
    reputationHalfLife: 3607,
    shares: new RewardShares({ leaf: 3333, merge: 3333, submission: 1, redundancy: 3332, reserve: 1 })
  }),
  // Turns that nobody else can take, as short as a bond allows, and a quorum that the first flag reaches.
  new ProtocolParameters({
    ...defaultParameters,
    designation: "exclusive",
    idleFallback: 600,
    turnLength: 60,
    leaveDelay: 60,
    proofDeadline: 3600,
    targetLag: 300,
    bonusRamp: 3300,
    signalQuorum: 1,
    minUpdates: 2,
    shares: new RewardShares({ leaf: 0, merge: 5000, submission: 0, redundancy: 5000, reserve: 0 })
  })
]
