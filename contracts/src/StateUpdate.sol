// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation, Parameters} from "./Parameters.sol";
import {Checkpoint, checkpointId} from "./Types.sol";
import {ICheckpointRegistry} from "./interfaces/ICheckpointRegistry.sol";
import {IProofVerifier} from "./interfaces/IProofVerifier.sol";
import {IProverRegistry} from "./interfaces/IProverRegistry.sol";
import {IRewardVault} from "./interfaces/IRewardVault.sol";
import {IStateUpdate} from "./interfaces/IStateUpdate.sol";

/// @title The proven tip of the L2 chain (ST-1 to ST-7)
/// @notice Anyone moves the tip by a proof of the blocks beyond it. Nobody owns the contract; registries, vault,
/// proof systems and parameters are fixed at deployment.
/// @dev An update names every checkpoint that it passes although the certificate of the last one suffices: so the L1
/// time at which each block was checkpointed is known without an index of checkpoints by number, for whatever pays by
/// age (RW-6). Submitter and leaves reach the vault in one call; who the submission share goes to is decided here (ST-6).
///
/// Turns follow from what the last update left behind: the head checkpoint then (its hash is the start of the round) and
/// the number of provers then (who registers later waits for the next update). So nobody moves a running turn, neither
/// consensus by one more checkpoint nor a prover by one more registration.
contract StateUpdate is IStateUpdate {
    /// @dev One word per update, under the hash of its last block. The number tells, without verifying anything, that
    /// a proof is entirely behind the tip. The word has room for a 184-bit commitment to the whole update (from, leaves,
    /// submitter, time, pots), against which a redundancy claim (RW-4) can supply the data again.
    struct Boundary {
        bool proven;
        uint64 number;
    }

    /// @inheritdoc IStateUpdate
    ICheckpointRegistry public immutable registry;
    /// @inheritdoc IStateUpdate
    IRewardVault public immutable vault;
    /// @inheritdoc IStateUpdate
    mapping(uint8 system => IProofVerifier) public verifierOf;
    /// @inheritdoc IStateUpdate
    mapping(bytes32 blockHash => Boundary) public boundary;
    /// @inheritdoc IStateUpdate
    IProverRegistry public immutable provers;
    /// @inheritdoc IStateUpdate
    uint64 public immutable idleFallback;
    /// @inheritdoc IStateUpdate
    uint64 public immutable turnLength;
    /// @inheritdoc IStateUpdate
    Designation public immutable designation;
    /// @inheritdoc IStateUpdate
    uint80 public immutable fallbackBounty;
    bytes32 private _tipHash;
    // One word: what else an update leaves behind.
    uint64 private _tipNumber;
    uint64 private _updatedAt;
    uint64 private _proversThen;
    /// @dev Head of the checkpoint chain at the last update. Where it is the tip's own, nothing was left to prove, and
    /// the idle clock waits for its child (ST-4).
    bytes32 private _headThen;

    /// @notice Links the contracts and starts at genesis.
    /// @param registry_ The registry, already deployed with `genesis`.
    /// @param vault_ The vault, already deployed for this contract's address.
    /// @param provers_ The provers that take turns.
    /// @param genesis The registry's genesis checkpoint: its block is the first tip.
    /// @param verifiers The allowed proof systems; their ids count from 1 in this order.
    /// @param parameters The protocol's parameters.
    constructor(
        ICheckpointRegistry registry_,
        IRewardVault vault_,
        IProverRegistry provers_,
        Checkpoint memory genesis,
        IProofVerifier[] memory verifiers,
        Parameters memory parameters
    ) {
        if (parameters.idleFallback == 0) revert ST5_NoRace();
        if (parameters.turnLength == 0) revert ST6_NoTurnLength();
        idleFallback = parameters.idleFallback;
        turnLength = parameters.turnLength;
        designation = parameters.designation;
        fallbackBounty = parameters.fallbackBounty;
        bytes32 given = checkpointId(genesis);
        bytes32 registered = registry_.genesisId();
        if (given != registered) revert GenesisMismatch(given, registered);
        address linked = vault_.stateUpdate();
        if (linked != address(this)) revert VaultNotLinked(address(this), linked);
        registry = registry_;
        vault = vault_;
        provers = provers_;
        for (uint8 system = 1; system <= verifiers.length; ++system) {
            if (address(verifiers[system - 1]).code.length == 0) revert ST3_SystemUnknown(system);
            verifierOf[system] = verifiers[system - 1];
        }
        _moveTip(genesis.blockHash, genesis.number);
    }

    /// @inheritdoc IStateUpdate
    function submit(Update calldata update) external {
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 count = uint64(update.leaves.length);
        if (count == 0) revert ST1_NoBlocks();
        bytes32 fromHash = _tipHash;
        uint64 fromNumber = _tipNumber;
        uint64 overlap;
        if (update.from != fromHash) {
            Boundary memory start = boundary[update.from];
            if (!start.proven) revert ST1_FromIsNotABoundary(update.from);
            if (start.number + count <= fromNumber) {
                emit AlreadyProven(msg.sender, start.number + count, fromNumber);
                return;
            }
            overlap = fromNumber - start.number;
            // `from` is an earlier boundary, so that the tip lies at least one block after it.
            bytes32 given = update.leaves[overlap - 1].blockHash;
            if (given != fromHash) revert ST1_NotThroughTip(given, fromHash);
        }
        uint64 toNumber = fromNumber + count - overlap;
        bytes32 toHash = update.leaves[count - 1].blockHash;
        bytes32 id = _requireContinued(update, fromNumber, toNumber, toHash);
        _requireProven(update, toHash);

        (address payee, uint80 bounty) = _designate(toNumber);
        _moveTip(toHash, toNumber);
        emit StateUpdated(fromHash, toHash, fromNumber, toNumber, update.system, msg.sender, id);
        vault.reward(update.leaves[overlap:], fromNumber + 1, payee, bounty);
    }

    /// @inheritdoc IStateUpdate
    function tip() external view returns (bytes32 blockHash, uint64 number) {
        return (_tipHash, _tipNumber);
    }

    /// @inheritdoc IStateUpdate
    function idleSince() external view returns (uint64) {
        return _idleSince();
    }

    /// @inheritdoc IStateUpdate
    function turn() external view returns (bool inFallback, uint64 index, address holder, uint64 endsAt) {
        return _turn();
    }

    /// @dev ST-4. An update knows whether a checkpoint beyond the new tip was there: if so the clock runs from the
    /// update, which came later. If not, the head was the tip's own checkpoint, and its child starts the clock.
    function _idleSince() private view returns (uint64) {
        (uint64 number,, uint64 continuedAt) = registry.record(_headThen);
        return number > _tipNumber ? _updatedAt : continuedAt;
    }

    function _turn() private view returns (bool inFallback, uint64 index, address holder, uint64 endsAt) {
        uint64 since = _idleSince();
        if (since == 0) return (false, 0, address(0), 0);
        uint64 begin = since + idleFallback;
        if (block.timestamp < begin) return (false, 0, address(0), begin);
        inFallback = true;
        index = (uint64(block.timestamp) - begin) / turnLength;
        endsAt = begin + (index + 1) * turnLength;
        // The number cannot pass the word: the round starts within its lower 128 bits.
        if (designation != Designation.Open) {
            holder = provers.proverAt(uint256(uint128(uint256(_headThen))) + index, _proversThen);
        }
    }

    /// @dev ST-5, ST-6: whom the submission share goes to (zero: the protocol reserve), and the bounty on top.
    function _designate(uint64 toNumber) private returns (address payee, uint80 bounty) {
        // The idle clock never starts before the last update: within the fallback time of it, there is nothing to ask.
        if (block.timestamp - _updatedAt < idleFallback) return (msg.sender, 0);
        (bool inFallback, uint64 index, address holder,) = _turn();
        if (!inFallback) return (msg.sender, 0);
        emit UpdatedInTurn(toNumber, index, holder, msg.sender);
        if (designation == Designation.Open) return (msg.sender, fallbackBounty);
        // Nobody is designated: the race goes on, unpaid by the reserve.
        if (holder == address(0)) return (msg.sender, 0);
        if (holder == msg.sender) return (holder, fallbackBounty);
        if (designation == Designation.Exclusive) revert ST6_NotYourTurn(holder);
        return (address(0), 0);
    }

    function _moveTip(bytes32 blockHash, uint64 number) private {
        _tipHash = blockHash;
        _tipNumber = number;
        _updatedAt = uint64(block.timestamp);
        // forge-lint: disable-next-line(unsafe-typecast)
        _proversThen = uint64(provers.count());
        _headThen = registry.headId();
        boundary[blockHash] = Boundary({proven: true, number: number});
    }

    /// @dev ST-2. Registered checkpoints have registered parents (CP-1), so that only the last one is looked up, and the
    /// first one's parent for where it stands.
    function _requireContinued(Update calldata update, uint64 tipNumber, uint64 toNumber, bytes32 toHash)
        private
        view
        returns (bytes32 id)
    {
        uint256 count = update.checkpoints.length;
        if (count == 0) revert ST2_NoCheckpoint();
        for (uint256 i; i < count; ++i) {
            if (i != 0 && update.checkpoints[i].parentId != id) revert ST2_CheckpointsNotLinked(i);
            id = checkpointId(update.checkpoints[i]);
        }
        (uint64 number, uint64 registeredAt,) = registry.record(id);
        if (registeredAt == 0) revert ST2_CheckpointUnknown(id);
        (uint64 parentNumber,,) = registry.record(update.checkpoints[0].parentId);
        if (parentNumber > tipNumber) revert ST2_CheckpointsMissing(parentNumber, tipNumber);
        // The certificate vouches for number and hash together: END is the checkpoint's block, or lies before it.
        bool same = toHash == update.checkpoints[count - 1].blockHash;
        if (same ? number != toNumber : number <= toNumber) revert ST2_NotContinued(toNumber, number);
    }

    /// @dev ST-3. An overlap is verified with the rest: a recursive proof cannot be cut.
    function _requireProven(Update calldata update, bytes32 toHash) private view {
        IProofVerifier verifier = verifierOf[update.system];
        if (address(verifier) == address(0)) revert ST3_SystemUnknown(update.system);
        bytes32 checkpointHash = update.checkpoints[update.checkpoints.length - 1].blockHash;
        bytes32[] memory path;
        // Without ancestry the path is empty and END is the checkpoint's block; else the path ends there.
        if (toHash != checkpointHash) {
            uint256 steps = update.ancestry.length;
            path = new bytes32[](steps + 1);
            for (uint256 i; i < steps; ++i) {
                path[i] = update.ancestry[i];
            }
            path[steps] = checkpointHash;
        }
        if (!verifier.verify(update.from, update.leaves, path, update.proof)) revert ST3_ProofInvalid();
    }
}
