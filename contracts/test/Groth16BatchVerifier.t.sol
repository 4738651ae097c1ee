// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Groth16BatchVerifier as Verifier} from "../src/Groth16BatchVerifier.sol";
import {Leaf} from "../src/Types.sol";
import {Base} from "./Base.sol";
import {SimulatedGroth16 as Groth16} from "./SimulatedGroth16.sol";

/// @notice ST-3 for proof system 1, on genuine pairings.
contract Groth16BatchVerifierTest is Base {
    Verifier private verifier;

    function setUp() public {
        verifier = new Verifier(Groth16.blockKey(), Groth16.ancestryKey());
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_ST3_acceptsWhatIsProven(uint256 seed, uint256 blocks, uint256 steps) public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) =
            _statement(seed, bound(blocks, 1, 8), bound(steps, 0, 3));
        vm.assertTrue(
            verifier.verify(from, leaves, _nobody(), ancestry, Groth16.prove(from, leaves, ancestry, seed >> 1))
        );
    }

    /// @dev The whole statement is bound: change any one value of it, and the proof no longer verifies.
    /// forge-config: default.fuzz.runs = 128
    function testFuzz_ST3_bindsEveryInput(uint256 seed, uint256 which, uint256 field) public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(seed, 3, 2);
        bytes memory proof = Groth16.prove(from, leaves, ancestry, seed >> 1);
        Leaf memory leaf = leaves[which % 3];
        field %= 6;
        // Forcing the lowest bit down or up by one keeps the value within its width and its field.
        if (field == 0) from = _other(from);
        if (field == 1) leaf.blockHash = _other(leaf.blockHash);
        if (field == 2) leaf.prover = address(uint160(uint160(leaf.prover) ^ 1));
        if (field == 3) leaf.proverFees ^= 1;
        if (field == 4) leaf.proverGas ^= 1;
        if (field == 5) ancestry[which % 2] = _other(ancestry[which % 2]);
        vm.assertFalse(verifier.verify(from, leaves, _nobody(), ancestry, proof));
    }

    /// @dev Swapped proofs are the attack on a sum without coefficients: every part is still there.
    function test_ST3_refusesSwappedProofs() public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(1, 2, 2);
        bytes memory first = Groth16.proveBlock(from, leaves[0], 1);
        bytes memory second = Groth16.proveBlock(leaves[0].blockHash, leaves[1], 2);
        bytes memory third = Groth16.proveAncestry(leaves[1].blockHash, ancestry[0], 3);
        bytes memory fourth = Groth16.proveAncestry(ancestry[0], ancestry[1], 4);
        vm.assertTrue(verifier.verify(from, leaves, _nobody(), ancestry, bytes.concat(first, second, third, fourth)));
        vm.assertFalse(verifier.verify(from, leaves, _nobody(), ancestry, bytes.concat(second, first, third, fourth)));
        vm.assertFalse(verifier.verify(from, leaves, _nobody(), ancestry, bytes.concat(first, second, fourth, third)));
        vm.assertFalse(verifier.verify(from, leaves, _nobody(), ancestry, bytes.concat(third, second, first, fourth)));
    }

    /// @dev Two false proofs whose errors cancel in a plain product: C moved up in one and down in the other.
    function test_ST3_refusesErrorsThatCancel() public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(2, 2, 0);
        bytes memory proof = Groth16.prove(from, leaves, ancestry, 5);
        (uint256 x, uint256 y) = Groth16.multiply(99);
        (uint256 minusX, uint256 minusY) = Groth16.multiply(Groth16.ORDER - 99);
        _addToC(proof, 0, x, y);
        _addToC(proof, 1, minusX, minusY);
        vm.assertFalse(verifier.verify(from, leaves, _nobody(), ancestry, proof));
    }

    /// @dev Whoever knew the coefficients before the proof is fixed could choose errors that cancel under them. Seeds that
    /// leave the proof out, and the seed of the proof before it was changed, are what could be known.
    function test_ST3_refusesErrorsMadeForForeseeableCoefficients() public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(2, 2, 0);
        bytes memory proof = Groth16.prove(from, leaves, ancestry, 5);
        bytes32 keysHash = verifier.verifyingKeysHash();
        bytes32[3] memory seeds = [
            keysHash,
            keccak256(
                abi.encodePacked(keysHash, abi.encodeCall(verifier.verify, (from, leaves, _nobody(), ancestry, "")))
            ),
            keccak256(
                abi.encodePacked(keysHash, abi.encodeCall(verifier.verify, (from, leaves, _nobody(), ancestry, proof)))
            )
        ];
        for (uint256 i; i < 3; ++i) {
            uint256 coefficient = uint256(uint128(uint256(keccak256(abi.encode(seeds[i], uint256(0)))))) + 1;
            bytes memory forged = bytes.concat(proof);
            (uint256 x, uint256 y) = Groth16.multiply(99);
            _addToC(forged, 0, x, y);
            (x, y) = Groth16.multiply(mulmod(Groth16.ORDER - 99, Groth16.inverse(coefficient), Groth16.ORDER));
            _addToC(forged, 1, x, y);
            vm.assertFalse(verifier.verify(from, leaves, _nobody(), ancestry, forged));
        }
    }

    /// @dev A valid proof can be changed into another valid one; the statement, and so the prover paid, stays.
    function test_ST3_acceptsARerandomisedProof() public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(3, 1, 0);
        vm.assertTrue(verifier.verify(from, leaves, _nobody(), ancestry, Groth16.prove(from, leaves, ancestry, 1)));
        vm.assertTrue(verifier.verify(from, leaves, _nobody(), ancestry, Groth16.prove(from, leaves, ancestry, 2)));
    }

    function test_ST3_refusesANullProof() public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(4, 2, 1);
        vm.assertFalse(verifier.verify(from, leaves, _nobody(), ancestry, new bytes(768)));
    }

    function testFuzz_ST3_refusesOtherLengths(uint256 length) public {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(5, 2, 1);
        length = bound(length, 0, 1500);
        if (length == 768) ++length;
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_ProofLength.selector, length, 768));
        verifier.verify(from, leaves, _nobody(), ancestry, new bytes(length));
    }

    function test_ST3_refusesAnEmptyBundle() public {
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_ProofLength.selector, 0, 0));
        verifier.verify(0, new Leaf[](0), _nobody(), new bytes32[](0), "");
    }

    /// @dev x and x + order are one field element: only the smaller may stand for a hash.
    function test_ST3_refusesUnreducedHashes() public {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(6, 2, 1);
        bytes memory proof = Groth16.prove(from, leaves, ancestry, 6);
        bytes32 original = from;
        from = _unreduced(original);
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_InputNotInField.selector, from));
        verifier.verify(from, leaves, _nobody(), ancestry, proof);
        from = original;

        original = leaves[1].blockHash;
        leaves[1].blockHash = _unreduced(original);
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_InputNotInField.selector, leaves[1].blockHash));
        verifier.verify(from, leaves, _nobody(), ancestry, proof);
        leaves[1].blockHash = original;

        original = ancestry[0];
        ancestry[0] = _unreduced(original);
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_InputNotInField.selector, ancestry[0]));
        verifier.verify(from, leaves, _nobody(), ancestry, proof);
        ancestry[0] = original;

        vm.assertTrue(verifier.verify(from, leaves, _nobody(), ancestry, proof));
    }

    /// @dev Word by word: no word of a proof can be changed without notice.
    function testFuzz_ST3_refusesAnyOtherWord(uint256 word, uint256 value) public {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(7, 1, 1);
        bytes memory proof = Groth16.prove(from, leaves, ancestry, 7);
        word = bound(word, 0, 15);
        assembly ("memory-safe") {
            let place := add(add(proof, 32), mul(word, 32))
            if eq(mload(place), value) { value := add(value, 1) }
            mstore(place, value)
        }
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_PointInvalid.selector));
        verifier.verify{gas: 5_000_000}(from, leaves, _nobody(), ancestry, proof);
    }

    function test_ST3_refusesAPointOutsideTheSubgroup() public {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(8, 1, 0);
        bytes memory proof = Groth16.prove(from, leaves, ancestry, 8);
        uint256[4] memory outside = _outsideSubgroup();
        assembly ("memory-safe") {
            mcopy(add(proof, 96), outside, 128)
        }
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_PointInvalid.selector));
        verifier.verify{gas: 5_000_000}(from, leaves, _nobody(), ancestry, proof);
    }

    function test_ST3_keepsItsKeys() public view {
        uint256[] memory block_ = Groth16.blockKey();
        uint256[] memory ancestry = Groth16.ancestryKey();
        uint256[] memory words = verifier.verifyingKeys();
        vm.assertEq(words.length, 36);
        for (uint256 i; i < 36; ++i) {
            vm.assertEq(words[i], i < 26 ? block_[i] : ancestry[i - 16]);
        }
        vm.assertEq(verifier.verifyingKeysHash(), keccak256(abi.encodePacked(words)));
    }

    function test_ST3_refusesKeysOfOtherLengths() public {
        uint256[] memory block_ = Groth16.blockKey();
        uint256[] memory ancestry = Groth16.ancestryKey();
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_KeyLength.selector, 20, 26));
        new Verifier(ancestry, ancestry);
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_KeyLength.selector, 26, 20));
        new Verifier(block_, block_);
    }

    function testFuzz_ST3_refusesKeysOfTwoSetups(uint256 word) public {
        uint256[] memory ancestry = Groth16.ancestryKey();
        ancestry[word % 10] ^= 1;
        uint256[] memory block_ = Groth16.blockKey();
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_KeysNotShared.selector));
        new Verifier(block_, ancestry);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_ST3_refusesKeysOffTheirCurve(uint256 word) public {
        uint256[] memory block_ = Groth16.blockKey();
        uint256[] memory ancestry = Groth16.ancestryKey();
        word %= 36;
        if (word < 26) block_[word] ^= 1;
        else ancestry[word - 16] ^= 1;
        if (word < 10) ancestry[word] ^= 1;
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_PointInvalid.selector));
        new Verifier(block_, ancestry);
    }

    /// @dev An infinite delta or gamma would let anybody solve for a proof; infinite alpha or beta as well.
    function test_ST3_refusesInfiniteKeys() public {
        uint8[5] memory starts = [0, 2, 6, 10, 26];
        for (uint256 k; k < 5; ++k) {
            uint256[] memory block_ = Groth16.blockKey();
            uint256[] memory ancestry = Groth16.ancestryKey();
            for (uint256 i = starts[k]; i < starts[k] + (k == 0 ? 2 : 4); ++i) {
                if (i < 26) block_[i] = 0;
                else ancestry[i - 16] = 0;
                if (i < 10) ancestry[i] = 0;
            }
            vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_KeyInvalid.selector));
            new Verifier(block_, ancestry);
        }
    }

    /// @dev RW-2: nothing is merged here, so that a merger who is named did nothing.
    function testFuzz_ST3_refusesMergers(address[] memory mergers) public {
        vm.assume(mergers.length != 0);
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(9, 1, 0);
        bytes memory proof = Groth16.prove(from, leaves, ancestry, 9);
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_NothingMerged.selector));
        verifier.verify(from, leaves, mergers, ancestry, proof);
    }

    function _nobody() private pure returns (address[] memory) {
        return new address[](0);
    }

    function _statement(uint256 seed, uint256 blocks, uint256 steps)
        private
        pure
        returns (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry)
    {
        from = _hash(seed, 0);
        leaves = new Leaf[](blocks);
        for (uint256 i; i < blocks; ++i) {
            uint256 random = uint256(keccak256(abi.encode("leaf", seed, i)));
            leaves[i] = Leaf({
                blockHash: _hash(seed, i + 1),
                prover: address(uint160(random)),
                proverFees: uint96(random >> 160),
                proverGas: uint64(random >> 96)
            });
        }
        ancestry = new bytes32[](steps);
        for (uint256 i; i < steps; ++i) {
            ancestry[i] = _hash(seed, blocks + i + 1);
        }
    }

    function _hash(uint256 seed, uint256 index) private pure returns (bytes32) {
        return bytes32(uint256(keccak256(abi.encode("hash", seed, index))) % Groth16.ORDER);
    }

    function _other(bytes32 hash) private pure returns (bytes32) {
        return bytes32((uint256(hash) + 1) % Groth16.ORDER);
    }

    function _unreduced(bytes32 hash) private pure returns (bytes32) {
        return bytes32(uint256(hash) + Groth16.ORDER);
    }

    function _addToC(bytes memory proof, uint256 index, uint256 x, uint256 y) private view {
        uint256 start = 32 + index * 256 + 192;
        uint256 cx;
        uint256 cy;
        assembly ("memory-safe") {
            cx := mload(add(proof, start))
            cy := mload(add(proof, add(start, 32)))
        }
        (, bytes memory sum) = address(6).staticcall(abi.encode(cx, cy, x, y));
        (cx, cy) = abi.decode(sum, (uint256, uint256));
        assembly ("memory-safe") {
            mstore(add(proof, start), cx)
            mstore(add(proof, add(start, 32)), cy)
        }
    }

    /// @dev On the twist, but not in the subgroup of prime order.
    function _outsideSubgroup() private pure returns (uint256[4] memory) {
        return [
            uint256(0),
            1,
            15975588672102553735566230729081043132501226101599136527557730645158523614371,
            3610091866386166428467545612961983990332663701371483510632385378352395651980
        ];
    }
}
