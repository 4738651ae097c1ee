/**
 * Who stands behind a hint (OC-3): EIP-712 signatures by the key of a prover's L1 account, good for one rollup on one L1 only.
 *
 * Identities on the network cost nothing. A registered prover has a bond, so that only hints of those count.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { Context, Redacted } from "effect"
import { bytesToHex, hashTypedData, hexToBytes } from "viem/utils"
import { privateKeyToAddress, publicKeyToAddress } from "viem/accounts"
import { type Address, type Bytes32, HexBytes, toAddress } from "../domain/Hash.ts"
import { type Hint, HintMessage, messageVersion } from "./Messages.ts"

/** The rollup that hints are about. */
export interface HintDomain {
  readonly chainId: bigint
  /** The state update contract's address. */
  readonly stateUpdate: Address
}

const types = {
  Atom: [{ name: "from", type: "uint64" }, { name: "to", type: "uint64" }],
  Hint: [
    { name: "prover", type: "address" },
    { name: "capacity", type: "uint32" },
    { name: "atoms", type: "Atom[]" },
    { name: "issuedAt", type: "uint64" },
    { name: "expiresAt", type: "uint64" }
  ]
} as const

/** What a prover signs: EIP-712 over all fields of a hint. */
export const hintDigest = ({ chainId, stateUpdate }: HintDomain, { atoms, capacity, expiresAt, issuedAt, prover }: Hint): Bytes32 =>
  hashTypedData({
    domain: { name: "lignum", version: String(messageVersion), chainId, verifyingContract: stateUpdate },
    types,
    primaryType: "Hint",
    message: {
      prover,
      capacity,
      atoms: atoms.map(({ from, to }) => ({ from: BigInt(from), to: BigInt(to) })),
      issuedAt: BigInt(issuedAt),
      expiresAt: BigInt(expiresAt)
    }
  })

/** Whether a hint is signed by the prover that it names. */
export const isSigned = (domain: HintDomain, hint: HintMessage): boolean => {
  const bytes = hexToBytes(hint.signature)
  const recovery = (bytes[64] ?? 0) - 27
  if (bytes.length !== 65 || (recovery !== 0 && recovery !== 1)) return false
  try {
    const signature = Uint8Array.of(recovery, ...bytes.subarray(0, 64))
    const key = secp256k1.recoverPublicKey(signature, hexToBytes(hintDigest(domain, hint)), { prehash: false })
    return toAddress(publicKeyToAddress(bytesToHex(secp256k1.Point.fromBytes(key).toBytes(false)))) === hint.prover
  } catch {
    // There is no key that made it.
    return false
  }
}

/** Signs this node's own hints. */
export interface HintSigner {
  readonly domain: HintDomain
  readonly prover: Address
  readonly sign: (hint: Omit<Hint, "prover">) => HintMessage
}

/** Without a signer a node gives no hints and takes none. */
export const HintSigner = Context.Reference<HintSigner | undefined>("lignum/HintSigner", { defaultValue: () => undefined })

/** @param privateKey of the node's L1 account */
export const makeHintSigner = (domain: HintDomain, privateKey: Redacted.Redacted<`0x${string}`>): HintSigner => {
  const prover = toAddress(privateKeyToAddress(Redacted.value(privateKey)))
  return {
    domain,
    prover,
    sign: (fields) => {
      const hint = { ...fields, prover }
      const digest = hexToBytes(hintDigest(domain, hint))
      const [recovery, ...rest] = secp256k1.sign(digest, hexToBytes(Redacted.value(privateKey)), { prehash: false, format: "recovered" })
      const signature = HexBytes.make(bytesToHex(Uint8Array.of(...rest, 27 + recovery!)))
      return new HintMessage({ version: messageVersion, kind: "hint", ...hint, signature })
    }
  }
}
