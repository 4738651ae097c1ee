// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

include "../block.circom";

// Two transfers, 256 accounts, chain id "lgnm", 16000 prover gas a transfer.
component main {public [parentHash, blockHash, prover, proverFees, proverGas]} = BlockProof(2, 8, 1818717805, 16000);
