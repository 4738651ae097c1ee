// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {integerExponential} from "../src/Exponential.sol";
import {Parameters} from "../src/Parameters.sol";
import {Leaf} from "../src/Types.sol";
import {IReputation} from "../src/interfaces/IReputation.sol";
import {IRewardVault as I} from "../src/interfaces/IRewardVault.sol";
import {Base} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy, Vault} from "./Deploy.sol";

/// @notice Reputation: credited prover gas that decays (FM-3).
/// @dev The test contract stands where the state update contract does. Nobody pays: reputation needs no money.
contract ReputationTest is Base {
    uint256 private constant START = 1_800_000_000;
    uint256 private constant HALF_LIFE = 7 days;
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);

    Vault private vault;
    // Kept here: the optimizer takes the block's time for a constant.
    uint256 private time = START;

    function setUp() public {
        vm.warp(START);
        vault = Deploy.rewardVault(address(this), Defaults.shares(), Defaults.parameters());
    }

    function test_FM3_needsAHalfLife() public {
        Parameters memory parameters = Defaults.parameters();
        parameters.reputationHalfLife = 0;
        vm.expectRevert(abi.encodeWithSelector(IReputation.FM3_NoHalfLife.selector));
        Deploy.rewardVault(address(this), Defaults.shares(), parameters);
    }

    function test_FM3_theHalfLifeIsAsGiven() public view {
        vm.assertEq(vault.reputationHalfLife(), HALF_LIFE);
    }

    function test_FM3_nobodyHasReputationAtFirst() public view {
        _assertReputation(ALICE, 0, 0);
        vm.assertEq(vault.totalReputation(), 0);
    }

    /// @dev Values of the rule computed apart from this code, by the formula in `docs/protocol.md`.
    function test_FM3_decaysToTheUnit() public {
        uint256[2][8] memory short = [
            [uint256(0), 1_000_000_007],
            [uint256(1), 999_998_860],
            [uint256(12), 999_986_254],
            [uint256(302_400), 707_106_786],
            [uint256(604_799), 500_000_576],
            [HALF_LIFE, 500_000_003],
            [3 * HALF_LIFE + 86_400, 113_215_458],
            [96 * HALF_LIFE, 0]
        ];
        _work(ALICE, 1_000_000_007);
        for (uint256 i; i < 8; ++i) {
            vm.warp(START + short[i][0]);
            _assertReputation(ALICE, short[i][1], 1);
            // Rounded up, where there is anything to round.
            vm.assertEq(vault.totalReputation(), short[i][1] + (i == 0 || i == 7 ? 0 : 1));
        }
    }

    /// @dev Against the exact power of two: the last units of exponent and power, and rounding down, are all that is lost.
    function testFuzz_FM3_decaysLikeAPowerOfTwo(uint80 gas, uint32 elapsed) public {
        vm.assume(gas != 0);
        _work(ALICE, gas);
        vm.warp(START + elapsed);
        (uint256 reputation,) = vault.reputationOf(ALICE);
        uint256 halves = elapsed / HALF_LIFE;
        int256 rest = int256(elapsed % HALF_LIFE * 693_147_180_559_945_309 / HALF_LIFE);
        uint256 exact = (uint256(gas) >> halves) * uint256(FixedPointMathLib.expWad(-rest)) / 1e18;
        vm.assertTrue(reputation + 2 >= exact && reputation <= exact + exact / 2e11 + 2);
    }

    /// @dev A day of updates, one every twelve seconds: no power is so near to one that its last digits would decide. Each
    /// works at one of them in five, so that the total decays in more steps than its parts.
    function test_FM3_manyUpdatesDecayAsOne() public {
        uint256 exact;
        // Two to the power of -12 seconds by a half-life, in 1e18ths.
        uint256 factor = 999_986_247_174_321_769;
        for (uint160 i; i < 7200; ++i) {
            _wait(12);
            _work(address(uint160(0xA0) + i % 5), 16_000);
            exact = exact * factor / 1e18 + 16_000e18;
        }
        uint256 sum = _sum(5);
        uint256 total = vault.totalReputation();
        vm.assertTrue(sum <= total && total * 1e18 >= exact);
        // A unit for each update, of 16,000 that it brings.
        vm.assertTrue(total - sum <= 7200 && total * 1e18 - exact <= 7200e18);
    }

    /// @dev One vector of the node's own function, which this one equals bit for bit, and the ends of its range.
    function test_FM3_theExponentialIsTheNodes() public pure {
        vm.assertEq(integerExponential(1e12, 0, 1e12), 1e12);
        vm.assertEq(integerExponential(1e12, 693_147_180_559, 1e12), 1_999_999_999_998);
        vm.assertEq(integerExponential(1, 1, 1), 2);
        vm.assertEq(integerExponential(0, 1, 1), 0);
    }

    /// @dev All of an update counts, and the update once; an update without gas of one's own is none.
    function test_FM3_updatesWithWorkCountOnce() public {
        Leaf[] memory leaves = new Leaf[](4);
        leaves[0] = Leaf(0, ALICE, 0, 5);
        leaves[1] = Leaf(0, BOB, 0, 7);
        leaves[2] = Leaf(0, ALICE, 0, 11);
        leaves[3] = Leaf(0, address(0xC0), 1 ether, 0);
        _reward(leaves);
        _assertReputation(ALICE, 16, 1);
        _assertReputation(BOB, 7, 1);
        _assertReputation(address(0xC0), 0, 0);
        vm.assertEq(vault.totalReputation(), 23);
        // Another update in the same second of L1 adds its gas, and does not count again.
        _reward(leaves);
        _assertReputation(ALICE, 32, 1);
        _wait(1);
        _reward(leaves);
        (, uint256 updates) = vault.reputationOf(ALICE);
        vm.assertEq(updates, 2);
    }

    function test_FM3_whatWasEarnedDecaysAsOne() public {
        _work(ALICE, 1e9);
        _wait(HALF_LIFE);
        _work(ALICE, 1e9);
        _assertReputation(ALICE, 1.5e9, 2);
        _wait(HALF_LIFE);
        _assertReputation(ALICE, 0.75e9, 2);
        vm.assertEq(vault.totalReputation(), 0.75e9);
    }

    /// @dev The widths are a bound, not a trap: reputation stops there, and decays from there.
    function test_FM3_staysWithinItsWidth() public {
        uint256[] memory earned = new uint256[](1);
        vault.rewardRedundancy(ALICE, 1, earned, type(uint128).max, uint64(START));
        _assertReputation(ALICE, type(uint80).max, 1);
        vm.assertEq(vault.totalReputation(), type(uint96).max);
        _work(ALICE, 1);
        _assertReputation(ALICE, type(uint80).max, 1);
        vm.assertEq(vault.totalReputation(), type(uint96).max);
        _wait(HALF_LIFE);
        _assertReputation(ALICE, type(uint80).max >> 1, 1);
        vm.assertEq(vault.totalReputation(), uint256(type(uint96).max) / 2 + 1);
    }

    /// @dev The total decays as one, its parts each since they last grew: they drift apart by rounding only. It is rounded up
    /// and they are rounded down, so that the parts never exceed it.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_FM3_theTotalIsTheSumOfItsParts(uint32[24] memory gas, uint24[24] memory pauses) public {
        uint256 steps;
        for (uint160 i; i < 24; ++i) {
            _wait(pauses[i] % 200_000);
            address who = address(uint160(0xA0) + gas[i] % 5);
            if (gas[i] % 7 == 0) vault.forfeit(0, _one(who));
            else _work(who, uint64(gas[i]) + 1);
            ++steps;
            uint256 total = vault.totalReputation();
            uint256 sum = _sum(5);
            vm.assertTrue(total >= sum);
            vm.assertTrue(total <= sum + 2 * steps + 6);
        }
    }

    // ST-6

    function test_ST6_aMissedTurnHalvesReputation() public {
        _work(ALICE, 1001);
        _work(BOB, 500);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.TurnMissed(4, ALICE, 500);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.TurnMissed(6, ALICE, 250);
        address[] memory holders = new address[](3);
        (holders[0], holders[2]) = (ALICE, ALICE);
        vault.forfeit(4, holders);
        _assertReputation(ALICE, 251, 1);
        _assertReputation(BOB, 500, 1);
        vm.assertEq(vault.totalReputation(), 751);
    }

    /// @dev Halved where it stands, decay goes on from when it last grew: half of it at any time, and no update more.
    function test_ST6_whatIsLeftDecaysOn() public {
        _work(ALICE, 1e12);
        _wait(HALF_LIFE);
        vault.forfeit(0, _one(ALICE));
        _assertReputation(ALICE, 0.25e12, 1);
        vm.assertEq(vault.totalReputation(), 0.25e12);
        // Who only missed a turn in this second still has its update counted.
        _work(ALICE, 1);
        _assertReputation(ALICE, 0.25e12 + 1, 2);
        _wait(HALF_LIFE);
        _assertReputation(ALICE, 0.125e12, 2);
    }

    function test_ST6_withoutReputationThereIsNothingToLose() public {
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.TurnMissed(0, ALICE, 0);
        vault.forfeit(0, _one(ALICE));
        _assertReputation(ALICE, 0, 0);
        _work(BOB, 1);
        vault.forfeit(0, _one(BOB));
        _assertReputation(BOB, 1, 1);
    }

    /// @dev Credit lies in the same word, and is not touched.
    function test_ST6_creditIsNeverTouched() public {
        vm.deal(address(this), 1 ether);
        vault.fund{value: 1 ether}();
        Leaf[] memory leaves = new Leaf[](1);
        leaves[0] = Leaf(0, ALICE, 1 ether, 1e9);
        _reward(leaves);
        vault.forfeit(0, _one(ALICE));
        vm.assertEq(vault.creditOf(ALICE), 0.75 ether);
        vm.assertEq(vault.claim(ALICE), 0.75 ether);
        _assertReputation(ALICE, 0.5e9, 1);
    }

    function _work(address who, uint256 gas) private {
        uint256[] memory earned = new uint256[](1);
        vault.rewardRedundancy(who, 1, earned, gas, uint64(time));
    }

    function _reward(Leaf[] memory leaves) private {
        vault.reward(leaves, new address[](0), new uint256[](0), 1, address(this), 0);
    }

    function _wait(uint256 seconds_) private {
        vm.warp(time += seconds_);
    }

    /// @dev The reputations of `count` accounts from 0xA0 on.
    function _sum(uint160 count) private view returns (uint256 sum) {
        for (uint160 i; i < count; ++i) {
            (uint256 part,) = vault.reputationOf(address(0xA0 + i));
            sum += part;
        }
    }

    function _one(address who) private pure returns (address[] memory holders) {
        holders = new address[](1);
        holders[0] = who;
    }

    function _assertReputation(address who, uint256 expected, uint256 expectedUpdates) private view {
        (uint256 reputation, uint256 updates) = vault.reputationOf(who);
        vm.assertEq(reputation, expected);
        vm.assertEq(updates, expectedUpdates);
    }
}
