import { assert, describe, it } from "@effect/vitest"
import {
  buildBlock,
  type BlockOptions,
  CHAIN_ID,
  type CircuitInputs,
  FIELD,
  hash,
  type Header,
  headerHash,
  Ledger,
  parentOf,
  sign,
  type SignedTransfer,
  type Slot,
  type Transfer,
  transferDigest,
  TRANSFER_GAS,
  type Wallet,
  wallet
} from "./LedgerOracle.ts"
import { refusal } from "./Witness.ts"

const alice = wallet("alice")
const bob = wallet("bob")
const mallory = wallet("mallory")
const ether = 10n ** 18n
const price = 1_000n
const fee = TRANSFER_GAS * price
const babyJubjubOrder = 2736030358979909402780800718157159386076813972158567259200215660948447373041n
const base8 = [
  5299619240641551281634865583518297030282874472190772894086521144482721001553n,
  16950150798460657717958625567821834550301663161624707787222815936182638968203n
] as const

const transfer: Transfer = { from: 3, to: 7, toOwner: bob.owner, amount: 5n, maxProverFee: fee, nonce: 0n }
const pay = (changes: Partial<Transfer> = {}, signer: Wallet = alice): SignedTransfer => sign(signer, { ...transfer, ...changes })
const standard = () => [
  [3, { owner: alice.owner, balance: ether, nonce: 0n }],
  [7, { owner: bob.owner, balance: ether, nonce: 4n }]
] as const

interface Case extends BlockOptions {
  readonly transfers?: ReadonlyArray<SignedTransfer>
  readonly accounts?: ConstructorParameters<typeof Ledger>[0]
  readonly parent?: Partial<Header>
  /** Replaces inputs of the finished block. */
  readonly inputs?: CircuitInputs
}

/** The circuit refuses the block, and at the named line of its source. */
const refuses = async (line: string, { accounts, inputs, parent, transfers, ...options }: Case) => {
  const ledger = new Ledger(accounts ?? standard())
  const block = buildBlock(ledger, parentOf(ledger, parent), transfers ?? [pay()], options)
  const lines = await refusal("block", { ...block.inputs, ...inputs })
  assert.include(lines, line, `refused elsewhere: ${lines.join(" < ")}`)
}

const senderOpening = "enabled * (rootBefore.out - root) === 0;"
const recipientOpening = "enabled * (recipientUpdate.oldTop[side] - senderUpdate.newTop[side]) === 0;"
const signatureEquation = "(1 - isz.out)*enabled === 0;"
const stateAfter = "header[HEADER_STATE_ROOT()] === root;"

describe("signatures", () => {
  it("a signature of other contents", () => refuses(signatureEquation, { transfers: [{ ...pay({ amount: 4n }), amount: 5n }] }))

  it("a signature with another S", () => refuses(signatureEquation, { slots: [{ signatureS: 5n }] }))

  it("a stranger's key over somebody's account", () => refuses(senderOpening, { transfers: [pay({}, mallory)] }))

  it("a transfer signed for another chain", () =>
    refuses(signatureEquation, { transfers: [sign(alice, transfer, CHAIN_ID + 1n)] }))

  it("S beyond the group's order, which is the same signature again", () => {
    const signed = pay()
    return refuses("compConstant.out*enabled === 0;", {
      transfers: [{ ...signed, signatureS: signed.signatureS + babyJubjubOrder }]
    })
  })

  it("a key of small order, for which anybody can sign", () => {
    const publicKey = [0n, FIELD - 1n] as const
    const forged: SignedTransfer = { ...transfer, publicKey, signatureR8: base8, signatureS: 1n }
    return refuses("isZero.out*enabled === 0;", {
      transfers: [forged],
      accounts: [[3, { owner: hash(...publicKey), balance: ether, nonce: 0n }]]
    })
  })

  it("a key that is no point of the curve", () =>
    refuses("keyOnCurve.y <== publicKey[1];", { transfers: [{ ...pay(), publicKey: [1n, 1n] }] }))

  it("a commitment R8 that is no point of the curve", () =>
    refuses("noncePointOnCurve.y <== signatureR8[1];", { transfers: [{ ...pay(), signatureR8: [1n, 1n] }] }))
})

describe("nonces", () => {
  it("a replayed transfer", () => refuses(senderOpening, { transfers: [pay(), pay()] }))

  it("a nonce from the future", () => refuses(senderOpening, { transfers: [pay({ nonce: 1n })] }))
})

