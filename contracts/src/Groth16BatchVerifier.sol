// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {SSTORE2} from "solady/utils/SSTORE2.sol";
import {Leaf} from "./Types.sol";
import {IGroth16BatchVerifier} from "./interfaces/IGroth16BatchVerifier.sol";
import {IProofVerifier} from "./interfaces/IProofVerifier.sol";

/// @title Groth16 proofs of blocks and of ancestry over BN254, checked together (ST-3, proof system 1)
/// @notice Groth16 has no merge: a range is a bundle of one proof per block and one per ancestry step. All of them are
/// folded into one pairing call of (proofs + 3) pairs, one more with ancestry, instead of four pairs per proof.
///
/// Proof i claims e(A_i, B_i) = e(alpha, beta) e(L_i, gamma) e(C_i, delta). What is checked for a circuit is the product of its
/// claims, each to the power of its own coefficient r_i. It takes no C_i but their sum C = sum r_i C_i, and so that is all
/// that a bundle carries of them: one C for each circuit.
///
/// Why that is sound: coefficients are 128 bits of a hash over both verifying keys, all public inputs, all A and all B, so that
/// only C is chosen after them. In the algebraic group model C is a combination of points that its maker knows, and so
/// sum r_i (a_i b_i - alpha beta - gamma l_i) must be delta times such a combination. If one of the terms is not, the sum is
/// for at most one in 2^128 choices of that term's coefficient. So whoever can make C could have made every C_i.
///
/// With one product for both circuits, whose deltas differ, the C of one could make up for what is false of the other. So the
/// whole equation of ancestry is taken to the power of s, 128 bits of a hash over all of the above and both C. Both equations are
/// fixed before s is: unless each holds by itself, their product holds for at most one in 2^128 choices of s.
/// @dev `proof` has A.x A.y B.x1 B.x0 B.y1 B.y0 (192 bytes) for each block, then for each ancestry step; then C.x C.y (64
/// bytes) of the blocks, then of ancestry if there are steps. The precompiles refuse coordinates out of range and points off
/// their curve or subgroup: each point passes one.
contract Groth16BatchVerifier is IGroth16BatchVerifier {
    uint256 private constant SCALAR_ORDER =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant BASE_ORDER = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    /// @dev Bytes of a proof's A and B, which are a pair as the pairing precompile takes it.
    uint256 private constant PAIR_LENGTH = 192;
    /// @dev Bytes of a circuit's C.
    uint256 private constant C_LENGTH = 64;
    uint256 private constant BLOCK_INPUTS = 5;
    uint256 private constant ANCESTRY_INPUTS = 2;
    /// @dev Words that both keys begin with: alpha (2), beta (4), gamma (4).
    uint256 private constant SHARED_WORDS = 10;
    uint256 private constant BLOCK_KEY_WORDS = SHARED_WORDS + 4 + 2 * (BLOCK_INPUTS + 1);
    uint256 private constant ANCESTRY_KEY_WORDS = SHARED_WORDS + 4 + 2 * (ANCESTRY_INPUTS + 1);

    // Where the parts of the stored keys begin, in words: the block key, then the ancestry key without what it shares.
    uint256 private constant ALPHA = 0;
    uint256 private constant BETA = 2;
    uint256 private constant GAMMA = 6;
    uint256 private constant BLOCK_DELTA = SHARED_WORDS;
    uint256 private constant BLOCK_BASES = BLOCK_DELTA + 4;
    uint256 private constant ANCESTRY_DELTA = BLOCK_KEY_WORDS;
    uint256 private constant ANCESTRY_BASES = ANCESTRY_DELTA + 4;

    /// @inheritdoc IGroth16BatchVerifier
    bytes32 public immutable verifyingKeysHash;
    address private immutable _keys;

    /// @notice Checks the verifying keys and keeps them in contract code.
    /// @param blockKey Verifying key of the block circuit: alpha, beta, gamma, delta, then the bases of the public inputs
    /// (26 words; G2 points with the imaginary part first).
    /// @param ancestryKey Verifying key of the ancestry circuit in the same form (20 words), on the same powers of tau.
    constructor(uint256[] memory blockKey, uint256[] memory ancestryKey) {
        if (blockKey.length != BLOCK_KEY_WORDS) revert ST3_KeyLength(blockKey.length, BLOCK_KEY_WORDS);
        if (ancestryKey.length != ANCESTRY_KEY_WORDS) revert ST3_KeyLength(ancestryKey.length, ANCESTRY_KEY_WORDS);
        uint256[] memory words = new uint256[](BLOCK_KEY_WORDS + ANCESTRY_KEY_WORDS - SHARED_WORDS);
        for (uint256 i; i < BLOCK_KEY_WORDS; ++i) {
            words[i] = blockKey[i];
        }
        for (uint256 i; i < ANCESTRY_KEY_WORDS; ++i) {
            if (i >= SHARED_WORDS) words[BLOCK_KEY_WORDS + i - SHARED_WORDS] = ancestryKey[i];
            else if (ancestryKey[i] != blockKey[i]) revert ST3_KeysNotShared();
        }
        _requireValidKeys(words);
        bytes memory packed = abi.encodePacked(words);
        verifyingKeysHash = keccak256(packed);
        _keys = SSTORE2.write(packed);
    }

    /// @inheritdoc IProofVerifier
    function verify(
        bytes32 from,
        Leaf[] calldata leaves,
        address[] calldata mergers,
        bytes32[] calldata ancestry,
        bytes calldata proof
    ) external view returns (bool) {
        if (mergers.length != 0) revert ST3_NothingMerged();
        uint256 count = leaves.length + ancestry.length;
        uint256 pairsLength = count * PAIR_LENGTH;
        uint256 length = pairsLength + (ancestry.length == 0 ? C_LENGTH : 2 * C_LENGTH);
        if (leaves.length == 0 || proof.length != length) revert ST3_ProofLength(proof.length, length);
        bytes32 seed = keccak256(abi.encode(verifyingKeysHash, from, leaves, ancestry, proof[:pairsLength]));
        uint256[] memory pairs = new uint256[]((count + (ancestry.length == 0 ? 3 : 4)) * PAIR_LENGTH / 32);
        assembly ("memory-safe") {
            calldatacopy(add(pairs, 32), proof.offset, pairsLength)
        }

        uint256[] memory keys = verifyingKeys();
        uint256[] memory scalars = _foldBlocks(pairs, seed, from, leaves);
        uint256 coefficients = scalars[0];
        (uint256 inputsX, uint256 inputsY) = _combine(keys, BLOCK_BASES, scalars);
        (uint256 x, uint256 y) = abi.decode(proof[pairsLength:], (uint256, uint256));
        // Adding infinity changes nothing and refuses what is no point, before it is negated.
        (x, y) = _add(x, y, 0, 0);
        _setPair(pairs, count + 2, x, y, keys, BLOCK_DELTA);
        if (ancestry.length != 0) {
            uint256 challenge = (uint256(keccak256(abi.encodePacked(seed, proof[pairsLength:]))) >> 128) + 1;
            bytes32 end = leaves[leaves.length - 1].blockHash;
            scalars = _foldAncestry(pairs, seed, challenge, leaves.length, end, ancestry);
            coefficients = addmod(coefficients, scalars[0], SCALAR_ORDER);
            (x, y) = _combine(keys, ANCESTRY_BASES, scalars);
            (inputsX, inputsY) = _add(inputsX, inputsY, x, y);
            (x, y) = abi.decode(proof[pairsLength + C_LENGTH:], (uint256, uint256));
            (x, y) = _multiply(x, y, challenge);
            _setPair(pairs, count + 3, x, y, keys, ANCESTRY_DELTA);
        }
        (x, y) = _multiply(keys[ALPHA], keys[ALPHA + 1], coefficients);
        _setPair(pairs, count, x, y, keys, BETA);
        _setPair(pairs, count + 1, inputsX, inputsY, keys, GAMMA);
        return _pairing(pairs);
    }

    /// @inheritdoc IGroth16BatchVerifier
    function verifyingKeys() public view returns (uint256[] memory words) {
        bytes memory packed = SSTORE2.read(_keys);
        // The same bytes, their length in words.
        assembly ("memory-safe") {
            words := packed
            mstore(words, shr(5, mload(packed)))
        }
    }

    /// @dev Multiplies each block's A in `pairs` by its coefficient, and answers for each public input the sum of its values,
    /// each times its coefficient. What comes first is the sum of the coefficients.
    function _foldBlocks(uint256[] memory pairs, bytes32 seed, bytes32 from, Leaf[] calldata leaves)
        private
        view
        returns (uint256[] memory scalars)
    {
        scalars = new uint256[](BLOCK_INPUTS + 1);
        uint256 parent = _requireInField(from);
        for (uint256 i; i < leaves.length; ++i) {
            Leaf calldata leaf = leaves[i];
            uint256 coefficient = _coefficient(seed, i);
            uint256 blockHash = _requireInField(leaf.blockHash);
            _accumulate(scalars, 0, coefficient, 1);
            _accumulate(scalars, 1, coefficient, parent);
            _accumulate(scalars, 2, coefficient, blockHash);
            _accumulate(scalars, 3, coefficient, uint160(leaf.prover));
            _accumulate(scalars, 4, coefficient, leaf.proverFees);
            _accumulate(scalars, 5, coefficient, leaf.proverGas);
            // The first coefficient is one: that A is checked by the pairing.
            if (i != 0) _multiplyA(pairs, i, coefficient);
            parent = blockHash;
        }
    }

    /// @dev The same for ancestry, whose pairs begin at `first`. Its coefficients are times the challenge.
    function _foldAncestry(
        uint256[] memory pairs,
        bytes32 seed,
        uint256 challenge,
        uint256 first,
        bytes32 end,
        bytes32[] calldata ancestry
    ) private view returns (uint256[] memory scalars) {
        scalars = new uint256[](ANCESTRY_INPUTS + 1);
        // The last leaf's hash is in the field.
        uint256 parent = uint256(end);
        for (uint256 i; i < ancestry.length; ++i) {
            uint256 coefficient = mulmod(_coefficient(seed, first + i), challenge, SCALAR_ORDER);
            uint256 descendant = _requireInField(ancestry[i]);
            _accumulate(scalars, 0, coefficient, 1);
            _accumulate(scalars, 1, coefficient, parent);
            _accumulate(scalars, 2, coefficient, descendant);
            _multiplyA(pairs, first + i, coefficient);
            parent = descendant;
        }
    }

    /// @dev Multiplies the first point of a pair, which stays where it is.
    function _multiplyA(uint256[] memory pairs, uint256 position, uint256 coefficient) private view {
        uint256 start = position * 6;
        (pairs[start], pairs[start + 1]) = _multiply(pairs[start], pairs[start + 1], coefficient);
    }

    /// @dev Pairs the negative of a point with a point of the keys: right-hand sides are negated, so that the product is one.
    function _setPair(
        uint256[] memory pairs,
        uint256 position,
        uint256 x,
        uint256 y,
        uint256[] memory keys,
        uint256 key
    ) private pure {
        uint256 start = position * 6;
        pairs[start] = x;
        // Infinity is (0, 0) and its own negative; no point of the curve has y = 0.
        pairs[start + 1] = y == 0 ? 0 : BASE_ORDER - y;
        assembly ("memory-safe") {
            mcopy(add(add(pairs, 96), mul(start, 32)), add(add(keys, 32), mul(key, 32)), 128)
        }
    }

    function _combine(uint256[] memory keys, uint256 bases, uint256[] memory scalars)
        private
        view
        returns (uint256 sumX, uint256 sumY)
    {
        for (uint256 i; i < scalars.length; ++i) {
            (uint256 x, uint256 y) = _multiply(keys[bases + 2 * i], keys[bases + 2 * i + 1], scalars[i]);
            (sumX, sumY) = _add(sumX, sumY, x, y);
        }
    }

    /// @dev Two coefficients per hash, 128 bits each, never zero, which would switch its proof off. The first is one:
    /// a common factor changes nothing, and this one saves a multiplication.
    function _coefficient(bytes32 seed, uint256 index) private pure returns (uint256) {
        if (index == 0) return 1;
        uint256 digest = uint256(keccak256(abi.encode(seed, index / 2)));
        return (index % 2 == 0 ? digest >> 128 : digest & type(uint128).max) + 1;
    }

    function _accumulate(uint256[] memory scalars, uint256 index, uint256 coefficient, uint256 value) private pure {
        assembly ("memory-safe") {
            let place := add(add(scalars, 32), mul(index, 32))
            mstore(place, addmod(mload(place), mulmod(coefficient, value, SCALAR_ORDER), SCALAR_ORDER))
        }
    }

    /// @dev An input and the same plus the order are the same to the pairing: only one of them may stand for a hash.
    function _requireInField(bytes32 value) private pure returns (uint256 number) {
        number = uint256(value);
        if (number >= SCALAR_ORDER) revert ST3_InputNotInField(number);
    }

    function _requireValidKeys(uint256[] memory words) private view {
        // Multiplying refuses what is off the curve; pairing with infinity refuses what is off the curve or subgroup.
        if (_isInfinity(words, ALPHA, 2)) revert ST3_KeyInvalid();
        _multiply(words[ALPHA], words[ALPHA + 1], 1);
        for (uint256 i = BLOCK_BASES; i < words.length; i += 2) {
            if (i == ANCESTRY_DELTA) i = ANCESTRY_BASES;
            _multiply(words[i], words[i + 1], 1);
        }
        uint256[4] memory points = [BETA, GAMMA, BLOCK_DELTA, ANCESTRY_DELTA];
        uint256[] memory pairs = new uint256[](24);
        for (uint256 i; i < 4; ++i) {
            if (_isInfinity(words, points[i], 4)) revert ST3_KeyInvalid();
            _setPair(pairs, i, 0, 0, words, points[i]);
        }
        _pairing(pairs);
    }

    function _isInfinity(uint256[] memory words, uint256 start, uint256 length) private pure returns (bool) {
        uint256 any;
        for (uint256 i; i < length; ++i) {
            any |= words[start + i];
        }
        return any == 0;
    }

    function _multiply(uint256 x, uint256 y, uint256 scalar) private view returns (uint256 rx, uint256 ry) {
        bool done;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, x)
            mstore(add(free, 32), y)
            mstore(add(free, 64), scalar)
            done := staticcall(gas(), 0x07, free, 96, free, 64)
            rx := mload(free)
            ry := mload(add(free, 32))
        }
        if (!done) revert ST3_PointInvalid();
    }

    function _add(uint256 ax, uint256 ay, uint256 bx, uint256 by) private view returns (uint256 rx, uint256 ry) {
        bool done;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, ax)
            mstore(add(free, 32), ay)
            mstore(add(free, 64), bx)
            mstore(add(free, 96), by)
            done := staticcall(gas(), 0x06, free, 128, free, 64)
            rx := mload(free)
            ry := mload(add(free, 32))
        }
        if (!done) revert ST3_PointInvalid();
    }

    function _pairing(uint256[] memory pairs) private view returns (bool holds) {
        bool done;
        assembly ("memory-safe") {
            done := staticcall(gas(), 0x08, add(pairs, 32), mul(mload(pairs), 32), 0x00, 32)
            holds := eq(mload(0x00), 1)
        }
        if (!done) revert ST3_PointInvalid();
    }
}
