// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

include "circomlib/circuits/bitify.circom";
include "header.circom";
include "merkle.circom";
include "transfer.circom";

/// Proof of one block: from the state of the parent header, the block's transfers lead to the state of its own header,
/// every transfer is signed and pays its prover gas at the header's price (FM-6), and the proof belongs to one prover.
///
/// Parameters
///   slots       transfers a block can hold, a power of two
///   depth       levels of the account tree: leaf indices are below 2^depth, depth <= 32
///   chainId     L2 chain id that transfers are signed for, below 2^64
///   transferGas prover gas of one transfer (FM-1); slots * transferGas <= 2^32
///
/// Public inputs, in this order
///   parentHash   hash of the parent header
///   blockHash    hash of the block's header
///   prover       L1 address, as a number, of the prover that is paid for this proof
///   proverFees   wei collected for proving, equal to the header's field
///   proverGas    prover gas used, equal to the header's field
///
/// Private inputs (field elements, as decimal strings or bigints)
///   parentHeader[9], header[9]
///       parentHash, number, stateRoot, transactionsRoot, proverGasUsed, proverPrice, proverFees, signalMultiplier,
///       timestamp
///   and per slot i in execution order. In an UNUSED SLOT EVERY ONE OF THEM IS 0.
///   enabled[i]                 1 for a transfer, 0 for an unused slot
///   from[i], to[i]             leaf indices of sender and recipient
///   toOwner[i]                 owner of the recipient's leaf, H(Ax, Ay) of its key; signed by the sender
///   amount[i], maxProverFee[i] wei, below 2^96
///   nonce[i]                   nonce of the sender's leaf before the slot, which is the one the transfer signs
///   publicKey[i][2]            the sender's Baby Jubjub key (Ax, Ay)
///   signatureR8[i][2], signatureS[i]
///                              EdDSA-Poseidon signature of the transfer's digest
///   senderBalance[i]           balance of the sender's leaf before the slot
///   senderSiblings[i][depth]   siblings of the sender's leaf in the tree as it is before the slot, leaf level first
///   recipientCreated[i]        1 if the recipient's leaf is empty (0) and this transfer creates the account, else 0
///   recipientBalance[i], recipientNonce[i]
///                              of the recipient's leaf after the sender's leaf was updated (matters when from = to);
///                              both 0 when created
///   recipientSiblings[i][depth]
///                              siblings of the recipient's leaf in the tree AFTER the sender's leaf was updated
///
/// Not proven here, but by the checkpoint's certificate: that price, signal multiplier and timestamp follow their rules.
template BlockProof(slots, depth, chainId, transferGas) {
    assert(slots >= 1 && (slots & (slots - 1)) == 0);
    // Keeps the fees below 2^96 for every 64-bit price: the contracts store them in a uint96.
    assert(transferGas >= 1 && slots * transferGas <= (1 << 32));

    signal input parentHash;
    signal input blockHash;
    signal input prover;
    signal input proverFees;
    signal input proverGas;

    signal input parentHeader[HEADER_FIELDS()];
    signal input header[HEADER_FIELDS()];

    signal input enabled[slots];
    signal input from[slots];
    signal input to[slots];
    signal input toOwner[slots];
    signal input amount[slots];
    signal input maxProverFee[slots];
    signal input nonce[slots];
    signal input publicKey[slots][2];
    signal input signatureR8[slots][2];
    signal input signatureS[slots];
    signal input senderBalance[slots];
    signal input senderSiblings[slots][depth];
    signal input recipientCreated[slots];
    signal input recipientBalance[slots];
    signal input recipientNonce[slots];
    signal input recipientSiblings[slots][depth];

    // Nothing in the statement depends on the prover. An input without a constraint could be exchanged after the fact,
    // and with it the address that L1 pays; its square ties it to the proof.
    signal proverSquare <== prover * prover;

    component parentOpening = HeaderHash();
    parentOpening.header <== parentHeader;
    parentOpening.blockHash === parentHash;
    component blockOpening = HeaderHash();
    blockOpening.header <== header;
    blockOpening.blockHash === blockHash;

    header[HEADER_PARENT_HASH()] === parentHash;
    header[HEADER_NUMBER()] === parentHeader[HEADER_NUMBER()] + 1;

    // Without the range a price could be the field's idea of a negative or a fractional number of wei.
    component priceBits = Num2Bits(64);
    priceBits.in <== header[HEADER_PROVER_PRICE()];

    component transfer[slots];
    component transactions = MerkleRoot(slots);
    var root = parentHeader[HEADER_STATE_ROOT()];
    var used = 0;

    for (var i = 0; i < slots; i++) {
        transfer[i] = Transfer(depth, chainId);
        transfer[i].root <== root;
        transfer[i].proverFee <== transferGas * header[HEADER_PROVER_PRICE()];
        transfer[i].enabled <== enabled[i];
        transfer[i].from <== from[i];
        transfer[i].to <== to[i];
        transfer[i].toOwner <== toOwner[i];
        transfer[i].amount <== amount[i];
        transfer[i].maxProverFee <== maxProverFee[i];
        transfer[i].nonce <== nonce[i];
        transfer[i].publicKey <== publicKey[i];
        transfer[i].signatureR8 <== signatureR8[i];
        transfer[i].signatureS <== signatureS[i];
        transfer[i].senderBalance <== senderBalance[i];
        transfer[i].senderSiblings <== senderSiblings[i];
        transfer[i].recipientCreated <== recipientCreated[i];
        transfer[i].recipientBalance <== recipientBalance[i];
        transfer[i].recipientNonce <== recipientNonce[i];
        transfer[i].recipientSiblings <== recipientSiblings[i];

        transactions.leaves[i] <== transfer[i].digest;
        root = transfer[i].newRoot;
        used += enabled[i];
    }

    header[HEADER_STATE_ROOT()] === root;
    header[HEADER_TRANSACTIONS_ROOT()] === transactions.root;

    proverGas === transferGas * used;
    header[HEADER_PROVER_GAS_USED()] === proverGas;
    // Every enabled slot paid exactly transferGas * price, so the sum needs no adding up.
    proverFees === proverGas * header[HEADER_PROVER_PRICE()];
    header[HEADER_PROVER_FEES()] === proverFees;
}
