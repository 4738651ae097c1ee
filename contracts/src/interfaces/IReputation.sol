// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

/// @notice Reputation of provers: the prover gas that L1 credited to them, decaying over time (FM-3).
interface IReputation {
    /// @notice A half-life of no time: nothing would ever count.
    error FM3_NoHalfLife();

    /// @notice How active a prover was.
    /// @param account Its address.
    /// @return reputation Prover gas credited to it, decayed to now.
    /// @return updates How many state updates had work of it.
    function reputationOf(address account) external view returns (uint256 reputation, uint256 updates);

    /// @notice Sum of all reputations, rounded up.
    /// @return In prover gas, decayed to now.
    function totalReputation() external view returns (uint256);

    /// @notice Time in which a reputation halves.
    /// @return Seconds.
    function reputationHalfLife() external view returns (uint32);
}
