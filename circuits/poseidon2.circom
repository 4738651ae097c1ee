// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

include "poseidon2_constants.circom";

/// The Poseidon2 permutation over the BN254 scalar field: t = 4, x^5, 4 + 56 + 4 rounds, Barretenberg's constants.
///
/// in  - the four state elements
/// out - the permuted state
///
/// Only the S-boxes cost constraints, three each (264 in all). Between them the state is kept as linear expressions in
/// `var`s: a component input per round would be one more signal for the simplifier to remove.
template Poseidon2Permutation() {
    signal input in[4];
    signal output out[4];

    signal fullSquare[8][4];
    signal fullFourth[8][4];
    signal fullFifth[8][4];
    signal partialSquare[56];
    signal partialFourth[56];
    signal partialFifth[56];

    var fullConstants[8][4] = POSEIDON2_FULL_ROUND_CONSTANTS();
    var partialConstants[56] = POSEIDON2_PARTIAL_ROUND_CONSTANTS();
    var diagonal[4] = POSEIDON2_INTERNAL_DIAGONAL();

    var s[4];
    var mixed[4];

    mixed[0] = 5 * in[0] + 7 * in[1] + in[2] + 3 * in[3];
    mixed[1] = 4 * in[0] + 6 * in[1] + in[2] + in[3];
    mixed[2] = in[0] + 3 * in[1] + 5 * in[2] + 7 * in[3];
    mixed[3] = in[0] + in[1] + 4 * in[2] + 6 * in[3];

    for (var round = 0; round < 8; round++) {
        if (round == 4) {
            for (var k = 0; k < 56; k++) {
                var x = mixed[0] + partialConstants[k];
                partialSquare[k] <== x * x;
                partialFourth[k] <== partialSquare[k] * partialSquare[k];
                partialFifth[k] <== partialFourth[k] * x;
                var sum = partialFifth[k] + mixed[1] + mixed[2] + mixed[3];
                mixed[0] = diagonal[0] * partialFifth[k] + sum;
                for (var i = 1; i < 4; i++) {
                    mixed[i] = diagonal[i] * mixed[i] + sum;
                }
            }
        }
        for (var i = 0; i < 4; i++) {
            var x = mixed[i] + fullConstants[round][i];
            fullSquare[round][i] <== x * x;
            fullFourth[round][i] <== fullSquare[round][i] * fullSquare[round][i];
            fullFifth[round][i] <== fullFourth[round][i] * x;
            s[i] = fullFifth[round][i];
        }
        mixed[0] = 5 * s[0] + 7 * s[1] + s[2] + 3 * s[3];
        mixed[1] = 4 * s[0] + 6 * s[1] + s[2] + s[3];
        mixed[2] = s[0] + 3 * s[1] + 5 * s[2] + 7 * s[3];
        mixed[3] = s[0] + s[1] + 4 * s[2] + 6 * s[3];
    }

    for (var i = 0; i < 4; i++) {
        out[i] <== mixed[i];
    }
}

/// H(inputs): fixed-length Poseidon2 sponge of rate 3, equal to `poseidon2Hash(inputs)` of @zkpassport/poseidon2.
///
/// length - how many field elements are hashed, at least 1; ceil(length / 3) permutations
///
/// The capacity element starts with the length, so hashes of different lengths are different functions and the zeros
/// that pad the last chunk cannot be mistaken for inputs.
template Poseidon2Hash(length) {
    assert(length > 0);
    signal input in[length];
    signal output out;

    var chunks = (length + 2) \ 3;
    component permutation[chunks];

    for (var chunk = 0; chunk < chunks; chunk++) {
        permutation[chunk] = Poseidon2Permutation();
        for (var i = 0; i < 3; i++) {
            var element = 0;
            if (chunk > 0) {
                element = permutation[chunk - 1].out[i];
            }
            if (3 * chunk + i < length) {
                element = element + in[3 * chunk + i];
            }
            permutation[chunk].in[i] <== element;
        }
        if (chunk == 0) {
            permutation[chunk].in[3] <== length * (1 << 64);
        } else {
            permutation[chunk].in[3] <== permutation[chunk - 1].out[3];
        }
    }

    out <== permutation[chunks - 1].out[0];
}
