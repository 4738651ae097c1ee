/** Transactions and credits, as tests of the store want them. */
import { keccak256, stringToHex } from "viem"
import { BlockNumber, Wei } from "../../src/domain/Amount.ts"
import { TransactionHash, toHex32 } from "../../src/domain/Hash.ts"
import { ExpectedCredit, Outgoing, type OutgoingKind, Variant } from "../../src/store/Store.ts"
import { prover } from "../domain/builders.ts"

export const hashOf = (n: number) => TransactionHash.make(toHex32(BigInt(n)))
export const variant = (n: number, cancels = false) => new Variant({ raw: "0x02", hash: hashOf(5_000 + n), cancels })

export const outgoing = (kind: OutgoingKind, key: string, nonce: number) =>
  new Outgoing({
    kind,
    key,
    subject: `the ${kind} ${key}`,
    block: kind === "update" ? BlockNumber.make(3) : null,
    nonce,
    state: "pending",
    worth: kind === "flag" ? null : 75n,
    expiresAt: kind === "redundant" ? 1_000n : null,
    variants: [new Variant({ raw: "0x02", hash: keccak256(stringToHex(`${kind} ${key} ${nonce}`)) as TransactionHash, cancels: false })]
  })
export const first = outgoing("update", "0..3", 0)
export const second = outgoing("update", "3..6", 1)
export const credit = { block: BlockNumber.make(1), account: prover(1), kind: "leaf" as const, amount: Wei.make(75n), proverFees: Wei.make(100n) }
export const expectedOf = (transaction: TransactionHash) => new ExpectedCredit({ ...credit, transaction })
