// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation, Parameters} from "../src/Parameters.sol";
import {StateUpdate} from "../src/StateUpdate.sol";
import {Checkpoint, Leaf} from "../src/Types.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {World} from "./World.sol";

/// @notice Accepts every proof: turns are about time and money.
contract Trusting is IProofVerifier {
    function verify(bytes32, Leaf[] calldata, bytes32[] calldata, bytes calldata) external pure returns (bool) {
        return true;
    }
}

/// @notice Idle clock, race and turns (ST-4, ST-5, ST-6).
contract TurnsTest is World {
    uint64 private constant START = 1_800_000_000;
    uint64 private constant FALLBACK = 5 hours;
    uint64 private constant TURN = 30 minutes;

    function setUp() public {
        vm.warp(START);
        _deploy(Designation.Preferred);
    }

    // Parameters

    function test_ST5_refusesNoRace() public {
        Parameters memory parameters = defaultParameters();
        parameters.idleFallback = 0;
        vm.expectRevert(abi.encodeWithSelector(I.ST5_NoRace.selector));
        new StateUpdate(registry, vault, provers, genesis, new IProofVerifier[](0), parameters);
    }

    function test_ST6_refusesTurnsOfNoLength() public {
        Parameters memory parameters = defaultParameters();
        parameters.turnLength = 0;
        vm.expectRevert(abi.encodeWithSelector(I.ST6_NoTurnLength.selector));
        new StateUpdate(registry, vault, provers, genesis, new IProofVerifier[](0), parameters);
    }

    function test_ST6_parametersAreAsGiven() public view {
        Parameters memory parameters = defaultParameters();
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
        checkpoint(2);
        vm.warp(START + 10 hours);
        checkpoint(4);
        vm.assertEq(state.idleSince(), START + 9 hours);
        _assertRace(START + 14 hours);
    }

    function test_ST4_anUpdateStartsItAnewIfMoreIsProvable() public {
        checkpoint(2);
        Checkpoint memory last = checkpoint(4);
        vm.warp(START + 1 hours);
        _update(0, 4 - 1, last, SUBMITTER);
        vm.assertEq(state.idleSince(), START + 1 hours);
        vm.warp(START + 2 hours);
        _update(3, 4, last, SUBMITTER);
        vm.assertEq(state.idleSince(), 0);
        vm.warp(START + 3 hours);
        checkpoint(5);
        vm.assertEq(state.idleSince(), START + 3 hours);
    }

    /// @dev END is a checkpoint's own block, but a later one is there already.
    function test_ST4_aLaterCheckpointKeepsTheClockRunning() public {
        Checkpoint memory first = checkpoint(2);
        checkpoint(4);
        vm.warp(START + 1 hours);
        _update(0, 2, first, SUBMITTER);
        vm.assertEq(state.idleSince(), START + 1 hours);
    }

    function test_ST4_aLateProofDoesNotTouchTheClock() public {
        checkpoint(2);
        Checkpoint memory last = checkpoint(4);
        _update(0, 2, last, SUBMITTER);
        vm.warp(START + 1 hours);
        _update(0, 1, last, SUBMITTER);
        vm.assertEq(state.idleSince(), START);
    }

    /// @dev Against a history kept here: the later of the last update and the oldest checkpoint beyond the tip.
    /// forge-config: default.fuzz.runs = 32
    function testFuzz_ST4_isTheLaterOfUpdateAndOldestCheckpoint(uint8[10] memory steps) public {
        Checkpoint[] memory chain = new Checkpoint[](11);
        uint64[] memory registered = new uint64[](11);
        uint256 length;
        uint64 tip;
        uint64 updated = START;
        // Kept here: the optimizer takes the block's time for a constant.
        uint64 time = START;
        for (uint256 i; i < 10; ++i) {
            vm.warp(time += 1 + uint64(steps[i]));
            if (steps[i] % 2 == 0 || head.number == tip) {
                chain[length] = checkpoint(head.number + 1 + steps[i] % 3);
                registered[length++] = time;
            } else {
                uint64 to = tip + 1 + (steps[i] / 2) % (head.number - tip);
                uint256 first;
                while (chain[first].number <= tip) ++first;
                uint256 last = first;
                while (chain[last].number < to) ++last;
                Checkpoint[] memory passed = new Checkpoint[](last - first + 1);
                for (uint256 j; j < passed.length; ++j) {
                    passed[j] = chain[first + j];
                }
                _update(tip, to, passed, SUBMITTER);
                tip = to;
                updated = time;
            }
            uint64 expected;
            for (uint256 j; j < length && expected == 0; ++j) {
                if (chain[j].number > tip) expected = registered[j] > updated ? registered[j] : updated;
            }
            vm.assertEq(state.idleSince(), expected);
        }
    }

    // ST-5

    function test_ST5_theRaceLastsToTheSecond() public {
        _registerProvers(3);
        Checkpoint memory last = checkpoint(4);
        vm.warp(START + FALLBACK - 1);
        _assertRace(START + FALLBACK);
        _update(0, 1, last, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER), FEES / 10);
    }

    /// @dev The clock restarts with each update, whoever's turn it was.
    function test_ST5_anUpdateEndsTheFallback() public {
        _registerProvers(3);
        Checkpoint memory last = checkpoint(4);
        vm.warp(START + FALLBACK + TURN);
        _update(0, 1, last, SUBMITTER);
        _assertRace(START + FALLBACK + TURN + FALLBACK);
        _update(1, 2, last, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER), FEES / 10);
    }

    // ST-6

    /// @dev Round-robin from a start that the head's hash draws at the last update; the order does not change in between.
    function test_ST6_turnsGoRound() public {
        _registerProvers(3);
        Checkpoint memory last = checkpoint(9);
        _update(0, 1, last, SUBMITTER);
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
        _registerProvers(3);
        Checkpoint memory last = checkpoint(9);
        _update(0, 1, last, SUBMITTER);
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        checkpoint(11);
        _register(address(0xC0));
        (,, address still,) = state.turn();
        vm.assertEq(still, holder);
    }

    function test_ST6_theHolderEarnsSubmissionAndBounty() public {
        _registerProvers(3);
        Checkpoint memory last = checkpoint(40);
        _update(0, 20, last, SUBMITTER);
        uint256 reserve = vault.protocolReserve();
        vm.assertTrue(reserve > 0.5 ether);
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        vm.expectEmit(true, true, true, true, address(state));
        emit I.UpdatedInTurn(21, 0, holder, holder);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.Released(IRewardVault.Reserve.Protocol, 21, 21, 0.5 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.Credited(21, holder, IRewardVault.Kind.Bounty, 0.5 ether);
        _update(20, 21, last, holder);
        vm.assertEq(vault.creditOf(holder), FEES / 10 + 0.5 ether);
        vm.assertEq(vault.protocolReserve(), reserve + FEES / 20 - 0.5 ether);
    }

    /// @dev The bounty is what the reserve holds, at most: after this update's own share came in.
    function test_ST6_theBountyIsCappedByTheReserve() public {
        _registerProvers(1);
        Checkpoint memory last = checkpoint(9);
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        vm.assertEq(holder, address(0xB0));
        _update(0, 2, last, holder);
        vm.assertEq(vault.creditOf(holder), 2 * uint256(FEES) / 10 + 2 * uint256(FEES) / 20);
        vm.assertEq(vault.protocolReserve(), 0);
    }

    function test_ST6_anEmptyReservePaysNoBounty() public {
        _deployWithShares(IRewardVault.Shares(9000, 0, 1000, 0, 0));
        _registerProvers(1);
        Checkpoint memory last = checkpoint(9);
        vm.warp(START + FALLBACK);
        _update(0, 2, last, address(0xB0));
        vm.assertEq(vault.creditOf(address(0xB0)), 2 * uint256(FEES) / 10);
    }

    /// @dev A valid proof is never refused; the money says whose turn it was.
    function test_ST6_anotherSubmitterServesTheReserve() public {
        _registerProvers(3);
        Checkpoint memory last = checkpoint(4);
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        vm.expectEmit(true, true, true, true, address(state));
        emit I.UpdatedInTurn(4, 0, holder, SUBMITTER);
        _update(0, 4, last, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER), 0);
        vm.assertEq(vault.protocolReserve(), 4 * uint256(FEES) * 15 / 100);
        assertTip(4);
    }

    function test_ST6_withoutProversTheRaceGoesOn() public {
        Checkpoint memory last = checkpoint(4);
        vm.warp(START + FALLBACK);
        (bool inFallback,, address holder,) = state.turn();
        vm.assertTrue(inFallback);
        vm.assertEq(holder, address(0));
        _update(0, 4, last, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER), 4 * uint256(FEES) / 10);
    }

    function test_ST6_openDesignationPaysWhoeverComes() public {
        _deploy(Designation.Open);
        _registerProvers(3);
        Checkpoint memory last = checkpoint(30);
        _update(0, 20, last, SUBMITTER);
        uint256 before = vault.creditOf(SUBMITTER);
        vm.warp(block.timestamp + FALLBACK);
        (bool inFallback,, address holder,) = state.turn();
        vm.assertTrue(inFallback);
        vm.assertEq(holder, address(0));
        _update(20, 21, last, SUBMITTER);
        vm.assertEq(vault.creditOf(SUBMITTER) - before, FEES / 10 + 0.5 ether);
    }

    /// @dev For comparison only: here a valid proof is refused, until the holder or the next turn.
    function test_ST6_exclusiveDesignationRefusesOthers() public {
        _deploy(Designation.Exclusive);
        _registerProvers(2);
        Checkpoint memory last = checkpoint(9);
        vm.warp(START + FALLBACK);
        (,, address holder,) = state.turn();
        I.Update memory update = _updateOf(0, 2, last);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_NotYourTurn.selector, holder));
        submit(update);
        _update(0, 2, last, holder);
        assertTip(2);
        // In the race again, and late proofs still end quietly.
        _update(2, 3, last, SUBMITTER);
        vm.warp(block.timestamp + FALLBACK);
        _update(0, 2, last, SUBMITTER);
        assertTip(3);
    }

    /// @dev Any time, any number of provers, registered before or in the idle time, some of them gone again.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_ST6_theHolderIsAlwaysRegistered(uint32 later, uint8 before, uint8 joined, uint8 left) public {
        uint160 early = uint160(bound(before, 0, 5));
        uint160 late = uint160(bound(joined, 0, 3));
        _registerProvers(early);
        Checkpoint memory last = checkpoint(9);
        _update(0, 1, last, SUBMITTER);
        for (uint160 i; i < late; ++i) {
            _register(address(0xB0 + early + i));
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
        vm.assertTrue(provers.count() == 0 ? holder == address(0) : provers.isRegistered(holder));
        _update(1, 2, last, SUBMITTER);
        assertTip(2);
    }

    function _deploy(Designation designation) private {
        Parameters memory parameters = defaultParameters();
        parameters.designation = designation;
        deployWith(new Trusting(), parameters);
        fund(1000 ether);
    }

    function _deployWithShares(IRewardVault.Shares memory shares) private {
        deployWith(new Trusting(), defaultParameters(), shares);
        fund(1000 ether);
    }

    function _registerProvers(uint160 count) private {
        for (uint160 i; i < count; ++i) {
            _register(address(0xB0 + i));
        }
    }

    function _register(address who) private {
        vm.deal(who, 1 ether);
        vm.prank(who);
        provers.register{value: 1 ether}();
    }

    function _updateOf(uint64 from, uint64 to, Checkpoint memory last) private view returns (I.Update memory update) {
        update.system = 1;
        update.from = blockHash(from);
        update.leaves = leavesOf(from + 1, to);
        update.checkpoints = new Checkpoint[](1);
        update.checkpoints[0] = last;
        // The oldest first: all that lie between the tip and the last one.
        (uint64 parent,,) = registry.record(last.parentId);
        (, uint64 tip) = state.tip();
        if (parent > tip) {
            update.checkpoints = new Checkpoint[](2);
            update.checkpoints[0] = Checkpoint({
                parentId: registry.genesisId(),
                number: parent,
                blockHash: blockHash(parent),
                stateRoot: stateRoot(parent)
            });
            update.checkpoints[1] = last;
        }
    }

    function _update(uint64 from, uint64 to, Checkpoint memory last, address submitter) private {
        I.Update memory update = _updateOf(from, to, last);
        vm.prank(submitter);
        state.submit(update);
    }

    function _update(uint64 from, uint64 to, Checkpoint[] memory passed, address submitter) private {
        I.Update memory update = _updateOf(from, to, passed[passed.length - 1]);
        update.checkpoints = passed;
        vm.prank(submitter);
        state.submit(update);
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
