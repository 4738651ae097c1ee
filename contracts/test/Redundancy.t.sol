// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Checkpoint, Leaf} from "../src/Types.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {Vm} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Settlement} from "./Settlement.sol";

/// @notice The turn-holder's second proof of a settled transition (RW-4).
contract RedundancyTest is Settlement {
    uint64 private constant WINDOW = 1 hours;
    uint256 private constant SHARE = uint256(FEES) / 10;

    function setUp() public {
        vm.warp(START);
        deployTrusting(Defaults.parameters());
    }

    // Who

    /// @dev Round-robin over the registered provers by the checkpoint's place in the chain.
    function test_RW4_turnsGoRoundWithTheCheckpoints() public {
        enroll(address(0xB0), 3);
        for (uint64 i = 1; i <= 7; ++i) {
            extend(i);
            vm.assertEq(open(i - 1, i, SUBMITTER).holder, address(uint160(0xB0 + i % 3)));
        }
    }

    /// @dev The submitter's turn passes to the next in order.
    function test_RW4_skipsTheSubmitter() public {
        enroll(address(0xB0), 3);
        for (uint64 i = 1; i <= 6; ++i) {
            extend(i);
            vm.assertEq(open(i - 1, i, address(uint160(0xB0 + i % 3))).holder, address(uint160(0xB0 + (i + 1) % 3)));
        }
    }

    function test_RW4_nobodyIsLeft() public {
        extend(1);
        _settlesWithoutTurn(0, 1, SUBMITTER);
        enroll(address(0xB0), 1);
        extend(2);
        _settlesWithoutTurn(1, 2, address(0xB0));
        vm.assertEq(vault.redundancyReserve(), 2 * SHARE);
        // Nobody can earn them: they lapse.
        vm.warp(START + 2 * WINDOW);
        vault.lapse();
        vm.assertEq(vault.redundancyReserve(), 0);
        vm.assertEq(vault.protocolReserve(), 2 * SHARE + uint256(FEES) / 10);
    }

    /// @dev Known when the checkpoint is registered: who joins later has no part in it.
    function test_RW4_whoJoinsLaterWaits() public {
        enroll(address(0xB0), 2);
        extend(2);
        extend(4);
        enroll(address(0xB2), 3);
        vm.assertEq(open(0, 2, SUBMITTER).holder, address(0xB1));
        vm.assertEq(open(2, 4, SUBMITTER).holder, address(0xB0));
        extend(6);
        // The third of five: depth counts on.
        vm.assertEq(open(4, 6, SUBMITTER).holder, address(0xB3));
    }

    /// @dev Whoever came and went in between, the holder is a registered prover and not the submitter, or there is none.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_RW4_theHolderIsRegistered(uint8 before, uint8 joined, uint8 left, uint8 depth, uint8 who) public {
        uint160 early = uint160(bound(before, 0, 4));
        uint160 late = uint160(bound(joined, 0, 2));
        enroll(address(0xB0), early);
        for (uint64 i = 1; i <= 1 + depth % 4; ++i) {
            extend(i);
        }
        enroll(address(0xB0 + early), late);
        for (uint160 i; i < early + late; ++i) {
            if (left >> i & 1 == 0) continue;
            vm.prank(address(0xB0 + i));
            provers.deregister();
        }
        address submitter = address(uint160(0xB0 + who % 7));
        I.Update memory update = unproven(0, 1 + depth % 4);
        vm.recordLogs();
        submitAs(submitter, update);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        bool opened = last.topics[0] == I.RedundancyOpened.selector;
        if (opened) {
            address holder = address(uint160(uint256(last.topics[2])));
            vm.assertTrue(provers.isRegistered(holder) && holder != submitter);
        }
        (,, uint184 claim) = state.boundary(blockHash(1 + depth % 4));
        vm.assertTrue(opened == (claim != 0));
        // A stranger to the registry always leaves somebody, if anybody was there in time.
        if (!provers.isRegistered(submitter)) vm.assertTrue(opened == (early != 0 && provers.count() != 0));
    }

    /// @dev An update may name more checkpoints than it needs, but it does not choose its holder by them.
    function test_RW4_surplusCheckpointsDoNotMoveTheTurn() public {
        enroll(address(0xB0), 3);
        extend(2);
        Checkpoint memory second = extend(4);
        Checkpoint memory third = extend(6);
        I.Update memory update = unproven(0, 2);
        Checkpoint memory first = update.checkpoints[0];
        update.checkpoints = new Checkpoint[](3);
        (update.checkpoints[0], update.checkpoints[1], update.checkpoints[2]) = (first, second, third);
        vm.assertEq(open(update, SUBMITTER).holder, address(0xB1));
    }

    // What it earns

    function test_RW4_paysTheBlocksThatTheHolderProved() public {
        enroll(address(0xB0), 3);
        extend(4);
        I.Transition memory transition = open(0, 4, SUBMITTER);
        address holder = transition.holder;
        vm.assertEq(vault.redundancyReserve(), 4 * SHARE);
        I.Redundancy memory redundancy = own(transition);
        redundancy.provers[1] = address(0xCC);
        vm.warp(START + 100);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.Credited(1, holder, IRewardVault.Kind.Redundancy, SHARE);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.Credited(3, holder, IRewardVault.Kind.Redundancy, SHARE);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.Credited(4, holder, IRewardVault.Kind.Redundancy, SHARE);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.Released(IRewardVault.Reserve.Redundancy, 1, 4, 3 * SHARE);
        vm.expectEmit(true, true, true, true, address(state));
        emit I.RedundancyProven(blockHash(4), holder, 1, 3 * SHARE);
        bring(redundancy);
        vm.assertEq(vault.creditOf(holder), 3 * SHARE);
        vm.assertEq(vault.creditOf(address(0xCC)), 0);
        vm.assertEq(vault.redundancyReserve(), SHARE);
        vm.assertEq(reputation(holder), 3 * 16_000);
        vm.assertEq(updates(holder), 1);
    }

    /// @dev Work that was paid already is not paid once more.
    function test_RW4_earnsNothingForItsOwnPaidLeaves() public {
        enroll(address(0xB0), 2);
        extend(3);
        I.Update memory update = unproven(0, 3);
        update.leaves[1].prover = address(0xB1);
        I.Transition memory transition = open(update, SUBMITTER);
        vm.assertEq(transition.holder, address(0xB1));
        uint256 paid = vault.creditOf(address(0xB1));
        bring(own(transition));
        vm.assertEq(vault.creditOf(address(0xB1)), paid + 2 * SHARE);
    }

    /// @dev The copy of the winner's leaves proves nothing that was not proven.
    function test_RW4_copiedLeavesEarnNothing() public {
        enroll(address(0xB0), 3);
        extend(4);
        I.Redundancy memory copy = own(open(0, 4, SUBMITTER));
        for (uint256 i; i < 4; ++i) {
            copy.provers[i] = copy.transition.leaves[i].prover;
        }
        refuse(copy, abi.encodeWithSelector(I.RW4_NothingEarned.selector));
        // One block of its own is paid as one.
        copy.provers[2] = copy.transition.holder;
        bring(copy);
        vm.assertEq(vault.creditOf(copy.transition.holder), SHARE);
    }

    function test_RW4_theHoldersOwnUpdateLeavesNothingToEarn() public {
        enroll(address(0xB0), 2);
        extend(2);
        I.Update memory update = unproven(0, 2);
        update.leaves[0].prover = update.leaves[1].prover = address(0xB1);
        refuse(own(open(update, SUBMITTER)), abi.encodeWithSelector(I.RW4_NothingEarned.selector));
    }

    /// @dev Blocks without fees, and splits without a redundancy share, have nothing to earn.
    function test_RW4_zeroSharesEarnNothing() public {
        enroll(address(0xB0), 2);
        extend(2);
        I.Update memory update = unproven(0, 2);
        update.leaves[0].proverFees = 0;
        I.Redundancy memory redundancy = own(open(update, SUBMITTER));
        redundancy.provers[1] = address(0xCC);
        refuse(redundancy, abi.encodeWithSelector(I.RW4_NothingEarned.selector));
        redundancy.provers[1] = redundancy.transition.holder;
        bring(redundancy);
        // Nor does their gas count, because nothing of it was credited.
        vm.assertEq(reputation(redundancy.transition.holder), 16_000);
        deployTrusting(Defaults.parameters(), IRewardVault.Shares(9000, 0, 1000, 0, 0));
        enroll(address(0xB0), 2);
        extend(2);
        refuse(own(open(0, 2, SUBMITTER)), abi.encodeWithSelector(I.RW4_NothingEarned.selector));
    }

    /// @dev Dust: any fees, any part of the blocks proven again; the reserve shrinks by exactly what is credited.
    function testFuzz_RW4_theReserveShrinksByWhatIsEarned(uint80[3] memory fees, uint8 proven, uint16 later) public {
        enroll(address(0xB0), 2);
        extend(3);
        I.Update memory update = unproven(0, 3);
        for (uint256 i; i < 3; ++i) {
            update.leaves[i].proverFees = fees[i] % 1e18;
        }
        I.Redundancy memory redundancy = own(open(update, SUBMITTER));
        uint256 expected;
        for (uint256 i; i < 3; ++i) {
            if (proven >> i & 1 == 0) redundancy.provers[i] = address(0xCC);
            else expected += uint256(update.leaves[i].proverFees) * 1000 / 10_000;
        }
        vm.warp(START + later % (WINDOW + 1));
        uint256 reserve = vault.redundancyReserve();
        if (expected == 0) return refuse(redundancy, abi.encodeWithSelector(I.RW4_NothingEarned.selector));
        bring(redundancy);
        vm.assertEq(vault.creditOf(redundancy.transition.holder), expected);
        vm.assertEq(vault.redundancyReserve(), reserve - expected);
    }

    // When, by whom, of what

    function test_RW4_theWindowIsKeptToTheSecond() public {
        enroll(address(0xB0), 3);
        extend(8);
        vm.warp(START + 1234);
        I.Redundancy memory first = own(open(0, 4, SUBMITTER));
        I.Redundancy memory second = own(open(4, 8, SUBMITTER));
        vm.warp(START + 1234 + WINDOW);
        bring(first);
        vm.warp(START + 1235 + WINDOW);
        refuse(second, abi.encodeWithSelector(I.RW4_WindowClosed.selector, START + 1234 + WINDOW));
    }

    /// @dev Not even with the holder's own proof: what is seen in the mempool is no use to anybody else.
    function testFuzz_RW4_onlyTheHolderMay(address caller) public {
        enroll(address(0xB0), 3);
        extend(4);
        I.Redundancy memory redundancy = own(open(0, 4, SUBMITTER));
        address holder = redundancy.transition.holder;
        vm.assume(caller != holder);
        vm.expectRevert(abi.encodeWithSelector(I.RW4_NotYourTurn.selector, holder));
        vm.prank(caller);
        state.submitRedundant(redundancy);
        redundancy.transition.holder = caller;
        refuse(redundancy, abi.encodeWithSelector(I.RW4_TransitionUnknown.selector, blockHash(4)));
    }

    function test_RW4_onlyOnce() public {
        enroll(address(0xB0), 3);
        extend(4);
        I.Redundancy memory redundancy = own(open(0, 4, SUBMITTER));
        bring(redundancy);
        refuse(redundancy, abi.encodeWithSelector(I.RW4_TransitionUnknown.selector, blockHash(4)));
        (bool proven, uint64 number, uint184 claim) = state.boundary(blockHash(4));
        vm.assertTrue(proven);
        vm.assertEq(number, 4);
        vm.assertEq(claim, 0);
    }

    /// @dev Every field of the transition is under the claim.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_RW4_refusesOtherData(uint8 field, uint8 which) public {
        enroll(address(0xB0), 3);
        extend(4);
        I.Redundancy memory redundancy = own(open(0, 4, SUBMITTER));
        I.Transition memory data = redundancy.transition;
        address holder = data.holder;
        Leaf memory leaf = data.leaves[which % 3];
        field %= 10;
        if (field == 0) data.from = bytes32(uint256(data.from) ^ 1);
        if (field == 1) data.fromNumber ^= 1;
        if (field == 2) leaf.blockHash = bytes32(uint256(leaf.blockHash) ^ 1);
        if (field == 3) leaf.prover = address(uint160(leaf.prover) ^ 1);
        if (field == 4) leaf.proverFees ^= 1;
        if (field == 5) leaf.proverGas ^= 1;
        if (field == 6) data.shares[which % 4] += 1;
        if (field == 7) data.shares = new uint256[](5);
        if (field == 8) data.settledAt ^= 1;
        if (field == 9) data.leaves[3].proverFees ^= 1;
        vm.expectRevert(abi.encodeWithSelector(I.RW4_TransitionUnknown.selector, blockHash(4)));
        vm.prank(holder);
        state.submitRedundant(redundancy);
    }

    function test_RW4_refusesTransitionsThatNeverWere() public {
        enroll(address(0xB0), 3);
        extend(4);
        I.Redundancy memory redundancy = own(open(0, 4, SUBMITTER));
        // A part of it: no update ended there.
        I.Redundancy memory none = own(redundancy.transition);
        none.transition.leaves = leavesOf(1, 2);
        refuse(none, abi.encodeWithSelector(I.RW4_TransitionUnknown.selector, blockHash(2)));
        // Genesis is a boundary, but no update's.
        none.transition.leaves = leavesOf(0, 0);
        refuse(none, abi.encodeWithSelector(I.RW4_TransitionUnknown.selector, blockHash(0)));
        none.transition.leaves = new Leaf[](0);
        refuse(none, abi.encodeWithSelector(I.RW4_TransitionUnknown.selector, 0));
    }

    function testFuzz_RW4_needsAProverForEachBlock(uint8 count) public {
        vm.assume(count != 4);
        enroll(address(0xB0), 3);
        extend(4);
        I.Redundancy memory redundancy = own(open(0, 4, SUBMITTER));
        redundancy.provers = new address[](count);
        refuse(redundancy, abi.encodeWithSelector(I.RW4_LeafCount.selector, count, 4));
    }

    /// @dev What an overlapping update newly proved is the transition: it begins at the tip, not where its proof began.
    function test_RW4_ofAnOverlapCountsThePartBeyondTheTip() public {
        enroll(address(0xB0), 3);
        extend(6);
        I.Update memory longer = unproven(0, 6);
        open(0, 2, SUBMITTER);
        I.Transition memory transition = open(longer, SUBMITTER);
        vm.assertEq(transition.from, blockHash(2));
        vm.assertEq(transition.fromNumber, 2);
        vm.assertEq(transition.leaves.length, 4);
        bring(own(transition));
        vm.assertEq(vault.creditOf(transition.holder), 4 * SHARE);
    }

    /// @dev The tip moved on; each transition of the last hour still has its own turn.
    function test_RW4_turnsOfSeveralUpdatesStandSideBySide() public {
        enroll(address(0xB0), 3);
        extend(3);
        I.Redundancy memory first = own(open(0, 3, SUBMITTER));
        extend(5);
        I.Redundancy memory second = own(open(3, 5, SUBMITTER));
        bring(second);
        bring(first);
        vm.assertEq(vault.creditOf(first.transition.holder), 3 * SHARE);
        vm.assertEq(vault.creditOf(second.transition.holder), 2 * SHARE);
        vm.assertEq(vault.redundancyReserve(), 0);
    }

    function _settlesWithoutTurn(uint64 from, uint64 to, address submitter) private {
        vm.recordLogs();
        settle(from, to, submitter);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            vm.assertTrue(logs[i].topics[0] != I.RedundancyOpened.selector);
        }
        (bool proven,, uint184 claim) = state.boundary(blockHash(to));
        vm.assertTrue(proven);
        vm.assertEq(claim, 0);
    }
}
