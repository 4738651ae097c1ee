// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {CheckpointRegistry} from "../src/CheckpointRegistry.sol";
import {Groth16BatchVerifier} from "../src/Groth16BatchVerifier.sol";
import {Designation, Parameters} from "../src/Parameters.sol";
import {ProverRegistry} from "../src/ProverRegistry.sol";
import {RewardVault} from "../src/RewardVault.sol";
import {StateUpdate} from "../src/StateUpdate.sol";
import {Checkpoint, Leaf, checkpointId} from "../src/Types.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate} from "../src/interfaces/IStateUpdate.sol";
import {Base} from "./Base.sol";
import {Signers} from "./Signers.sol";
import {SimulatedGroth16} from "./SimulatedGroth16.sol";

/// @notice All contracts, linked as a deployment links them, and a deterministic L2 chain to settle.
abstract contract World is Base {
    uint256 internal constant VALIDATORS = 4;
    uint256 internal constant FIRST_VALIDATOR = 100;
    uint96 internal constant FEES = 1 ether;
    address internal constant SUBMITTER = address(0x5b);

    CheckpointRegistry internal registry;
    Groth16BatchVerifier internal groth16;
    RewardVault internal vault;
    ProverRegistry internal provers;
    StateUpdate internal state;
    Checkpoint internal genesis;
    Checkpoint internal head;
    uint256 internal salt;

    function deploy() internal {
        groth16 = new Groth16BatchVerifier(SimulatedGroth16.blockKey(), SimulatedGroth16.ancestryKey());
        deployWith(groth16);
    }

    function deployWith(IProofVerifier verifier) internal {
        deployWith(verifier, defaultParameters());
    }

    function deployWith(IProofVerifier verifier, Parameters memory parameters) internal {
        deployWith(verifier, parameters, defaultShares());
    }

    function deployWith(IProofVerifier verifier, Parameters memory parameters, IRewardVault.Shares memory shares)
        internal
    {
        genesis = Checkpoint({parentId: 0, number: 0, blockHash: blockHash(0), stateRoot: stateRoot(0)});
        head = genesis;
        (bytes memory keys, bytes memory possessions) = Signers.set(FIRST_VALIDATOR, VALIDATORS);
        provers = new ProverRegistry(parameters);
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        registry = new CheckpointRegistry(genesis, keys, possessions, provers, predicted);
        vault = new RewardVault(predicted, shares, parameters);
        IProofVerifier[] memory verifiers = new IProofVerifier[](1);
        verifiers[0] = verifier;
        state = new StateUpdate(registry, vault, provers, genesis, verifiers, parameters);
    }

    function defaultParameters() internal pure returns (Parameters memory) {
        return Parameters({
            idleFallback: 5 hours,
            turnLength: 30 minutes,
            leaveDelay: 1 days,
            redundancyWindow: 1 hours,
            proofDeadline: 1 days,
            targetLag: 30 minutes,
            bonusRamp: 12 hours,
            signalEpoch: 1 hours,
            reputationHalfLife: 7 days,
            designation: Designation.Preferred,
            fallbackBounty: 0.5 ether,
            bonusCap: 0.12 ether,
            bond: 1 ether,
            minUpdates: 3,
            signalQuorum: 3333,
            signalCap: 2000,
            signalStep: 1_250_000,
            signalMax: 8_000_000,
            signalDecay: 900_000
        });
    }

    function defaultShares() internal pure returns (IRewardVault.Shares memory) {
        return IRewardVault.Shares({leaf: 6000, merge: 1500, submission: 1000, redundancy: 1000, reserve: 500});
    }

    function fund(uint256 amount) internal {
        vm.deal(address(this), amount);
        vault.fund{value: amount}();
    }

    function blockHash(uint64 number) internal pure returns (bytes32) {
        return bytes32(uint256(keccak256(abi.encode("block", number))) % SimulatedGroth16.ORDER);
    }

    function stateRoot(uint64 number) internal pure returns (bytes32) {
        return bytes32(uint256(keccak256(abi.encode("state", number))) % SimulatedGroth16.ORDER);
    }

    function prover(uint64 number) internal pure returns (address) {
        return address(uint160(0xA0 + number % 2));
    }

    /// @notice Checkpoints the block `number` with the signatures of three validators of four.
    function checkpoint(uint64 number) internal returns (Checkpoint memory next) {
        next = Checkpoint({
            parentId: checkpointId(head), number: number, blockHash: blockHash(number), stateRoot: stateRoot(number)
        });
        bytes32 digest = registry.checkpointDigest(checkpointId(next));
        registry.register(next, 7, Signers.certify(FIRST_VALIDATOR, 7, digest));
        head = next;
    }

    function leavesOf(uint64 first, uint64 last) internal pure returns (Leaf[] memory leaves) {
        leaves = new Leaf[](last - first + 1);
        for (uint64 i; i < leaves.length; ++i) {
            leaves[i] =
                Leaf({blockHash: blockHash(first + i), prover: prover(first + i), proverFees: FEES, proverGas: 16_000});
        }
    }

    /// @notice A proven update from block `from` to block `to`, continued by `last` with as many ancestry proofs as
    /// `through` has hashes, and one more if END is not the checkpoint's block.
    function updateOf(uint64 from, uint64 to, Checkpoint memory last, bytes32[] memory through)
        internal
        returns (IStateUpdate.Update memory update)
    {
        update.system = 1;
        update.from = blockHash(from);
        update.leaves = leavesOf(from + 1, to);
        update.checkpoints = new Checkpoint[](1);
        update.checkpoints[0] = last;
        update.ancestry = through;
        prove(update);
    }

    function updateOf(uint64 from, uint64 to, Checkpoint memory last) internal returns (IStateUpdate.Update memory) {
        return updateOf(from, to, last, new bytes32[](0));
    }

    /// @notice Fills in a genuine proof of what the update now says.
    function prove(IStateUpdate.Update memory update) internal {
        bytes32 checkpointed = update.checkpoints[update.checkpoints.length - 1].blockHash;
        bytes32[] memory path;
        if (update.leaves[update.leaves.length - 1].blockHash != checkpointed) {
            path = new bytes32[](update.ancestry.length + 1);
            for (uint256 i; i < update.ancestry.length; ++i) {
                path[i] = update.ancestry[i];
            }
            path[path.length - 1] = checkpointed;
        }
        update.proof = SimulatedGroth16.prove(update.from, update.leaves, path, salt += 100);
    }

    function submit(IStateUpdate.Update memory update) internal {
        vm.prank(SUBMITTER);
        state.submit(update);
    }

    function assertTip(uint64 number) internal view {
        (bytes32 tipHash, uint64 tipNumber) = state.tip();
        vm.assertEq(tipNumber, number);
        vm.assertEq(tipHash, blockHash(number));
    }
}
