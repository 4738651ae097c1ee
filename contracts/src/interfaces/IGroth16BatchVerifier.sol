// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {IProofVerifier} from "./IProofVerifier.sol";

/// @notice Groth16 proofs of blocks and of ancestry, checked together (ST-3, proof system 1), and the keys that they stand under.
interface IGroth16BatchVerifier is IProofVerifier {
    /// @notice A verifying key has too few or too many words for its circuit's public inputs. Export it again.
    error ST3_KeyLength(uint256 given, uint256 expected);
    /// @notice The two keys differ in alpha, beta or gamma. Set both circuits up on the same powers of tau.
    error ST3_KeysNotShared();
    /// @notice A verifying key has a point at infinity, off its curve or off its subgroup. Export it again.
    error ST3_KeyInvalid();
    /// @notice The proof has the wrong length for so many blocks and ancestry steps.
    error ST3_ProofLength(uint256 given, uint256 expected);
    /// @notice Groth16 merges nothing, so that nobody can have merged. Name no mergers.
    error ST3_NothingMerged();
    /// @notice A public input is not reduced: hashes are below the scalar field's order.
    error ST3_InputNotInField(uint256 value);
    /// @notice A proof has a point off its curve or subgroup, or a coordinate out of range.
    error ST3_PointInvalid();

    /// @notice Hash over both verifying keys; part of every coefficient.
    /// @return keccak256 of `verifyingKeys`, packed.
    function verifyingKeysHash() external view returns (bytes32);

    /// @notice The verifying keys.
    /// @return words The block key's 26 words, then the ancestry key's last 10 (delta and bases); the first 10 are shared.
    function verifyingKeys() external view returns (uint256[] memory words);
}
