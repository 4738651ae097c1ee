// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

// Small enough to run a whole setup within a test.
template Tiny() {
    signal input left;
    signal input right;
    signal output product;

    product <== left * right;
}

component main = Tiny();
