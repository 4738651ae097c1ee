// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "./Parameters.sol";
import {IProverRegistry} from "./interfaces/IProverRegistry.sol";

/// @title Provers that take part in turns (ST-6)
/// @notice A bond makes many names dear; nothing ever takes it away (a missed turn costs reputation, never bond). Nobody
/// owns the contract, and nobody can keep a prover out.
/// @dev Every operation is O(1): the last in the order takes the place of one that leaves. Who stands before it keeps its
/// place, so that nobody moves the turn by a registration.
contract ProverRegistry is IProverRegistry {
    /// @dev One word: who stands at a place of the order, and since when.
    struct Place {
        address prover;
        uint40 since;
    }

    /// @dev One word: a place in the order counted from one, or the end of the delay after leaving, or neither.
    struct Prover {
        uint64 place;
        uint64 unlocksAt;
    }

    /// @inheritdoc IProverRegistry
    uint256 public immutable bond;
    /// @inheritdoc IProverRegistry
    uint256 public immutable leaveDelay;
    mapping(uint256 position => Place) private _order;
    // One word: the length of the order, and since when it is that.
    uint64 private _count;
    uint40 private _countSince;
    mapping(address prover => Prover) private _provers;

    /// @notice Fixes bond and delay.
    /// @param parameters The protocol's parameters.
    constructor(Parameters memory parameters) {
        if (parameters.bond == 0) revert ST6_NoBond();
        if (parameters.leaveDelay < parameters.turnLength) {
            revert ST6_LeaveDelayBelowTurn(parameters.leaveDelay, parameters.turnLength);
        }
        bond = parameters.bond;
        leaveDelay = parameters.leaveDelay;
    }

    /// @inheritdoc IProverRegistry
    function register() external payable {
        if (msg.value != bond) revert ST6_BondMismatch(msg.value, bond);
        Prover memory prover = _provers[msg.sender];
        if (prover.place != 0) revert ST6_AlreadyRegistered(msg.sender);
        if (prover.unlocksAt != 0) revert ST6_StillLeaving(msg.sender, prover.unlocksAt);
        uint64 position = _count;
        _put(position, msg.sender);
        _resize(position + 1);
        emit ProverRegistered(msg.sender, position);
    }

    /// @inheritdoc IProverRegistry
    function deregister() external {
        uint64 place = _provers[msg.sender].place;
        if (place == 0) revert ST6_NotRegistered(msg.sender);
        uint64 last = _count - 1;
        address moved = _order[last].prover;
        delete _order[last];
        if (moved == msg.sender) moved = address(0);
        else _put(place - 1, moved);
        _resize(last);
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 unlock = uint64(block.timestamp + leaveDelay);
        _provers[msg.sender] = Prover({place: 0, unlocksAt: unlock});
        emit ProverLeft(msg.sender, moved, unlock);
    }

    /// @inheritdoc IProverRegistry
    function withdraw(address prover) external {
        uint64 unlock = _provers[prover].unlocksAt;
        if (unlock == 0) revert ST6_NothingToWithdraw(prover);
        if (block.timestamp < unlock) revert ST6_BondLocked(unlock);
        // Before the payment: a prover that calls back finds nothing left to withdraw.
        _provers[prover].unlocksAt = 0;
        emit BondReturned(prover, bond);
        (bool paid,) = prover.call{value: bond}("");
        if (!paid) revert ST6_PaymentRefused(prover);
    }

    /// @inheritdoc IProverRegistry
    function count() external view returns (uint256) {
        return _count;
    }

    /// @inheritdoc IProverRegistry
    function proverAt(uint256 position, uint256 among) external view returns (address prover, uint40 since) {
        uint256 all = _count;
        if (all == 0 || among == 0) return (address(0), 0);
        uint256 index = position % among;
        Place memory place = _order[index < all ? index : index % all];
        (prover, since) = (place.prover, place.since);
        // Some left: what is beyond the end goes round once more, and goes another way with every change of their number.
        if (index >= all && since < _countSince) since = _countSince;
    }

    /// @inheritdoc IProverRegistry
    function isRegistered(address prover) external view returns (bool) {
        return _provers[prover].place != 0;
    }

    /// @inheritdoc IProverRegistry
    function unlocksAt(address prover) external view returns (uint64) {
        return _provers[prover].unlocksAt;
    }

    function _put(uint64 position, address prover) private {
        _order[position] = Place({prover: prover, since: uint40(block.timestamp)});
        _provers[prover].place = position + 1;
    }

    function _resize(uint64 count_) private {
        _count = count_;
        _countSince = uint40(block.timestamp);
    }
}
