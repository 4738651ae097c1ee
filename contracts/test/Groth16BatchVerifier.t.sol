// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Leaf} from "../src/Types.sol";
import {IGroth16BatchVerifier as Verifier} from "../src/interfaces/IGroth16BatchVerifier.sol";
import {Base} from "./Base.sol";
import {Deploy} from "./Deploy.sol";
import {SimulatedGroth16 as Groth16} from "./SimulatedGroth16.sol";

/// @notice ST-3 for proof system 1, on genuine pairings.
contract Groth16BatchVerifierTest is Base {
    Verifier private verifier;

    function setUp() public {
        verifier = Deploy.groth16BatchVerifier(Groth16.blockKey(), Groth16.ancestryKey());
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_ST3_acceptsWhatIsProven(uint256 seed, uint256 blocks, uint256 steps) public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) =
            _statement(seed, bound(blocks, 1, 8), bound(steps, 0, 3));
        bytes memory proof = Groth16.prove(from, leaves, ancestry, seed >> 1);
        vm.assertTrue(_accepts(from, leaves, ancestry, proof));
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
        Groth16.Proof[] memory list = Groth16.proofs(from, leaves, ancestry, 1);
        vm.assertTrue(_holds(from, leaves, ancestry, list));
        vm.assertFalse(_holds(from, leaves, ancestry, _swapped(list, 0, 1)));
        vm.assertFalse(_holds(from, leaves, ancestry, _swapped(list, 2, 3)));
        vm.assertFalse(_holds(from, leaves, ancestry, _swapped(list, 0, 2)));
    }

    /// @dev One proof is false and another one by as much the other way: together they were true without coefficients.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_ST3_refusesErrorsThatCancelInASum(uint256 shift, uint256 first, uint256 second) public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(2, 3, 3);
        Groth16.Proof[] memory list = Groth16.proofs(from, leaves, ancestry, 5);
        shift = bound(shift, 1, Groth16.ORDER - 1);
        (first, second) = (first % 6, second % 6);
        if (first == second) second = (first + 1) % 6;
        // By its delta, so that ancestry is as much in error as a block.
        _shiftC(list[first], shift, _delta(first));
        _shiftC(list[second], Groth16.ORDER - shift, _delta(second));
        vm.assertFalse(_holds(from, leaves, ancestry, list));
    }

    /// @dev Coefficients that are known while something can still be chosen can be played. All proofs are true here, but summed by
    /// the coefficients of a bundle that differs in one thing; if the seed left that out, they would be this one's.
    /// forge-config: default.fuzz.runs = 128
    function testFuzz_ST3_refusesTheCOfOtherCoefficients(uint256 seed, uint256 which, uint256 field) public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(seed, 3, 2);
        uint256 salt = 2 + (seed >> 1);
        bytes32 keysHash = verifier.verifyingKeysHash();
        Groth16.Proof[] memory list = Groth16.proofs(from, leaves, ancestry, salt);
        field %= 9;
        bytes32 other =
            Groth16.seedOf(field == 0 ? _other(keysHash) : keysHash, from, leaves, ancestry, Groth16.pairsOf(list));
        Leaf memory leaf = leaves[which % 3];
        if (field == 1) from = _other(from);
        if (field == 2) leaf.blockHash = _other(leaf.blockHash);
        if (field == 3) leaf.prover = address(uint160(uint160(leaf.prover) ^ 1));
        if (field == 4) leaf.proverFees ^= 1;
        if (field == 5) leaf.proverGas ^= 1;
        if (field == 6) ancestry[which % 2] = _other(ancestry[which % 2]);
        Groth16.Proof[] memory changed = Groth16.proofs(from, leaves, ancestry, salt);
        // Another A, or another B, of a single proof.
        if (field == 7) changed[which % 5] = Groth16.proofs(from, leaves, ancestry, salt + 3)[which % 5];
        if (field == 8) {
            uint256 each = salt + 4 * (which % 5);
            uint256 sameA = each % 3 == 2 ? salt - 2 : salt + 1;
            changed[which % 5] = Groth16.proofs(from, leaves, ancestry, sameA)[which % 5];
        }
        vm.assertTrue(_holds(from, leaves, ancestry, changed));
        vm.assertFalse(_accepts(from, leaves, ancestry, _summedBy(other, changed)));
    }

    /// @dev Proofs of three blocks, and of ancestry, with the C that a seed makes of theirs.
    function _summedBy(bytes32 seed, Groth16.Proof[] memory list) private view returns (bytes memory) {
        (uint256 blockC, uint256 ancestryC) = Groth16.sums(seed, list, 3);
        return Groth16.encode(list, 3, blockC, ancestryC);
    }

    /// @dev The blocks are false by an error that the C of ancestry makes up for, if somebody can tell s beforehand: were it one,
    /// or a hash over less than the seed and both C.
    function test_ST3_refusesErrorsThatCancelBetweenCircuits() public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(3, 2, 2);
        Groth16.Proof[] memory list = Groth16.proofs(from, leaves, ancestry, 6);
        bytes32 seed = Groth16.seedOf(verifier.verifyingKeysHash(), from, leaves, ancestry, Groth16.pairsOf(list));
        (uint256 blockC, uint256 ancestryC) = Groth16.sums(seed, list, 2);
        bytes memory bothC = bytes.concat(Groth16.pointOf(blockC), Groth16.pointOf(ancestryC));
        uint256[4] memory challenges =
            [1, _challenge(seed, ""), _challenge(seed, bothC), _challenge(seed, Groth16.pointOf(_inError(blockC)))];
        for (uint256 i; i < 4; ++i) {
            vm.assertFalse(_accepts(from, leaves, ancestry, _falseBlocks(list, blockC, ancestryC, challenges[i])));
        }
        challenges[3] = _challenge(seed, Groth16.pointOf(_inError(ancestryC)));
        for (uint256 i; i < 4; ++i) {
            vm.assertFalse(_accepts(from, leaves, ancestry, _falseAncestry(list, blockC, ancestryC, challenges[i])));
        }
    }

    function _inError(uint256 c) private pure returns (uint256) {
        return addmod(c, 99, Groth16.ORDER);
    }

    /// @dev The C of the blocks is in error, and that of ancestry by as much as makes up for it under a challenge.
    function _falseBlocks(Groth16.Proof[] memory list, uint256 blockC, uint256 ancestryC, uint256 challenge)
        private
        view
        returns (bytes memory)
    {
        uint256 weight = mulmod(challenge, Groth16.ANCESTRY_DELTA, Groth16.ORDER);
        uint256 less = mulmod(99 * Groth16.BLOCK_DELTA, Groth16.inverse(weight), Groth16.ORDER);
        return Groth16.encode(list, 2, _inError(blockC), addmod(ancestryC, Groth16.ORDER - less, Groth16.ORDER));
    }

    /// @dev The other way round.
    function _falseAncestry(Groth16.Proof[] memory list, uint256 blockC, uint256 ancestryC, uint256 challenge)
        private
        view
        returns (bytes memory)
    {
        uint256 shift = mulmod(99 * Groth16.ANCESTRY_DELTA, challenge, Groth16.ORDER);
        uint256 less = mulmod(shift, Groth16.inverse(Groth16.BLOCK_DELTA), Groth16.ORDER);
        return Groth16.encode(list, 2, addmod(blockC, Groth16.ORDER - less, Groth16.ORDER), _inError(ancestryC));
    }

    function test_ST3_refusesSwappedC() public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(3, 2, 1);
        Groth16.Proof[] memory list = Groth16.proofs(from, leaves, ancestry, 1);
        bytes32 seed = Groth16.seedOf(verifier.verifyingKeysHash(), from, leaves, ancestry, Groth16.pairsOf(list));
        (uint256 blockC, uint256 ancestryC) = Groth16.sums(seed, list, 2);
        vm.assertTrue(_accepts(from, leaves, ancestry, Groth16.encode(list, 2, blockC, ancestryC)));
        vm.assertFalse(_accepts(from, leaves, ancestry, Groth16.encode(list, 2, ancestryC, blockC)));
        vm.assertFalse(_accepts(from, leaves, ancestry, Groth16.encode(list, 2, blockC, 0)));
        vm.assertFalse(_accepts(from, leaves, ancestry, Groth16.encode(list, 2, 0, ancestryC)));
    }

    /// @dev A valid proof can be changed into another valid one; the statement, and so the prover paid, stays.
    function test_ST3_acceptsARerandomisedProof() public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(3, 1, 0);
        vm.assertTrue(verifier.verify(from, leaves, _nobody(), ancestry, Groth16.prove(from, leaves, ancestry, 1)));
        vm.assertTrue(verifier.verify(from, leaves, _nobody(), ancestry, Groth16.prove(from, leaves, ancestry, 2)));
    }

    function test_ST3_refusesANullProof() public view {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(4, 2, 1);
        vm.assertFalse(verifier.verify(from, leaves, _nobody(), ancestry, new bytes(704)));
    }

    function testFuzz_ST3_refusesOtherLengths(uint256 length) public {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(5, 2, 1);
        length = bound(length, 0, 1500);
        if (length == 704) ++length;
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_ProofLength.selector, length, 704));
        verifier.verify(from, leaves, _nobody(), ancestry, new bytes(length));
    }

    function test_ST3_refusesAnEmptyBundle() public {
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_ProofLength.selector, 0, 64));
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

    /// @dev A coordinate and the same plus the order are one element of the field, but only the first is its encoding.
    function test_ST3_refusesCoordinatesOutOfRange() public {
        (bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry) = _statement(7, 1, 1);
        bytes memory proof = Groth16.prove(from, leaves, ancestry, 7);
        for (uint256 word; word < 16; ++word) {
            bytes memory changed = bytes.concat(proof);
            assembly ("memory-safe") {
                let place := add(add(changed, 32), mul(word, 32))
                mstore(
                    place,
                    add(mload(place), 21888242871839275222246405745257275088696311157297823662689037894645226208583)
                )
            }
            vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_PointInvalid.selector));
            verifier.verify{gas: 5_000_000}(from, leaves, _nobody(), ancestry, changed);
        }
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
        Deploy.groth16BatchVerifier(ancestry, ancestry);
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_KeyLength.selector, 26, 20));
        Deploy.groth16BatchVerifier(block_, block_);
    }

    function testFuzz_ST3_refusesKeysOfTwoSetups(uint256 word) public {
        uint256[] memory ancestry = Groth16.ancestryKey();
        ancestry[word % 10] ^= 1;
        uint256[] memory block_ = Groth16.blockKey();
        vm.expectRevert(abi.encodeWithSelector(Verifier.ST3_KeysNotShared.selector));
        Deploy.groth16BatchVerifier(block_, ancestry);
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
        Deploy.groth16BatchVerifier(block_, ancestry);
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
            Deploy.groth16BatchVerifier(block_, ancestry);
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

    function _accepts(bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry, bytes memory proof)
        private
        view
        returns (bool)
    {
        return verifier.verify(from, leaves, _nobody(), ancestry, proof);
    }

    /// @dev Whether the proofs are taken, with C as it must be for them.
    function _holds(bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry, Groth16.Proof[] memory list)
        private
        view
        returns (bool)
    {
        return _accepts(from, leaves, ancestry, Groth16.bundle(from, leaves, ancestry, list));
    }

    function _swapped(Groth16.Proof[] memory list, uint256 first, uint256 second)
        private
        pure
        returns (Groth16.Proof[] memory other)
    {
        other = new Groth16.Proof[](list.length);
        for (uint256 i; i < list.length; ++i) {
            other[i] = list[i == first ? second : i == second ? first : i];
        }
    }

    function _delta(uint256 index) private pure returns (uint256) {
        return index < 3 ? Groth16.BLOCK_DELTA : Groth16.ANCESTRY_DELTA;
    }

    function _shiftC(Groth16.Proof memory proof, uint256 shift, uint256 delta) private view {
        proof.c = addmod(proof.c, mulmod(shift, Groth16.inverse(delta), Groth16.ORDER), Groth16.ORDER);
    }

    function _challenge(bytes32 seed, bytes memory points) private pure returns (uint256) {
        return (uint256(keccak256(abi.encodePacked(seed, points))) >> 128) + 1;
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
