// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "./Parameters.sol";
import {IFeeSignal} from "./interfaces/IFeeSignal.sol";
import {IReputation} from "./interfaces/IReputation.sol";

/// @title The price signal of historically active provers (FM-3)
/// @notice Whoever proves can say, once per epoch, that proving is paid too little. At a quorum of reputation the multiplier
/// of the price rises by a step, and it falls back toward one in every epoch without a quorum. Nobody owns the contract, and
/// nobody but the provers of the recent past can move it.
/// @dev One word holds the state as of the newest flag. Between flags nothing is written: the decay since then is computed.
contract FeeSignal is IFeeSignal {
    /// @dev The newest epoch with a flag, and what came of it.
    struct State {
        uint40 epoch;
        bool raised;
        uint64 multiplier;
        uint144 weight;
    }

    uint64 private constant ONE = 1_000_000;
    uint256 private constant BASIS_POINTS = 10_000;
    /// @dev The longest way from the highest multiplier down to one, in epochs: reading it must stay cheap.
    uint256 private constant MOST_DECAYS = 256;

    /// @inheritdoc IFeeSignal
    IReputation public immutable reputation;
    /// @inheritdoc IFeeSignal
    uint32 public immutable signalEpoch;
    /// @inheritdoc IFeeSignal
    uint32 public immutable minUpdates;
    /// @inheritdoc IFeeSignal
    uint16 public immutable signalQuorum;
    /// @inheritdoc IFeeSignal
    uint16 public immutable signalCap;
    /// @inheritdoc IFeeSignal
    uint32 public immutable signalStep;
    /// @inheritdoc IFeeSignal
    uint32 public immutable signalMax;
    /// @inheritdoc IFeeSignal
    uint32 public immutable signalDecay;

    State private _state = State({epoch: 0, raised: false, multiplier: ONE, weight: 0});
    /// @dev The epoch in which a prover flagged last, plus one; zero if it never did.
    mapping(address prover => uint40) private _flaggedIn;

    /// @notice Fixes where reputation is known and how the multiplier moves.
    /// @param vault Knows what provers did.
    /// @param parameters The protocol's parameters.
    constructor(IReputation vault, Parameters memory parameters) {
        if (parameters.signalEpoch == 0) revert FM3_ParameterOutOfRange("signalEpoch");
        if (parameters.signalQuorum == 0 || parameters.signalQuorum > BASIS_POINTS) {
            revert FM3_ParameterOutOfRange("signalQuorum");
        }
        if (parameters.signalCap == 0 || parameters.signalCap > BASIS_POINTS) {
            revert FM3_ParameterOutOfRange("signalCap");
        }
        if (parameters.signalStep <= ONE) revert FM3_ParameterOutOfRange("signalStep");
        if (parameters.signalMax < parameters.signalStep) revert FM3_ParameterOutOfRange("signalMax");
        if (parameters.signalDecay == 0 || parameters.signalDecay >= ONE) {
            revert FM3_ParameterOutOfRange("signalDecay");
        }
        if (_decayed(parameters.signalMax, MOST_DECAYS, parameters.signalDecay) != ONE) {
            revert FM3_ParameterOutOfRange("signalDecay");
        }
        reputation = vault;
        signalEpoch = parameters.signalEpoch;
        minUpdates = parameters.minUpdates;
        signalQuorum = parameters.signalQuorum;
        signalCap = parameters.signalCap;
        signalStep = parameters.signalStep;
        signalMax = parameters.signalMax;
        signalDecay = parameters.signalDecay;
    }

    /// @inheritdoc IFeeSignal
    function flag() external {
        (uint256 own, uint256 updates) = reputation.reputationOf(msg.sender);
        uint256 total = reputation.totalReputation();
        if (updates < minUpdates) revert FM3_NotActive(updates, minUpdates);
        uint40 now_ = epoch();
        if (_flaggedIn[msg.sender] == now_ + 1) revert FM3_AlreadyFlagged(now_);
        // Every weight, even none, is a quorum of a total of nothing.
        if (own == 0 || total == 0) revert FM3_NoReputation();
        _flaggedIn[msg.sender] = now_ + 1;

        State memory state = _state;
        if (state.epoch != now_) {
            state = State({epoch: now_, raised: false, multiplier: _multiplierAt(state, now_), weight: 0});
        }
        uint256 weight = total * signalCap / BASIS_POINTS;
        if (own < weight) weight = own;
        // A reputation is below 2^80: 144 bits hold the flags of 2^64 provers.
        // forge-lint: disable-next-line(unsafe-typecast)
        state.weight += uint144(weight);
        emit Flagged(now_, msg.sender, weight, state.weight, total);
        if (!state.raised && state.weight * BASIS_POINTS >= total * signalQuorum) {
            state.raised = true;
            uint256 raised = uint256(state.multiplier) * signalStep / ONE;
            // At most `signalMax`.
            // forge-lint: disable-next-line(unsafe-typecast)
            state.multiplier = raised < signalMax ? uint64(raised) : signalMax;
            emit MultiplierRaised(now_, state.multiplier);
        }
        _state = state;
    }

    /// @inheritdoc IFeeSignal
    function multiplier() external view returns (uint64) {
        return _multiplierAt(_state, epoch());
    }

    /// @inheritdoc IFeeSignal
    function hasFlagged(address prover) external view returns (bool) {
        return _flaggedIn[prover] == epoch() + 1;
    }

    /// @inheritdoc IFeeSignal
    function epoch() public view returns (uint40) {
        // 2^40 epochs of a second each are 34,000 years.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint40(block.timestamp / signalEpoch);
    }

    /// @dev The multiplier in an epoch that is not before the state's: every epoch that ended without a quorum lets it decay.
    function _multiplierAt(State memory state, uint40 later) private view returns (uint64) {
        uint256 ended = later - state.epoch;
        uint256 quiet = state.raised && ended != 0 ? ended - 1 : ended;
        return _decayed(state.multiplier, quiet, signalDecay);
    }

    function _decayed(uint64 from, uint256 epochs, uint32 decay) private pure returns (uint64) {
        for (uint256 i; i < epochs && from > ONE; ++i) {
            from = from * decay / ONE;
        }
        return from > ONE ? from : ONE;
    }
}
