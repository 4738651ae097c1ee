// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation, Parameters} from "./Parameters.sol";
import {ICheckpointRegistry} from "./interfaces/ICheckpointRegistry.sol";
import {IProverRegistry} from "./interfaces/IProverRegistry.sol";
import {IRewardVault} from "./interfaces/IRewardVault.sol";
import {IStateUpdate} from "./interfaces/IStateUpdate.sol";

/// @title The proven tip, the idle clock, and whose turn it is (ST-4 to ST-6)
/// @notice Time and order of state updates: a race while the rollup moves, turns when it stands still.
/// @dev Turns follow from what the last update left behind: the head checkpoint then (its hash is the start of the round)
/// and the number of provers then (who registers later waits for the next update). So nobody moves a running turn,
/// neither consensus by one more checkpoint nor a prover by one more registration.
abstract contract Turns is IStateUpdate {
    /// @dev Missed turns that one update punishes at most: its work must be bounded, however long nobody came.
    uint64 private constant MISSED_TURNS = 8;

    /// @inheritdoc IStateUpdate
    ICheckpointRegistry public immutable registry;
    /// @inheritdoc IStateUpdate
    IRewardVault public immutable vault;
    /// @inheritdoc IStateUpdate
    IProverRegistry public immutable provers;
    /// @inheritdoc IStateUpdate
    uint64 public immutable idleFallback;
    /// @inheritdoc IStateUpdate
    uint64 public immutable turnLength;
    /// @inheritdoc IStateUpdate
    Designation public immutable designation;
    /// @inheritdoc IStateUpdate
    uint80 public immutable fallbackBounty;

    bytes32 internal _tipHash;
    // One word: what else an update leaves behind.
    uint64 internal _tipNumber;
    uint64 private _updatedAt;
    uint64 private _proversThen;
    /// @dev Head of the checkpoint chain at the last update or revert. Where it is not beyond the tip, nothing was left to
    /// prove, and the idle clock waits for its child (ST-4).
    bytes32 private _headThen;

    constructor(
        ICheckpointRegistry registry_,
        IRewardVault vault_,
        IProverRegistry provers_,
        Parameters memory parameters
    ) {
        if (parameters.idleFallback == 0) revert ST5_NoRace();
        if (parameters.turnLength == 0) revert ST6_NoTurnLength();
        registry = registry_;
        vault = vault_;
        provers = provers_;
        idleFallback = parameters.idleFallback;
        turnLength = parameters.turnLength;
        designation = parameters.designation;
        fallbackBounty = parameters.fallbackBounty;
    }

    /// @inheritdoc IStateUpdate
    function tip() external view returns (bytes32 blockHash, uint64 number) {
        return (_tipHash, _tipNumber);
    }

    /// @inheritdoc IStateUpdate
    function idleSince() external view returns (uint64) {
        return _idleSince();
    }

    /// @inheritdoc IStateUpdate
    function turn() external view returns (bool inFallback, uint64 index, address holder, uint64 endsAt) {
        uint64 since = _idleSince();
        if (since == 0) return (false, 0, address(0), 0);
        uint64 begin = since + idleFallback;
        if (block.timestamp < begin) return (false, 0, address(0), begin);
        index = (uint64(block.timestamp) - begin) / turnLength;
        return (true, index, _holderOf(index), begin + (index + 1) * turnLength);
    }

    /// @dev ST-4. An update knows whether a checkpoint beyond the new tip was there: if so the clock runs from the
    /// update, which came later. If not, the child of the head of then starts the clock.
    function _idleSince() private view returns (uint64) {
        (uint64 number,, uint40 continuedAt,,,) = registry.record(_headThen);
        return number > _tipNumber ? _updatedAt : continuedAt;
    }

    function _holderOf(uint64 index) private view returns (address) {
        if (designation == Designation.Open) return address(0);
        // The number cannot pass the word: the round starts within its lower 128 bits.
        return provers.proverAt(uint256(uint128(uint256(_headThen))) + index, _proversThen);
    }

    /// @dev ST-5, ST-6: whom the submission share goes to (zero: the protocol reserve), and the bounty on top. Punishes
    /// those whose turns passed before.
    function _designate(uint64 toNumber) internal returns (address payee, uint80 bounty) {
        // The idle clock never starts before the last update: within the fallback time of it, there is nothing to ask.
        if (block.timestamp - _updatedAt < idleFallback) return (msg.sender, 0);
        uint64 since = _idleSince();
        if (since == 0 || block.timestamp < since + idleFallback) return (msg.sender, 0);
        uint64 index = (uint64(block.timestamp) - since - idleFallback) / turnLength;
        address holder = _holderOf(index);
        emit UpdatedInTurn(toNumber, index, holder, msg.sender);
        if (designation == Designation.Open) return (msg.sender, fallbackBounty);
        // Nobody is designated: the race goes on, unpaid by the reserve.
        if (holder == address(0)) return (msg.sender, 0);
        if (designation == Designation.Exclusive && holder != msg.sender) revert ST6_NotYourTurn(holder);
        _punishBefore(index);
        return holder == msg.sender ? (holder, fallbackBounty) : (address(0), 0);
    }

    function _punishBefore(uint64 index) private {
        if (index == 0) return;
        uint64 first = index > MISSED_TURNS ? index - MISSED_TURNS : 0;
        address[] memory holders = new address[](index - first);
        for (uint64 i; i < holders.length; ++i) {
            holders[i] = _holderOf(first + i);
        }
        vault.forfeit(first, holders);
    }

    function _moveTip(bytes32 blockHash, uint64 number) internal {
        // Asked first, so that the word is written once.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 count = uint64(provers.count());
        _headThen = registry.headId();
        _tipHash = blockHash;
        _tipNumber = number;
        _updatedAt = uint64(block.timestamp);
        _proversThen = count;
    }

    /// @dev CP-4: what the last update saw of the checkpoint chain is gone; the clock waits for the child of its new head.
    function _restartClock(bytes32 head) internal {
        _headThen = head;
    }
}
