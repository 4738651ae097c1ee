// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {BLS} from "../src/BLS.sol";

/// @notice BLS keys and signatures for tests, made with the precompiles themselves.
library Signers {
    bytes internal constant CERTIFICATE_DOMAIN = "LIGNUM-CHECKPOINT-V1-BLS12381G1_XMD:SHA-256_SSWU_RO_";
    bytes internal constant POSSESSION_DOMAIN = "LIGNUM-POSSESSION-V1-BLS12381G1_XMD:SHA-256_SSWU_RO_";
    uint256 internal constant ORDER = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;

    bytes private constant G2_GENERATOR = hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
        hex"000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be";

    /// @notice Secret key of a test validator: any number that is not zero modulo the order.
    function secret(uint256 seed) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("validator", seed))) % (ORDER - 1) + 1;
    }

    function publicKey(uint256 secretKey) internal view returns (bytes memory key) {
        bool done;
        (done, key) = address(0x0e).staticcall(abi.encodePacked(G2_GENERATOR, secretKey));
        require(done, "G2 multiplication");
    }

    function sign(uint256 secretKey, bytes memory message, bytes memory domain) internal view returns (bytes memory) {
        return multiply(BLS.hashToG1(message, domain), secretKey);
    }

    function multiply(bytes memory point, uint256 scalar) internal view returns (bytes memory product) {
        bool done;
        (done, product) = address(0x0c).staticcall(abi.encodePacked(point, scalar));
        require(done, "G1 multiplication");
    }

    /// @notice Keys and proofs of possession of `count` validators, seeded from `first` on.
    function set(uint256 first, uint256 count) internal view returns (bytes memory keys, bytes memory possessions) {
        for (uint256 i; i < count; ++i) {
            uint256 key = secret(first + i);
            bytes memory point = publicKey(key);
            keys = bytes.concat(keys, point);
            possessions = bytes.concat(possessions, possession(key, point));
        }
    }

    function possession(uint256 secretKey, bytes memory key) internal view returns (bytes memory) {
        return sign(secretKey, abi.encodePacked(keccak256(key)), POSSESSION_DOMAIN);
    }

    /// @notice Aggregate signature of the validators in `bitmap` of the set seeded from `first` on. The sum of the
    /// secret keys signs what the sum of the signatures is.
    function certify(uint256 first, uint256 bitmap, bytes32 digest) internal view returns (bytes memory) {
        uint256 sum;
        for (uint256 i; i < 256; ++i) {
            if (bitmap >> i & 1 == 1) sum = addmod(sum, secret(first + i), ORDER);
        }
        return sign(sum, abi.encodePacked(digest), CERTIFICATE_DOMAIN);
    }
}
