// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "../src/Parameters.sol";
import {Leaf} from "../src/Types.sol";
import {IRewardVault as I} from "../src/interfaces/IRewardVault.sol";
import {Base, Vm} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy, Vault} from "./Deploy.sol";

/// @notice The vault's reserves: redundancy shares that are earned or lapse (RW-4), endowments, bonuses (RW-6), mergers (RW-3).
/// @dev The test contract stands where the state update contract does. Windows of an hour begin at START.
contract LapseTest is Base {
    uint64 private constant START = 1_800_000_000;
    uint64 private constant WINDOW = 1 hours;
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    address private constant SUBMITTER = address(0x5b);

    Vault private vault;
    address[] private nobody;
    uint256[] private none;

    function setUp() public {
        vm.warp(START);
        vault = Deploy.rewardVault(address(this), Defaults.shares(), Defaults.parameters());
        vm.deal(address(this), 100 ether);
        vault.fund{value: 10 ether}();
    }

    // RW-4

    function test_RW4_needsAWindow() public {
        Parameters memory parameters = Defaults.parameters();
        parameters.redundancyWindow = 0;
        vm.expectRevert(abi.encodeWithSelector(I.RW4_NoWindow.selector));
        Deploy.rewardVault(address(this), Defaults.shares(), parameters);
        vm.assertEq(vault.redundancyWindow(), WINDOW);
    }

    /// @dev An update in the first and one in the last second of a window lapse together, two windows on: the one after its
    /// turn of an hour and an hour more, the other right after its turn.
    function test_RW4_lapsesOverWindowBoundaries() public {
        _reward(1 ether);
        vm.warp(START + WINDOW - 1);
        _reward(2 ether);
        vm.assertEq(vault.redundancyReserve(), 0.3 ether);
        uint256 reserve = vault.protocolReserve();
        _lapsesNothingAt(START + WINDOW - 1);
        _lapsesNothingAt(START + WINDOW);
        _lapsesNothingAt(START + 2 * WINDOW - 1);
        vm.warp(START + 2 * WINDOW);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Lapsed(0.3 ether);
        vm.prank(BOB);
        vault.lapse();
        vm.assertEq(vault.redundancyReserve(), 0);
        vm.assertEq(vault.protocolReserve(), reserve + 0.3 ether);
        _lapsesNothingAt(START + 2 * WINDOW);
    }

    /// @dev Who comes in between finds two buckets and moves one.
    function test_RW4_lapsesWindowByWindow() public {
        _reward(1 ether);
        vm.warp(START + WINDOW);
        _reward(2 ether);
        vm.warp(START + 2 * WINDOW);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Lapsed(0.1 ether);
        _reward(3 ether);
        vm.assertEq(vault.redundancyReserve(), 0.5 ether);
        // Both at once after a silence.
        vm.warp(START + 9 * WINDOW);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Lapsed(0.5 ether);
        vault.lapse();
        vm.assertEq(vault.redundancyReserve(), 0);
    }

    /// @dev Earned from the bucket that it was put into: the young one, and the old one up to the turn's last second.
    function test_RW4_isEarnedFromEitherBucket() public {
        vm.warp(START + WINDOW - 1);
        _reward(1 ether);
        _earn(0.04 ether, START + WINDOW - 1);
        vm.warp(START + WINDOW);
        _reward(2 ether);
        _earn(0.05 ether, START + WINDOW - 1);
        _earn(0.2 ether, START + WINDOW);
        vm.assertEq(vault.redundancyReserve(), 0.01 ether);
        vm.assertEq(vault.creditOf(BOB), 0.29 ether);
        // In the last second of the turn a new window has begun; what it moved lies in the old bucket, and is still there.
        vm.warp(START + 2 * WINDOW - 1);
        _earn(0.01 ether, START + WINDOW - 1);
        vm.assertEq(vault.redundancyReserve(), 0);
    }

    /// @dev Any second of the window: at the end of the turn, the share has not lapsed, whoever called in between.
    function testFuzz_RW4_nothingLapsesWithinItsTurn(uint16 offset, uint16 between, uint16 later, bool late) public {
        uint64 settledAt = START + offset % WINDOW;
        vm.warp(settledAt);
        _reward(1 ether);
        vm.warp(settledAt + between % (WINDOW + 1));
        vault.lapse();
        uint64 end = late ? settledAt + WINDOW : settledAt + between % (WINDOW + 1);
        end += late ? 0 : uint64(later) % (settledAt + WINDOW - end + 1);
        vm.warp(end);
        _earn(0.1 ether, settledAt);
        vm.assertEq(vault.redundancyReserve(), 0);
        vm.assertEq(vault.creditOf(BOB), 0.1 ether);
        vm.warp(_end());
        vault.lapse();
        vm.assertEq(vault.protocolReserve(), 0.05 ether);
    }

    function testFuzz_RW5_onlyTheStateUpdateReleases(address caller) public {
        vm.assume(caller != address(this));
        uint256[] memory earned = new uint256[](1);
        vm.expectRevert(abi.encodeWithSelector(I.RW5_OnlyStateUpdate.selector, caller));
        vm.prank(caller);
        vault.rewardRedundancy(BOB, 1, earned, 1, START);
        vm.expectRevert(abi.encodeWithSelector(I.RW5_OnlyStateUpdate.selector, caller));
        vm.prank(caller);
        vault.forfeit(0, new address[](1));
    }

    /// @dev Shares of blocks without gas are paid, and leave reputation alone.
    function test_RW4_withoutGasThereIsNoReputation() public {
        _reward(1 ether);
        uint256[] memory earned = new uint256[](1);
        earned[0] = 0.1 ether;
        vault.rewardRedundancy(BOB, 1, earned, 0, START);
        (uint256 reputation, uint256 updates) = vault.reputationOf(BOB);
        vm.assertEq(reputation, 0);
        vm.assertEq(updates, 0);
        vm.assertEq(vault.totalReputation(), 16_000);
    }

    // endow

    function test_RW6_anEndowmentFeedsTheReserve() public {
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Funded(address(this), 3 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Reserved(I.Reserve.Protocol, 0, 0, 3 ether);
        vault.endow{value: 3 ether}();
        vm.assertEq(vault.protocolReserve(), 3 ether);
        vm.assertEq(vault.unallocated(), 10 ether);
        vm.assertEq(address(vault).balance, 13 ether);
    }

    function test_RW5_anEndowmentHasTheBoundOfFunds() public {
        uint256 room = type(uint80).max - 10 ether;
        vm.deal(address(this), room + 1);
        vm.expectRevert(abi.encodeWithSelector(I.RW5_FundTooLarge.selector, room + 1));
        vault.endow{value: room + 1}();
        vault.endow{value: room}();
        vm.assertEq(vault.protocolReserve(), room);
        vm.expectRevert(abi.encodeWithSelector(I.RW5_FundTooLarge.selector, 1));
        vault.fund{value: 1}();
        // All of it moves to one place, and fits.
        vm.warp(_end());
        _reward(10 ether);
        vault.lapse();
    }

    // RW-3

    /// @dev Each merge earns the same; a prover that merged twice stands there twice; dust joins the reserve.
    function test_RW3_mergersShareTheMergePart() public {
        address[] memory mergers = new address[](3);
        (mergers[0], mergers[1], mergers[2]) = (BOB, address(0xC0), BOB);
        Leaf[] memory leaves = new Leaf[](2);
        leaves[0] = Leaf(0, ALICE, 1000, 1);
        leaves[1] = Leaf(0, ALICE, 1003, 1);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(8, BOB, I.Kind.Merge, 100);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(8, address(0xC0), I.Kind.Merge, 100);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(8, BOB, I.Kind.Merge, 100);
        vault.reward(leaves, mergers, none, 7, SUBMITTER, 0);
        vm.assertEq(vault.creditOf(ALICE), 600 + 601);
        vm.assertEq(vault.creditOf(BOB), 200);
        vm.assertEq(vault.creditOf(address(0xC0)), 100);
        vm.assertEq(vault.creditOf(SUBMITTER), 200);
        vm.assertEq(vault.redundancyReserve(), 200);
        vm.assertEq(vault.protocolReserve(), 2003 - 1201 - 300 - 200 - 200);
        (uint256 reputation,) = vault.reputationOf(BOB);
        vm.assertEq(reputation, 0);
    }

    /// @dev Any pots and any number of mergers: nothing is lost, and nobody gets more than another.
    function testFuzz_RW3_mergersAndDust(uint72[3] memory fees, uint64 bonus, uint8 count, bool served) public {
        vm.deal(address(this), 20_000 ether);
        vault.fund{value: 15_000 ether}();
        vault.endow{value: 10 ether}();
        uint256 merges = 1 + count % 20;
        address[] memory mergers = new address[](merges);
        uint256[] memory bonuses = new uint256[](3);
        Leaf[] memory leaves = new Leaf[](3);
        uint256 merge;
        uint256 pots;
        for (uint256 i; i < 3; ++i) {
            leaves[i] = Leaf(0, ALICE, fees[i], 1);
            bonuses[i] = bonus % 3 ether;
            uint256 pot = fees[i] + bonuses[i];
            pots += pot;
            merge += pot * 1500 / 10_000;
        }
        for (uint160 i; i < merges; ++i) {
            mergers[i] = address(0xC0 + i);
        }
        vault.reward(leaves, mergers, bonuses, 1, served ? SUBMITTER : address(0), 0);
        for (uint256 i; i < merges; ++i) {
            vm.assertEq(vault.creditOf(mergers[i]), merge / merges);
        }
        uint256 credits = vault.creditOf(ALICE) + vault.creditOf(SUBMITTER) + merge / merges * merges;
        vm.assertEq(
            credits + vault.redundancyReserve() + vault.protocolReserve(), pots + 10 ether - 3 * (bonus % 3 ether)
        );
        vm.assertEq(vault.unallocated(), 15_010 ether - (uint256(fees[0]) + fees[1] + fees[2]));
    }

    // RW-6

    /// @dev Bonuses come out of the reserve of before, block by block; the bounty out of what these pots leave.
    function test_RW6_theReserveRunsOutBlockByBlock() public {
        vault.endow{value: 1.5 ether}();
        Leaf[] memory leaves = new Leaf[](3);
        uint256[] memory bonuses = new uint256[](3);
        for (uint160 i; i < 3; ++i) {
            leaves[i] = Leaf(0, address(0xA0 + i), 1 ether, 1);
            bonuses[i] = 1 ether;
        }
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(1, address(0xA0), I.Kind.Leaf, 0.75 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(1, address(0xA0), I.Kind.Bonus, 0.75 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(1, SUBMITTER, I.Kind.Submission, 0.2 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(2, address(0xA1), I.Kind.Leaf, 0.75 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(2, address(0xA1), I.Kind.Bonus, 0.375 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Released(I.Reserve.Protocol, 1, 3, 1.5 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Reserved(I.Reserve.Redundancy, 1, 3, 0.45 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Reserved(I.Reserve.Protocol, 1, 3, 0.225 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Released(I.Reserve.Protocol, 3, 3, 0.225 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(3, SUBMITTER, I.Kind.Bounty, 0.225 ether);
        vault.reward(leaves, nobody, bonuses, 1, SUBMITTER, 1 ether);
        vm.assertEq(vault.creditOf(address(0xA2)), 0.75 ether);
        vm.assertEq(vault.protocolReserve(), 0);
    }

    /// @dev What lapses in the same call is there for its bonuses.
    function test_RW6_lapsedSharesPayBonuses() public {
        _reward(1 ether);
        vm.warp(START + 2 * WINDOW);
        uint256[] memory bonuses = new uint256[](1);
        bonuses[0] = 1 ether;
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Lapsed(0.1 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(1, ALICE, I.Kind.Bonus, 0.1125 ether);
        vault.reward(_leaf(0), nobody, bonuses, 1, SUBMITTER, 0);
    }

    function _leaf(uint96 fees) private pure returns (Leaf[] memory leaves) {
        leaves = new Leaf[](1);
        leaves[0] = Leaf(0, ALICE, fees, 16_000);
    }

    function _reward(uint96 fees) private {
        vault.reward(_leaf(fees), nobody, none, 1, SUBMITTER, 0);
    }

    function _earn(uint256 amount, uint64 settledAt) private {
        uint256[] memory earned = new uint256[](1);
        earned[0] = amount;
        vm.assertEq(vault.rewardRedundancy(BOB, 1, earned, 16_000, settledAt), amount);
    }

    function _lapsesNothingAt(uint64 time) private {
        vm.warp(time);
        uint256 reserve = vault.redundancyReserve();
        vm.recordLogs();
        vault.lapse();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 0);
        vm.assertEq(vault.redundancyReserve(), reserve);
    }

    /// @dev So late that everything has lapsed.
    function _end() private pure returns (uint64) {
        return START + 100 * WINDOW;
    }
}
