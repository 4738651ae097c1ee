// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

include "circomlib/circuits/babyjub.circom";
include "circomlib/circuits/bitify.circom";
include "circomlib/circuits/eddsaposeidon.circom";
include "merkle.circom";

/// Leaf of the account tree: H(owner, balance, nonce).
template AccountLeaf() {
    signal input owner;
    signal input balance;
    signal input nonce;
    signal output leaf;

    component hash = Poseidon2Hash(3);
    hash.in <== [owner, balance, nonce];
    leaf <== hash.out;
}

/// What the sender signs: H(chainId·2^128 + from·2^96 + to·2^64 + nonce, amount·2^96 + maxProverFee, toOwner).
///
/// The packing says one thing only if from, to < 2^32, nonce < 2^64 and maxProverFee < 2^96. The caller MUST range check
/// them: with maxProverFee = 2^96 + x and amount one lower a prover could pass off another transfer under the signature.
template TransferDigest(chainId) {
    assert(chainId < (1 << 64));
    signal input from;
    signal input to;
    signal input nonce;
    signal input amount;
    signal input maxProverFee;
    signal input toOwner;
    signal output digest;

    component hash = Poseidon2Hash(3);
    hash.in[0] <== chainId * (1 << 128) + from * (1 << 96) + to * (1 << 64) + nonce;
    hash.in[1] <== amount * (1 << 96) + maxProverFee;
    hash.in[2] <== toOwner;
    digest <== hash.out;
}

/// Fails unless `enabled` is 0 or (x, y) lies on Baby Jubjub.
///
/// EdDSAPoseidonVerifier takes its points on trust, and the addition law it uses is complete only on the curve: off it a
/// denominator can vanish and leave a coordinate free.
template ForceOnCurveIfEnabled() {
    signal input enabled;
    signal input x;
    signal input y;

    signal xSquare <== x * x;
    signal ySquare <== y * y;
    signal product <== xSquare * ySquare;
    enabled * (168700 * xSquare + ySquare - 1 - 168696 * product) === 0;
}

