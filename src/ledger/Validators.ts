/**
 * The devnet's validators: keys from the seed, certificates by a seeded quorum.
 */
import { type CertificateDomain, CertifiedCheckpoint, type Checkpoint, checkpointDigest } from "../domain/Checkpoint.ts"
import type { HexBytes } from "../domain/Hash.ts"
import {
  certifyDigest,
  provePossession,
  quorumOf,
  type ValidatorKey,
  type ValidatorKeyPair,
  validatorKeyPairFrom,
  ValidatorSet
} from "../domain/QuorumCertificate.ts"
import type { DevnetLedgerConfig } from "./DevnetLedgerConfig.ts"
import { seededRandom } from "./SeededRandom.ts"

/** The validators' key pairs, in the order of the signer bitmap. */
export const devnetValidatorKeys = (config: DevnetLedgerConfig): ReadonlyArray<ValidatorKeyPair> =>
  Array.from({ length: config.validators }, (_, index) => validatorKeyPairFrom(`${config.seed}/${index}`))

/** The validator set as a verifier needs it. */
export const devnetValidatorSet = (config: DevnetLedgerConfig, epoch = 0n): ValidatorSet => {
  const [first, ...rest] = devnetValidatorKeys(config).map((pair) => pair.publicKey)
  return new ValidatorSet({ epoch, publicKeys: [first!, ...rest] })
}

/** What the registry on L1 is deployed with: the public keys and a proof of possession for each, in order. */
export const devnetValidatorRegistration = (
  config: DevnetLedgerConfig
): { readonly publicKeys: ReadonlyArray<ValidatorKey>; readonly possessions: ReadonlyArray<HexBytes> } => {
  const pairs = devnetValidatorKeys(config)
  return { publicKeys: pairs.map((pair) => pair.publicKey), possessions: pairs.map(provePossession) }
}

/** A checkpoint with the certificate of a random quorum, every fourth time of all validators (CP-2). */
export const certifyCheckpoint = (
  config: DevnetLedgerConfig,
  keys: ReadonlyArray<ValidatorKeyPair>,
  domain: CertificateDomain,
  checkpoint: Checkpoint
): CertifiedCheckpoint => {
  const random = seededRandom(config.seed, "quorum", checkpoint.number)
  const quorum = quorumOf(keys.length)
  const count = random.chance(1, 4) ? keys.length : quorum + random.integer(keys.length - quorum + 1)
  const signers = random.choose(count, keys.length)
  return new CertifiedCheckpoint({
    checkpoint,
    certificate: certifyDigest(
      checkpointDigest(domain, checkpoint.id),
      new Map(signers.map((index) => [index, keys[index]!.secretKey]))
    )
  })
}
