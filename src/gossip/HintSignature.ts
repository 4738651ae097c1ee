/**
 * Who stands behind a hint (OC-3): EIP-712 signatures by the key of a prover's L1 account, good for one rollup on one L1 only.
 *
 * Identities on the network cost nothing. A registered prover has a bond, so that only hints of those count.
 */
import { Context, Effect, Redacted } from "effect"
import { hashTypedData, recoverAddress } from "viem"
import { privateKeyToAccount } from "viem/accounts"
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
export const isSigned = (domain: HintDomain, hint: HintMessage): Effect.Effect<boolean> =>
  Effect.promise(() =>
    recoverAddress({ hash: hintDigest(domain, hint), signature: hint.signature }).then(
      (address) => toAddress(address) === hint.prover,
      // The bytes are no signature at all.
      () => false
    )
  )

/** Signs this node's own hints. */
export interface HintSigner {
  readonly domain: HintDomain
  readonly prover: Address
  readonly sign: (hint: Omit<Hint, "prover">) => Effect.Effect<HintMessage>
}

/** Without a signer a node gives no hints and takes none. */
export const HintSigner = Context.Reference<HintSigner | undefined>("lignum/HintSigner", { defaultValue: () => undefined })

/** @param privateKey of the node's L1 account */
export const makeHintSigner = (domain: HintDomain, privateKey: Redacted.Redacted<`0x${string}`>): HintSigner => {
  const account = privateKeyToAccount(Redacted.value(privateKey))
  const prover = toAddress(account.address)
  return {
    domain,
    prover,
    sign: (fields) =>
      Effect.promise(async () => {
        const hint = { ...fields, prover }
        const signature = HexBytes.make(await account.sign({ hash: hintDigest(domain, hint) }))
        return new HintMessage({ version: messageVersion, kind: "hint", ...hint, signature })
      })
  }
}
