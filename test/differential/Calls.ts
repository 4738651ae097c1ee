/**
 * Calls of a history as the contracts take them, with real certificates and with proofs that are good or bad as they should be.
 */
import { encodeAbiParameters, encodeFunctionData, type Hex, keccak256, parseAbiParameters } from "viem"
import { type Checkpoint, checkpointDigest, QuorumCertificate } from "../../src/domain/Checkpoint.ts"
import type { Address, Bytes32, HexBytes } from "../../src/domain/Hash.ts"
import type { Leaf } from "../../src/domain/Proof.ts"
import { certifyDigest, handOverDigest, provePossession, signerIndices, type ValidatorKeyPair } from "../../src/domain/QuorumCertificate.ts"
import { encodeTransition } from "../../src/domain/Redundancy.ts"
import type { Event, State } from "../../src/domain/Settlement.ts"
import type { Compiled } from "./Compile.ts"
import { type Scripted, signatureHolds, validatorsOf } from "./History.ts"

/** Where the contracts of a deployment are. */
export interface Addresses {
  readonly registry: Address
  readonly provers: Address
  readonly state: Address
  readonly vault: Address
  readonly signal: Address
}

const statement = parseAbiParameters([
  "bytes32 from, Leaf[] leaves, address[] mergers, bytes32[] ancestry",
  "struct Leaf { bytes32 blockHash; address prover; uint96 proverFees; uint64 proverGas; }"
])

/** The only proof of a statement that the tests' verifiers take, or another one. */
const proofOf = (from: Bytes32, leaves: ReadonlyArray<Leaf>, mergers: ReadonlyArray<Address>, ancestry: ReadonlyArray<Bytes32>, good: boolean): Hex => {
  const hash = keccak256(encodeAbiParameters(statement, [from, leaves, mergers, ancestry]))
  return good ? hash : keccak256(hash)
}

const struct = (checkpoint: Checkpoint) => ({
  parentId: checkpoint.parent,
  number: BigInt(checkpoint.number),
  blockHash: checkpoint.blockHash,
  stateRoot: checkpoint.stateRoot
})

/** Makes the certificates of a deployment's validators. Signing costs milliseconds, so that what was signed once is kept. */
export const makeCertifier = (chainId: bigint, registry: Address, pairs: ReadonlyArray<ValidatorKeyPair>) => {
  const kept = new Map<string, HexBytes>()
  const domain = (epoch: bigint) => ({ chainId, registry, epoch })
  const sign = (digest: Bytes32, epoch: bigint, signers: bigint): HexBytes => {
    const set = validatorsOf(pairs, epoch)
    const named = signerIndices(signers).filter((index) => index < set.length)
    const indices = named.length === 0 ? [0] : named
    const key = `${epoch} ${indices} ${digest}`
    const signature = kept.get(key) ?? certifyDigest(digest, new Map(indices.map((index) => [index, set[index]!.secretKey]))).signature
    kept.set(key, signature)
    return signature
  }
  const possession = (key: string, holds: boolean): HexBytes => {
    const place = pairs.findIndex(({ publicKey }) => publicKey === key)
    const pair = pairs[holds ? place : (place + 1) % pairs.length]!
    const made = kept.get(pair.publicKey) ?? provePossession(pair)
    kept.set(pair.publicKey, made)
    return made
  }

  /** The call with the certificate that it was scripted with, as it will be found good or bad in this state. */
  const certified = (state: State, scripted: Scripted): Event => {
    const { event, signing } = scripted
    if (signing === undefined || (event._tag !== "RegisterCheckpoint" && event._tag !== "HandOver")) return event
    const digest = event._tag === "RegisterCheckpoint"
      ? checkpointDigest(domain(signing.epoch), event.checkpoint.id)
      : handOverDigest(domain(signing.epoch), event.validators.map(({ key }) => key))
    const { signers } = event.certificate
    const signature = sign(signing.genuine ? digest : keccak256(digest), signing.epoch, signers)
    return { ...event, certificate: new QuorumCertificate({ signers, signature }), signatureHolds: signatureHolds(state, scripted) }
  }
  return { certified, possession }
}

export type Certifier = ReturnType<typeof makeCertifier>

/** A transaction. */
export interface Transaction {
  readonly from: Address
  readonly to: Address
  readonly value: bigint
  readonly data: Hex
}

/** The transaction that makes a call. */
export const transactionOf = (
  event: Event,
  at: Addresses,
  contracts: Readonly<Record<string, Compiled>>,
  { possession }: Certifier
): Transaction => {
  const to = (address: Address, contract: string, functionName: string, args: ReadonlyArray<unknown> = [], value = 0n): Transaction => ({
    from: event.sender,
    to: address,
    value,
    data: encodeFunctionData({ abi: contracts[contract]!.abi, functionName, args })
  })
  switch (event._tag) {
    case "RegisterCheckpoint": {
      const { certificate, checkpoint } = event
      return to(at.registry, "CheckpointRegistry", "register", [struct(checkpoint), certificate.signers, certificate.signature])
    }
    case "HandOver": {
      const { certificate, validators } = event
      const joined = (parts: ReadonlyArray<Hex>): Hex => `0x${parts.map((part) => part.slice(2)).join("")}`
      return to(at.registry, "CheckpointRegistry", "handOver", [
        joined(validators.map(({ key }) => key)),
        joined(validators.map(({ key, possessionHolds }) => possession(key, possessionHolds))),
        certificate.signers,
        certificate.signature
      ])
    }
    case "SubmitUpdate": {
      const { checkpoints, from, leaves, mergers, system } = event.update
      const [end, last] = [leaves[leaves.length - 1]?.blockHash, checkpoints[checkpoints.length - 1]?.blockHash]
      // Between END and the checkpoint's block one hash or none; where END is that block, L1 ignores what is named.
      const ancestry = leaves.length % 2 === 0 ? [from] : []
      const path = end === undefined || last === undefined || end === last ? [] : [...ancestry, last]
      return to(at.state, "StateUpdate", "submit", [{
        system,
        from,
        leaves,
        mergers,
        checkpoints: checkpoints.map(struct),
        ancestry,
        proof: proofOf(from, leaves, mergers, path, event.proofHolds)
      }])
    }
    case "SubmitRedundant": {
      const { mergers, provers, system, transition } = event.redundancy
      const own = transition.leaves.map((leaf, i) => ({ ...leaf, prover: provers[i] ?? leaf.prover }))
      return to(at.state, "StateUpdate", "submitRedundant", [{
        transition: encodeTransition(transition),
        system,
        provers,
        mergers,
        proof: proofOf(transition.from.hash, own, mergers, [], event.proofHolds)
      }])
    }
    case "RevertUnproven":
      return to(at.state, "StateUpdate", "revertUnproven", [struct(event.fallback), struct(event.oldest)])
    case "RegisterProver":
      return to(at.provers, "ProverRegistry", "register", [], event.value)
    case "Deregister":
      return to(at.provers, "ProverRegistry", "deregister")
    case "Withdraw":
      return to(at.provers, "ProverRegistry", "withdraw", [event.prover])
    case "Fund":
      return to(at.vault, "RewardVault", "fund", [], event.amount)
    case "Endow":
      return to(at.vault, "RewardVault", "endow", [], event.amount)
    case "Claim":
      return to(at.vault, "RewardVault", "claim", [event.account])
    case "Lapse":
      return to(at.vault, "RewardVault", "lapse")
    case "Flag":
      return to(at.signal, "FeeSignal", "flag")
  }
}
