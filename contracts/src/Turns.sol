// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation, Parameters} from "./Parameters.sol";
import {ICheckpointRegistry} from "./interfaces/ICheckpointRegistry.sol";
import {IProverRegistry} from "./interfaces/IProverRegistry.sol";
import {IRewardVault} from "./interfaces/IRewardVault.sol";
import {IStateUpdate} from "./interfaces/IStateUpdate.sol";

/// @title The proven tip, the idle clock, and whose turn it is (ST-4 to ST-6)
/// @notice Time and order of state updates: a race while the rollup moves, turns when it stands still.
/// @dev Turns follow from what was when the idle clock started: the head checkpoint of the last update or revert (its hash
/// is the start of the round) and the number of provers when the clock started (who registers later waits for its next
/// start). So nobody moves a running turn, neither consensus by one more checkpoint nor a prover by one more registration.
abstract contract Turns is IStateUpdate {
    /// @dev Missed turns that an update or a revert punishes at most: its work must be bounded, however long nobody came.
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
        (uint64 since,) = _idleClock();
        return since;
    }

    /// @inheritdoc IStateUpdate
    function turn() external view returns (bool inFallback, uint64 index, address holder, uint64 endsAt) {
        (uint64 begin, uint64 among) = _firstTurn();
        if (begin == 0 || block.timestamp < begin) return (false, 0, address(0), begin);
        index = _indexNow(begin);
        (holder,) = _holderOf(index, among);
        return (true, index, holder, begin + (index + 1) * turnLength);
    }

    /// @dev ST-4, ST-6: when the clock started, zero while nothing is provable, and how many provers were registered then.
    /// An update knows whether a checkpoint beyond the new tip was there: if so the clock runs from the update, which came
    /// later. If not, the child of the head of then starts the clock.
    function _idleClock() private view returns (uint64 since, uint64 among) {
        (uint64 number,, uint40 continuedAt, uint32 continuedAmong,,) = registry.record(_headThen);
        return number > _tipNumber ? (_updatedAt, _proversThen) : (continuedAt, continuedAmong);
    }

    /// @dev When the race ends, zero while nothing is provable, and how many provers take turns from then on.
    function _firstTurn() private view returns (uint64 begin, uint64 among) {
        (begin, among) = _idleClock();
        if (begin != 0) begin += idleFallback;
    }

    function _indexNow(uint64 begin) private view returns (uint64) {
        return (uint64(block.timestamp) - begin) / turnLength;
    }

    /// @dev Whose turn it is, and since when its place in the order is that prover's.
    function _holderOf(uint64 index, uint64 among) private view returns (address holder, uint40 since) {
        if (designation == Designation.Open) return (address(0), 0);
        // The number cannot pass the word: the round starts within its lower 128 bits.
        return provers.proverAt(uint256(uint128(uint256(_headThen))) + index, among);
    }

    /// @dev ST-5, ST-6: whom the submission share goes to (zero: the protocol reserve), and the bounty on top. Punishes
    /// those whose turns passed before.
    function _designate(uint64 toNumber) internal returns (address payee, uint80 bounty) {
        // The idle clock never starts before the last update: within the fallback time of it, there is nothing to ask.
        if (block.timestamp - _updatedAt < idleFallback) return (msg.sender, 0);
        (uint64 begin, uint64 among) = _firstTurn();
        if (begin == 0 || block.timestamp < begin) return (msg.sender, 0);
        uint64 index = _indexNow(begin);
        (address holder,) = _holderOf(index, among);
        emit UpdatedInTurn(toNumber, index, holder, msg.sender);
        if (designation == Designation.Open) return (msg.sender, fallbackBounty);
        // Nobody is designated: the race goes on, unpaid by the reserve.
        if (holder == address(0)) return (msg.sender, 0);
        if (designation == Designation.Exclusive && holder != msg.sender) revert ST6_NotYourTurn(holder);
        _punishBefore(index, begin, among);
        return holder == msg.sender ? (holder, fallbackBounty) : (address(0), 0);
    }

    /// @dev ST-6: halves the reputation of who held the turns before this one. Where a place changed hands after its turn
    /// began, nobody did: who left is gone, and who came had no whole turn.
    function _punishBefore(uint64 index, uint64 begin, uint64 among) private {
        if (index == 0 || among == 0) return;
        uint64 first = index > MISSED_TURNS ? index - MISSED_TURNS : 0;
        address[] memory holders = new address[](index - first);
        for (uint64 i; i < holders.length; ++i) {
            (address holder, uint40 since) = _holderOf(first + i, among);
            if (since <= begin + (first + i) * turnLength) holders[i] = holder;
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
    /// Punishes those whose turns passed before (ST-6).
    function _restartClock(bytes32 head) internal {
        (uint64 begin, uint64 among) = _firstTurn();
        // The clock runs: what is reverted was provable.
        if (block.timestamp >= begin) _punishBefore(_indexNow(begin), begin, among);
        _headThen = head;
    }
}
