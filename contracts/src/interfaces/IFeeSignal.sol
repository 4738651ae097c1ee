// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {IReputation} from "./IReputation.sol";

/// @notice Provers' word on L1 that the price of proving is too low, and the multiplier that comes of it (FM-3). Multipliers
/// and factors are in millionths, shares in basis points of the total reputation.
interface IFeeSignal {
    /// @notice A prover flagged that the price is too low.
    /// @param epoch The epoch that the flag counts in.
    /// @param prover Who flagged.
    /// @param weight What its flag weighs: its reputation, capped.
    /// @param gathered What all flags of the epoch weigh so far.
    /// @param total The total reputation as of this flag.
    event Flagged(uint40 indexed epoch, address indexed prover, uint256 weight, uint256 gathered, uint256 total);
    /// @notice The flags of an epoch reached the quorum. At most once per epoch.
    /// @param epoch The epoch.
    /// @param multiplier The multiplier from now on.
    event MultiplierRaised(uint40 indexed epoch, uint64 multiplier);

    /// @notice A parameter with which the signal could not work. Deploy with one inside its range.
    /// @param name Its name in `Parameters`.
    error FM3_ParameterOutOfRange(string name);
    /// @notice Too few updates had work of the prover's. Prove blocks first.
    error FM3_NotActive(uint256 updates, uint256 minUpdates);
    /// @notice The prover flagged in this epoch. It may do so again in the next one.
    error FM3_AlreadyFlagged(uint256 epoch);
    /// @notice All that the prover ever did has faded away: its flag would weigh nothing. Prove blocks first.
    error FM3_NoReputation();

    /// @notice Says that the price of proving is too low. The caller is the prover.
    function flag() external;

    /// @notice What prices are multiplied with, as of now.
    /// @return Millionths, from 1,000,000 to `signalMax`.
    function multiplier() external view returns (uint64);

    /// @notice The running epoch: L1 time divided by `signalEpoch`.
    /// @return Its index since 1970.
    function epoch() external view returns (uint40);

    /// @notice Whether a prover flagged in the running epoch.
    /// @param prover Who.
    /// @return True if so.
    function hasFlagged(address prover) external view returns (bool);

    /// @notice Where flags get their weight from.
    /// @return The contract that knows provers' reputation.
    function reputation() external view returns (IReputation);

    /// @notice Length of an epoch.
    /// @return Seconds.
    function signalEpoch() external view returns (uint32);

    /// @notice How many updates must have work of a prover's before it may flag.
    /// @return Their number.
    function minUpdates() external view returns (uint32);

    /// @notice The weight at which the multiplier rises.
    /// @return Basis points of the total reputation.
    function signalQuorum() external view returns (uint16);

    /// @notice The most that one flag weighs.
    /// @return Basis points of the total reputation.
    function signalCap() external view returns (uint16);

    /// @notice The factor by which the multiplier rises at a quorum.
    /// @return Millionths.
    function signalStep() external view returns (uint32);

    /// @notice The highest multiplier.
    /// @return Millionths.
    function signalMax() external view returns (uint32);

    /// @notice The factor by which the multiplier falls in an epoch without a quorum.
    /// @return Millionths.
    function signalDecay() external view returns (uint32);
}
