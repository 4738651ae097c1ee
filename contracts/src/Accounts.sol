// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {integerExponential} from "./Exponential.sol";
import {IReputation} from "./interfaces/IReputation.sol";

/// @title What the vault knows of each account: what it is owed, and its reputation (FM-3)
/// @notice Reputation is prover gas that L1 credited, halved with every half-life that passed since.
/// @dev One word per account, because both change at the same moments: keeping reputation costs no storage write of its own.
/// The total of all reputations decays by the same factor as its parts, so that it needs no list of them. It is rounded up
/// and they are rounded down, so that they do not exceed it however often each is rounded.
abstract contract Accounts is IReputation {
    struct Account {
        uint96 credit;
        uint80 reputation;
        uint40 workedAt;
        uint32 updates;
    }

    /// @dev Unit of exponents and of their powers. An update every 12 seconds moves the exponent of a half-life of a week by
    /// 14 millionths: the unit must be far below.
    uint256 private constant ONE = 1e12;
    /// @dev The natural logarithm of 2, in that unit.
    uint256 private constant LN2 = 693_147_180_559;

    /// @inheritdoc IReputation
    uint32 public immutable reputationHalfLife;
    mapping(address account => Account) internal _accounts;
    // The total stands beside what the vault reads with every reward: declared last, it leaves its word open.
    uint96 private _total;
    uint40 private _totalAt;

    constructor(uint32 halfLife) {
        if (halfLife == 0) revert FM3_NoHalfLife();
        reputationHalfLife = halfLife;
    }

    /// @inheritdoc IReputation
    function reputationOf(address account) external view returns (uint256 reputation, uint256 updates) {
        Account memory known = _accounts[account];
        return (_decayed(known.reputation, block.timestamp - known.workedAt), known.updates);
    }

    /// @inheritdoc IReputation
    function totalReputation() public view returns (uint256) {
        (uint256 numerator, uint256 denominator) = _decay(_total, block.timestamp - _totalAt);
        return (numerator + denominator - 1) / denominator;
    }

    // All narrowing below is of values that were just held below the type's maximum, or of times.
    // forge-lint: disable-start(unsafe-typecast)

    /// @dev Adds prover gas to a reputation. Its caller adds the same to the total, once for all accounts of an update.
    function _work(Account memory account, uint256 gas) internal view {
        uint256 elapsed = block.timestamp - account.workedAt;
        uint256 grown = gas + (elapsed == 0 ? account.reputation : _decayed(account.reputation, elapsed));
        account.reputation = grown < type(uint80).max ? uint80(grown) : type(uint80).max;
        // Leaves of one update share a second, and count as one.
        if (elapsed != 0) ++account.updates;
        account.workedAt = uint40(block.timestamp);
    }

    function _addToTotal(uint256 gas) internal {
        uint256 grown = totalReputation() + gas;
        _total = grown < type(uint96).max ? uint96(grown) : type(uint96).max;
        _totalAt = uint40(block.timestamp);
    }

    /// @dev ST-6: halves a reputation where it stands, so that its decay goes on from when it last grew.
    function _forfeit(address holder) internal returns (uint256 lost) {
        Account storage account = _accounts[holder];
        uint80 reputation = account.reputation;
        lost = _decayed(reputation, block.timestamp - account.workedAt) / 2;
        account.reputation = reputation - reputation / 2;
        uint256 total = totalReputation();
        _total = uint96(lost < total ? total - lost : 0);
        _totalAt = uint40(block.timestamp);
    }

    // forge-lint: disable-end(unsafe-typecast)

    function _decayed(uint256 reputation, uint256 elapsed) private view returns (uint256) {
        (uint256 numerator, uint256 denominator) = _decay(reputation, elapsed);
        return numerator / denominator;
    }

    /// @dev What is left of some prover gas, as a fraction: whole half-lives double what it is divided by.
    function _decay(uint256 gas, uint256 elapsed) private view returns (uint256 numerator, uint256 denominator) {
        uint256 halves = elapsed / reputationHalfLife;
        // The largest total is below one by then.
        if (halves >= 96 || gas == 0) return (0, 1);
        uint256 exponent = (elapsed % reputationHalfLife) * LN2 / reputationHalfLife;
        return (gas * ONE, integerExponential(ONE, exponent, ONE) << halves);
    }
}
