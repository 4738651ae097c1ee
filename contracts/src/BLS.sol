// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

/// @title BLS signatures over BLS12-381 by the precompiles of EIP-2537: keys in G2, signatures in G1
/// @notice Points are in EIP-2537 encoding: 128 bytes in G1, 256 bytes in G2; 256 or 128 zero bytes are infinity.
/// @dev Hashing is cheaper to G1 (11,000 gas) than to G2 (48,000 gas), and a certificate hashes each time, while keys
/// change rarely: hence keys are the large points.
library BLS {
    /// @notice A precompile refused its input: a coordinate out of range or a point off its curve. Check the encoding.
    /// @param precompile Address of the precompile.
    error PrecompileRefused(address precompile);

    /// @notice Bytes of a signature, a point of G1.
    uint256 internal constant SIGNATURE_LENGTH = 128;
    /// @notice Bytes of a public key, a point of G2.
    uint256 internal constant KEY_LENGTH = 256;

    address private constant MODEXP = address(0x05);
    address private constant G1_ADD = address(0x0b);
    address private constant G2_ADD = address(0x0d);
    address private constant PAIRING_CHECK = address(0x0f);
    address private constant MAP_FP_TO_G1 = address(0x10);

    /// @dev The base field's order, split as the encoding splits it.
    uint128 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;

    /// @dev Minus the generator of G2: e(signature, -g) * e(hash, key) = 1 needs one pairing call and no negation.
    bytes private constant NEGATED_G2_GENERATOR = hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000d1b3cc2c7027888be51d9ef691d77bcb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa"
        hex"0000000000000000000000000000000013fa4d4a0ad8b1ce186ed5061789213d993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed";

    /// @notice Whether `signature` is `key`'s signature over `message`.
    /// @dev The pairing precompile refuses coordinates out of range and points outside the prime-order subgroups, so a
    /// true answer vouches for the points too. Infinity belongs to both subgroups and would verify anything: refused.
    /// @param signature Point of G1, 128 bytes.
    /// @param key Point of G2, 256 bytes.
    /// @param message What was signed.
    /// @param domain Domain separation tag, below 256 bytes.
    /// @return True if the signature is valid.
    function verify(bytes memory signature, bytes memory key, bytes memory message, bytes memory domain)
        internal
        view
        returns (bool)
    {
        if (signature.length != SIGNATURE_LENGTH || key.length != KEY_LENGTH) return false;
        if (isZero(signature) || isZero(key)) return false;
        bytes memory pairs = bytes.concat(signature, NEGATED_G2_GENERATOR, hashToG1(message, domain), key);
        (bool done, bytes memory answer) = PAIRING_CHECK.staticcall(pairs);
        return done && answer.length == 32 && abi.decode(answer, (uint256)) == 1;
    }

    /// @notice Hashes to G1 by RFC 9380, suite BLS12381G1_XMD:SHA-256_SSWU_RO_.
    /// @param message What is hashed.
    /// @param domain Domain separation tag, below 256 bytes.
    /// @return Point of the prime-order subgroup, 128 bytes.
    function hashToG1(bytes memory message, bytes memory domain) internal view returns (bytes memory) {
        bytes memory tail = abi.encodePacked(domain, uint8(domain.length));
        // expand_message_xmd to 128 bytes: two field elements of 64 bytes each, so that the reduction's bias is negligible.
        bytes32 b0 = sha256(abi.encodePacked(bytes32(0), bytes32(0), message, uint16(128), uint8(0), tail));
        bytes32 b1 = sha256(abi.encodePacked(b0, uint8(1), tail));
        bytes32 b2 = sha256(abi.encodePacked(b0 ^ b1, uint8(2), tail));
        bytes32 b3 = sha256(abi.encodePacked(b0 ^ b2, uint8(3), tail));
        bytes32 b4 = sha256(abi.encodePacked(b0 ^ b3, uint8(4), tail));
        return _call(G1_ADD, bytes.concat(_mapToG1(b1, b2), _mapToG1(b3, b4)));
    }

    /// @notice Sum of two points of G2. Neither its inputs' subgroup nor its output's is checked.
    /// @param left Point of G2, 256 bytes.
    /// @param right Point of G2, 256 bytes.
    /// @return Their sum, 256 bytes.
    function addKeys(bytes memory left, bytes memory right) internal view returns (bytes memory) {
        return _call(G2_ADD, bytes.concat(left, right));
    }

    /// @notice Negates a point of G2 in place.
    /// @param key Point of G2, 256 bytes.
    function negateKey(bytes memory key) internal pure {
        for (uint256 offset = 160; offset <= KEY_LENGTH; offset += 64) {
            assembly ("memory-safe") {
                // `key + 160` is the first word of y's first component: 32 bytes of length, 128 of x.
                let high := mload(add(key, offset))
                let low := mload(add(key, add(offset, 32)))
                // A zero component stays zero: p itself would be out of range.
                if or(high, low) {
                    mstore(add(key, offset), sub(sub(P_HIGH, high), lt(P_LOW, low)))
                    mstore(add(key, add(offset, 32)), sub(P_LOW, low))
                }
            }
        }
    }

    /// @notice Whether all bytes are zero, as infinity is encoded.
    /// @param data Points; their length is a multiple of 32.
    /// @return True if no bit is set.
    function isZero(bytes memory data) internal pure returns (bool) {
        uint256 any;
        for (uint256 offset = 32; offset <= data.length; offset += 32) {
            assembly ("memory-safe") {
                any := or(any, mload(add(data, offset)))
            }
        }
        return any == 0;
    }

    /// @dev Reduces 64 bytes modulo p by the modular exponentiation precompile (exponent 1), then maps to the curve;
    /// the map precompile clears the cofactor.
    function _mapToG1(bytes32 high, bytes32 low) private view returns (bytes memory) {
        bytes memory element =
            _call(MODEXP, abi.encodePacked(uint256(64), uint256(1), uint256(48), high, low, uint8(1), P_HIGH, P_LOW));
        return _call(MAP_FP_TO_G1, bytes.concat(bytes16(0), element));
    }

    function _call(address precompile, bytes memory input) private view returns (bytes memory output) {
        bool done;
        (done, output) = precompile.staticcall(input);
        if (!done || output.length == 0) revert PrecompileRefused(precompile);
    }
}