/// One slot of a block: a signed transfer that moves the state root, or nothing at all (FM-5, FM-6).
///
/// depth   - levels of the account tree, at most 32
/// chainId - signed by the sender, so that a transfer is good on one chain only; below 2^64
///
/// The inputs are documented in block.circom. `proverFee` is the wei to be paid for the transfer's prover gas and MUST be
/// below 2^96 (the block derives it from a range-checked price). `root` is the state root before the slot, `newRoot` the
/// one after it. `digest` is 0 for an unused slot.
///
/// An unused slot is switched off at its effects (the comparisons of trees, newRoot, digest), at the fee, and in the
/// signature. Everything else in it must still satisfy its constraints, which zeros do.
template Transfer(depth, chainId) {
    assert(depth >= 1 && depth <= 32);
    signal input root;
    signal input proverFee;

    signal input enabled;
    signal input from;
    signal input to;
    signal input toOwner;
    signal input amount;
    signal input maxProverFee;
    signal input nonce;
    signal input publicKey[2];
    signal input signatureR8[2];
    signal input signatureS;
    signal input senderBalance;
    signal input senderSiblings[depth];
    signal input recipientCreated;
    signal input recipientBalance;
    signal input recipientNonce;
    signal input recipientSiblings[depth];

    signal output newRoot;
    signal output digest;

    // As a field element `enabled` multiplies differences and sums: any value but 0 and 1 would scale gas and roots.
    enabled * (enabled - 1) === 0;

    // Indices are packed into the digest and walked bit by bit: one decomposition for both, so they cannot differ.
    component fromBits = Num2Bits(depth);
    fromBits.in <== from;
    component toBits = Num2Bits(depth);
    toBits.in <== to;

    // Widths of what is packed into the digest.
    component amountBits = Num2Bits(96);
    amountBits.in <== amount;
    component maxProverFeeBits = Num2Bits(96);
    maxProverFeeBits.in <== maxProverFee;
    component nonceBits = Num2Bits(64);
    nonceBits.in <== nonce;

    component transferDigest = TransferDigest(chainId);
    transferDigest.from <== from;
    transferDigest.to <== to;
    transferDigest.nonce <== nonce;
    transferDigest.amount <== amount;
    transferDigest.maxProverFee <== maxProverFee;
    transferDigest.toOwner <== toOwner;

    component keyOnCurve = ForceOnCurveIfEnabled();
    keyOnCurve.enabled <== enabled;
    keyOnCurve.x <== publicKey[0];
    keyOnCurve.y <== publicKey[1];
    component noncePointOnCurve = ForceOnCurveIfEnabled();
    noncePointOnCurve.enabled <== enabled;
    noncePointOnCurve.x <== signatureR8[0];
    noncePointOnCurve.y <== signatureR8[1];

    // The verifier itself refuses keys of order 8 and below (anybody could sign for those) and S beyond the group order.
    component signature = EdDSAPoseidonVerifier();
    signature.enabled <== enabled;
    signature.Ax <== publicKey[0];
    signature.Ay <== publicKey[1];
    signature.R8x <== signatureR8[0];
    signature.R8y <== signatureR8[1];
    signature.S <== signatureS;
    signature.M <== transferDigest.digest;

    // 0 <= fee <= maxProverFee. Both stay below 2^96, so a negative difference is a field element far beyond 96 bits.
    signal fee <== enabled * proverFee;
    component feeWithinCap = Num2Bits(96);
    feeWithinCap.in <== maxProverFee - fee;

    // The balance left over is checked, not the one before: left + amount + fee < 2^98 cannot wrap, so a balance that
    // is too small cannot come out as a large one.
    signal senderBalanceAfter <== senderBalance - amount - fee;
    component senderBalanceBits = Num2Bits(96);
    senderBalanceBits.in <== senderBalanceAfter;

    // The key that signed owns the leaf, and the signed nonce is the leaf's nonce: neither is an input of its own.
    component owner = Poseidon2Hash(2);
    owner.in <== publicKey;
    component senderBefore = AccountLeaf();
    senderBefore.owner <== owner.out;
    senderBefore.balance <== senderBalance;
    senderBefore.nonce <== nonce;
    component senderAfter = AccountLeaf();
    senderAfter.owner <== owner.out;
    senderAfter.balance <== senderBalanceAfter;
    senderAfter.nonce <== nonce + 1;

    component senderUpdate = MerkleUpdate(depth);
    senderUpdate.oldLeaf <== senderBefore.leaf;
    senderUpdate.newLeaf <== senderAfter.leaf;
    senderUpdate.path <== fromBits.out;
    senderUpdate.siblings <== senderSiblings;
    component rootBefore = Poseidon2Hash(2);
    rootBefore.in <== senderUpdate.oldTop;
    enabled * (rootBefore.out - root) === 0;

    // A created account starts from the empty leaf 0, whose balance and nonce are 0. A prover cannot claim creation over
    // a filled leaf (its path would have to open to 0) nor hide it on an empty one (a hash would have to be 0).
    recipientCreated * (recipientCreated - 1) === 0;
    recipientCreated * recipientBalance === 0;
    recipientCreated * recipientNonce === 0;

    component recipientBefore = AccountLeaf();
    recipientBefore.owner <== toOwner;
    recipientBefore.balance <== recipientBalance;
    recipientBefore.nonce <== recipientNonce;

    // Every balance in the tree stays below 2^96 because it is checked here; the genesis state has to start that way.
    signal recipientBalanceAfter <== recipientBalance + amount;
    component recipientBalanceBits = Num2Bits(96);
    recipientBalanceBits.in <== recipientBalanceAfter;

    component recipientAfter = AccountLeaf();
    recipientAfter.owner <== toOwner;
    recipientAfter.balance <== recipientBalanceAfter;
    recipientAfter.nonce <== recipientNonce;

    // Against the tree between the two updates, so that a transfer to oneself sees the balance already debited.
    component recipientUpdate = MerkleUpdate(depth);
    recipientUpdate.oldLeaf <== (1 - recipientCreated) * recipientBefore.leaf;
    recipientUpdate.newLeaf <== recipientAfter.leaf;
    recipientUpdate.path <== toBits.out;
    recipientUpdate.siblings <== recipientSiblings;
    for (var side = 0; side < 2; side++) {
        enabled * (recipientUpdate.oldTop[side] - senderUpdate.newTop[side]) === 0;
    }

    component rootAfter = Poseidon2Hash(2);
    rootAfter.in <== recipientUpdate.newTop;
    newRoot <== root + enabled * (rootAfter.out - root);
    digest <== enabled * transferDigest.digest;
}
