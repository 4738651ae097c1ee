// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

include "header.circom";

/// Proof that a block descends from another: checkpointHash is reached from endHash through 1 to maxHeaders headers, each of
/// which names the one before as its parent (ST-2). Longer distances chain several proofs through the hashes between.
///
/// Parameters
///   maxHeaders  headers that one proof can span
///
/// Public inputs, in this order
///   endHash         hash of the older block (the END of a transition)
///   checkpointHash  hash of the newer block (the block of a checkpoint, or an intermediate one)
///
/// Private inputs
///   active[i]      1 for the headers in use, which come first, then 0; active[0] is 1
///   headers[i][9]  child of endHash, its child, …, up to the header of checkpointHash; unused ones are all 0
template Ancestry(maxHeaders) {
    assert(maxHeaders >= 1);

    signal input endHash;
    signal input checkpointHash;

    signal input active[maxHeaders];
    signal input headers[maxHeaders][HEADER_FIELDS()];

    component hash[maxHeaders];
    signal reached[maxHeaders + 1];
    reached[0] <== endHash;

    // At least one header: without it every hash, even of no block at all, would be its own descendant.
    active[0] === 1;

    for (var i = 0; i < maxHeaders; i++) {
        // Booleans that never rise again: a fractional one could mix two hashes into a third.
        active[i] * (active[i] - 1) === 0;
        if (i > 0) {
            active[i] * (1 - active[i - 1]) === 0;
        }

        hash[i] = HeaderHash();
        hash[i].header <== headers[i];
        active[i] * (headers[i][HEADER_PARENT_HASH()] - reached[i]) === 0;
        reached[i + 1] <== reached[i] + active[i] * (hash[i].blockHash - reached[i]);
    }

    checkpointHash === reached[maxHeaders];
}
