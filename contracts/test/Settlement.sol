// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "../src/Parameters.sol";
import {Checkpoint, Leaf} from "../src/Types.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate} from "../src/interfaces/IStateUpdate.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy} from "./Deploy.sol";
import {World} from "./World.sol";

/// @notice Accepts every proof: for histories of time and money, which need many updates and no pairing.
contract Trusting is IProofVerifier {
    function verify(bytes32, Leaf[] calldata, address[] calldata, bytes32[] calldata, bytes calldata)
        external
        pure
        returns (bool)
    {
        return true;
    }
}

/// @notice Accepts exactly what `Binding.prove` answers for a statement: shows which statement a contract had verified.
contract Binding is IProofVerifier {
    function verify(
        bytes32 from,
        Leaf[] calldata leaves,
        address[] calldata mergers,
        bytes32[] calldata ancestry,
        bytes calldata proof
    ) external pure returns (bool) {
        return keccak256(proof) == keccak256(prove(from, leaves, mergers, ancestry));
    }

    function prove(bytes32 from, Leaf[] memory leaves, address[] memory mergers, bytes32[] memory ancestry)
        public
        pure
        returns (bytes memory)
    {
        return abi.encode(from, leaves, mergers, ancestry);
    }
}

/// @notice A world where proofs are taken on trust, and that knows its own chain of live checkpoints.
abstract contract Settlement is World {
    uint64 internal constant START = 1_800_000_000;

    /// @notice Every live checkpoint, genesis first.
    Checkpoint[] internal chain;
    /// @notice Proof system 2.
    Binding internal binding;

    function deployTrusting(Parameters memory parameters, IRewardVault.Shares memory shares) internal {
        delete chain;
        IProofVerifier[] memory verifiers = new IProofVerifier[](2);
        binding = new Binding();
        (verifiers[0], verifiers[1]) = (IProofVerifier(new Trusting()), IProofVerifier(binding));
        prepare(parameters, shares);
        state = Deploy.stateUpdate(registry, vault, provers, genesis, verifiers, parameters);
        chain.push(genesis);
        fund(1000 ether);
    }

    function deployTrusting(Parameters memory parameters) internal {
        deployTrusting(parameters, Defaults.shares());
    }

    /// @notice Registers the checkpoint of block `number` and keeps it in the chain.
    function extend(uint64 number) internal returns (Checkpoint memory next) {
        next = checkpoint(number);
        chain.push(next);
    }

    /// @notice Reverts to the newest checkpoint at or behind the tip (CP-4), in the contracts and in the chain kept here.
    function revertChain() internal {
        (Checkpoint memory fallbackTo, Checkpoint memory oldest) = aroundTip();
        state.revertUnproven(fallbackTo, oldest);
        (, uint64 tip) = state.tip();
        while (chain[chain.length - 1].number > tip) chain.pop();
        head = fallbackTo;
    }

    /// @notice The newest checkpoint at or behind the tip, and the oldest beyond it (of zeros if there is none).
    function aroundTip() internal view returns (Checkpoint memory fallbackTo, Checkpoint memory oldest) {
        (, uint64 tip) = state.tip();
        uint256 i;
        while (i + 1 < chain.length && chain[i + 1].number <= tip) ++i;
        fallbackTo = chain[i];
        if (i + 1 < chain.length) oldest = chain[i + 1];
    }

    /// @notice The checkpoints that an update from the tip to block `to` passes, oldest first (ST-2).
    function passed(uint64 to) internal view returns (Checkpoint[] memory named) {
        (, uint64 tip) = state.tip();
        uint256 first;
        while (chain[first].number <= tip && first + 1 < chain.length) ++first;
        uint256 last = first;
        while (chain[last].number < to) ++last;
        named = new Checkpoint[](last - first + 1);
        for (uint256 i; i < named.length; ++i) {
            named[i] = chain[first + i];
        }
    }

    function unproven(uint64 from, uint64 to) internal view returns (IStateUpdate.Update memory update) {
        update.system = 1;
        update.from = blockHash(from);
        update.leaves = leavesOf(from + 1, to);
        update.checkpoints = passed(to);
    }

    function settle(uint64 from, uint64 to, address submitter) internal {
        submitAs(submitter, unproven(from, to));
    }

    function open(uint64 from, uint64 to, address submitter) internal returns (IStateUpdate.Transition memory) {
        return open(unproven(from, to), submitter);
    }

    function refuse(IStateUpdate.Redundancy memory redundancy, bytes memory reason) internal {
        vm.expectRevert(reason);
        bring(redundancy);
    }

    function reputation(address who) internal view returns (uint256 value) {
        (value,) = vault.reputationOf(who);
    }

    function updates(address who) internal view returns (uint256 value) {
        (, value) = vault.reputationOf(who);
    }
}
