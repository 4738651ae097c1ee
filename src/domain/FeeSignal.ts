/**
 * The L1 signal (FM-3): provers' word that the price of proving is too low. The same integers as in the contract.
 */
import { signalOne } from "./Block.ts"
import type { ProtocolParameters } from "./ProtocolParameters.ts"

/**
 * A multiplier, in millionths, after so many epochs without a quorum: each takes it toward 1 by the decay, rounded down.
 *
 * The epoch of a quorum is not quiet: a multiplier that was raised in epoch e stands until the end of e + 1.
 */
export const multiplierAfter = (multiplier: bigint, quietEpochs: bigint, { signalDecay }: Pick<ProtocolParameters, "signalDecay">): bigint => {
  let now = multiplier
  for (let epoch = 0n; epoch < quietEpochs && now > signalOne; epoch++) now = (now * BigInt(signalDecay)) / signalOne
  return now > signalOne ? now : signalOne
}
