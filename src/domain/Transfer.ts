/**
 * The rollup's transaction: a signed transfer between two accounts.
 */
import { Schema } from "effect"
import { AccountIndex, CurvePoint, Nonce } from "./Account.ts"
import { Wei } from "./Amount.ts"
import { type SpendingKey, signMessage, verifyMessage } from "./EddsaPoseidon.ts"
import { FieldElement, Owner, poseidon2 } from "./Hash.ts"

/** What a sender signs. It names a cap for the prover fee and declares nothing else about proving (FM-5). */
export class Transfer extends Schema.Class<Transfer>("lignum/Transfer")({
  from: AccountIndex,
  to: AccountIndex,
  /** Owner of the receiving account; a transfer to an empty leaf creates the account with this owner. */
  toOwner: Owner,
  amount: Wei,
  maxProverFee: Wei,
  nonce: Nonce
}) {
  /**
   * What is signed and what the transactions root commits to:
   * Poseidon2(chainId·2^128 + from·2^96 + to·2^64 + nonce, amount·2^96 + maxProverFee, toOwner).
   */
  digest(chainId: bigint): bigint {
    return poseidon2(
      (chainId << 128n) + (BigInt(this.from) << 96n) + (BigInt(this.to) << 64n) + this.nonce,
      (this.amount << 96n) + this.maxProverFee,
      BigInt(this.toOwner)
    )
  }
}

/** A transfer with the sender's public key and EdDSA-Poseidon signature over its digest. */
export class SignedTransfer extends Schema.Class<SignedTransfer>("lignum/SignedTransfer")({
  transfer: Transfer,
  publicKey: CurvePoint,
  signature: Schema.Struct({ R8: CurvePoint, S: FieldElement })
}) {
  /** Whether the signature is by {@link publicKey} over this transfer on this chain. */
  isSigned(chainId: bigint): boolean {
    return verifyMessage(this.transfer.digest(chainId), this.signature, this.publicKey)
  }
}

/** A transfer signed by its sender's key. */
export const signTransfer = (transfer: Transfer, key: SpendingKey, chainId: bigint): SignedTransfer =>
  new SignedTransfer({ transfer, publicKey: key.publicKey, signature: signMessage(key, transfer.digest(chainId)) })
