// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {Base} from "./Base.sol";
import {History} from "./History.sol";

/// @notice What holds over every history. A call of the history that reverts fails, too: it asks for nothing that may be refused.
/// forge-config: default.invariant.runs = 32
contract ConservationTest is Base {
    History private history;

    function setUp() public {
        history = new History();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(history);
    }

    /// @dev RW-5: credited + reserves = pots + endowments, and what was claimed was credited before. The vault holds all that
    /// it owes, to the wei. RW-3: a block is paid once, whatever overlaps.
    function invariant_RW5_everyWeiIsInOnePlace() public view {
        (uint256 owed, uint256 reserves, uint256 unallocated, uint256 balance) = history.sums();
        vm.assertEq(owed + history.claimed() + reserves, history.pots() + history.endowed());
        vm.assertEq(owed + reserves + unallocated, balance);
        vm.assertEq(balance, history.funded() + history.endowed() - history.claimed());
        vm.assertEq(unallocated, history.funded() - history.pots());
    }

    /// @dev RW-7: every balance, redundancy buckets by window included, from events alone. RW-4: what a turn-holder can still
    /// earn is there.
    function invariant_RW7_balancesAreAsTold() public view {
        history.requireBalancesAsTold();
        vm.assertTrue(
            history.earnable() <= history.redundancyOf(history.window()) + history.redundancyOf(history.window() - 1)
        );
    }

    /// @dev CP-1 with CP-4: live checkpoints are one chain. ST-1: the tip is a boundary and never moves back.
    function invariant_CP4_oneChainIsLive() public view {
        history.requireOneLiveChain();
        vm.assertFalse(history.tipMovedBack());
        vm.assertTrue(history.tipIsABoundary());
    }

    /// @dev FM-3: decay apart and together differ by rounding. ST-6: every bond that was not returned is there.
    function invariant_FM3_theTotalCoversEveryPart() public view {
        history.requireTotalAboveParts();
        vm.assertEq(history.bondsHeld(), history.bonds() * 1 ether);
    }

    /// @dev A history in which nothing happens would prove nothing: this one pays every kind of credit, overlaps, falls short,
    /// lapses, misses turns, reverts and claims.
    function test_RW5_theHistoryIsMade() public {
        history.endow(1e20);
        history.enroll(0);
        history.enroll(1);
        history.register(5);
        history.update(0, 2, 1, 0);
        history.redundant(0, 1);
        history.update(0, 3, 2, 2);
        history.update(2, 1, 4, 0);
        _check();
        history.sleep(4);
        history.register(5);
        history.wait(20_000);
        history.update(0, 3, 0, 0);
        history.update(0, 1, 1, 0);
        history.redundant(0, 0xffff);
        history.wait(3600);
        history.redundant(0, 0xffff);
        history.lapse();
        _check();
        history.sleep(28);
        history.revertUnproven();
        history.register(2);
        // In a fallback, some turns late, at a time that is one prover's turn whoever it is.
        history.wait(19_800);
        history.update(0, 5, 0, 1);
        history.wait(65_535);
        history.register(1);
        history.wait(18_000);
        history.update(0, 5, 1, 1);
        _check();
        history.wait(18_000);
        history.register(3);
        history.wait(18_000);
        history.update(0, 5, 0, 0);
        history.register(3);
        history.wait(18_000);
        history.update(0, 5, 1, 0);
        history.enroll(0);
        history.sleep(24);
        history.enroll(0);
        history.claim(1);
        history.claim(5);
        _check();
        vm.assertTrue(history.moves() >= 7);
        vm.assertTrue(history.pots() == history.funded());
        for (uint8 kind; kind <= uint8(IRewardVault.Kind.Bounty); ++kind) {
            vm.assertTrue(history.credits(IRewardVault.Kind(kind)) != 0);
        }
        vm.assertTrue(history.lapses() != 0);
        vm.assertTrue(history.missed() != 0);
        vm.assertEq(history.reverts(), 1);
        vm.assertEq(history.bonds(), 1);
        vm.assertTrue(history.claimed() != 0);
    }

    function _check() private view {
        invariant_RW5_everyWeiIsInOnePlace();
        invariant_RW7_balancesAreAsTold();
        invariant_CP4_oneChainIsLive();
        invariant_FM3_theTotalCoversEveryPart();
    }
}
