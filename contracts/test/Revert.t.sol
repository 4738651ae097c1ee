// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "../src/Parameters.sol";
import {Checkpoint, checkpointId} from "../src/Types.sol";
import {ICheckpointRegistry} from "../src/interfaces/ICheckpointRegistry.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy} from "./Deploy.sol";
import {Settlement} from "./Settlement.sol";

/// @notice Reverts of checkpoints that nobody proves in time (CP-4).
contract RevertTest is Settlement {
    uint64 private constant DEADLINE = 1 days;

    // Kept here: the optimizer takes the block's time for a constant.
    uint64 private time = START;

    function setUp() public {
        vm.warp(START);
        deployTrusting(Defaults.parameters());
    }

    // Parameters

    function test_CP4_theDeadlineLiesBeyondTheFirstTurn() public {
        Parameters memory parameters = Defaults.parameters();
        parameters.proofDeadline = 5 hours + 30 minutes;
        vm.expectRevert(abi.encodeWithSelector(I.CP4_DeadlineBeforeTurn.selector, 19_800, 19_800));
        Deploy.stateUpdate(registry, vault, provers, genesis, new IProofVerifier[](0), parameters);
        vm.assertEq(state.proofDeadline(), DEADLINE);
        vm.assertEq(registry.stateUpdate(), address(state));
        vm.assertEq(address(registry.provers()), address(provers));
    }

    function test_CP4_deploymentChecksTheRegistry() public {
        // The vault takes orders from what is deployed next, the registry from what was deployed before.
        ICheckpointRegistry old = registry;
        address before = address(state);
        prepare(Defaults.parameters(), Defaults.shares());
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.expectRevert(abi.encodeWithSelector(I.NotLinked.selector, address(old), predicted, before));
        Deploy.stateUpdate(old, vault, provers, genesis, new IProofVerifier[](0), Defaults.parameters());
    }

    // When

    function test_CP4_theDeadlineIsKeptToTheSecond() public {
        _wait(1 hours);
        extend(3);
        extend(5);
        _wait(DEADLINE);
        (Checkpoint memory fallbackTo, Checkpoint memory oldest) = aroundTip();
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotDue.selector, START + 1 hours + DEADLINE));
        state.revertUnproven(fallbackTo, oldest);
        _wait(1);
        vm.expectEmit(true, true, true, true, address(registry));
        emit ICheckpointRegistry.CheckpointsReverted(1, checkpointId(genesis), 0, 0);
        state.revertUnproven(fallbackTo, oldest);
        vm.assertEq(registry.headId(), checkpointId(genesis));
        vm.assertEq(registry.generation(), 1);
    }

    /// @dev Anyone may, in one transaction, whatever lies behind the oldest.
    function testFuzz_CP4_anyoneReverts(address caller, uint8 length) public {
        for (uint64 i = 1; i <= 1 + length % 5; ++i) {
            extend(3 * i);
        }
        bytes32 last = registry.headId();
        _wait(DEADLINE + 1);
        (Checkpoint memory fallbackTo, Checkpoint memory oldest) = aroundTip();
        vm.prank(caller);
        state.revertUnproven(fallbackTo, oldest);
        vm.assertEq(registry.headId(), registry.genesisId());
        vm.assertFalse(registry.isLive(last));
        vm.assertFalse(registry.isLive(checkpointId(oldest)));
        vm.assertTrue(registry.isLive(registry.genesisId()));
    }

    // Which

    function test_CP4_refusesCheckpointsThatAreNotLinked() public {
        Checkpoint memory first = extend(3);
        extend(5);
        Checkpoint memory third = extend(7);
        _wait(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotLinked.selector));
        state.revertUnproven(first, third);
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotLinked.selector));
        state.revertUnproven(third, first);
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotLinked.selector));
        state.revertUnproven(first, first);
    }

    function test_CP4_refusesCheckpointsThatWereNeverRegistered() public {
        Checkpoint memory first = extend(3);
        Checkpoint memory invented = following(5);
        _wait(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotLive.selector, checkpointId(invented)));
        state.revertUnproven(first, invented);
        // Nothing is registered under a parent of one's own making.
        genesis.stateRoot = bytes32(uint256(1));
        invented.parentId = checkpointId(genesis);
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotLive.selector, checkpointId(invented)));
        state.revertUnproven(genesis, invented);
    }

    function test_CP4_refusesAnyButTheOldestUnproven() public {
        Checkpoint memory first = extend(3);
        Checkpoint memory second = extend(5);
        Checkpoint memory third = extend(7);
        settle(0, 3, SUBMITTER);
        _wait(DEADLINE + 1);
        // Behind the tip, which stands on the first.
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotOldest.selector, 3));
        state.revertUnproven(genesis, first);
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotOldest.selector, 3));
        state.revertUnproven(second, third);
        state.revertUnproven(first, second);
    }

    /// @dev The oldest unproven one counts, however old those before it are, and however young those behind.
    function test_CP4_theAgeIsThatOfTheOldestUnproven() public {
        extend(3);
        _wait(DEADLINE);
        extend(5);
        settle(0, 3, SUBMITTER);
        _wait(DEADLINE);
        extend(7);
        (Checkpoint memory fallbackTo, Checkpoint memory oldest) = aroundTip();
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotDue.selector, START + 2 * DEADLINE));
        state.revertUnproven(fallbackTo, oldest);
        _wait(1);
        revertChain();
        vm.assertEq(registry.headId(), checkpointId(fallbackTo));
    }

    function test_CP4_nothingIsRevertedTwice() public {
        extend(3);
        _wait(DEADLINE + 1);
        (Checkpoint memory fallbackTo, Checkpoint memory oldest) = aroundTip();
        state.revertUnproven(fallbackTo, oldest);
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotLive.selector, checkpointId(oldest)));
        state.revertUnproven(fallbackTo, oldest);
    }

    /// @dev With all proven there is nothing to name: no child of the head is registered.
    function test_CP4_whatIsProvenIsNeverReverted() public {
        Checkpoint memory first = extend(3);
        settle(0, 3, SUBMITTER);
        _wait(100 * DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(I.CP4_NotOldest.selector, 3));
        state.revertUnproven(genesis, first);
        vm.assertTrue(registry.isLive(checkpointId(first)));
    }

    function testFuzz_CP4_onlyTheStateUpdateReverts(address caller) public {
        vm.assume(caller != address(state));
        bytes32 id = registry.genesisId();
        vm.expectRevert(abi.encodeWithSelector(ICheckpointRegistry.CP4_OnlyStateUpdate.selector, caller));
        vm.prank(caller);
        registry.revertTo(id, 0);
    }

    // What stays and what goes

    function test_CP4_fromATipOnACheckpoint() public {
        Checkpoint memory first = extend(3);
        Checkpoint memory second = extend(6);
        settle(0, 3, SUBMITTER);
        _wait(DEADLINE + 1);
        revertChain();
        vm.assertEq(registry.headId(), checkpointId(first));
        vm.assertEq(registry.floor(), 3);
        assertTip(3);
        _refusedAsUnknown(3, 6, second);
        extend(5);
        settle(3, 5, SUBMITTER);
        assertTip(5);
    }

    /// @dev The tip lies beyond the new head: consensus goes on from the tip, and no checkpoint may lie at or behind it.
    function test_CP4_fromATipBetweenCheckpoints() public {
        Checkpoint memory first = extend(3);
        Checkpoint memory second = extend(9);
        settle(0, 3, SUBMITTER);
        settle(3, 6, SUBMITTER);
        _wait(DEADLINE + 1);
        vm.expectEmit(true, true, true, true, address(registry));
        emit ICheckpointRegistry.CheckpointsReverted(1, checkpointId(first), 3, 6);
        revertChain();
        vm.assertEq(registry.headId(), checkpointId(first));
        vm.assertEq(registry.floor(), 6);
        assertTip(6);
        _refusedAsUnknown(6, 9, second);
        for (uint64 number = 4; number <= 6; ++number) {
            Checkpoint memory low = following(number);
            bytes memory signature = certify(low);
            vm.expectRevert(abi.encodeWithSelector(ICheckpointRegistry.CP1_NumberNotAboveHead.selector, number, 6));
            registry.register(low, 7, signature);
        }
        extend(7);
        settle(6, 7, SUBMITTER);
        assertTip(7);
        // The floor is no bar once the head is above it.
        Checkpoint memory same = following(7);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointRegistry.CP1_NumberNotAboveHead.selector, 7, 7));
        registry.register(same, 7, "");
    }

    /// @dev A certificate outlives the revert of what it certified; it must not bring it back.
    function test_CP4_aRevertedCheckpointDoesNotComeBack() public {
        Checkpoint memory first = following(3);
        bytes memory signature = certify(first);
        registry.register(first, 7, signature);
        chain.push(first);
        head = first;
        _wait(DEADLINE + 1);
        revertChain();
        vm.expectRevert(abi.encodeWithSelector(ICheckpointRegistry.CP4_Reverted.selector, checkpointId(first)));
        registry.register(first, 7, signature);
        // Another block of the same number may.
        Checkpoint memory rebuilt = following(3);
        rebuilt.blockHash = bytes32(uint256(7));
        registry.register(rebuilt, 7, certify(rebuilt));
    }

    function test_CP4_aRevertedCheckpointIsNotContinued() public {
        extend(3);
        Checkpoint memory dead = following(5);
        bytes memory signature = certify(dead);
        _wait(DEADLINE + 1);
        revertChain();
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CP1_ParentIsNotHead.selector, dead.parentId, checkpointId(genesis)
            )
        );
        registry.register(dead, 7, signature);
    }

    /// @dev Generations: what was proven before stays live through every later revert, what was reverted stays dead.
    function test_CP4_liveStaysLiveAndDeadStaysDead() public {
        bytes32[] memory live = new bytes32[](5);
        bytes32[] memory dead = new bytes32[](4);
        live[0] = checkpointId(genesis);
        uint64 tip;
        for (uint64 round; round < 4; ++round) {
            live[round + 1] = checkpointId(extend(tip + 2));
            settle(tip, tip + 2, SUBMITTER);
            tip += 2;
            // Another number each time, as another content would do.
            dead[round] = checkpointId(extend(tip + 3 + round));
            extend(tip + 20);
            _wait(DEADLINE + 1);
            revertChain();
            vm.assertEq(registry.generation(), round + 1);
            vm.assertEq(registry.headId(), live[round + 1]);
            for (uint256 i; i <= round; ++i) {
                vm.assertTrue(registry.isLive(live[i]) && registry.isLive(live[i + 1]));
                vm.assertFalse(registry.isLive(dead[i]));
            }
        }
        (,,,, uint48 depth, uint32 generation) = registry.record(live[4]);
        vm.assertEq(depth, 4);
        vm.assertEq(generation, 3);
    }

    /// @dev Reverts that follow one another without an update fall back to the same checkpoint, and end each other's.
    function test_CP4_revertsInARow() public {
        Checkpoint memory first = extend(2);
        settle(0, 2, SUBMITTER);
        for (uint64 round; round < 3; ++round) {
            bytes32 id = checkpointId(extend(5 + round));
            vm.assertTrue(registry.isLive(id));
            (,,,, uint48 depth, uint32 generation) = registry.record(id);
            vm.assertEq(depth, 2);
            vm.assertEq(generation, round);
            _wait(DEADLINE + 1);
            revertChain();
            vm.assertFalse(registry.isLive(id));
            vm.assertEq(registry.headId(), checkpointId(first));
            vm.assertTrue(registry.isLive(checkpointId(first)));
        }
        extend(4);
        settle(2, 4, SUBMITTER);
        assertTip(4);
    }

    function test_CP4_unregisteredIsNotLive() public view {
        vm.assertFalse(registry.isLive(bytes32(uint256(1))));
        vm.assertFalse(registry.isLive(0));
    }

    // The clock and the turns (ST-4, ST-6)

    function test_ST4_aRevertStopsTheClockUntilTheNextCheckpoint() public {
        enroll(address(0xB0), 1);
        Checkpoint memory first = extend(3);
        extend(9);
        settle(0, 6, SUBMITTER);
        vm.assertEq(state.idleSince(), START);
        _wait(DEADLINE + 1);
        revertChain();
        vm.assertEq(state.idleSince(), 0);
        (,, uint40 continuedAt, uint32 continuedAmong,,) = registry.record(checkpointId(first));
        vm.assertEq(continuedAt, 0);
        vm.assertEq(continuedAmong, 0);
        _wait(3 hours);
        extend(7);
        vm.assertEq(state.idleSince(), time);
        (bool inFallback,,, uint64 endsAt) = state.turn();
        vm.assertFalse(inFallback);
        vm.assertEq(endsAt, time + 5 hours);
        _wait(1 hours);
        extend(8);
        vm.assertEq(state.idleSince(), time - 1 hours);
    }

    /// @dev Round-robin goes on from the new head's hash, among all that are there when the clock starts again.
    function test_ST6_turnsAfterARevert() public {
        enroll(address(0xB0), 3);
        Checkpoint memory first = extend(3);
        extend(9);
        settle(0, 3, SUBMITTER);
        enroll(address(0xB3), 1);
        _wait(DEADLINE + 1);
        revertChain();
        enroll(address(0xB4), 1);
        extend(7);
        enroll(address(0xB5), 1);
        uint256 start = uint256(uint128(uint256(checkpointId(first))));
        for (uint64 k; k < 4; ++k) {
            _wait(k == 0 ? 5 hours : 30 minutes);
            (bool inFallback, uint64 index, address holder,) = state.turn();
            vm.assertTrue(inFallback);
            vm.assertEq(index, k);
            vm.assertEq(holder, address(uint160(0xB0 + (start + k) % 5)));
        }
    }

    /// @dev Money is not touched: what was paid stays paid, and a redundancy turn goes on.
    function test_CP4_aRevertTouchesNoMoney() public {
        enroll(address(0xB0), 2);
        extend(3);
        extend(9);
        _wait(DEADLINE);
        I.Transition memory transition = open(0, 3, SUBMITTER);
        _wait(1);
        uint256 reserves = vault.protocolReserve() + vault.redundancyReserve();
        uint256 credit = vault.creditOf(SUBMITTER);
        revertChain();
        vm.assertEq(vault.protocolReserve() + vault.redundancyReserve(), reserves);
        vm.assertEq(vault.creditOf(SUBMITTER), credit);
        bring(own(transition));
        vm.assertTrue(vault.creditOf(transition.holder) > 0);
    }

    function test_gas_revert() public {
        extend(3);
        extend(5);
        settle(0, 3, SUBMITTER);
        _wait(DEADLINE + 1);
        (Checkpoint memory fallbackTo, Checkpoint memory oldest) = aroundTip();
        state.revertUnproven(fallbackTo, oldest);
        assertGasBelow("Revert", "revert", 120_000);
    }

    /// @dev ST-6: its work is bounded, however many turns passed before it.
    function test_gas_revertWithMissedTurns() public {
        enroll(address(0xB0), 8);
        extend(3);
        extend(5);
        settle(0, 3, SUBMITTER);
        _wait(2 * DEADLINE);
        (Checkpoint memory fallbackTo, Checkpoint memory oldest) = aroundTip();
        state.revertUnproven(fallbackTo, oldest);
        assertGasBelow("Revert", "revert, eight missed turns", 250_000);
    }

    function _wait(uint64 seconds_) private {
        vm.warp(time += seconds_);
    }

    function _refusedAsUnknown(uint64 from, uint64 to, Checkpoint memory dead) private {
        I.Update memory update;
        update.system = 1;
        update.from = blockHash(from);
        update.leaves = leavesOf(from + 1, to);
        update.checkpoints = new Checkpoint[](1);
        update.checkpoints[0] = dead;
        vm.expectRevert(abi.encodeWithSelector(I.ST2_CheckpointUnknown.selector, checkpointId(dead)));
        submit(update);
    }
}
