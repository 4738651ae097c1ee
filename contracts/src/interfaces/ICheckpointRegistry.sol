// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Checkpoint} from "../Types.sol";
import {IProverRegistry} from "./IProverRegistry.sol";

/// @notice The single chain of L1 checkpoints and the validator set that certifies them (CP-1 to CP-4).
interface ICheckpointRegistry {
    /// @notice A checkpoint joined the chain. Holds its preimage and its certificate, so that a watcher checks both from events alone.
    /// @param id Key of the checkpoint.
    /// @param parentId Key of the checkpoint before.
    /// @param number Number of the checkpointed block.
    /// @param blockHash Hash of the checkpointed block.
    /// @param stateRoot State commitment of the checkpointed block.
    /// @param signers Bit i is set where validator i of the set in force signed; zero for genesis.
    /// @param signature Aggregate signature, a G1 point in EIP-2537 encoding; empty for genesis.
    event CheckpointRegistered(
        bytes32 indexed id,
        bytes32 indexed parentId,
        uint64 indexed number,
        bytes32 blockHash,
        bytes32 stateRoot,
        uint256 signers,
        bytes signature
    );

    /// @notice A validator set took office: at deployment (epoch 0) or by a hand-over (CP-3).
    /// @param epoch Number of the set.
    /// @param validators How many validators it has.
    /// @param keys Their public keys in order, 256 bytes each (G2 points in EIP-2537 encoding).
    event ValidatorSetChanged(uint64 indexed epoch, uint256 validators, bytes keys);

    /// @notice The chain fell back because its oldest unproven checkpoint grew too old (CP-4). Every checkpoint behind the new
    /// head is dead: it can be neither proven nor continued.
    /// @param generation How often the chain was reverted, this time included.
    /// @param headId Key of the head now: the newest checkpoint at or behind the proven tip.
    /// @param headNumber Number of its block.
    /// @param tipNumber Number of the proven tip, from which consensus goes on.
    event CheckpointsReverted(uint32 indexed generation, bytes32 indexed headId, uint64 headNumber, uint64 tipNumber);

    /// @notice The checkpoint does not continue the chain's head. Rebuild it on `head`.
    error CP1_ParentIsNotHead(bytes32 given, bytes32 head);
    /// @notice Numbers must strictly increase. Checkpoint a later block than `head`, which is the head's number or, after a
    /// revert, the proven tip's.
    error CP1_NumberNotAboveHead(uint64 given, uint64 head);
    /// @notice The signer bitmap has a bit at or above the size of the set in force. Check the epoch of the certificate.
    error CP2_UnknownSigner(uint256 signers, uint256 validators);
    /// @notice Fewer than more than two thirds of the validators signed. Collect signatures until `needed` have.
    error CP2_QuorumNotReached(uint256 signers, uint256 needed);
    /// @notice The aggregate signature is not one of these signers over this digest. Check chain id, registry address, epoch and bitmap.
    error CP2_SignatureInvalid();
    /// @notice Keys come as 256 bytes each and possessions as 128 bytes each, equally many.
    error CP3_KeysMalformed(uint256 keyBytes, uint256 possessionBytes);
    /// @notice A set has 1 to `most` validators.
    error CP3_ValidatorCount(uint256 given, uint256 most);
    /// @notice Validators `first` and `second` have the same key. Each validator needs its own.
    error CP3_DuplicateKey(uint256 first, uint256 second);
    /// @notice Validator `index` did not prove that it holds its secret key, or its key is no point of the right subgroup.
    error CP3_PossessionInvalid(uint256 index);

    /// @notice The checkpoint was registered before and reverted (CP-4). Build other blocks on the proven tip.
    error CP4_Reverted(bytes32 id);
    /// @notice Only the state update contract that the registry was deployed for may revert.
    error CP4_OnlyStateUpdate(address caller);

