// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {BLS} from "../src/BLS.sol";
import {Base} from "./Base.sol";
import {Signers} from "./Signers.sol";

/// @notice Certificates stand on this library (CP-2).
contract BLSTest is Base {
    bytes private constant DOMAIN = "TEST-BLS12381G1_XMD:SHA-256_SSWU_RO_";
    /// @dev x = 0 is on the curve, but outside the prime-order subgroup.
    bytes private constant G1_OUTSIDE_SUBGROUP = hex"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000004"
        hex"000000000000000000000000000000000a989badd40d6212b33cffc3f3763e9bc760f988c9926b26da9dd85e928483446346b8ed00e1de5d5ea93e354abe706c";
    bytes private constant G2_OUTSIDE_SUBGROUP = hex"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000002"
        hex"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        hex"0000000000000000000000000000000018c6b864ae17dc9da64203ffefb966306425a7bc6aeb7c75247438372716284a4173830420cd476ba1a365b95bfcec38"
        hex"00000000000000000000000000000000172e93db764a8400a7d5071b6b6f5de0da2f0f4a063119abca014006b7c40a2cfe291a1924e65db0d6d0fcfbf3bf3d5c";

    function test_CP2_hashesLikeRfc9380() public view {
        bytes memory domain = "QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";
        vm.assertEq(
            BLS.hashToG1("", domain),
            hex"00000000000000000000000000000000052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1"
            hex"0000000000000000000000000000000008ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265"
        );
        vm.assertEq(
            BLS.hashToG1("abc", domain),
            hex"0000000000000000000000000000000003567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903"
            hex"000000000000000000000000000000000b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d"
        );
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_CP2_verifiesItsOwnSignaturesOnly(uint256 seed, bytes32 message, bytes32 other) public view {
        vm.assume(message != other);
        uint256 secretKey = Signers.secret(seed);
        bytes memory key = Signers.publicKey(secretKey);
        bytes memory signature = Signers.sign(secretKey, abi.encodePacked(message), DOMAIN);
        vm.assertTrue(BLS.verify(signature, key, abi.encodePacked(message), DOMAIN));
        vm.assertFalse(BLS.verify(signature, key, abi.encodePacked(other), DOMAIN));
        vm.assertFalse(BLS.verify(signature, key, abi.encodePacked(message), "OTHER-DOMAIN"));
        bytes memory otherKey = Signers.publicKey(Signers.secret(seed ^ 1));
        vm.assertFalse(BLS.verify(signature, otherKey, abi.encodePacked(message), DOMAIN));
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_CP2_subtractingAKeyUndoesAddingIt(uint256 left, uint256 right) public view {
        bytes memory a = Signers.publicKey(Signers.secret(left));
        bytes memory b = Signers.publicKey(Signers.secret(right));
        bytes memory minusB = bytes.concat(b);
        BLS.negateKey(minusB);
        vm.assertEq(BLS.addKeys(BLS.addKeys(a, b), minusB), a);
        vm.assertTrue(BLS.isZero(BLS.addKeys(b, minusB)));
    }

    function test_CP2_negatesAZeroComponentToZero() public view {
        // Infinity has zero components; p itself would be refused as out of range.
        bytes memory infinity = new bytes(256);
        BLS.negateKey(infinity);
        vm.assertTrue(BLS.isZero(BLS.addKeys(infinity, infinity)));
    }

    function test_CP2_refusesInfinity() public view {
        bytes memory key = Signers.publicKey(1);
        vm.assertFalse(BLS.verify(new bytes(128), key, "m", DOMAIN));
        vm.assertFalse(BLS.verify(Signers.sign(1, "m", DOMAIN), new bytes(256), "m", DOMAIN));
        vm.assertFalse(BLS.verify(new bytes(128), new bytes(256), "m", DOMAIN));
    }

    function test_CP2_refusesPointsOutsideTheSubgroup() public view {
        bytes memory key = Signers.publicKey(1);
        bytes memory signature = Signers.sign(1, "m", DOMAIN);
        // Gas is capped: a precompile that refuses its input keeps all of what it was given.
        vm.assertFalse(this.verify{gas: 10_000_000}(G1_OUTSIDE_SUBGROUP, key));
        vm.assertFalse(this.verify{gas: 10_000_000}(signature, G2_OUTSIDE_SUBGROUP));
        vm.assertTrue(this.verify{gas: 10_000_000}(signature, key));
    }

    function test_CP2_refusesAPointOffTheCurve() public view {
        bytes memory signature = Signers.sign(1, "m", DOMAIN);
        signature[127] ^= 0x01;
        vm.assertFalse(this.verify{gas: 10_000_000}(signature, Signers.publicKey(1)));
    }

    function test_CP2_refusesOtherLengths() public view {
        bytes memory key = Signers.publicKey(1);
        bytes memory signature = Signers.sign(1, "m", DOMAIN);
        vm.assertFalse(BLS.verify(bytes.concat(signature, hex"00"), key, "m", DOMAIN));
        vm.assertFalse(BLS.verify(signature, bytes.concat(key, hex"00"), "m", DOMAIN));
        vm.assertFalse(BLS.verify("", key, "m", DOMAIN));
    }

    function test_CP2_namesThePrecompileThatRefuses() public {
        bytes memory key = Signers.publicKey(1);
        bytes memory offCurve = bytes.concat(key);
        offCurve[255] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(BLS.PrecompileRefused.selector, address(0x0d)));
        this.addKeys{gas: 10_000_000}(key, offCurve);
    }

    function verify(bytes memory signature, bytes memory key) external view returns (bool) {
        return BLS.verify(signature, key, "m", DOMAIN);
    }

    function addKeys(bytes memory left, bytes memory right) external view returns (bytes memory) {
        return BLS.addKeys(left, right);
    }
}
