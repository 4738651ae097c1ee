// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Leaf} from "../Types.sol";

/// @notice One allowed proof system (ST-3). Several stand side by side; the submitter chooses (ST-7).
/// @dev The statement is the same for all of them; only `proof` differs.
interface IProofVerifier {
    /// @notice Whether `proof` shows that the blocks of `leaves` follow one another from `from`, each proven by the
    /// prover that its leaf names, and that the last of them is reached back from the checkpoint through `ancestry`.
    /// @param from Hash of the block before the first leaf.
    /// @param leaves The proven blocks, oldest first; at least one.
    /// @param mergers L1 addresses that the proof is bound to, one for each merge (RW-3); none where a system merges nothing.
    /// @param ancestry Hashes that lead on from the last leaf, ending with the checkpoint's block; empty if the last
    /// leaf is the checkpoint's block.
    /// @param proof The proof in the system's own encoding.
    /// @return True if it verifies. Malformed input may revert instead, by an error that says what is wrong.
    function verify(
        bytes32 from,
        Leaf[] calldata leaves,
        address[] calldata mergers,
        bytes32[] calldata ancestry,
        bytes calldata proof
    ) external view returns (bool);
}
