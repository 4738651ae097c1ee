// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation, Parameters} from "../src/Parameters.sol";
import {ICheckpointRegistry} from "../src/interfaces/ICheckpointRegistry.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {Vm} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Settlement} from "./Settlement.sol";

/// @notice What turns that passed without an update cost their holders (ST-6).
contract MissedTurnsTest is Settlement {
    uint64 private constant FALLBACK = 5 hours;
    uint64 private constant TURN = 30 minutes;
    uint64 private constant DEADLINE = 1 days;
    uint256 private constant WORK = 1 << 40;

    /// @dev Place of the first turn's holder in the order of the three provers.
    uint256 private first;

    function setUp() public {
        vm.warp(START);
        _deploy(Designation.Preferred);
    }

    function test_ST6_theHolderOfTheTurnMissesNothing() public {
        vm.warp(START + FALLBACK + TURN - 1);
        settle(3, 4, _holder(0));
        vm.assertEq(_allHalvings(), 0);
    }

    /// @dev To the second: in turn 1, turn 0 has passed, and whoever submits, its holder loses half.
    function test_ST6_aTurnThatPassedIsMissed() public {
        vm.warp(START + FALLBACK + TURN);
        uint256 before = reputation(_holder(0));
        uint256 total = vault.totalReputation();
        I.Update memory update = unproven(3, 4);
        update.leaves[0].proverGas = 0;
        vm.expectEmit(true, true, true, true, address(state));
        emit I.UpdatedInTurn(4, 1, _holder(1), SUBMITTER);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.TurnMissed(0, _holder(0), before / 2);
        vm.expectEmit(false, false, false, false, address(state));
        emit I.StateUpdated(0, 0, 0, 0, 0, address(0), 0);
        submit(update);
        vm.assertEq(_halvings(0), 1);
        vm.assertEq(_halvings(1) + _halvings(2), 0);
        vm.assertEq(vault.totalReputation(), total - before / 2);
    }

    /// @dev Every turn that passed, eight at most, the last ones; those before are forgiven.
    function test_ST6_atMostEightTurnsAreMissed() public {
        uint256[3][6] memory expected = [
            [uint256(1), 1, 0],
            [uint256(1), 1, 1],
            [uint256(3), 3, 2],
            [uint256(2), 3, 3],
            [uint256(3), 2, 3],
            [uint256(3), 3, 2]
        ];
        uint64[6] memory turns = [uint64(2), 3, 8, 9, 10, 29];
        for (uint256 i; i < 6; ++i) {
            vm.warp(START);
            _deploy(Designation.Preferred);
            vm.warp(START + FALLBACK + turns[i] * TURN);
            vm.recordLogs();
            settle(3, 4, SUBMITTER);
            _assertMissed(turns[i] < 8 ? 0 : turns[i] - 8, turns[i]);
            for (uint64 k; k < 3; ++k) {
                vm.assertEq(_halvings(k), expected[i][k]);
            }
        }
    }

    /// @dev However long nobody came, ending it costs no more than ending it after eight turns.
    function test_ST6_theWorkIsBounded() public {
        vm.warp(START + FALLBACK + 8 * TURN);
        settle(3, 4, SUBMITTER);
        uint256 eight = vm.snapshotGasLastCall("MissedTurns", "1 block, not verified, eight missed turns");
        vm.warp(START);
        _deploy(Designation.Preferred);
        vm.warp(START + 1000 days);
        settle(3, 4, SUBMITTER);
        uint256 many = vm.snapshotGasLastCall("MissedTurns", "1 block, not verified, 48,000 missed turns");
        vm.assertLt(many, eight + 60_000, "more than eight");
    }

    /// @dev Missed turns come first: what the same update credits is not halved.
    function test_ST6_theUpdatesOwnWorkIsNotHalved() public {
        vm.warp(START + FALLBACK + TURN);
        address missed = _holder(0);
        uint256 before = reputation(missed);
        uint256 counted = updates(missed);
        I.Update memory update = unproven(3, 4);
        update.leaves[0].prover = missed;
        update.leaves[0].proverGas = 1 << 50;
        submit(update);
        uint256 now_ = reputation(missed);
        vm.assertTrue(now_ >= before / 2 + (1 << 50) && now_ <= before / 2 + (1 << 50) + 1);
        vm.assertEq(updates(missed), counted + 1);
    }

    /// @dev Reputation, never bond.
    function test_ST6_theBondIsUntouched() public {
        vm.warp(START + FALLBACK + 8 * TURN);
        uint256 credit = vault.creditOf(_holder(0));
        settle(3, 4, SUBMITTER);
        vm.assertEq(address(provers).balance, 3 ether);
        vm.assertTrue(provers.isRegistered(_holder(0)));
        vm.assertEq(vault.creditOf(_holder(0)), credit);
        vm.prank(_holder(0));
        provers.deregister();
        vm.warp(START + FALLBACK + 8 * TURN + 1 days);
        provers.withdraw(_holder(0));
        vm.assertEq(_holder(0).balance, 1 ether);
    }

    /// @dev A proof that came late is no update: it neither ends the fallback nor punishes.
    function test_ST6_aLateProofPunishesNobody() public {
        vm.warp(START + FALLBACK + 3 * TURN);
        settle(0, 1, SUBMITTER);
        vm.assertEq(_allHalvings(), 0);
        settle(3, 4, SUBMITTER);
        vm.assertEq(_allHalvings(), 3);
        // The next is in the race again.
        settle(4, 5, SUBMITTER);
        vm.assertEq(_allHalvings(), 3);
    }

    function test_ST6_openDesignationPunishesNobody() public {
        _deploy(Designation.Open);
        vm.warp(START + FALLBACK + 3 * TURN);
        settle(3, 4, SUBMITTER);
        vm.assertEq(_allHalvings(), 0);
        vm.warp(START + 3 * DEADLINE);
        revertChain();
        vm.assertEq(_allHalvings(), 0);
    }

    function test_ST6_exclusiveDesignationPunishesWhenTheHolderComes() public {
        _deploy(Designation.Exclusive);
        vm.warp(START + FALLBACK + 2 * TURN);
        I.Update memory update = unproven(3, 4);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_NotYourTurn.selector, _holder(2)));
        submit(update);
        vm.assertEq(_halvings(0) + _halvings(1), 0);
        submitAs(_holder(2), update);
        vm.assertEq(_halvings(0), 1);
        vm.assertEq(_halvings(1), 1);
        vm.assertEq(_halvings(2), 0);
    }

    function test_ST6_withoutProversNobodyIsPunished() public {
        for (uint160 i; i < 3; ++i) {
            vm.prank(address(0xB0 + i));
            provers.deregister();
        }
        vm.warp(START + FALLBACK + 3 * TURN);
        uint256 total = vault.totalReputation();
        vm.recordLogs();
        settle(3, 4, SUBMITTER);
        _assertMissed(0, 0);
        vm.assertEq(vault.totalReputation(), total + 16_000);
    }

    // Places that changed hands

    /// @dev Who left is gone, and who took its place had no whole turn, but has every one that begins from then on.
    function test_ST6_aTurnWhosePlaceChangedHandsIsNobodys() public {
        for (uint64 late; late < 2; ++late) {
            vm.warp(START);
            _deploy(Designation.Preferred);
            address leaver = _holder(0);
            enroll(address(0xC0), 1);
            // In the second in which the turn begins it is the other's; a second later it is half of each.
            vm.warp(START + FALLBACK + late);
            vm.prank(leaver);
            provers.deregister();
            (,, address holder,) = state.turn();
            vm.assertEq(holder, address(0xC0));
            vm.warp(START + FALLBACK + 4 * TURN);
            vm.recordLogs();
            settle(3, 4, SUBMITTER);
            uint64[] memory expected = new uint64[](late == 0 ? 4 : 3);
            for (uint64 i; i < expected.length; ++i) {
                expected[i] = i + late;
            }
            address[3] memory places = [address(0xC0), _holder(1), _holder(2)];
            _assertMissed(expected, places);
            vm.assertEq(_halvingsOf(leaver), 0);
        }
    }

    /// @dev The place of the last in the order goes to the first of those that are left, and with it every turn but the one that
    /// had begun.
    function test_ST6_aPlaceThatBecameEmptyIsMissedByWhoHasItsTurns() public {
        uint64 third = _thirdLeavesInItsTurn();
        vm.warp(START + FALLBACK + (third + 4) * TURN);
        vm.recordLogs();
        settle(3, 4, SUBMITTER);
        uint64[] memory expected = new uint64[](third + 3);
        for (uint64 i; i < expected.length; ++i) {
            expected[i] = i < third ? i : i + 1;
        }
        address[3] memory places = [_holder(0), _holder(1), _holder(2)];
        places[third] = address(0xB0);
        _assertMissed(expected, places);
    }

    /// @dev Who joins fills the place, the next time round in the middle of its turn: neither of the two turns had one holder.
    function test_ST6_aPlaceThatChangesHandsTwiceIsNobodysMissTwice() public {
        uint64 third = _thirdLeavesInItsTurn();
        vm.warp(START + FALLBACK + (third + 3) * TURN + 1);
        (,, address holder,) = state.turn();
        vm.assertEq(holder, address(0xB0));
        enroll(address(0xC0), 1);
        (,, holder,) = state.turn();
        vm.assertEq(holder, address(0xC0));
        vm.warp(START + FALLBACK + (third + 5) * TURN);
        vm.recordLogs();
        settle(3, 4, SUBMITTER);
        uint64[] memory expected = new uint64[](third + 3);
        uint64 turn;
        for (uint64 i; i < expected.length; ++i) {
            if (turn % 3 == third) ++turn;
            expected[i] = turn++;
        }
        _assertMissed(expected, [_holder(0), _holder(1), _holder(2)]);
    }

    // Reverts (CP-4)

    /// @dev A revert ends the wait as an update does: eight turns before it are missed, once, and said before it is.
    function test_CP4_turnsBeforeARevertAreMissed() public {
        vm.warp(START + DEADLINE + 1);
        vm.recordLogs();
        revertChain();
        Vm.Log[] memory logs = _assertMissed(30, 38);
        vm.assertEq(logs.length, 9);
        vm.assertEq(logs[8].topics[0], ICheckpointRegistry.CheckpointsReverted.selector);
        vm.assertEq(_allHalvings(), 8);
        // Each forfeit rounds.
        uint256 sum = reputation(_holder(0)) + reputation(_holder(1)) + reputation(_holder(2));
        vm.assertTrue(vault.totalReputation() >= sum && vault.totalReputation() <= sum + 16);
        // The clock starts anew: what passed before is settled.
        extend(12);
        vm.warp(START + DEADLINE + 1 + FALLBACK + TURN);
        (, uint64 index, address holder,) = state.turn();
        vm.assertEq(index, 1);
        settle(3, 4, holder);
        vm.assertEq(_allHalvings(), 9);
    }

    /// @dev The deadline counts from a checkpoint's registration, the clock from the update: it may be the race still, or a turn
    /// that runs.
    function test_CP4_aRevertInTheRaceOrTheFirstTurnIsNobodysMiss() public {
        uint64[3] memory idle = [1, FALLBACK - 1, FALLBACK + TURN - 1];
        for (uint256 i; i < 3; ++i) {
            vm.warp(START);
            _deploy(Designation.Preferred);
            vm.warp(START + 3 * DEADLINE - idle[i]);
            settle(3, 4, SUBMITTER);
            uint256 before = _allHalvings();
            vm.warp(START + 3 * DEADLINE);
            revertChain();
            vm.assertEq(_allHalvings(), before);
        }
    }

    function test_CP4_exclusiveDesignationPunishesAtARevert() public {
        _deploy(Designation.Exclusive);
        vm.warp(START + DEADLINE + 1);
        revertChain();
        vm.assertEq(_allHalvings(), 8);
    }

    function test_CP4_withoutProversARevertPunishesNobody() public {
        for (uint160 i; i < 3; ++i) {
            vm.prank(address(0xB0 + i));
            provers.deregister();
        }
        vm.warp(START + DEADLINE + 1);
        vm.recordLogs();
        revertChain();
        vm.assertEq(_assertMissed(0, 0).length, 1);
    }

    /// @dev Three provers with the same reputation, of an update that leaves more to prove: the clock runs from START.
    function _deploy(Designation designation) private {
        Parameters memory parameters = Defaults.parameters();
        parameters.designation = designation;
        // So slow that halvings can be counted.
        parameters.reputationHalfLife = type(uint32).max;
        parameters.bonusCap = 0;
        deployTrusting(parameters);
        enroll(address(0xB0), 3);
        extend(9);
        I.Update memory update = unproven(0, 3);
        for (uint160 i; i < 3; ++i) {
            update.leaves[i].prover = address(0xB0 + i);
            update.leaves[i].proverGas = uint64(WORK);
        }
        submit(update);
        first = uint256(uint128(uint256(registry.headId()))) % 3;
    }

    function _holder(uint64 turn) private view returns (address) {
        return address(uint160(0xB0 + (first + turn) % 3));
    }

    /// @dev The third in the order leaves a second after its first turn began. Answers that turn.
    function _thirdLeavesInItsTurn() private returns (uint64 turn) {
        turn = uint64((5 - first) % 3);
        vm.warp(START + FALLBACK + turn * TURN + 1);
        vm.prank(address(0xB2));
        provers.deregister();
        (,, address holder,) = state.turn();
        vm.assertEq(holder, address(0xB0));
    }

    /// @dev Since logs were recorded, exactly the turns from `begin` to before `end` were missed by their holders, in this order.
    function _assertMissed(uint64 begin, uint64 end) private returns (Vm.Log[] memory) {
        uint64[] memory turns = new uint64[](end - begin);
        for (uint64 i; i < turns.length; ++i) {
            turns[i] = begin + i;
        }
        return _assertMissed(turns, [_holder(0), _holder(1), _holder(2)]);
    }

    /// @dev The same of certain turns, which go round three provers.
    function _assertMissed(uint64[] memory turns, address[3] memory holders) private returns (Vm.Log[] memory logs) {
        logs = vm.getRecordedLogs();
        uint256 count;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != IRewardVault.TurnMissed.selector) continue;
            vm.assertEq(uint256(logs[i].topics[1]), turns[count]);
            vm.assertEq(address(uint160(uint256(logs[i].topics[2]))), holders[turns[count] % 3]);
            ++count;
        }
        vm.assertEq(count, turns.length);
    }

    function _allHalvings() private view returns (uint256) {
        return _halvings(0) + _halvings(1) + _halvings(2);
    }

    function _halvings(uint64 turn) private view returns (uint256) {
        return _halvingsOf(_holder(turn));
    }

    function _halvingsOf(address who) private view returns (uint256 halvings) {
        for (uint256 left = reputation(who); left < WORK * 3 / 4; left *= 2) {
            ++halvings;
        }
    }
}
