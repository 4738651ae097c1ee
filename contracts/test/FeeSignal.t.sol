// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation, Parameters} from "../src/Parameters.sol";
import {IFeeSignal as I} from "../src/interfaces/IFeeSignal.sol";
import {IReputation} from "../src/interfaces/IReputation.sol";
import {Base} from "./Base.sol";
import {Deploy} from "./Deploy.sol";

/// @notice Reputation as a test wants it: what is tested here is what the signal makes of it.
contract Reputations is IReputation {
    struct Account {
        uint256 reputation;
        uint256 updates;
    }

    uint32 public constant reputationHalfLife = 7 days;
    mapping(address account => Account) public reputationOf;
    uint256 public totalReputation;

    function set(address account, uint256 reputation, uint256 updates) external {
        totalReputation = totalReputation + reputation - reputationOf[account].reputation;
        reputationOf[account] = Account(reputation, updates);
    }

    function setTotal(uint256 total) external {
        totalReputation = total;
    }
}

contract FeeSignalTest is Base {
    uint40 private constant EPOCH = 1000;
    uint64 private constant ONE = 1_000_000;
    uint256 private constant PROVERS = 10;

    Reputations private vault;
    I private signal;

    /// @dev Ten provers with a tenth of all reputation each.
    function setUp() public {
        vm.warp(uint256(EPOCH) * 1 hours);
        vault = new Reputations();
        signal = Deploy.feeSignal(vault, _parameters());
        for (uint160 i; i < PROVERS; ++i) {
            vault.set(_prover(i), 1e9, 3);
        }
    }

    function test_FM3_holdsWhatItWasGiven() public view {
        vm.assertEq(address(signal.reputation()), address(vault));
        vm.assertEq(signal.signalEpoch(), 1 hours);
        vm.assertEq(signal.minUpdates(), 3);
        vm.assertEq(signal.signalQuorum(), 3333);
        vm.assertEq(signal.signalCap(), 2000);
        vm.assertEq(signal.signalStep(), 1_250_000);
        vm.assertEq(signal.signalMax(), 8_000_000);
        vm.assertEq(signal.signalDecay(), 900_000);
        vm.assertEq(signal.multiplier(), ONE);
        vm.assertEq(signal.epoch(), EPOCH);
    }

    function test_FM3_refusesParametersThatCannotWork() public {
        Parameters memory given = _parameters();
        given.signalEpoch = 0;
        _refused(given, "signalEpoch");
        for (uint16 i; i < 2; ++i) {
            given = _parameters();
            given.signalQuorum = i * 10_001;
            _refused(given, "signalQuorum");
            given = _parameters();
            given.signalCap = i * 10_001;
            _refused(given, "signalCap");
            given = _parameters();
            given.signalDecay = i * 1_000_000;
            _refused(given, "signalDecay");
        }
        given = _parameters();
        given.signalStep = 1_000_000;
        _refused(given, "signalStep");
        given = _parameters();
        given.signalMax = given.signalStep - 1;
        _refused(given, "signalMax");
        given = _parameters();
        // It would take 260 epochs from the highest multiplier down to one.
        given.signalDecay = 992_032;
        _refused(given, "signalDecay");
    }

    function test_FM3_takesParametersAtTheEndsOfTheirRanges() public {
        Parameters memory given = _parameters();
        given.signalEpoch = 1;
        given.minUpdates = 0;
        given.signalQuorum = 10_000;
        given.signalCap = 10_000;
        given.signalStep = 1_000_001;
        given.signalMax = 1_000_001;
        given.signalDecay = 999_999;
        signal = Deploy.feeSignal(vault, given);
        given.signalQuorum = 1;
        given.signalCap = 1;
        given.signalStep = type(uint32).max;
        given.signalMax = type(uint32).max;
        given.signalDecay = 1;
        signal = Deploy.feeSignal(vault, given);
        // One basis point of the total is the cap and the quorum.
        _flag(0);
        vm.assertEq(signal.multiplier(), type(uint32).max);
        vm.warp(block.timestamp + 2);
        vm.assertEq(signal.multiplier(), ONE);
    }

    function test_FM3_onlyActiveProversFlag() public {
        vault.set(_prover(0), 1e9, 2);
        vm.expectRevert(abi.encodeWithSelector(I.FM3_NotActive.selector, 2, 3));
        _flag(0);
        vault.set(_prover(0), 1e9, 3);
        _flag(0);
        vm.expectRevert(abi.encodeWithSelector(I.FM3_NotActive.selector, 0, 3));
        signal.flag();
    }

    function test_FM3_fadedReputationDoesNotFlag() public {
        vault.set(_prover(0), 0, 3);
        vm.expectRevert(abi.encodeWithSelector(I.FM3_NoReputation.selector));
        _flag(0);
        vault.set(_prover(0), 1, 3);
        vault.setTotal(0);
        vm.expectRevert(abi.encodeWithSelector(I.FM3_NoReputation.selector));
        _flag(0);
        vm.assertEq(signal.multiplier(), ONE);
    }

    function test_FM3_oncePerEpoch() public {
        vm.assertFalse(signal.hasFlagged(_prover(0)));
        _flag(0);
        vm.assertTrue(signal.hasFlagged(_prover(0)));
        vm.assertFalse(signal.hasFlagged(_prover(1)));
        vm.warp(uint256(EPOCH) * 1 hours + 1 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(I.FM3_AlreadyFlagged.selector, EPOCH));
        _flag(0);
        vm.warp(block.timestamp + 1);
        vm.assertFalse(signal.hasFlagged(_prover(0)));
        _flag(0);
        vm.assertTrue(signal.hasFlagged(_prover(0)));
    }

    function test_FM3_risesOnceAtTheQuorum() public {
        // Three tenths are below 33.33 %, four are not.
        for (uint256 i; i < 3; ++i) {
            vm.expectEmit(true, true, true, true, address(signal));
            emit I.Flagged(EPOCH, _prover(i), 1e9, (i + 1) * 1e9, 10e9);
            _flag(i);
            vm.assertEq(signal.multiplier(), ONE);
        }
        vm.expectEmit(true, true, true, true, address(signal));
        emit I.Flagged(EPOCH, _prover(3), 1e9, 4e9, 10e9);
        vm.expectEmit(true, true, true, true, address(signal));
        emit I.MultiplierRaised(EPOCH, 1_250_000);
        _flag(3);
        vm.recordLogs();
        for (uint256 i = 4; i < PROVERS; ++i) {
            _flag(i);
        }
        vm.assertEq(vm.getRecordedLogs().length, 6);
        vm.assertEq(signal.multiplier(), 1_250_000);
    }

    function test_FM3_theQuorumIsReachedToTheUnit() public {
        vault.set(_prover(0), 2000, 3);
        vault.set(_prover(1), 1332, 3);
        vault.set(_prover(2), 1, 3);
        vault.setTotal(10_000);
        _flag(0);
        _flag(1);
        vm.assertEq(signal.multiplier(), ONE);
        _flag(2);
        vm.assertEq(signal.multiplier(), 1_250_000);
    }

    function test_FM3_aFlagWeighsAFifthOfTheTotalAtMost() public {
        // One prover with 99 % of all reputation weighs as much as one with a fifth: it takes another such.
        vault.set(_prover(0), 891e9, 9);
        vm.expectEmit(true, true, true, true, address(signal));
        emit I.Flagged(EPOCH, _prover(0), 180e9, 180e9, 900e9);
        _flag(0);
        _flag(1);
        vm.assertEq(signal.multiplier(), ONE);
        vault.set(_prover(2), 891e9, 9);
        vault.setTotal(900e9);
        _flag(2);
        vm.assertEq(signal.multiplier(), 1_250_000);
    }

    function test_FM3_flagsOfAnEarlierEpochDoNotCount() public {
        _flagAll(0, 3);
        _nextEpochs(1);
        vm.expectEmit(true, true, true, true, address(signal));
        emit I.Flagged(EPOCH + 1, _prover(3), 1e9, 1e9, 10e9);
        _flag(3);
        vm.assertEq(signal.multiplier(), ONE);
    }

    function test_FM3_risesStepByStepUpToTheHighest() public {
        uint64[12] memory steps = [
            uint64(1_250_000),
            1_562_500,
            1_953_125,
            2_441_406,
            3_051_757,
            3_814_696,
            4_768_370,
            5_960_462,
            7_450_577,
            8_000_000,
            8_000_000,
            8_000_000
        ];
        for (uint256 i; i < steps.length; ++i) {
            _flagAll(0, 4);
            vm.assertEq(signal.multiplier(), steps[i]);
            _nextEpochs(1);
            // The epoch that just ended had its quorum.
            vm.assertEq(signal.multiplier(), steps[i]);
        }
    }

    function test_FM3_fallsInEveryEpochWithoutAQuorum() public {
        _raise(2);
        vm.assertEq(signal.multiplier(), 1_562_500);
        // The first one stands twice: the epoch of the quorum does not let it fall.
        uint64[8] memory falling = [uint64(1_562_500), 1_562_500, 1_406_250, 1_265_625, 1_139_062, 1_025_155, ONE, ONE];
        for (uint256 i; i < falling.length; ++i) {
            vm.assertEq(signal.multiplier(), falling[i]);
            _nextEpochs(1);
        }
        _nextEpochs(1_000_000);
        vm.assertEq(signal.multiplier(), ONE);
    }

    function test_FM3_flagsBelowTheQuorumDoNotStopTheFall() public {
        _raise(2);
        _nextEpochs(1);
        _flag(0);
        vm.assertEq(signal.multiplier(), 1_562_500);
        _nextEpochs(1);
        vm.assertEq(signal.multiplier(), 1_406_250);
        _flagAll(0, 4);
        vm.assertEq(signal.multiplier(), 1_757_812);
        _nextEpochs(1);
        vm.assertEq(signal.multiplier(), 1_757_812);
        _nextEpochs(1);
        vm.assertEq(signal.multiplier(), 1_582_030);
    }

    /// @dev Whatever is flagged when: the multiplier is what a loop over the epochs makes of it, and between one and the highest.
    function testFuzz_FM3_followsALoopOverTheEpochs(uint8[16] memory flags, uint8[16] memory gaps) public {
        uint64 expected = ONE;
        for (uint256 i; i < 16; ++i) {
            uint256 count = flags[i] % (PROVERS + 1);
            _flagAll(0, count);
            bool raised = count >= 4;
            if (raised) {
                expected = expected * 1_250_000 / ONE;
                if (expected > 8_000_000) expected = 8_000_000;
            }
            vm.assertEq(signal.multiplier(), expected);
            uint256 gap = gaps[i] % 5 + 1;
            for (uint256 j; j < gap; ++j) {
                if (!(raised && j == 0)) expected = expected * 900_000 / ONE;
                if (expected < ONE) expected = ONE;
            }
            _nextEpochs(gap);
            vm.assertEq(signal.multiplier(), expected);
        }
    }

    /// @dev No flag weighs more than the cap, and the quorum is a share of the total as of the flag that reaches it.
    function testFuzz_FM3_weighsByReputation(uint80[6] memory reputations, uint96 others) public {
        uint256 total = others;
        for (uint256 i; i < PROVERS; ++i) {
            vault.set(_prover(i), i < 6 ? reputations[i] : 0, 3);
            if (i < 6) total += reputations[i];
        }
        vault.setTotal(total);
        uint256 gathered;
        for (uint256 i; i < 6; ++i) {
            if (reputations[i] == 0) continue;
            uint256 most = total * 2000 / 10_000;
            gathered += reputations[i] < most ? reputations[i] : most;
            _flag(i);
            vm.assertEq(signal.multiplier(), gathered * 10_000 >= total * 3333 ? 1_250_000 : ONE);
        }
    }

    function test_gas_flag() public {
        _flag(0);
        _flag(1);
        assertGasBelow("FeeSignal", "flag", 80_000);
        _flagAll(2, 4);
        assertGasBelow("FeeSignal", "flagAtTheQuorum", 80_000);
        _raise(10);
        _nextEpochs(100);
        _flag(0);
        assertGasBelow("FeeSignal", "flagAfterALongDecay", 90_000);
    }

    function _raise(uint256 times) private {
        for (uint256 i; i < times; ++i) {
            _nextEpochs(1);
            _flagAll(0, 4);
        }
    }

    function _flagAll(uint256 first, uint256 end) private {
        for (uint256 i = first; i < end; ++i) {
            _flag(i);
        }
    }

    function _flag(uint256 prover) private {
        vm.prank(_prover(prover));
        signal.flag();
    }

    function _nextEpochs(uint256 epochs) private {
        vm.warp(block.timestamp + epochs * 1 hours);
    }

    function _refused(Parameters memory given, string memory name) private {
        vm.expectRevert(abi.encodeWithSelector(I.FM3_ParameterOutOfRange.selector, name));
        Deploy.feeSignal(vault, given);
    }

    function _prover(uint256 index) private pure returns (address) {
        return address(uint160(0xA0 + index));
    }

    function _parameters() private pure returns (Parameters memory parameters) {
        parameters.designation = Designation.Preferred;
        parameters.signalEpoch = 1 hours;
        parameters.minUpdates = 3;
        parameters.signalQuorum = 3333;
        parameters.signalCap = 2000;
        parameters.signalStep = 1_250_000;
        parameters.signalMax = 8_000_000;
        parameters.signalDecay = 900_000;
    }
}
