// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation, Parameters} from "../src/Parameters.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy} from "./Deploy.sol";
import {Settlement} from "./Settlement.sol";

/// @notice Idle clock, race and turns (ST-4, ST-5, ST-6).
contract TurnsTest is Settlement {
    uint64 private constant FALLBACK = 5 hours;
    uint64 private constant TURN = 30 minutes;

    function setUp() public {
        vm.warp(START);
        _deploy(Designation.Preferred);
    }

    // Parameters

    function test_ST5_refusesNoRace() public {
        Parameters memory parameters = Defaults.parameters();
        parameters.idleFallback = 0;
        vm.expectRevert(abi.encodeWithSelector(I.ST5_NoRace.selector));
        Deploy.stateUpdate(registry, vault, provers, genesis, new IProofVerifier[](0), parameters);
    }

    function test_ST6_refusesTurnsOfNoLength() public {
        Parameters memory parameters = Defaults.parameters();
        parameters.turnLength = 0;
        vm.expectRevert(abi.encodeWithSelector(I.ST6_NoTurnLength.selector));
        Deploy.stateUpdate(registry, vault, provers, genesis, new IProofVerifier[](0), parameters);
    }

    function test_ST6_parametersAreAsGiven() public view {
        Parameters memory parameters = Defaults.parameters();
        vm.assertEq(state.idleFallback(), parameters.idleFallback);
        vm.assertEq(state.turnLength(), parameters.turnLength);
        vm.assertTrue(state.designation() == Designation.Preferred);
        vm.assertEq(state.fallbackBounty(), parameters.fallbackBounty);
        vm.assertEq(address(state.provers()), address(provers));
    }

    // ST-4

    function test_ST4_nothingProvableNothingIdle() public {
        vm.assertEq(state.idleSince(), 0);
        vm.warp(START + 100 days);
        vm.assertEq(state.idleSince(), 0);
        _assertRace(0);
    }

    function test_ST4_theFirstCheckpointBeyondTheTipStartsTheClock() public {
        vm.warp(START + 9 hours);
        extend(2);
        vm.warp(START + 10 hours);
        extend(4);
        vm.assertEq(state.idleSince(), START + 9 hours);
        _assertRace(START + 14 hours);
    }

    function test_ST4_anUpdateStartsItAnewIfMoreIsProvable() public {
        extend(2);
        extend(4);
        vm.warp(START + 1 hours);
        settle(0, 4 - 1, SUBMITTER);
        vm.assertEq(state.idleSince(), START + 1 hours);
        vm.warp(START + 2 hours);
        settle(3, 4, SUBMITTER);
        vm.assertEq(state.idleSince(), 0);
        vm.warp(START + 3 hours);
        extend(5);
        vm.assertEq(state.idleSince(), START + 3 hours);
    }

    /// @dev END is a checkpoint's own block, but a later one is there already.
    function test_ST4_aLaterCheckpointKeepsTheClockRunning() public {
        extend(2);
        extend(4);
        vm.warp(START + 1 hours);
        settle(0, 2, SUBMITTER);
        vm.assertEq(state.idleSince(), START + 1 hours);
    }

    function test_ST4_aLateProofDoesNotTouchTheClock() public {
        extend(2);
        extend(4);
        settle(0, 2, SUBMITTER);
        vm.warp(START + 1 hours);
        settle(0, 1, SUBMITTER);
        vm.assertEq(state.idleSince(), START);
    }

    /// @dev Against a history kept here: the later of the last update and the oldest checkpoint beyond the tip.
    /// forge-config: default.fuzz.runs = 32
    function testFuzz_ST4_isTheLaterOfUpdateAndOldestCheckpoint(uint8[10] memory steps) public {
        uint64[] memory registered = new uint64[](11);
        uint64 tip;
        uint64 updated = START;
        // Kept here: the optimizer takes the block's time for a constant.
        uint64 time = START;
        for (uint256 i; i < 10; ++i) {
            vm.warp(time += 1 + uint64(steps[i]));
            if (steps[i] % 2 == 0 || head.number == tip) {
                extend(head.number + 1 + steps[i] % 3);
                registered[chain.length - 1] = time;
            } else {
                uint64 to = tip + 1 + (steps[i] / 2) % (head.number - tip);
                settle(tip, to, SUBMITTER);
                tip = to;
                updated = time;
            }
            uint64 expected;
            for (uint256 j = 1; j < chain.length && expected == 0; ++j) {
                if (chain[j].number > tip) expected = registered[j] > updated ? registered[j] : updated;
            }
            vm.assertEq(state.idleSince(), expected);
        }
    }

    // ST-5

    function test_ST5_theRaceLastsToTheSecond() public {
        enroll(address(0xB0), 3);
        extend(4);
        vm.warp(START + FALLBACK - 1);
        _assertRace(START + FALLBACK);
        settle(0, 1, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER), FEES / 10);
    }

    /// @dev The clock restarts with each update, whoever's turn it was.
    function test_ST5_anUpdateEndsTheFallback() public {
        enroll(address(0xB0), 3);
        extend(4);
        vm.warp(START + FALLBACK + TURN);
        settle(0, 1, SUBMITTER);
        _assertRace(START + FALLBACK + TURN + FALLBACK);
        settle(1, 2, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER), FEES / 10);
    }

    // ST-6

    /// @dev Round-robin from a start that the head's hash draws at the last update; the order does not change in between.
    function test_ST6_turnsGoRound() public {
        enroll(address(0xB0), 3);
        extend(9);
        settle(0, 1, SUBMITTER);
        uint256 start = uint256(uint128(uint256(registry.headId())));
        for (uint64 k; k < 7; ++k) {
            vm.warp(START + FALLBACK + k * TURN);
            _assertTurn(k, address(uint160(0xB0 + (start + k) % 3)), START + FALLBACK + (k + 1) * TURN);
            vm.warp(START + FALLBACK + (k + 1) * TURN - 1);
            _assertTurn(k, address(uint160(0xB0 + (start + k) % 3)), START + FALLBACK + (k + 1) * TURN);
        }
    }

    /// @dev Neither a new checkpoint nor a new prover moves a running turn.
    function test_ST6_nobodyMovesARunningTurn() public {
        enroll(address(0xB0), 3);
        extend(9);
        settle(0, 1, SUBMITTER);
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        extend(11);
        enroll(address(0xC0), 1);
        (,, address still,) = state.turn();
        vm.assertEq(still, holder);
    }

    /// @dev Before the first update as well: the clock started with the first checkpoint, and who was there then takes turns.
    function test_ST6_theFirstTurnsAreOfThoseThatWereThere() public {
        enroll(address(0xB0), 3);
        vm.warp(START + 1 hours);
        extend(9);
        enroll(address(0xC0), 2);
        uint256 start = uint256(uint128(uint256(registry.genesisId())));
        for (uint64 k; k < 4; ++k) {
            vm.warp(START + 1 hours + FALLBACK + k * TURN);
            _assertTurn(k, address(uint160(0xB0 + (start + k) % 3)), START + 1 hours + FALLBACK + (k + 1) * TURN);
        }
    }

    /// @dev With all proven, the clock starts with the next checkpoint: who joined since the update is there in time.
    function test_ST6_whoJoinsBeforeTheClockStartsTakesTurns() public {
        enroll(address(0xB0), 1);
        extend(2);
        settle(0, 2, SUBMITTER);
        uint256 start = uint256(uint128(uint256(registry.headId())));
        enroll(address(0xB1), 2);
        extend(4);
        vm.warp(START + FALLBACK);
        _assertTurn(0, address(uint160(0xB0 + start % 3)), START + FALLBACK + TURN);
    }

    /// @dev Nobody was there when the clock started: the race goes on, until its next start, whoever joins.
    function test_ST6_whoJoinsWhileTheClockRunsWaits() public {
        extend(4);
        extend(9);
        enroll(address(0xB0), 1);
        vm.warp(START + FALLBACK + 3 * TURN);
        _assertTurn(3, address(0), START + FALLBACK + 4 * TURN);
        settle(0, 2, address(0xB0));
        vm.assertEq(vault.creditOf(address(0xB0)), 2 * uint256(FEES) / 10);
        vm.warp(START + 2 * FALLBACK + 3 * TURN);
        _assertTurn(0, address(0xB0), START + 2 * FALLBACK + 4 * TURN);
    }

    function test_ST6_theHolderEarnsSubmissionAndBounty() public {
        enroll(address(0xB0), 3);
        extend(40);
        settle(0, 20, SUBMITTER);
        uint256 reserve = vault.protocolReserve();
        vm.assertTrue(reserve > 0.5 ether);
        // The first update's redundancy shares lapsed (RW-4).
        reserve += 20 * uint256(FEES) / 10;
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        vm.expectEmit(true, true, true, true, address(state));
        emit I.UpdatedInTurn(21, 0, holder, holder);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.Released(IRewardVault.Reserve.Protocol, 21, 21, 0.5 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.Credited(21, holder, IRewardVault.Kind.Bounty, 0.5 ether);
        settle(20, 21, holder);
        vm.assertEq(vault.creditOf(holder), FEES / 10 + 0.5 ether);
        vm.assertEq(vault.protocolReserve(), reserve + FEES / 20 - 0.5 ether);
    }

    /// @dev The bounty is what the reserve holds, at most: after this update's own share came in.
    function test_ST6_theBountyIsCappedByTheReserve() public {
        enroll(address(0xB0), 1);
        extend(9);
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        vm.assertEq(holder, address(0xB0));
        settle(0, 2, holder);
        vm.assertEq(vault.creditOf(holder), 2 * uint256(FEES) / 10 + 2 * uint256(FEES) / 20);
        vm.assertEq(vault.protocolReserve(), 0);
    }

    function test_ST6_anEmptyReservePaysNoBounty() public {
        deployTrusting(Defaults.parameters(), IRewardVault.Shares(9000, 0, 1000, 0, 0));
        enroll(address(0xB0), 1);
        extend(9);
        vm.warp(START + FALLBACK);
        settle(0, 2, address(0xB0));
        vm.assertEq(vault.creditOf(address(0xB0)), 2 * uint256(FEES) / 10);
    }

    /// @dev A valid proof is never refused; the money says whose turn it was.
    function test_ST6_anotherSubmitterServesTheReserve() public {
        enroll(address(0xB0), 3);
        extend(4);
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        vm.expectEmit(true, true, true, true, address(state));
        emit I.UpdatedInTurn(4, 0, holder, SUBMITTER);
        settle(0, 4, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER), 0);
        vm.assertEq(vault.protocolReserve(), 4 * uint256(FEES) * 15 / 100);
        assertTip(4);
    }

    function test_ST6_withoutProversTheRaceGoesOn() public {
        extend(4);
        vm.warp(START + FALLBACK);
        (bool inFallback,, address holder,) = state.turn();
        vm.assertTrue(inFallback);
        vm.assertEq(holder, address(0));
        settle(0, 4, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER), 4 * uint256(FEES) / 10);
    }

    function test_ST6_openDesignationPaysWhoeverComes() public {
        _deploy(Designation.Open);
        enroll(address(0xB0), 3);
        extend(30);
        settle(0, 20, SUBMITTER);
        uint256 before = vault.creditOf(SUBMITTER);
        vm.warp(block.timestamp + FALLBACK);
        (bool inFallback,, address holder,) = state.turn();
        vm.assertTrue(inFallback);
        vm.assertEq(holder, address(0));
        settle(20, 21, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER) - before, FEES / 10 + 0.5 ether);
    }

    /// @dev For comparison only: here a valid proof is refused, until the holder or the next turn.
    function test_ST6_exclusiveDesignationRefusesOthers() public {
        _deploy(Designation.Exclusive);
        enroll(address(0xB0), 2);
        extend(9);
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        I.Update memory update = unproven(0, 2);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_NotYourTurn.selector, holder));
        submit(update);
        settle(0, 2, holder);
        assertTip(2);
        // In the race again, and late proofs still end quietly.
        settle(2, 3, SUBMITTER);
        vm.warp(block.timestamp + FALLBACK);
        settle(0, 2, SUBMITTER);
        assertTip(3);
    }

    /// @dev Any time, any number of provers, registered before or in the idle time, some of them gone again.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_ST6_theHolderIsAlwaysRegistered(uint32 later, uint8 before, uint8 joined, uint8 left) public {
        uint160 early = uint160(bound(before, 0, 5));
        uint160 late = uint160(bound(joined, 0, 3));
        enroll(address(0xB0), early);
        extend(9);
        settle(0, 1, SUBMITTER);
        for (uint160 i; i < late; ++i) {
            enroll(address(0xB0 + early + i), 1);
        }
        for (uint160 i; i < early + late; ++i) {
            if (left >> i & 1 == 0) continue;
            vm.prank(address(0xB0 + i));
            provers.deregister();
        }
        vm.warp(START + FALLBACK + later);
        (bool inFallback, uint64 index, address holder, uint64 endsAt) = state.turn();
        vm.assertTrue(inFallback);
        vm.assertEq(index, later / TURN);
        vm.assertTrue(endsAt > block.timestamp && endsAt <= block.timestamp + TURN);
        if (early == 0 || provers.count() == 0) vm.assertEq(holder, address(0));
        else vm.assertTrue(provers.isRegistered(holder));
        settle(1, 2, SUBMITTER);
        assertTip(2);
    }

    function _deploy(Designation designation) private {
        Parameters memory parameters = Defaults.parameters();
        parameters.designation = designation;
        // Age pays its own bonus (RW-6), which is not looked at here.
        parameters.bonusCap = 0;
        deployTrusting(parameters);
    }

    function _assertRace(uint64 end) private view {
        (bool inFallback, uint64 index, address holder, uint64 endsAt) = state.turn();
        vm.assertFalse(inFallback);
        vm.assertEq(index, 0);
        vm.assertEq(holder, address(0));
        vm.assertEq(endsAt, end);
    }

    function _assertTurn(uint64 k, address expected, uint64 end) private view {
        (bool inFallback, uint64 index, address holder, uint64 endsAt) = state.turn();
        vm.assertTrue(inFallback);
        vm.assertEq(index, k);
        vm.assertEq(holder, expected);
        vm.assertEq(endsAt, end);
    }
}
