// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

include "poseidon2.circom";

// Positions of the header's fields, in hash order.

/// How many fields a header has.
function HEADER_FIELDS() { return 9; }
/// Hash of the block before; 0 for genesis.
function HEADER_PARENT_HASH() { return 0; }
/// Height; genesis is 0.
function HEADER_NUMBER() { return 1; }
/// Root of the account tree after the block.
function HEADER_STATE_ROOT() { return 2; }
/// Root of the tree of transfer digests.
function HEADER_TRANSACTIONS_ROOT() { return 3; }
/// Prover gas that the block's transfers used.
function HEADER_PROVER_GAS_USED() { return 4; }
/// Wei per prover gas, the snapshot that prices this block (FM-4).
function HEADER_PROVER_PRICE() { return 5; }
/// Wei that the block's transfers paid for proving (FM-6).
function HEADER_PROVER_FEES() { return 6; }
/// L1 signal multiplier, fixed point: 1.0 is 10^6.
function HEADER_SIGNAL_MULTIPLIER() { return 7; }
/// Unix seconds.
function HEADER_TIMESTAMP() { return 8; }

/// Opens a block hash: blockHash = H(the nine header fields).
template HeaderHash() {
    signal input header[HEADER_FIELDS()];
    signal output blockHash;

    component hash = Poseidon2Hash(HEADER_FIELDS());
    hash.in <== header;
    blockHash <== hash.out;
}
