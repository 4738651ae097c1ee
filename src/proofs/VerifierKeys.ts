/**
 * The verifying keys of both circuits as the verifier on L1 holds them (ST-3).
 */
import { encodePacked, keccak256 } from "viem/utils"
import type { Bytes32 } from "../domain/Hash.ts"
import type { VerifyingKey } from "./CircuitKeys.ts"

/** The keys of one setup: alpha, beta and gamma are the same in both. */
export interface VerifyingKeys {
  readonly block: VerifyingKey
  readonly ancestry: VerifyingKey
}

/** Words that both verifying keys begin with: alpha, beta and gamma. */
const sharedWords = 10

/** A verifying key as the verifier's constructor takes it: alpha, beta, gamma, delta, bases; imaginary parts first. */
export const verifyingKeyWords = (key: VerifyingKey): ReadonlyArray<bigint> => [
  ...key.vk_alpha_1.slice(0, 2),
  ...[key.vk_beta_2, key.vk_gamma_2, key.vk_delta_2].flatMap(([x, y]) => [x[1], x[0], y[1], y[0]]),
  ...key.IC.flatMap(([x, y]) => [x, y])
].map(BigInt)

/** keccak256 over the words of both keys, those that they share once: `verifyingKeysHash` of the verifier. */
export const verifyingKeysHash = ({ ancestry, block }: VerifyingKeys): Bytes32 =>
  keccak256(encodePacked(["uint256[]"], [[...verifyingKeyWords(block), ...verifyingKeyWords(ancestry).slice(sharedWords)]]))
