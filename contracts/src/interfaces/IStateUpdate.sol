// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation} from "../Parameters.sol";
import {Checkpoint, Leaf} from "../Types.sol";
import {ICheckpointRegistry} from "./ICheckpointRegistry.sol";
import {IProofVerifier} from "./IProofVerifier.sol";
import {IProverRegistry} from "./IProverRegistry.sol";
import {IRewardVault} from "./IRewardVault.sol";

/// @notice Moves the proven tip of the L2 chain (ST-1 to ST-7).
interface IStateUpdate {
    /// @notice A transition, its proof, and why consensus stands behind it.
    /// @param system Id of the proof system; Groth16 is 1.
    /// @param from Hash of a proven boundary: the tip, or an earlier update's end (ST-1).
    /// @param leaves The proven blocks after `from`, oldest first. The last is END.
    /// @param checkpoints The registered checkpoints that the update passes, oldest first: the first one's parent is at or
    /// behind the tip, each is the parent of the next, the last continues END (ST-2).
    /// @param ancestry Hashes between END and the last checkpoint's block where more than one ancestry proof is chained;
    /// empty for one proof, and where END is that block and none is needed.
    /// @param proof The proof in the system's encoding.
    struct Update {
        uint8 system;
        bytes32 from;
        Leaf[] leaves;
        Checkpoint[] checkpoints;
        bytes32[] ancestry;
        bytes proof;
    }

    /// @notice The tip moved. Both ends are as accepted: an overlap is cut off (ST-1).
    /// @param fromHash Hash of the tip before.
    /// @param toHash Hash of the tip now.
    /// @param fromNumber Number of the tip before.
    /// @param toNumber Number of the tip now.
    /// @param system Proof system that proved it.
    /// @param submitter Who submitted it.
    /// @param checkpointId Checkpoint that continues the new tip.
    event StateUpdated(
        bytes32 fromHash,
        bytes32 indexed toHash,
        uint64 fromNumber,
        uint64 toNumber,
        uint8 system,
        address indexed submitter,
        bytes32 indexed checkpointId
    );
    /// @notice A proof came late: all of it was proven before (ST-1). Nothing changed.
    /// @param submitter Who submitted it.
    /// @param toNumber Number of its last block.
    /// @param tipNumber Number of the tip.
    event AlreadyProven(address indexed submitter, uint64 toNumber, uint64 tipNumber);

    /// @notice An update came when the race was over (ST-6).
    /// @param toNumber Number of the new tip.
    /// @param turn Index of the turn since the race ended, from zero.
    /// @param holder Whose turn it was; zero if nobody is designated.
    /// @param submitter Who submitted it.
    event UpdatedInTurn(uint64 indexed toNumber, uint64 turn, address indexed holder, address indexed submitter);

    /// @notice A race of no length is none: the idle time before turns must be above zero.
    error ST5_NoRace();
    /// @notice A turn needs a length above zero.
    error ST6_NoTurnLength();
    /// @notice Under exclusive designation only `holder` may submit now. Wait for the next turn, or hand it the proof.
    error ST6_NotYourTurn(address holder);
    /// @notice An update needs at least one block.
    error ST1_NoBlocks();
    /// @notice No update ended at `from`. Start at the tip or at an earlier update's end.
    error ST1_FromIsNotABoundary(bytes32 from);
    /// @notice The blocks overlap what is proven, but carry `given` where the tip is. Prove the chain that the tip is on.
    error ST1_NotThroughTip(bytes32 given, bytes32 tip);
    /// @notice An update names at least one checkpoint.
    error ST2_NoCheckpoint();
    /// @notice The last checkpoint is not registered. Register it, or name one that is.
    error ST2_CheckpointUnknown(bytes32 id);
    /// @notice Checkpoint `index` is not the child of the one named before it.
    error ST2_CheckpointsNotLinked(uint256 index);
    /// @notice The first checkpoint's parent lies beyond the tip. Name the older checkpoints too.
    error ST2_CheckpointsMissing(uint64 parentNumber, uint64 tipNumber);
    /// @notice The last checkpoint, of block `checkpointNumber`, cannot continue END, block `toNumber`.
    error ST2_NotContinued(uint64 toNumber, uint64 checkpointNumber);
    /// @notice No verifier has this id.
    error ST3_SystemUnknown(uint8 system);
    /// @notice The proof does not verify.
    error ST3_ProofInvalid();
    /// @notice At deployment: the genesis checkpoint is not the registry's.
    error GenesisMismatch(bytes32 given, bytes32 registered);
    /// @notice At deployment: the vault takes orders from another contract.
    error VaultNotLinked(address expected, address linked);

    /// @notice Verifies a proof and moves the tip (ST-1 to ST-3), then has its blocks paid (RW-3). Anyone may submit (ST-5).
    /// A proof that is entirely behind the tip changes nothing and does not revert, so that the losers of a race pay little.
    /// @param update The transition and its proof.
    function submit(Update calldata update) external;

    /// @notice The last proven block.
    /// @return blockHash Its hash.
    /// @return number Its number.
    function tip() external view returns (bytes32 blockHash, uint64 number);

    /// @notice Start of the idle clock (ST-4): the later of the last update and the registration of the oldest checkpoint
    /// beyond the tip.
    /// @return L1 time in seconds; zero while nothing is provable, hence nothing idle.
    function idleSince() external view returns (uint64);

    /// @notice Race or turn (ST-5, ST-6), as of now.
    /// @return inFallback Whether the race is over.
    /// @return index Index of the turn since then, from zero.
    /// @return holder Whose turn it is; zero in the race, without registered provers, and under open designation.
    /// @return endsAt L1 time at which the race, or the turn, ends; zero while nothing is provable.
    function turn() external view returns (bool inFallback, uint64 index, address holder, uint64 endsAt);

    /// @notice The provers that take turns.
    /// @return Their registry.
    function provers() external view returns (IProverRegistry);

    /// @notice Idle time after which turns begin.
    /// @return Seconds.
    function idleFallback() external view returns (uint64);

    /// @notice Length of one turn.
    /// @return Seconds.
    function turnLength() external view returns (uint64);

    /// @notice Whom a turn serves.
    /// @return The rule.
    function designation() external view returns (Designation);

    /// @notice What the protocol reserve pays, as far as it can, for an update that ends a fallback.
    /// @return Wei.
    function fallbackBounty() external view returns (uint80);

    /// @notice Whether an update may start at a block (ST-1).
    /// @param blockHash Hash of the block.
    /// @return proven Whether an update ended there.
    /// @return number Its number if so.
    function boundary(bytes32 blockHash) external view returns (bool proven, uint64 number);

    /// @notice The verifier of a proof system.
    /// @param system Id of the system.
    /// @return Its verifier; zero if there is none.
    function verifierOf(uint8 system) external view returns (IProofVerifier);

    /// @notice The registry whose checkpoints count.
    /// @return Its contract.
    function registry() external view returns (ICheckpointRegistry);

    /// @notice The vault that pays.
    /// @return Its contract.
    function vault() external view returns (IRewardVault);
}
