// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

include "poseidon2.circom";

// The permutation, and hashes of every length that the circuits use or that ends a chunk in another place.
template Poseidon2Test() {
    signal input in[10];
    signal output permuted[4];
    signal output hashed[10];

    component permutation = Poseidon2Permutation();
    component hash[10];
    for (var i = 0; i < 4; i++) {
        permutation.in[i] <== in[i];
    }
    permuted <== permutation.out;
    for (var length = 1; length <= 10; length++) {
        hash[length - 1] = Poseidon2Hash(length);
        for (var i = 0; i < length; i++) {
            hash[length - 1].in[i] <== in[i];
        }
        hashed[length - 1] <== hash[length - 1].out;
    }
}

component main = Poseidon2Test();
