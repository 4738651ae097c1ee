// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

/// @notice What provers have done on L1, fading with time (FM-3).
interface IReputation {
    /// @notice A prover's reputation: credited prover gas, decayed to now.
    /// @param account Whose.
    /// @return reputation Prover gas, below 2^80.
    /// @return updates How many updates had work of the prover's.
    function reputationOf(address account) external view returns (uint256 reputation, uint256 updates);

    /// @notice The reputation of all provers together, decayed to now.
    /// @return Prover gas, below 2^96.
    function totalReputation() external view returns (uint256);
}
