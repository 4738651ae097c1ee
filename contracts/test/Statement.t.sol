// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Checkpoint, Leaf} from "../src/Types.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {Defaults} from "./Defaults.sol";
import {Settlement} from "./Settlement.sol";

/// @notice Which statement is verified (ST-3, RW-3, RW-4), and what a stranger gains by what it sees (front-running).
contract StatementTest is Settlement {
    address[] private nobody;

    function setUp() public {
        vm.warp(1_800_000_000);
        deployTrusting(Defaults.parameters());
        enroll(address(0xB0), 3);
    }

    /// @dev An overlap is verified from where the proof begins, though it is paid from the tip on.
    function test_ST3_verifiesTheWholeStatement() public {
        Checkpoint memory last = extend(6);
        settle(0, 2, SUBMITTER);
        I.Update memory update = unproven(0, 5);
        update.system = 2;
        update.mergers = _mergers();
        update.ancestry = new bytes32[](1);
        update.ancestry[0] = bytes32(uint256(7));
        bytes32[] memory path = new bytes32[](2);
        (path[0], path[1]) = (update.ancestry[0], last.blockHash);
        update.proof = binding.prove(update.from, update.leaves, update.mergers, path);
        submit(update);
        assertTip(5);
    }

    /// @dev END is the checkpoint's block: no ancestry is looked at, not even one that is given.
    function test_ST3_withoutAncestryWhereNoneIsNeeded() public {
        extend(3);
        I.Update memory update = unproven(0, 3);
        update.system = 2;
        update.ancestry = new bytes32[](1);
        update.proof = binding.prove(update.from, update.leaves, nobody, new bytes32[](0));
        submit(update);
        assertTip(3);
    }

    /// @dev Mergers are under the proof: nobody can put itself in a merger's place, or the merge share back to the leaves.
    function test_RW3_mergersAreUnderTheProof() public {
        extend(3);
        I.Update memory update = unproven(0, 3);
        update.system = 2;
        update.mergers = _mergers();
        update.proof = binding.prove(update.from, update.leaves, update.mergers, new bytes32[](0));
        update.mergers[0] = SUBMITTER;
        _refused(update);
        update.mergers = new address[](0);
        _refused(update);
        update.mergers = _mergers();
        submit(update);
        vm.assertEq(vault.creditOf(address(0xD0)), 3 * uint256(FEES) * 15 / 100 / 2);
        vm.assertEq(vault.creditOf(address(0xD1)), 3 * uint256(FEES) * 15 / 100 / 2);
        vm.assertEq(vault.creditOf(prover(2)), uint256(FEES) * 60 / 100);
    }

    /// @dev ST-7: the redundant proof may be another system's. Its statement is the transition's with its own provers.
    function test_RW4_anotherSystemProvesTheSame() public {
        extend(4);
        settle(0, 1, SUBMITTER);
        I.Redundancy memory redundancy = own(open(1, 4, SUBMITTER));
        redundancy.system = 2;
        redundancy.provers[2] = address(0xCC);
        redundancy.mergers = _mergers();
        redundancy.proof = _proofOf(redundancy);
        vm.expectEmit(true, true, true, true, address(state));
        emit I.RedundancyProven(blockHash(4), redundancy.transition.holder, 2, 2 * uint256(FEES) / 10);
        bring(redundancy);
        // Merging once more is not paid once more.
        vm.assertEq(vault.creditOf(address(0xD0)), 0);
    }

    function test_RW4_refusesProofsOfAnythingElse() public {
        extend(4);
        I.Redundancy memory redundancy = own(open(0, 4, SUBMITTER));
        redundancy.system = 2;
        bytes memory reason = abi.encodeWithSelector(I.ST3_ProofInvalid.selector);
        redundancy.proof = _proofOf(redundancy);
        redundancy.provers[0] = address(0xCC);
        refuse(redundancy, reason);
        redundancy.provers[0] = redundancy.transition.holder;
        redundancy.mergers = _mergers();
        refuse(redundancy, reason);
        // The winner's own proof is one of the winner's leaves.
        redundancy.mergers = nobody;
        redundancy.proof =
            binding.prove(redundancy.transition.from, redundancy.transition.leaves, nobody, new bytes32[](0));
        refuse(redundancy, reason);
        // A refused one costs nobody the turn.
        redundancy.proof = _proofOf(redundancy);
        bring(redundancy);
    }

    function testFuzz_RW4_refusesUnknownSystems(uint8 system) public {
        vm.assume(system != 1 && system != 2);
        extend(4);
        I.Redundancy memory redundancy = own(open(0, 4, SUBMITTER));
        redundancy.system = system;
        refuse(redundancy, abi.encodeWithSelector(I.ST3_SystemUnknown.selector, system));
    }

    // Front-running

    /// @dev Whoever copies a pending update earns the submission and nothing else; who was copied loses gas and nothing else.
    function test_RW3_aCopiedUpdatePaysItsProvers() public {
        address copier = address(0xBAD);
        extend(4);
        I.Update memory update = unproven(0, 4);
        submitAs(copier, update);
        vm.assertEq(vault.creditOf(copier), 4 * uint256(FEES) / 10);
        vm.assertEq(vault.creditOf(prover(1)), 2 * uint256(FEES) * 75 / 100);
        vm.assertEq(vault.creditOf(prover(2)), 2 * uint256(FEES) * 75 / 100);
        vm.assertEq(reputation(copier), 0);
        vm.expectEmit(true, true, true, true, address(state));
        emit I.AlreadyProven(SUBMITTER, 4, 4);
        submit(update);
        vm.assertEq(vault.creditOf(SUBMITTER), 0);
    }

    /// @dev Nor does a shorter copy cut into a longer update: what is left of it is paid as if nothing had happened.
    function test_RW3_aShorterCopyTakesItsPartOnly() public {
        address copier = address(0xBAD);
        extend(4);
        I.Update memory update = unproven(0, 4);
        submitAs(copier, unproven(0, 1));
        submit(update);
        vm.assertEq(vault.creditOf(copier), uint256(FEES) / 10);
        vm.assertEq(vault.creditOf(SUBMITTER), 3 * uint256(FEES) / 10);
        assertTip(4);
    }

    /// @dev A redundant proof in the mempool: not the copier's turn. A turn-holder that copies another prover's leaves: nothing.
    function test_RW4_aCopiedRedundantProofEarnsNothing() public {
        extend(4);
        I.Redundancy memory redundancy = own(open(0, 4, SUBMITTER));
        vm.expectRevert(abi.encodeWithSelector(I.RW4_NotYourTurn.selector, redundancy.transition.holder));
        vm.prank(address(0xBAD));
        state.submitRedundant(redundancy);
        for (uint256 i; i < 4; ++i) {
            redundancy.provers[i] = address(0xCC);
        }
        refuse(redundancy, abi.encodeWithSelector(I.RW4_NothingEarned.selector));
    }

    // Griefing

    /// @dev ST-6: the holder's submission share stays the holder's if it submits, whatever comes in the same block after.
    function test_ST6_aCopyInAnothersTurnEarnsNothing() public {
        extend(4);
        vm.warp(1_800_000_000 + 5 hours);
        I.Update memory update = unproven(0, 4);
        submitAs(address(0xBAD), update);
        vm.assertEq(vault.creditOf(address(0xBAD)), 0);
    }

    /// @dev A bundle of blocks that nobody wants is its submitter's own cost: each block costs the same, and storage does not grow.
    function test_RW3_manyLeavesCostTheirCaller() public {
        extend(1000);
        settle(0, 1, SUBMITTER);
        settle(1, 101, SUBMITTER);
        uint256 hundred = vm.snapshotGasLastCall("Griefing", "100 blocks without a proof to verify");
        settle(101, 401, SUBMITTER);
        uint256 threeHundred = vm.snapshotGasLastCall("Griefing", "300 blocks without a proof to verify");
        vm.assertLt(threeHundred, hundred * 3 + hundred / 2, "more than linear");
        settle(401, 402, SUBMITTER);
        vm.assertLt(vm.snapshotGasLastCall("Griefing", "1 block after them"), 250_000, "the next pays for it");
    }

    /// @dev So is a long list of mergers, each of which earns too little to be worth a word of storage.
    function test_RW3_manyMergersCostTheirCaller() public {
        extend(2);
        I.Update memory update = unproven(0, 1);
        update.mergers = new address[](300);
        for (uint160 i; i < 300; ++i) {
            update.mergers[i] = address(0xD000 + i);
        }
        update.leaves[0].proverFees = 1990;
        submit(update);
        // 298 wei for 300 merges: none of them earns a wei, the reserve all.
        vm.assertEq(vault.creditOf(address(0xD000)), 0);
        vm.assertEq(vault.protocolReserve(), 1990 - 1194 - 199 - 199);
        settle(1, 2, SUBMITTER);
    }

    function _mergers() private pure returns (address[] memory mergers) {
        mergers = new address[](2);
        (mergers[0], mergers[1]) = (address(0xD0), address(0xD1));
    }

    function _proofOf(I.Redundancy memory redundancy) private view returns (bytes memory) {
        Leaf[] memory leaves = abi.decode(abi.encode(redundancy.transition.leaves), (Leaf[]));
        for (uint256 i; i < leaves.length; ++i) {
            leaves[i].prover = redundancy.provers[i];
        }
        return binding.prove(redundancy.transition.from, leaves, redundancy.mergers, new bytes32[](0));
    }

    function _refused(I.Update memory update) private {
        vm.expectRevert(abi.encodeWithSelector(I.ST3_ProofInvalid.selector));
        submit(update);
    }
}
