// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Checkpoint, Leaf, checkpointId} from "../src/Types.sol";
import {IGroth16BatchVerifier} from "../src/interfaces/IGroth16BatchVerifier.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {Vm} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy} from "./Deploy.sol";
import {SimulatedGroth16} from "./SimulatedGroth16.sol";
import {World} from "./World.sol";

contract StateUpdateTest is World {
    function setUp() public {
        deploy();
        fund(1000 ether);
    }

    // ST-1

    function test_ST1_startsAtGenesis() public view {
        assertTip(0);
        (bool proven, uint64 number,) = state.boundary(blockHash(0));
        vm.assertTrue(proven);
        vm.assertEq(number, 0);
        vm.assertEq(address(state.registry()), address(registry));
        vm.assertEq(address(state.vault()), address(vault));
        vm.assertEq(address(state.verifierOf(1)), address(groth16));
    }

    function test_ST1_movesTheTip() public {
        Checkpoint memory last = checkpoint(3);
        I.Update memory update = updateOf(0, 3, last);
        vm.expectEmit(true, true, true, true, address(state));
        emit I.StateUpdated(blockHash(0), blockHash(3), 0, 3, 1, SUBMITTER, checkpointId(last));
        submit(update);
        assertTip(3);
        (bool proven, uint64 number,) = state.boundary(blockHash(3));
        vm.assertTrue(proven);
        vm.assertEq(number, 3);
        (proven,,) = state.boundary(blockHash(2));
        vm.assertFalse(proven);
    }

    function test_ST1_refusesNoBlocks() public {
        Checkpoint memory last = checkpoint(3);
        I.Update memory update = updateOf(0, 3, last);
        update.leaves = new Leaf[](0);
        vm.expectRevert(abi.encodeWithSelector(I.ST1_NoBlocks.selector));
        submit(update);
    }

    function testFuzz_ST1_refusesFromThatIsNoBoundary(bytes32 from) public {
        vm.assume(from != blockHash(0));
        Checkpoint memory last = checkpoint(3);
        I.Update memory update = updateOf(0, 3, last);
        update.from = from;
        vm.expectRevert(abi.encodeWithSelector(I.ST1_FromIsNotABoundary.selector, from));
        submit(update);
    }

    /// @dev A block inside a proven range was never an update's end.
    function test_ST1_refusesFromInsideAProvenRange() public {
        Checkpoint memory last = checkpoint(4);
        submit(updateOf(0, 3, last));
        I.Update memory update = updateOf(2, 4, last);
        vm.expectRevert(abi.encodeWithSelector(I.ST1_FromIsNotABoundary.selector, blockHash(2)));
        submit(update);
    }

    function test_ST1_acceptsThePartBeyondTheTip() public {
        Checkpoint memory last = checkpoint(5);
        I.Update memory longer = updateOf(0, 5, last);
        submit(updateOf(0, 2, last));
        vm.expectEmit(true, true, true, true, address(state));
        emit I.StateUpdated(blockHash(2), blockHash(5), 2, 5, 1, SUBMITTER, checkpointId(last));
        submit(longer);
        assertTip(5);
    }

    /// @dev Whatever the history of boundaries, an overlap moves the tip to its end, and one behind changes nothing.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_ST1_overlapsAnyHistory(uint8 first, uint8 second, uint8 from, uint8 to) public {
        Checkpoint memory last = checkpoint(9);
        uint64 a = uint64(bound(first, 1, 4));
        uint64 b = uint64(bound(second, a + 1, 8));
        submit(updateOf(0, a, last));
        submit(updateOf(a, b, last));
        uint64 start = [uint64(0), a, b][from % 3];
        uint64 end = uint64(bound(to, start + 1, 9));
        uint256 credited = vault.creditOf(SUBMITTER);
        submit(updateOf(start, end, last));
        assertTip(end > b ? end : b);
        uint256 paid = vault.creditOf(SUBMITTER) - credited;
        vm.assertEq(paid, end > b ? (end - b) * uint256(FEES) / 10 : 0);
    }

    function test_ST1_aProofBehindTheTipChangesNothing() public {
        Checkpoint memory last = checkpoint(5);
        I.Update memory same = updateOf(0, 3, last);
        I.Update memory shorter = updateOf(0, 2, last);
        submit(updateOf(0, 3, last));
        uint256 credited = vault.creditOf(SUBMITTER);
        vm.expectEmit(true, true, true, true, address(state));
        emit I.AlreadyProven(SUBMITTER, 3, 3);
        submit(same);
        vm.expectEmit(true, true, true, true, address(state));
        emit I.AlreadyProven(SUBMITTER, 2, 3);
        submit(shorter);
        assertTip(3);
        vm.assertEq(vault.creditOf(SUBMITTER), credited);
    }

    /// @dev It is not even verified: that is what makes it cheap.
    function test_ST1_aProofBehindTheTipIsNotVerified() public {
        Checkpoint memory last = checkpoint(5);
        I.Update memory late = updateOf(0, 3, last);
        submit(updateOf(0, 3, last));
        late.proof = "";
        late.checkpoints = new Checkpoint[](0);
        submit(late);
        assertTip(3);
    }

    function test_ST1_refusesAChainThatMissesTheTip() public {
        Checkpoint memory last = checkpoint(5);
        I.Update memory longer = updateOf(0, 5, last);
        submit(updateOf(0, 2, last));
        longer.leaves[1].blockHash = bytes32(uint256(7));
        prove(longer);
        vm.expectRevert(abi.encodeWithSelector(I.ST1_NotThroughTip.selector, bytes32(uint256(7)), blockHash(2)));
        submit(longer);
    }

    /// @dev The overlap is not paid, but it is verified: a recursive proof cannot be cut.
    function test_ST1_verifiesTheOverlapToo() public {
        Checkpoint memory last = checkpoint(5);
        I.Update memory longer = updateOf(0, 5, last);
        submit(updateOf(0, 2, last));
        longer.leaves[0].proverFees += 1;
        vm.expectRevert(abi.encodeWithSelector(I.ST3_ProofInvalid.selector));
        submit(longer);
    }

    // ST-2

    function test_ST2_endsBeforeACheckpointByOneAncestryProof() public {
        submit(updateOf(0, 2, checkpoint(5)));
        assertTip(2);
    }

    function test_ST2_chainsAncestryProofs() public {
        bytes32[] memory through = new bytes32[](2);
        through[0] = blockHash(10);
        through[1] = blockHash(18);
        submit(updateOf(0, 2, checkpoint(20), through));
        assertTip(2);
    }

    function test_ST2_passesSeveralCheckpoints() public {
        Checkpoint memory first = checkpoint(2);
        Checkpoint memory second = checkpoint(4);
        Checkpoint memory third = checkpoint(6);
        I.Update memory update = updateOf(0, 5, third);
        update.checkpoints = new Checkpoint[](3);
        (update.checkpoints[0], update.checkpoints[1], update.checkpoints[2]) = (first, second, third);
        submit(update);
        assertTip(5);
    }

    /// @dev Checkpoints that fell behind the tip while the transaction waited do no harm.
    function test_ST2_mayNameCheckpointsBehindTheTip() public {
        Checkpoint memory first = checkpoint(2);
        Checkpoint memory second = checkpoint(4);
        I.Update memory update = updateOf(0, 4, second);
        update.checkpoints = new Checkpoint[](2);
        (update.checkpoints[0], update.checkpoints[1]) = (first, second);
        submit(updateOf(0, 2, first));
        submit(update);
        assertTip(4);
    }

    function test_ST2_refusesNoCheckpoint() public {
        I.Update memory update = updateOf(0, 3, checkpoint(3));
        update.checkpoints = new Checkpoint[](0);
        vm.expectRevert(abi.encodeWithSelector(I.ST2_NoCheckpoint.selector));
        submit(update);
    }

    function test_ST2_refusesAnUnregisteredCheckpoint() public {
        Checkpoint memory last = checkpoint(3);
        last.stateRoot = bytes32(uint256(1));
        I.Update memory update = updateOf(0, 3, last);
        vm.expectRevert(abi.encodeWithSelector(I.ST2_CheckpointUnknown.selector, checkpointId(last)));
        submit(update);
    }

    function test_ST2_refusesCheckpointsThatAreNotLinked() public {
        Checkpoint memory first = checkpoint(2);
        checkpoint(3);
        Checkpoint memory third = checkpoint(4);
        I.Update memory update = updateOf(0, 4, third);
        update.checkpoints = new Checkpoint[](2);
        (update.checkpoints[0], update.checkpoints[1]) = (first, third);
        vm.expectRevert(abi.encodeWithSelector(I.ST2_CheckpointsNotLinked.selector, 1));
        submit(update);
    }

    function test_ST2_refusesWhenOlderCheckpointsAreMissing() public {
        checkpoint(2);
        I.Update memory update = updateOf(0, 4, checkpoint(4));
        vm.expectRevert(abi.encodeWithSelector(I.ST2_CheckpointsMissing.selector, 2, 0));
        submit(update);
    }

    function test_ST2_refusesAnEndBeyondTheCheckpoint() public {
        I.Update memory update = updateOf(0, 4, checkpoint(3));
        vm.expectRevert(abi.encodeWithSelector(I.ST2_NotContinued.selector, 4, 3));
        submit(update);
    }

    /// @dev The checkpoint names the END block, but another number: the quorum erred, and numbers must agree.
    /// forge-config: default.fuzz.runs = 16
    function testFuzz_ST2_refusesACheckpointWithAnotherNumber(uint8 number) public {
        uint64 wrongNumber = uint64(bound(number, 1, 9));
        vm.assume(wrongNumber != 4);
        Checkpoint memory wrong = checkpoint(wrongNumber);
        I.Update memory update = updateOf(0, 4, wrong);
        update.leaves[3].blockHash = wrong.blockHash;
        prove(update);
        vm.expectRevert(abi.encodeWithSelector(I.ST2_NotContinued.selector, 4, wrongNumber));
        submit(update);
    }

    /// @dev An END of the checkpoint's own height, but another block, has no way on to it.
    function test_ST2_refusesARivalOfTheCheckpointsBlock() public {
        I.Update memory update = updateOf(0, 4, checkpoint(4));
        update.leaves[3].blockHash = bytes32(uint256(7));
        prove(update);
        vm.expectRevert(abi.encodeWithSelector(I.ST2_NotContinued.selector, 4, 4));
        submit(update);
    }

    function test_ST2_needsTheAncestryProof() public {
        I.Update memory update = updateOf(0, 2, checkpoint(5));
        update.proof = SimulatedGroth16.prove(update.from, update.leaves, new bytes32[](0), 1);
        vm.expectRevert(abi.encodeWithSelector(IGroth16BatchVerifier.ST3_ProofLength.selector, 448, 704));
        submit(update);
    }

    function test_ST2_refusesAnAncestryProofOfAnotherBlock() public {
        Checkpoint memory last = checkpoint(5);
        I.Update memory update = updateOf(0, 2, last);
        bytes32[] memory path = new bytes32[](1);
        path[0] = last.blockHash;
        SimulatedGroth16.Proof[] memory list = SimulatedGroth16.proofs(update.from, update.leaves, path, 1);
        list[2] = SimulatedGroth16.proveAncestry(blockHash(3), last.blockHash, 2);
        update.proof = SimulatedGroth16.bundle(update.from, update.leaves, path, list);
        vm.expectRevert(abi.encodeWithSelector(I.ST3_ProofInvalid.selector));
        submit(update);
    }

    // ST-3

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_ST3_refusesUnknownSystems(uint8 system) public {
        vm.assume(system != 1);
        I.Update memory update = updateOf(0, 3, checkpoint(3));
        update.system = system;
        vm.expectRevert(abi.encodeWithSelector(I.ST3_SystemUnknown.selector, system));
        submit(update);
    }

    /// @dev Nobody can take over a block that somebody else proved: the prover is under the proof.
    /// forge-config: default.fuzz.runs = 32
    function testFuzz_ST3_refusesAStolenLeaf(address thief, uint8 which) public {
        I.Update memory update = updateOf(0, 3, checkpoint(3));
        Leaf memory leaf = update.leaves[which % 3];
        vm.assume(leaf.prover != thief);
        leaf.prover = thief;
        vm.expectRevert(abi.encodeWithSelector(I.ST3_ProofInvalid.selector));
        submit(update);
    }

    /// @dev ST-7: several systems side by side; the submitter chooses.
    function test_ST3_allowsSeveralSystems() public {
        IGroth16BatchVerifier second =
            Deploy.groth16BatchVerifier(SimulatedGroth16.blockKey(), SimulatedGroth16.ancestryKey());
        IProofVerifier[] memory verifiers = new IProofVerifier[](2);
        (verifiers[0], verifiers[1]) = (IProofVerifier(groth16), IProofVerifier(second));
        prepare(Defaults.parameters(), Defaults.shares());
        state = Deploy.stateUpdate(registry, vault, provers, genesis, verifiers, Defaults.parameters());
        vm.assertEq(address(state.verifierOf(2)), address(second));
        Checkpoint memory last = checkpoint(4);
        I.Update memory update = updateOf(0, 2, last);
        update.system = 2;
        submit(update);
        submit(updateOf(2, 4, last));
        assertTip(4);
    }

    // Deployment

    function test_deploymentChecksTheVault() public {
        IProofVerifier[] memory verifiers = new IProofVerifier[](1);
        verifiers[0] = groth16;
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.expectRevert(abi.encodeWithSelector(I.NotLinked.selector, address(vault), predicted, address(state)));
        Deploy.stateUpdate(registry, vault, provers, genesis, verifiers, Defaults.parameters());
    }

    function test_deploymentChecksTheGenesis() public {
        Checkpoint memory other = genesis;
        other.stateRoot = bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(I.GenesisMismatch.selector, checkpointId(other), registry.genesisId()));
        Deploy.stateUpdate(registry, vault, provers, other, new IProofVerifier[](0), Defaults.parameters());
    }

    function test_deploymentChecksTheVerifiers() public {
        prepare(Defaults.parameters(), Defaults.shares());
        IProofVerifier[] memory verifiers = new IProofVerifier[](2);
        (verifiers[0], verifiers[1]) = (IProofVerifier(groth16), IProofVerifier(address(0x1234)));
        vm.expectRevert(abi.encodeWithSelector(I.ST3_SystemUnknown.selector, 2));
        Deploy.stateUpdate(registry, vault, provers, genesis, verifiers, Defaults.parameters());
    }
}