    /// @notice Appends a certified checkpoint to the chain (CP-1, CP-2). Anyone may relay it.
    /// @param checkpoint The next checkpoint: its parent is the head, its number above the head's.
    /// @param signers Bit i is set where validator i of the set in force signed.
    /// @param signature Aggregate of their signatures over `checkpointDigest`, a G1 point in EIP-2537 encoding (128 bytes).
    /// @return id Key of the checkpoint, the new head.
    function register(Checkpoint calldata checkpoint, uint256 signers, bytes calldata signature)
        external
        returns (bytes32 id);

    /// @notice Hands over to a new validator set by a certificate of the current one (CP-3).
    /// @param keys The new keys, 256 bytes each, in the order of the bitmap.
    /// @param possessions Proofs of possession, 128 bytes each, in the same order.
    /// @param signers Bit i is set where validator i of the *current* set signed.
    /// @param signature Aggregate of their signatures over `handOverDigest`.
    function handOver(bytes calldata keys, bytes calldata possessions, uint256 signers, bytes calldata signature)
        external;

    /// @notice Falls back to a live checkpoint (CP-4). Only by the state update, which knows the tip and checks the age.
    /// @param id Key of the newest checkpoint at or behind the proven tip.
    /// @param tipNumber Number of the proven tip: later checkpoints lie beyond it.
    function revertTo(bytes32 id, uint64 tipNumber) external;

    /// @notice Key of the newest checkpoint.
    /// @return Its id.
    function headId() external view returns (bytes32);

    /// @notice What storage knows of a checkpoint.
    /// @param id Key of the checkpoint.
    /// @return number Number of its block.
    /// @return registeredAt L1 time of its registration in seconds; zero if it is not registered.
    /// @return continuedAt L1 time at which its child was registered; zero if it has none (ST-4).
    /// @return continuedAmong How many provers were registered then; zero if it has none (ST-6, RW-4).
    /// @return depth How many checkpoints lie between it and genesis, itself included.
    /// @return generation How often the chain was reverted before it (CP-4).
    function record(bytes32 id)
        external
        view
        returns (
            uint64 number,
            uint40 registeredAt,
            uint40 continuedAt,
            uint32 continuedAmong,
            uint48 depth,
            uint32 generation
        );

    /// @notice Whether a checkpoint is registered and was not reverted (CP-4).
    /// @param id Key of the checkpoint.
    /// @return True while it can be proven and, if it is the head, continued.
    function isLive(bytes32 id) external view returns (bool);

    /// @notice How often the chain was reverted (CP-4).
    /// @return The number of the generation that new checkpoints belong to.
    function generation() external view returns (uint32);

    /// @notice The block that new checkpoints must lie beyond whatever the head is: the proven tip at the last revert.
    /// @return Its number; genesis at first.
    function floor() external view returns (uint64);

    /// @notice The provers among whom turns go round (ST-6, RW-4).
    /// @return Their registry.
    function provers() external view returns (IProverRegistry);

    /// @notice The only contract that may revert.
    /// @return Its address.
    function stateUpdate() external view returns (address);

    /// @notice Key of the genesis checkpoint, the root of the chain.
    /// @return Its id.
    function genesisId() external view returns (bytes32);

    /// @notice The validator set in force.
    /// @return epoch Its number, part of every digest.
    /// @return validators How many validators it has.
    function validatorSet() external view returns (uint64 epoch, uint256 validators);

    /// @notice Public keys of the set in force.
    /// @return 256 bytes each, in the order of the bitmap.
    function validatorKeys() external view returns (bytes memory);

    /// @notice What the validators of the set in force sign for a checkpoint (CP-2).
    /// @param id Key of the checkpoint.
    /// @return 32 bytes, the message to hash to the curve.
    function checkpointDigest(bytes32 id) external view returns (bytes32);

    /// @notice What the validators of the set in force sign for a hand-over (CP-3).
    /// @param keys The new keys, 256 bytes each.
    /// @return 32 bytes, the message to hash to the curve.
    function handOverDigest(bytes calldata keys) external view returns (bytes32);
}
