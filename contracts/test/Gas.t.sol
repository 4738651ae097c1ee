// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Checkpoint} from "../src/Types.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {SimulatedGroth16} from "./SimulatedGroth16.sol";
import {World} from "./World.sol";

/// @notice Gas of whole transactions with genuine proofs, calldata included. Accounts were credited before, a minute or more
/// earlier, where nothing else is said.
contract GasTest is World {
    // Kept here: the optimizer takes the block's time for a constant.
    uint64 private time = 1_800_000_000;

    function setUp() public {
        vm.warp(time);
        deploy();
        fund(1000 ether);
    }

    function test_gas_updateOfEightBlocks() public {
        submit(updateOf(0, 1, checkpoint(1)));
        _wait(60);
        submit(updateOf(1, 9, checkpoint(9)));
        assertGasBelow("StateUpdate", "8 blocks, END checkpointed", 800_000);
        Checkpoint memory last = checkpoint(20);
        _wait(60);
        submit(updateOf(9, 17, last));
        assertGasBelow("StateUpdate", "8 blocks, one ancestry proof", 900_000);
        _wait(60);
        submit(updateOf(17, 18, last));
        assertGasBelow("StateUpdate", "1 block, one ancestry proof", 500_000);
    }

    /// @dev RW-4: other provers are registered, so that the update says what a redundant proof would earn.
    function test_gas_updateThatOpensARedundancyTurn() public {
        enroll(address(0xB0), 3);
        submit(updateOf(0, 1, checkpoint(1)));
        _wait(60);
        submit(updateOf(1, 9, checkpoint(9)));
        assertGasBelow("StateUpdate", "8 blocks, END checkpointed, redundancy turn", 820_000);
    }

    /// @dev RW-6: two hours late, so that every block's pot holds a bonus and has a credit more.
    function test_gas_lateUpdateOfEightBlocks() public {
        submit(updateOf(0, 1, checkpoint(1)));
        Checkpoint memory last = checkpoint(9);
        _wait(2 hours);
        submit(updateOf(1, 9, last));
        assertGasBelow("StateUpdate", "8 blocks, END checkpointed, with bonuses", 830_000);
    }

    /// @dev Nobody was credited before, so that every credit is a new word in storage.
    function test_gas_firstUpdateOfEightBlocks() public {
        submit(updateOf(0, 8, checkpoint(8)));
        assertGasBelow("StateUpdate", "8 blocks, END checkpointed, new accounts", 835_000);
    }

    function test_gas_firstUpdateOfEightBlocksWithAncestry() public {
        submit(updateOf(0, 8, checkpoint(20)));
        assertGasBelow("StateUpdate", "8 blocks, one ancestry proof, new accounts", 945_000);
    }

    /// @dev The loser of a race pays for its bytes (EIP-7623: 40 gas for each that is not zero, 10 for each that is) and for
    /// nothing else. Checkpoints are not looked at, so that each proof may name one of its own.
    function test_gas_updateBehindTheTip() public {
        I.Update memory one = _lost(1, following(1));
        I.Update memory two = _lost(2, following(2));
        I.Update memory three = _lost(3, following(3));
        I.Update memory linked = _lost(1, following(8));
        I.Update memory eight = _lost(8, following(8));
        submit(updateOf(0, 8, checkpoint(8)));
        submit(one);
        assertGasBelow("StateUpdate", "1 block, behind the tip", 60_000);
        submit(linked);
        assertGasBelow("StateUpdate", "1 block, one ancestry proof, behind the tip", 60_000);
        submit(two);
        assertGasBelow("StateUpdate", "2 blocks, behind the tip", 60_000);
        submit(three);
        assertGasBelow("StateUpdate", "3 blocks, behind the tip", 70_000);
        submit(eight);
        assertGasBelow("StateUpdate", "8 blocks, behind the tip", 125_000);
    }

    /// @dev RW-4: the holder proved every block itself; it was credited before, as a prover that takes part is.
    function test_gas_redundantProofOfEightBlocks() public {
        enroll(address(0xB0), 3);
        _redundant(0);
        assertGasBelow("StateUpdate", "8 blocks, redundant, new account", 705_000);
        // Everybody had a turn by the fourth.
        for (uint64 i = 1; i < 4; ++i) {
            _redundant(i);
        }
        assertGasBelow("StateUpdate", "8 blocks, redundant", 690_000);
    }

    function _redundant(uint64 round) private {
        uint64 from = round * 8;
        I.Transition memory transition = open(updateOf(from, from + 8, checkpoint(from + 8)), SUBMITTER);
        I.Redundancy memory redundancy = own(transition);
        for (uint256 i; i < 8; ++i) {
            // A copy, so that the transition keeps the provers that were paid.
            redundancy.transition.leaves[i].prover = transition.holder;
        }
        _wait(60);
        redundancy.proof =
            SimulatedGroth16.prove(transition.from, redundancy.transition.leaves, new bytes32[](0), salt += 100);
        for (uint256 i; i < 8; ++i) {
            redundancy.transition.leaves[i].prover = prover(from + 1 + uint64(i));
        }
        bring(redundancy);
    }

    /// @dev Its provers have addresses of twenty bytes, not the short ones of tests: every byte is paid for.
    function _lost(uint64 to, Checkpoint memory last) private returns (I.Update memory update) {
        update = updateOf(0, to, last);
        for (uint256 i; i < update.leaves.length; ++i) {
            update.leaves[i].prover = address(bytes20(keccak256(abi.encode("prover", i))));
        }
        prove(update);
    }

    function _wait(uint64 seconds_) private {
        vm.warp(time += seconds_);
    }
}