describe("widths of what the digest packs", () => {
  const samePacking = (signed: Transfer, shown: Transfer) => {
    assert.strictEqual(transferDigest(shown), transferDigest(signed), "the digests must be equal for the case to mean anything")
    return { ...pay(signed), ...shown }
  }

  it("a cap that borrows from the amount", () => {
    const shown = { ...transfer, amount: 4n, maxProverFee: fee + 2n ** 96n }
    return refuses("maxProverFeeBits.in <== maxProverFee;", { transfers: [samePacking(transfer, shown)] })
  })

  it("an amount below nothing", () => {
    const signed = { ...transfer, amount: 1n, maxProverFee: 0n }
    const shown = { ...transfer, amount: FIELD - 1n, maxProverFee: 2n ** 97n }
    return refuses("amountBits.in <== amount;", { transfers: [samePacking(signed, shown)] })
  })

  it("an amount of 2^96", () => refuses("amountBits.in <== amount;", { transfers: [pay({ amount: 2n ** 96n })] }))

  it("a nonce that borrows from the recipient", () => {
    const shown = { ...transfer, to: 6, nonce: 2n ** 64n }
    return refuses("nonceBits.in <== nonce;", { transfers: [samePacking(transfer, shown)] })
  })

  it("a recipient beyond the tree", () => refuses("toBits.in <== to;", { slots: [{ to: 256n + 7n }] }))

  it("a sender beyond the tree", () => refuses("fromBits.in <== from;", { slots: [{ from: 256n + 3n }] }))
})

describe("balances", () => {
  it("spending a wei more than there is", () =>
    refuses("senderBalanceBits.in <== senderBalanceAfter;", { transfers: [pay({ amount: ether - fee + 1n })] }))

  it("a balance that the leaf does not hold", () => refuses(senderOpening, { slots: [{ senderBalance: 2n * ether }] }))

  it("a recipient's balance that grows to 2^96", () =>
    refuses("recipientBalanceBits.in <== recipientBalanceAfter;", {
      accounts: [
        [3, { owner: alice.owner, balance: ether, nonce: 0n }],
        [7, { owner: bob.owner, balance: 2n ** 96n - 5n, nonce: 0n }]
      ]
    }))

  it("a recipient's balance that the leaf does not hold", () => refuses(recipientOpening, { slots: [{ recipientBalance: 2n * ether }] }))

  it("a recipient's nonce set back, to replay its transfers", () => refuses(recipientOpening, { slots: [{ recipientNonce: 0n }] }))
})

describe("recipients", () => {
  it("a leaf of another owner", () => refuses(recipientOpening, { transfers: [pay({ toOwner: mallory.owner })] }))

  it("an account created over a filled leaf", () =>
    refuses(recipientOpening, { slots: [{ recipientCreated: 1n, recipientBalance: 0n, recipientNonce: 0n }] }))

  it("an empty leaf passed off as an account", () =>
    refuses(recipientOpening, { transfers: [pay({ to: 9 })], slots: [{ recipientCreated: 0n }] }))

  it("an account created with money in it", () =>
    refuses("recipientCreated * recipientBalance === 0;", { transfers: [pay({ to: 9 })], slots: [{ recipientBalance: 1n }] }))

  it("an account created with a nonce", () =>
    refuses("recipientCreated * recipientNonce === 0;", { transfers: [pay({ to: 9 })], slots: [{ recipientNonce: 1n }] }))

  it("an account created by halves", () =>
    refuses("recipientCreated * (recipientCreated - 1) === 0;", { slots: [{ recipientCreated: 2n }] }))
})

describe("FM-5, FM-6: fees", () => {
  it("a fee above the signed cap", () =>
    refuses("feeWithinCap.in <== maxProverFee - fee;", { transfers: [pay({ maxProverFee: fee - 1n })] }))

  it("a header that claims more fees than were paid", () =>
    refuses("proverFees === proverGas * header[HEADER_PROVER_PRICE()];", { header: { proverFees: fee + 1n } }))

  it("public fees other than the header's", () =>
    refuses("proverFees === proverGas * header[HEADER_PROVER_PRICE()];", { inputs: { proverFees: fee + 1n } }))

  it("a header whose fees are not the public ones", () =>
    refuses("header[HEADER_PROVER_FEES()] === proverFees;", {
      header: { proverFees: fee + 1n },
      inputs: { proverFees: fee }
    }))

  it("a header that claims more prover gas than was used", () =>
    refuses("proverGas === transferGas * used;", {
      header: { proverGasUsed: 2n * TRANSFER_GAS, proverFees: 2n * fee }
    }))

  it("a header whose gas is not the public one", () =>
    refuses("header[HEADER_PROVER_GAS_USED()] === proverGas;", {
      header: { proverGasUsed: 2n * TRANSFER_GAS },
      inputs: { proverGas: TRANSFER_GAS }
    }))

  it("fees charged at another price than the header's", () =>
    // The sender's leaf comes out richer than in the tree that the recipient's siblings are of.
    refuses(recipientOpening, { header: { proverPrice: price - 1n, proverFees: TRANSFER_GAS * (price - 1n) } }))

  it("a price of 2^64", () =>
    refuses("priceBits.in <== header[HEADER_PROVER_PRICE()];", {
      price: 2n ** 64n,
      transfers: [pay({ maxProverFee: 2n ** 96n - 1n })],
      accounts: [[3, { owner: alice.owner, balance: 2n ** 90n, nonce: 0n }]]
    }))

  it("a price below nothing, which would pay the sender", () =>
    refuses("priceBits.in <== header[HEADER_PROVER_PRICE()];", { price: FIELD - 1n }))
})

