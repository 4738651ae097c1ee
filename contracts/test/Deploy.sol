// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "../src/Parameters.sol";
import {Checkpoint} from "../src/Types.sol";
import {ICheckpointRegistry} from "../src/interfaces/ICheckpointRegistry.sol";
import {IFeeSignal} from "../src/interfaces/IFeeSignal.sol";
import {IGroth16BatchVerifier} from "../src/interfaces/IGroth16BatchVerifier.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IProverRegistry} from "../src/interfaces/IProverRegistry.sol";
import {IReputation} from "../src/interfaces/IReputation.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate} from "../src/interfaces/IStateUpdate.sol";
import {CHEATCODES} from "./Base.sol";

/// @notice The vault with all that it answers.
interface Vault is IRewardVault, IReputation {}

/// @notice Deploys the contracts by their names, each with its constructor's arguments.
/// @dev Tests know interfaces only: the contracts are compiled apart from them, as for a deployment, and what tests run is that
/// code.
library Deploy {
    function proverRegistry(Parameters memory parameters) internal returns (IProverRegistry) {
        return IProverRegistry(_create("ProverRegistry", abi.encode(parameters)));
    }

    function checkpointRegistry(
        Checkpoint memory genesis,
        bytes memory keys,
        bytes memory possessions,
        IProverRegistry provers,
        address stateUpdate_
    ) internal returns (ICheckpointRegistry) {
        bytes memory arguments = abi.encode(genesis, keys, possessions, provers, stateUpdate_);
        return ICheckpointRegistry(_create("CheckpointRegistry", arguments));
    }

    function rewardVault(address stateUpdate_, IRewardVault.Shares memory shares, Parameters memory parameters)
        internal
        returns (Vault)
    {
        return Vault(_create("RewardVault", abi.encode(stateUpdate_, shares, parameters)));
    }

    function stateUpdate(
        ICheckpointRegistry registry,
        IRewardVault vault,
        IProverRegistry provers,
        Checkpoint memory genesis,
        IProofVerifier[] memory verifiers,
        Parameters memory parameters
    ) internal returns (IStateUpdate) {
        bytes memory arguments = abi.encode(registry, vault, provers, genesis, verifiers, parameters);
        return IStateUpdate(_create("StateUpdate", arguments));
    }

    function feeSignal(IReputation reputation, Parameters memory parameters) internal returns (IFeeSignal) {
        return IFeeSignal(_create("FeeSignal", abi.encode(reputation, parameters)));
    }

    function groth16BatchVerifier(uint256[] memory blockKey, uint256[] memory ancestryKey)
        internal
        returns (IGroth16BatchVerifier)
    {
        return IGroth16BatchVerifier(_create("Groth16BatchVerifier", abi.encode(blockKey, ancestryKey)));
    }

    /// @dev As `new` does. The cheatcode that deploys is no call to `expectRevert`: where a constructor refuses, the test itself would
    /// pass for what is to revert, and end there.
    function _create(string memory name, bytes memory arguments) private returns (address created) {
        bytes memory code = bytes.concat(CHEATCODES.getCode(string.concat(name, ".sol:", name)), arguments);
        assembly ("memory-safe") {
            created := create(0, add(code, 32), mload(code))
            if iszero(created) {
                let free := mload(0x40)
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
        }
    }
}
