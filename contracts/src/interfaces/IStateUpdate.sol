// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation} from "../Parameters.sol";
import {Checkpoint, Leaf} from "../Types.sol";
import {ICheckpointRegistry} from "./ICheckpointRegistry.sol";
import {IProofVerifier} from "./IProofVerifier.sol";
import {IProverRegistry} from "./IProverRegistry.sol";
import {IRewardVault} from "./IRewardVault.sol";

/// @notice Moves the proven tip of the L2 chain (ST-1 to ST-7), reverts what nobody proves (CP-4), takes redundant proofs (RW-4).
interface IStateUpdate {
    /// @notice A transition, its proof, and why consensus stands behind it.
    /// @param system Id of the proof system; Groth16 is 1.
    /// @param from Hash of a proven boundary: the tip, or an earlier update's end (ST-1).
    /// @param leaves The proven blocks after `from`, oldest first. The last is END.
    /// @param mergers Who did the merging, one for each merge, where the proof system merges (RW-3); else none.
    /// @param checkpoints The registered checkpoints that the update passes, oldest first: the first one's parent is at or
    /// behind the tip, each is the parent of the next, the last continues END (ST-2).
    /// @param ancestry Hashes between END and the last checkpoint's block where more than one ancestry proof is chained;
    /// empty for one proof, and where END is that block and none is needed.
    /// @param proof The proof in the system's encoding.
    struct Update {
        uint8 system;
        bytes32 from;
        Leaf[] leaves;
        address[] mergers;
        Checkpoint[] checkpoints;
        bytes32[] ancestry;
        bytes proof;
    }

    /// @notice What an update did, as a redundant proof is held against it (RW-4). L1 keeps a hash of it.
    /// @param from Hash of the tip before the update.
    /// @param fromNumber Number of that tip.
    /// @param leaves The newly proven blocks with the provers that were paid.
    /// @param shares What a redundant proof of each block earns, in wei.
    /// @param holder The turn-holder.
    /// @param settledAt L1 time of the update in seconds.
    struct Transition {
        bytes32 from;
        uint64 fromNumber;
        Leaf[] leaves;
        uint256[] shares;
        address holder;
        uint64 settledAt;
    }

    /// @notice A turn-holder's proof of a transition that an update proved before (RW-4). The proof need not be the same, nor
    /// of the same system.
    /// @param transition What the update did.
    /// @param system Id of the proof system.
    /// @param provers The leaf provers of this proof, one for each block. The holder earns where it stands and another was paid.
    /// @param mergers Who did the merging, as in an update.
    /// @param proof The proof in the system's encoding.
    struct Redundancy {
        Transition transition;
        uint8 system;
        address[] provers;
        address[] mergers;
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

    /// @notice A redundancy turn began with an update (RW-4). With the blocks' hashes, fees and gas, this is its whole transition.
    /// @param toHash Hash of the update's last block.
    /// @param holder Whose turn it is.
    /// @param closesAt The last L1 second in which the holder's proof is taken.
    /// @param provers Who was paid for each block's leaf.
    /// @param shares What a redundant proof of each block earns, in wei.
    event RedundancyOpened(
        bytes32 indexed toHash, address indexed holder, uint64 closesAt, address[] provers, uint256[] shares
    );
    /// @notice The turn-holder proved a transition once more (RW-4).
    /// @param toHash Hash of the transition's last block.
    /// @param holder Who did.
    /// @param system Proof system of its proof.
    /// @param earned All that it earned, in wei.
    event RedundancyProven(bytes32 indexed toHash, address indexed holder, uint8 system, uint256 earned);

    /// @notice At deployment: checkpoints would be reverted before every prover had its chance.
    error CP4_DeadlineBeforeTurn(uint256 proofDeadline, uint256 turnsEnd);
    /// @notice `oldest` is not the child of `fallbackTo`. Name the newest checkpoint at or behind the tip, and the next one.
    error CP4_NotLinked();
    /// @notice The oldest unproven checkpoint is not registered, or reverted already.
    error CP4_NotLive(bytes32 id);
    /// @notice The tip, block `tipNumber`, does not lie between the two checkpoints. Name those around it.
    error CP4_NotOldest(uint64 tipNumber);
    /// @notice The oldest unproven checkpoint may still be proven: wait until after `due`.
    error CP4_NotDue(uint256 due);
    /// @notice No update with these data waits for a redundant proof: the data differ, or one was brought already.
    error RW4_TransitionUnknown(bytes32 toHash);
    /// @notice Only the turn-holder may bring the redundant proof.
    error RW4_NotYourTurn(address holder);
    /// @notice The turn is over: its last second was `closedAt`.
    error RW4_WindowClosed(uint256 closedAt);
    /// @notice A redundant proof needs one prover for each block of the transition.
    error RW4_LeafCount(uint256 given, uint256 expected);
    /// @notice No leaf is the holder's where another was paid: copied leaves earn nothing. Prove some blocks yourself.
    error RW4_NothingEarned();
    /// @notice At deployment: the bonus must grow over some time, and reach its cap before the proof deadline.
    error RW6_RampInvalid(uint256 bonusRamp);
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
    /// @notice The last checkpoint is not registered, or was reverted (CP-4). Register it, or name one that is live.
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
    /// @notice At deployment: vault or registry take orders from another contract.
    error NotLinked(address contract_, address expected, address linked);

    /// @notice Verifies a proof and moves the tip (ST-1 to ST-3), then has its blocks paid (RW-3). Anyone may submit (ST-5).
    /// A proof that is entirely behind the tip changes nothing and does not revert, so that the losers of a race pay little.
    /// @param update The transition and its proof.
    function submit(Update calldata update) external;

    /// @notice Proves a settled transition once more, in the turn of the caller (RW-4). Pays the redundancy share of every block
    /// that the caller proved itself and another was paid for.
    /// @param redundancy The transition, and the other proof of it.
    function submitRedundant(Redundancy calldata redundancy) external;

    /// @notice Reverts every unproven checkpoint when the oldest of them is older than `proofDeadline` (CP-4). Anyone may.
    /// Turns that passed before are missed as they are when an update comes (ST-6).
    /// @param fallbackTo The newest checkpoint at or behind the tip, which becomes the head.
    /// @param oldest Its child, the oldest unproven checkpoint.
    function revertUnproven(Checkpoint calldata fallbackTo, Checkpoint calldata oldest) external;

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
    /// @return holder Whose turn it is; zero in the race, without provers to take turns, and under open designation.
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
    /// @return claim Commitment to what a redundant proof is held against; zero where none is taken (RW-4).
    function boundary(bytes32 blockHash) external view returns (bool proven, uint64 number, uint184 claim);

    /// @notice Time from an update to the end of its redundancy turn (RW-4).
    /// @return Seconds.
    function redundancyWindow() external view returns (uint64);

    /// @notice Age beyond which an unproven checkpoint may be reverted (CP-4).
    /// @return Seconds.
    function proofDeadline() external view returns (uint64);

    /// @notice Age of a checkpoint up to which its blocks earn no bonus (RW-6).
    /// @return Seconds.
    function targetLag() external view returns (uint64);

    /// @notice Time beyond `targetLag` in which the bonus grows to its cap (RW-6).
    /// @return Seconds.
    function bonusRamp() external view returns (uint64);

    /// @notice The largest age bonus of one block (RW-6).
    /// @return Wei.
    function bonusCap() external view returns (uint80);

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
