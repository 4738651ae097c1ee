// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

/// @notice The provers that take part in turns (ST-6), each behind a bond.
interface IProverRegistry {
    /// @notice A prover joined the order of turns, at its end.
    /// @param prover Its address, as leaves name it.
    /// @param position Where in the order it stands, from zero.
    event ProverRegistered(address indexed prover, uint256 position);
    /// @notice A prover left the order of turns. The last one in the order took its place.
    /// @param prover Its address.
    /// @param moved Who stands there now; zero if it was the last one itself.
    /// @param unlocksAt L1 time from which its bond can be withdrawn.
    event ProverLeft(address indexed prover, address indexed moved, uint64 unlocksAt);
    /// @notice A prover that left got its bond back.
    /// @param prover Its address.
    /// @param amount Wei.
    event BondReturned(address indexed prover, uint256 amount);

    /// @notice Without a bond, one prover could take every turn under many names.
    error ST6_NoBond();
    /// @notice A bond must stay for at least a turn after leaving, else one bond serves several names within one turn.
    error ST6_LeaveDelayBelowTurn(uint256 leaveDelay, uint256 turnLength);
    /// @notice Registration costs exactly the bond.
    error ST6_BondMismatch(uint256 given, uint256 bond);
    /// @notice The prover is registered already.
    error ST6_AlreadyRegistered(address prover);
    /// @notice The prover is not registered.
    error ST6_NotRegistered(address prover);
    /// @notice The prover left and its bond is not withdrawn yet. Withdraw it after `unlocksAt`, then register again.
    error ST6_StillLeaving(address prover, uint64 unlocksAt);
    /// @notice The prover has no bond to withdraw: it never left, or it was paid.
    error ST6_NothingToWithdraw(address prover);
    /// @notice The bond can be withdrawn from `unlocksAt` on.
    error ST6_BondLocked(uint64 unlocksAt);
    /// @notice The prover refused its bond, which stays. Make the account able to receive ether, then withdraw again.
    error ST6_PaymentRefused(address prover);

    /// @notice Joins the order of turns with the bond as value. The caller is the prover.
    function register() external payable;

    /// @notice Leaves the order of turns at once; the bond follows after `leaveDelay`. The caller is the prover.
    function deregister() external;

    /// @notice Returns the bond of a prover that left. Anyone may trigger it; the money goes to the prover itself.
    /// @param prover Who left.
    function withdraw(address prover) external;

    /// @notice How many provers are registered.
    /// @return Their number.
    function count() external view returns (uint256);

    /// @notice Whose turn it is at a place in the order.
    /// @param position Any number; the order goes round.
    /// @param among How many of the order's first places go round: later registrations wait. Places that have become empty
    /// go round once more among those that are left.
    /// @return prover Who stands there; zero if `among` is, or nobody is registered.
    /// @return since L1 time in seconds from which on this answer was the same; zero where nobody stands.
    function proverAt(uint256 position, uint256 among) external view returns (address prover, uint40 since);

    /// @notice Whether a prover takes part in turns.
    /// @param prover Its address.
    /// @return True from registration until it leaves.
    function isRegistered(address prover) external view returns (bool);

    /// @notice When the bond of a prover that left can be withdrawn.
    /// @param prover Its address.
    /// @return L1 time in seconds; zero if it did not leave or was paid.
    function unlocksAt(address prover) external view returns (uint64);

    /// @notice What registration costs.
    /// @return Wei.
    function bond() external view returns (uint256);

    /// @notice Time from leaving to the return of the bond.
    /// @return Seconds.
    function leaveDelay() external view returns (uint256);
}
