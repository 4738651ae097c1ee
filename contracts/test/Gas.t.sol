// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Checkpoint} from "../src/Types.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {SimulatedGroth16} from "./SimulatedGroth16.sol";
import {World} from "./World.sol";

/// @notice Gas of whole transactions with genuine proofs, calldata included. Provers are registered, so that every update
/// opens a redundancy turn (RW-4), and accounts were credited before where nothing else is said.
contract GasTest is World {
    function setUp() public {
        vm.warp(1_800_000_000);
        deploy();
        fund(1000 ether);
        enroll(address(0xB0), 3);
    }

    function test_gas_updateOfEightBlocks() public {
        submit(updateOf(0, 1, checkpoint(1)));
        submit(updateOf(1, 9, checkpoint(9)));
        assertGasBelow("StateUpdate", "8 blocks, END checkpointed", 850_000);
        Checkpoint memory last = checkpoint(20);
        submit(updateOf(9, 17, last));
        assertGasBelow("StateUpdate", "8 blocks, one ancestry proof", 950_000);
        submit(updateOf(17, 18, last));
        assertGasBelow("StateUpdate", "1 block, one ancestry proof", 500_000);
    }

    /// @dev RW-6: two hours late, so that every block's pot holds a bonus and has a credit more.
    function test_gas_lateUpdateOfEightBlocks() public {
        submit(updateOf(0, 1, checkpoint(1)));
        Checkpoint memory last = checkpoint(9);
        vm.warp(1_800_000_000 + 2 hours);
        submit(updateOf(1, 9, last));
        assertGasBelow("StateUpdate", "8 blocks, END checkpointed, with bonuses", 900_000);
    }

    /// @dev Nobody was credited before, so that every credit is a new word in storage.
    function test_gas_firstUpdateOfEightBlocks() public {
        submit(updateOf(0, 8, checkpoint(8)));
        assertGasBelow("StateUpdate", "8 blocks, END checkpointed, new accounts", 930_000);
    }

    function test_gas_firstUpdateOfEightBlocksWithAncestry() public {
        submit(updateOf(0, 8, checkpoint(20)));
        assertGasBelow("StateUpdate", "8 blocks, one ancestry proof, new accounts", 1_080_000);
    }

    /// @dev The loser of a race pays for its bytes (EIP-7623: 40 gas for each that is not zero) and for little else.
    function test_gas_updateBehindTheTip() public {
        Checkpoint memory last = checkpoint(8);
        I.Update memory one = updateOf(0, 1, last);
        I.Update memory two = updateOf(0, 2, last);
        I.Update memory three = updateOf(0, 3, last);
        I.Update memory eight = updateOf(0, 8, last);
        submit(updateOf(0, 8, last));
        submit(one);
        assertGasBelow("StateUpdate", "1 block, behind the tip", 60_000);
        submit(two);
        assertGasBelow("StateUpdate", "2 blocks, behind the tip", 70_000);
        submit(three);
        assertGasBelow("StateUpdate", "3 blocks, behind the tip", 80_000);
        submit(eight);
        assertGasBelow("StateUpdate", "8 blocks, behind the tip", 140_000);
    }

    /// @dev RW-4: the holder proved every block itself; it was credited before, as a prover that takes part is.
    function test_gas_redundantProofOfEightBlocks() public {
        _redundant(0);
        assertGasBelow("StateUpdate", "8 blocks, redundant, new account", 770_000);
        // Everybody had a turn by the fourth.
        for (uint64 i = 1; i < 4; ++i) {
            _redundant(i);
        }
        assertGasBelow("StateUpdate", "8 blocks, redundant", 750_000);
    }

    function _redundant(uint64 round) private {
        uint64 from = round * 8;
        I.Transition memory transition = open(updateOf(from, from + 8, checkpoint(from + 8)), SUBMITTER);
        I.Redundancy memory redundancy = own(transition);
        for (uint256 i; i < 8; ++i) {
            // A copy, so that the transition keeps the provers that were paid.
            redundancy.transition.leaves[i].prover = transition.holder;
        }
        redundancy.proof =
            SimulatedGroth16.prove(transition.from, redundancy.transition.leaves, new bytes32[](0), salt += 100);
        for (uint256 i; i < 8; ++i) {
            redundancy.transition.leaves[i].prover = prover(from + 1 + uint64(i));
        }
        bring(redundancy);
    }
}
