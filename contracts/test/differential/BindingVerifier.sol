// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Leaf} from "../../src/Types.sol";
import {IProofVerifier} from "../../src/interfaces/IProofVerifier.sol";

/// @notice A proof system for tests: a statement's only good proof is its hash, so that right and wrong proofs cost nothing
/// to make and every word of the statement is bound.
contract BindingVerifier is IProofVerifier {
    bool private immutable _merges;

    /// @notice The system merges nothing, so that nobody can have merged.
    error ST3_NothingMerged();

    /// @param merges Whether proofs of this system are merged, and bind who did.
    constructor(bool merges) {
        _merges = merges;
    }

    /// @inheritdoc IProofVerifier
    function verify(
        bytes32 from,
        Leaf[] calldata leaves,
        address[] calldata mergers,
        bytes32[] calldata ancestry,
        bytes calldata proof
    ) external view returns (bool) {
        if (!_merges && mergers.length != 0) revert ST3_NothingMerged();
        return proof.length == 32 && bytes32(proof) == keccak256(abi.encode(from, leaves, mergers, ancestry));
    }
}
