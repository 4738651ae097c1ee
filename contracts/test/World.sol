// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "../src/Parameters.sol";
import {Checkpoint, Leaf, checkpointId} from "../src/Types.sol";
import {ICheckpointRegistry} from "../src/interfaces/ICheckpointRegistry.sol";
import {IGroth16BatchVerifier} from "../src/interfaces/IGroth16BatchVerifier.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IProverRegistry} from "../src/interfaces/IProverRegistry.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate} from "../src/interfaces/IStateUpdate.sol";
import {Base, Vm} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy, Vault} from "./Deploy.sol";
import {Signers} from "./Signers.sol";
import {SimulatedGroth16} from "./SimulatedGroth16.sol";

/// @notice All contracts, linked as a deployment links them, and a deterministic L2 chain to settle.
abstract contract World is Base {
    uint256 internal constant VALIDATORS = 4;
    uint256 internal constant FIRST_VALIDATOR = 100;
    uint96 internal constant FEES = 1 ether;
    address internal constant SUBMITTER = address(0x5b);

    ICheckpointRegistry internal registry;
    IGroth16BatchVerifier internal groth16;
    Vault internal vault;
    IProverRegistry internal provers;
    IStateUpdate internal state;
    Checkpoint internal genesis;
    Checkpoint internal head;
    uint256 internal salt;

    function deploy() internal {
        groth16 = Deploy.groth16BatchVerifier(SimulatedGroth16.blockKey(), SimulatedGroth16.ancestryKey());
        deployWith(groth16);
    }

    function deployWith(IProofVerifier verifier) internal {
        deployWith(verifier, Defaults.parameters());
    }

    function deployWith(IProofVerifier verifier, Parameters memory parameters) internal {
        deployWith(verifier, parameters, Defaults.shares());
    }

    function deployWith(IProofVerifier verifier, Parameters memory parameters, IRewardVault.Shares memory shares)
        internal
    {
        IProofVerifier[] memory verifiers = new IProofVerifier[](1);
        verifiers[0] = verifier;
        prepare(parameters, shares);
        state = Deploy.stateUpdate(registry, vault, provers, genesis, verifiers, parameters);
    }

    /// @notice Everything but the state update, linked to the contract that is deployed next.
    function prepare(Parameters memory parameters, IRewardVault.Shares memory shares) internal {
        genesis = Checkpoint({parentId: 0, number: 0, blockHash: blockHash(0), stateRoot: stateRoot(0)});
        head = genesis;
        (bytes memory keys, bytes memory possessions) = Signers.set(FIRST_VALIDATOR, VALIDATORS);
        provers = Deploy.proverRegistry(parameters);
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        registry = Deploy.checkpointRegistry(genesis, keys, possessions, provers, predicted);
        vault = Deploy.rewardVault(predicted, shares, parameters);
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
        next = following(number);
        registry.register(next, 7, certify(next));
        head = next;
    }

    /// @notice The checkpoint of block `number` on the head, not registered yet.
    function following(uint64 number) internal view returns (Checkpoint memory) {
        return Checkpoint({
            parentId: checkpointId(head), number: number, blockHash: blockHash(number), stateRoot: stateRoot(number)
        });
    }

    function certify(Checkpoint memory next) internal view returns (bytes memory) {
        return Signers.certify(FIRST_VALIDATOR, 7, registry.checkpointDigest(checkpointId(next)));
    }

    /// @notice `count` provers from `first` on join the turns.
    function enroll(address first, uint160 count) internal {
        for (uint160 i; i < count; ++i) {
            address who = address(uint160(first) + i);
            vm.deal(who, who.balance + 1 ether);
            vm.prank(who);
            provers.register{value: 1 ether}();
        }
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
        submitAs(SUBMITTER, update);
    }

    function submitAs(address submitter, IStateUpdate.Update memory update) internal {
        vm.prank(submitter);
        state.submit(update);
    }

    /// @notice Settles from the tip and returns what a redundant proof is held against (RW-4), rebuilt as its holder does: from
    /// the blocks, whose hashes, fees and gas are known, and from the event.
    function open(IStateUpdate.Update memory update, address submitter)
        internal
        returns (IStateUpdate.Transition memory transition)
    {
        (transition.from, transition.fromNumber) = state.tip();
        vm.recordLogs();
        submitAs(submitter, update);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        require(last.topics[0] == IStateUpdate.RedundancyOpened.selector, "no redundancy turn");
        transition.holder = address(uint160(uint256(last.topics[2])));
        address[] memory paid;
        uint64 closesAt;
        (closesAt, paid, transition.shares) = abi.decode(last.data, (uint64, address[], uint256[]));
        transition.settledAt = closesAt - state.redundancyWindow();
        uint256 overlap = update.leaves.length - paid.length;
        transition.leaves = new Leaf[](paid.length);
        for (uint256 i; i < paid.length; ++i) {
            transition.leaves[i] = update.leaves[overlap + i];
            require(transition.leaves[i].prover == paid[i], "another prover was paid");
        }
    }

    /// @notice A redundant proof whose leaves are all the holder's.
    function own(IStateUpdate.Transition memory transition)
        internal
        pure
        returns (IStateUpdate.Redundancy memory redundancy)
    {
        redundancy.transition = transition;
        redundancy.system = 1;
        redundancy.provers = new address[](transition.leaves.length);
        for (uint256 i; i < redundancy.provers.length; ++i) {
            redundancy.provers[i] = transition.holder;
        }
    }

    function bring(IStateUpdate.Redundancy memory redundancy) internal {
        vm.prank(redundancy.transition.holder);
        state.submitRedundant(redundancy);
    }

    function assertTip(uint64 number) internal view {
        (bytes32 tipHash, uint64 tipNumber) = state.tip();
        vm.assertEq(tipNumber, number);
        vm.assertEq(tipHash, blockHash(number));
    }
}