describe("roots and headers", () => {
  it("a foreign state root before", () => refuses(senderOpening, { parent: { stateRoot: 1n } }))

  it("a foreign state root after", () => refuses(stateAfter, { header: { stateRoot: 1n } }))

  it("a sibling that is not in the tree", () =>
    refuses(senderOpening, { slots: [{ senderSiblings: new Ledger(standard()).siblings(4) }] }))

  it("another leaf changed along the way", () =>
    refuses(recipientOpening, { slots: [{ recipientSiblings: new Ledger(standard()).siblings(7) }] }))

  it("a wrong transactions root", () =>
    refuses("header[HEADER_TRANSACTIONS_ROOT()] === transactions.root;", { header: { transactionsRoot: 1n } }))

  it("a header that names another parent", () =>
    refuses("header[HEADER_PARENT_HASH()] === parentHash;", { header: { parentHash: 1n } }))

  it("a parent header that is not the named parent", () =>
    refuses("parentOpening.blockHash === parentHash;", { inputs: { parentHash: 1n } }))

  it("a header that is not the named block", () =>
    refuses("blockOpening.blockHash === blockHash;", { inputs: { blockHash: 1n } }))

  it("a number that jumps", () =>
    refuses("header[HEADER_NUMBER()] === parentHeader[HEADER_NUMBER()] + 1;", { header: { number: 2n } }))

  it("a number that stands still", () =>
    refuses("header[HEADER_NUMBER()] === parentHeader[HEADER_NUMBER()] + 1;", { header: { number: 0n } }))
})

describe("unused slots", () => {
  const second = pay({ from: 7, to: 3, toOwner: alice.owner, nonce: 4n }, bob)
  const oneTransfer = { proverGasUsed: TRANSFER_GAS, proverFees: fee }
  const disabled: ReadonlyArray<Partial<Slot>> = [{}, { enabled: 0n }]

  it("one that changes the state", () =>
    refuses(stateAfter, {
      transfers: [pay(), second],
      slots: disabled,
      header: { ...oneTransfer, transactionsRoot: hash(transferDigest(pay()), 0n) }
    }))

  it("one that enters the transactions root", () => {
    const { header } = buildBlock(new Ledger(standard()), parentOf(new Ledger(standard())), [pay()])
    return refuses("header[HEADER_TRANSACTIONS_ROOT()] === transactions.root;", {
      transfers: [pay(), second],
      slots: disabled,
      header: { ...oneTransfer, stateRoot: header.stateRoot }
    })
  })

  it("one that counts as prover gas", () => {
    const { header } = buildBlock(new Ledger(standard()), parentOf(new Ledger(standard())), [pay()])
    return refuses("proverGas === transferGas * used;", {
      transfers: [pay(), second],
      slots: disabled,
      header: { stateRoot: header.stateRoot, transactionsRoot: header.transactionsRoot }
    })
  })

  it("a slot that is more than enabled", () =>
    refuses("enabled * (enabled - 1) === 0;", { transfers: [pay(), second], slots: [{ enabled: 2n }] }))

  it("a slot that is enabled the other way round", () =>
    refuses("enabled * (enabled - 1) === 0;", { transfers: [pay(), second], slots: [{ enabled: FIELD - 1n }] }))
})

it("every case starts from a block that would be taken", async () => {
  const ledger = new Ledger(standard())
  const block = buildBlock(ledger, parentOf(ledger), [pay(), pay({ from: 7, to: 3, toOwner: alice.owner, nonce: 4n }, bob)])
  let refused: unknown
  await refusal("block", block.inputs).catch((error: unknown) => refused = error)
  assert.match(String(refused), /accepted/)
  assert.strictEqual(block.inputs["blockHash"], headerHash(block.header))
})
