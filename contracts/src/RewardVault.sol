// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Accounts} from "./Accounts.sol";
import {Parameters} from "./Parameters.sol";
import {Leaf} from "./Types.sol";
import {IRewardVault} from "./interfaces/IRewardVault.sol";

/// @title Vault of the collected prover fees (RW-1 to RW-7)
/// @notice Every wei paid in is at any time in exactly one place: unallocated, credited to an account, in one of the two
/// reserves, or claimed. Every move between them is an event.
/// @dev Ether that is forced in without `fund` or `endow` belongs to nobody and is never counted.
///
/// A redundancy share that nobody earns within the window goes to the protocol reserve (RW-4) without a list of updates
/// and without anybody's goodwill: shares lie in two buckets, of updates in the present window of time and in the one
/// before. What is older than that can no longer be earned, and moves on with the next call that finds it.
contract RewardVault is IRewardVault, Accounts {
    /// @dev What an update's pots come to, and their parts.
    struct Totals {
        uint256 fees;
        uint256 bonuses;
        uint256 merge;
        uint256 submission;
        uint256 redundancy;
        uint256 reserve;
        uint256 gas;
    }

    uint256 private constant BASIS_POINTS = 10_000;

    /// @inheritdoc IRewardVault
    address public immutable stateUpdate;
    /// @inheritdoc IRewardVault
    uint40 public immutable redundancyWindow;
    uint16 private immutable _leafShare;
    uint16 private immutable _mergeShare;
    uint16 private immutable _submissionShare;
    uint16 private immutable _redundancyShare;
    uint16 private immutable _reserveShare;

    // The sum of all balances but credits is held below 2^80 wei (1.2 million ether), and moves between them keep it. These
    // two fill the word of the total reputation, which every update touches as well; the next three share one.
    /// @dev Number of the present window of time, counted from the Unix epoch.
    uint40 private _window;
    /// @dev Redundancy shares of updates in the window before.
    uint80 private _old;
    /// @dev Those of updates in the present window.
    uint80 private _young;
    uint80 private _unallocated;
    uint80 private _protocolReserve;

    /// @notice Fixes who may credit and how pots are split.
    /// @param stateUpdate_ The only contract that may credit. It may be deployed later: its constructor checks the link.
    /// @param split Shares of a pot in basis points.
    /// @param parameters The protocol's parameters.
    constructor(address stateUpdate_, Shares memory split, Parameters memory parameters)
        Accounts(parameters.reputationHalfLife)
    {
        uint256 sum = uint256(split.leaf) + split.merge + split.submission + split.redundancy + split.reserve;
        if (sum != BASIS_POINTS) revert RW2_SharesDoNotSum(sum);
        if (parameters.redundancyWindow == 0) revert RW4_NoWindow();
        stateUpdate = stateUpdate_;
        redundancyWindow = parameters.redundancyWindow;
        _leafShare = split.leaf;
        _mergeShare = split.merge;
        _submissionShare = split.submission;
        _redundancyShare = split.redundancy;
        _reserveShare = split.reserve;
        _window = uint40(block.timestamp) / parameters.redundancyWindow;
    }

    modifier onlyStateUpdate() {
        if (msg.sender != stateUpdate) revert RW5_OnlyStateUpdate(msg.sender);
        _;
    }

    /// @inheritdoc IRewardVault
    function fund() external payable {
        _unallocated += _takeIn();
    }

    /// @inheritdoc IRewardVault
    function endow() external payable {
        _protocolReserve += _takeIn();
        emit Reserved(Reserve.Protocol, 0, 0, msg.value);
    }

    /// @inheritdoc IRewardVault
    /// @dev A block whose fees the vault does not hold is paid what is there: money never stops an update. The bounty comes
    /// out of what the protocol reserve holds once these pots are split, as far as that goes.
    function reward(
        Leaf[] calldata leaves,
        address[] calldata mergers,
        uint256[] calldata bonuses,
        uint64 firstNumber,
        address submitter,
        uint80 bounty
    ) external onlyStateUpdate returns (uint256[] memory redundancyShares) {
        _lapse();
        Totals memory totals;
        redundancyShares = new uint256[](leaves.length);
        uint256 available = _unallocated;
        uint256 reserve = _protocolReserve;
        for (uint256 i; i < leaves.length; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            uint64 number = firstNumber + uint64(i);
            uint256 fees = leaves[i].proverFees;
            uint256 left = available - totals.fees;
            if (fees > left) {
                emit PotShort(number, fees, left);
                fees = left;
            }
            uint256 bonus;
            if (bonuses.length != 0) {
                bonus = bonuses[i];
                left = reserve - totals.bonuses;
                if (bonus > left) bonus = left;
            }
            redundancyShares[i] = _split(leaves[i], number, submitter, mergers.length != 0, fees, bonus, totals);
        }
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 lastNumber = firstNumber + uint64(leaves.length) - 1;
        if (totals.merge != 0) _payMergers(mergers, lastNumber, totals);
        if (totals.gas != 0) _addToTotal(totals.gas);
        if (totals.fees + totals.bonuses != 0) _settle(totals, submitter, firstNumber, lastNumber);
        if (bounty != 0) _payBounty(submitter, bounty, lastNumber);
    }

    /// @inheritdoc IRewardVault
    function rewardRedundancy(
        address holder,
        uint64 firstNumber,
        uint256[] calldata earned,
        uint256 gas,
        uint64 settledAt
    ) external onlyStateUpdate returns (uint256 sum) {
        _lapse();
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 lastNumber = firstNumber + uint64(earned.length) - 1;
        for (uint256 i; i < earned.length; ++i) {
            if (earned[i] == 0) continue;
            sum += earned[i];
            // forge-lint: disable-next-line(unsafe-typecast)
            emit Credited(firstNumber + uint64(i), holder, Kind.Redundancy, earned[i]);
        }
        emit Released(Reserve.Redundancy, firstNumber, lastNumber, sum);
        // The shares were put into that bucket by the update, which they are part of.
        // forge-lint: disable-start(unsafe-typecast)
        if (settledAt / redundancyWindow == _window) _young -= uint80(sum);
        else _old -= uint80(sum);
        // forge-lint: disable-end(unsafe-typecast)
        _credit(holder, sum, gas);
        if (gas != 0) _addToTotal(gas);
    }

    /// @inheritdoc IRewardVault
    function forfeit(uint64 firstTurn, address[] calldata holders) external onlyStateUpdate {
        for (uint256 i; i < holders.length; ++i) {
            if (holders[i] == address(0)) continue;
            // forge-lint: disable-next-line(unsafe-typecast)
            emit TurnMissed(firstTurn + uint64(i), holders[i], _forfeit(holders[i]));
        }
    }

    /// @inheritdoc IRewardVault
    function lapse() external {
        _lapse();
    }

    /// @inheritdoc IRewardVault
    function claim(address account) external returns (uint256 amount) {
        amount = _accounts[account].credit;
        if (amount == 0) revert RW5_NothingToClaim(account);
        // Before the payment: an account that calls back finds nothing left to claim.
        _accounts[account].credit = 0;
        emit Claimed(account, amount);
        (bool paid,) = account.call{value: amount}("");
        if (!paid) revert RW5_PaymentRefused(account);
    }

    /// @inheritdoc IRewardVault
    function creditOf(address account) external view returns (uint256) {
        return _accounts[account].credit;
    }

    /// @inheritdoc IRewardVault
    function unallocated() external view returns (uint256) {
        return _unallocated;
    }

    /// @inheritdoc IRewardVault
    function redundancyReserve() external view returns (uint256) {
        return uint256(_young) + _old;
    }

    /// @inheritdoc IRewardVault
    function protocolReserve() external view returns (uint256) {
        return _protocolReserve;
    }

    /// @inheritdoc IRewardVault
    function shares() external view returns (Shares memory) {
        return Shares({
            leaf: _leafShare,
            merge: _mergeShare,
            submission: _submissionShare,
            redundancy: _redundancyShare,
            reserve: _reserveShare
        });
    }

    // Below, every amount is a part of what was unallocated or reserved, so that 80 bits hold it.
    // forge-lint: disable-start(unsafe-typecast)

    function _takeIn() private returns (uint80) {
        uint256 held = uint256(_unallocated) + _protocolReserve + _young + _old;
        if (msg.value > type(uint80).max - held) revert RW5_FundTooLarge(msg.value);
        emit Funded(msg.sender, msg.value);
        return uint80(msg.value);
    }

    /// @dev RW-4: moves on what can no longer be earned.
    function _lapse() private {
        uint40 window = uint40(block.timestamp) / redundancyWindow;
        uint40 last = _window;
        if (window == last) return;
        uint80 lapsed = _old;
        if (window == last + 1) {
            _old = _young;
        } else {
            lapsed += _young;
            _old = 0;
        }
        _window = window;
        _young = 0;
        if (lapsed == 0) return;
        _protocolReserve += lapsed;
        emit Lapsed(lapsed);
    }

    /// @dev One pot into its parts (RW-2). The leaf prover is credited at once, the rest by the sum.
    function _split(
        Leaf calldata leaf,
        uint64 number,
        address submitter,
        bool merged,
        uint256 fees,
        uint256 bonus,
        Totals memory totals
    ) private returns (uint256 redundancy) {
        uint256 work = merged ? _leafShare : uint256(_leafShare) + _mergeShare;
        uint256 pot = fees + bonus;
        uint256 earned;
        uint256 submission;
        // Nothing here can overflow: a pot and all sums of pots are below 2^80, gas of blocks below 2^64 each, and the shares
        // sum to the whole.
        unchecked {
            earned = pot * work / BASIS_POINTS;
            submission = pot * _submissionShare / BASIS_POINTS;
            redundancy = pot * _redundancyShare / BASIS_POINTS;
            // What division leaves over goes to the reserve, so that the parts sum to the pot exactly.
            uint256 rest = pot - earned - submission - redundancy;
            if (merged) {
                uint256 merge = pot * _mergeShare / BASIS_POINTS;
                totals.merge += merge;
                rest -= merge;
            }
            totals.fees += fees;
            totals.bonuses += bonus;
            totals.redundancy += redundancy;
            totals.gas += leaf.proverGas;
            // ST-6: nobody earns the submission in another prover's turn.
            if (submitter == address(0)) {
                totals.reserve += rest + submission;
                submission = 0;
            } else {
                totals.reserve += rest;
                totals.submission += submission;
            }
        }

        address prover = leaf.prover;
        uint256 gas = leaf.proverGas;
        if (earned != 0 || gas != 0) _credit(prover, earned, gas);
        uint256 fromFees = bonus == 0 ? earned : fees * work / BASIS_POINTS;
        if (fromFees != 0) emit Credited(number, prover, Kind.Leaf, fromFees);
        if (earned != fromFees) emit Credited(number, prover, Kind.Bonus, earned - fromFees);
        if (submission != 0) emit Credited(number, submitter, Kind.Submission, submission);
    }

    /// @dev Money and work of one account, in one write.
    function _credit(address who, uint256 amount, uint256 gas) private {
        Account memory account = _accounts[who];
        account.credit += uint96(amount);
        if (gas != 0) _work(account, gas);
        _accounts[who] = account;
    }

    /// @dev RW-3: every merge earns the same, whatever it merged.
    function _payMergers(address[] calldata mergers, uint64 number, Totals memory totals) private {
        uint256 each = totals.merge / mergers.length;
        totals.reserve += totals.merge - each * mergers.length;
        if (each == 0) return;
        for (uint256 i; i < mergers.length; ++i) {
            _accounts[mergers[i]].credit += uint96(each);
            emit Credited(number, mergers[i], Kind.Merge, each);
        }
    }

    function _settle(Totals memory totals, address submitter, uint64 firstNumber, uint64 lastNumber) private {
        if (totals.submission != 0) _accounts[submitter].credit += uint96(totals.submission);
        _unallocated -= uint80(totals.fees);
        _protocolReserve = _protocolReserve - uint80(totals.bonuses) + uint80(totals.reserve);
        _young += uint80(totals.redundancy);
        if (totals.bonuses != 0) emit Released(Reserve.Protocol, firstNumber, lastNumber, totals.bonuses);
        if (totals.redundancy != 0) emit Reserved(Reserve.Redundancy, firstNumber, lastNumber, totals.redundancy);
        if (totals.reserve != 0) emit Reserved(Reserve.Protocol, firstNumber, lastNumber, totals.reserve);
    }

    /// @dev ST-6.
    function _payBounty(address account, uint80 bounty, uint64 number) private {
        uint80 held = _protocolReserve;
        if (bounty > held) bounty = held;
        if (bounty == 0) return;
        _protocolReserve = held - bounty;
        _accounts[account].credit += bounty;
        emit Released(Reserve.Protocol, number, number, bounty);
        emit Credited(number, account, Kind.Bounty, bounty);
    }
    // forge-lint: disable-end(unsafe-typecast)
}
