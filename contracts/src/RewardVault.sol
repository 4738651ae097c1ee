// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Leaf} from "./Types.sol";
import {IRewardVault} from "./interfaces/IRewardVault.sol";

/// @title Vault of the collected prover fees (RW-1, RW-2, RW-3, RW-5, RW-7)
/// @notice Every wei paid in is at any time in exactly one place: unallocated, credited to an account, in one of the two
/// reserves, or claimed. Every move between them is an event.
/// @dev Ether that is forced in without `fund` belongs to nobody and is never counted. The redundancy share of a block is
/// a fixed part of its pot, and pots are filled block by block in order: whoever knows an update's leaves and what was
/// unallocated before it can recompute each block's share, so that a redundancy claim (RW-4) needs no storage per block.
contract RewardVault is IRewardVault {
    /// @dev One word per account. Its other half is where a prover's reputation (FM-3) costs no further storage write:
    /// decayed prover gas, time and number of updates change exactly when the credit does.
    struct Account {
        uint128 credit;
    }

    /// @dev What an update's pots come to, and their parts.
    struct Totals {
        uint256 pots;
        uint256 submission;
        uint256 redundancy;
        uint256 reserve;
    }

    uint256 private constant BASIS_POINTS = 10_000;

    /// @inheritdoc IRewardVault
    address public immutable stateUpdate;
    uint16 private immutable _leafShare;
    uint16 private immutable _mergeShare;
    uint16 private immutable _submissionShare;
    uint16 private immutable _redundancyShare;
    uint16 private immutable _reserveShare;

    mapping(address account => Account) private _accounts;
    // The three balances that every update moves share one word: their sum is held below 2^80 wei (1.2 million ether),
    // and moves between them keep it.
    uint80 private _unallocated;
    uint80 private _redundancyReserve;
    uint80 private _protocolReserve;

    /// @notice Fixes who may credit and how pots are split.
    /// @param stateUpdate_ The only contract that may credit. It may be deployed later: its constructor checks the link.
    /// @param split Shares of a pot in basis points.
    constructor(address stateUpdate_, Shares memory split) {
        uint256 sum = uint256(split.leaf) + split.merge + split.submission + split.redundancy + split.reserve;
        if (sum != BASIS_POINTS) revert RW2_SharesDoNotSum(sum);
        stateUpdate = stateUpdate_;
        _leafShare = split.leaf;
        _mergeShare = split.merge;
        _submissionShare = split.submission;
        _redundancyShare = split.redundancy;
        _reserveShare = split.reserve;
    }

    /// @inheritdoc IRewardVault
    function fund() external payable {
        uint256 held = uint256(_unallocated) + _redundancyReserve + _protocolReserve;
        if (msg.value > type(uint80).max - held) revert RW5_FundTooLarge(msg.value);
        // forge-lint: disable-next-line(unsafe-typecast)
        _unallocated += uint80(msg.value);
        emit Funded(msg.sender, msg.value);
    }

    /// @inheritdoc IRewardVault
    /// @dev A block whose fees the vault does not hold is paid what is there: money never stops an update.
    /// The bounty comes out of what the protocol reserve holds once these pots are split, as far as that goes.
    function reward(Leaf[] calldata leaves, uint64 firstNumber, address submitter, uint80 bounty) external {
        if (msg.sender != stateUpdate) revert RW5_OnlyStateUpdate(msg.sender);
        Totals memory totals;
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 count = uint64(leaves.length);
        uint256 available = _unallocated;
        for (uint64 i; i < count; ++i) {
            uint256 pot = leaves[i].proverFees;
            uint256 left = available - totals.pots;
            if (pot > left) {
                pot = left;
                emit PotShort(firstNumber + i, leaves[i].proverFees, pot);
            }
            if (pot != 0) _split(pot, firstNumber + i, leaves[i].prover, submitter, totals);
        }
        if (totals.pots != 0) _settle(totals, submitter, firstNumber, firstNumber + count - 1);
        if (bounty != 0) _payBounty(submitter, bounty, firstNumber + count - 1);
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
        return _redundancyReserve;
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

    /// @dev One pot into its parts (RW-2). The leaf prover is credited at once, the rest by the sum.
    function _split(uint256 pot, uint64 number, address prover, address submitter, Totals memory totals) private {
        // Groth16 needs no merge work, so the merge share goes to the leaf (RW-2).
        uint256 leaf = pot * (uint256(_leafShare) + _mergeShare) / BASIS_POINTS;
        uint256 submission = pot * _submissionShare / BASIS_POINTS;
        uint256 redundancy = pot * _redundancyShare / BASIS_POINTS;
        totals.pots += pot;
        totals.submission += submission;
        totals.redundancy += redundancy;
        // What division leaves over goes to the reserve, so that the parts sum to the pot exactly.
        totals.reserve += pot - leaf - submission - redundancy;
        // ST-6: nobody earns the submission in another prover's turn.
        if (submitter == address(0)) {
            totals.submission -= submission;
            totals.reserve += submission;
            submission = 0;
        }
        if (leaf != 0) {
            _credit(prover, leaf);
            emit Credited(number, prover, Kind.Leaf, leaf);
        }
        if (submission != 0) emit Credited(number, submitter, Kind.Submission, submission);
    }

    function _settle(Totals memory totals, address submitter, uint64 firstNumber, uint64 lastNumber) private {
        if (totals.submission != 0) _credit(submitter, totals.submission);
        // All parts are at most the pots, which are at most what was unallocated: 80 bits hold them.
        // forge-lint: disable-start(unsafe-typecast)
        _unallocated -= uint80(totals.pots);
        _redundancyReserve += uint80(totals.redundancy);
        _protocolReserve += uint80(totals.reserve);
        // forge-lint: disable-end(unsafe-typecast)
        if (totals.redundancy != 0) emit Reserved(Reserve.Redundancy, firstNumber, lastNumber, totals.redundancy);
        if (totals.reserve != 0) emit Reserved(Reserve.Protocol, firstNumber, lastNumber, totals.reserve);
    }

    /// @dev ST-6.
    function _payBounty(address account, uint80 bounty, uint64 number) private {
        uint80 held = _protocolReserve;
        if (bounty > held) bounty = held;
        if (bounty == 0) return;
        _protocolReserve = held - bounty;
        _credit(account, bounty);
        emit Released(Reserve.Protocol, number, number, bounty);
        emit Credited(number, account, Kind.Bounty, bounty);
    }

    function _credit(address account, uint256 amount) private {
        // At most what was unallocated.
        // forge-lint: disable-next-line(unsafe-typecast)
        _accounts[account].credit += uint128(amount);
    }
}
