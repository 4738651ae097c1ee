// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "./Parameters.sol";
import {Turns} from "./Turns.sol";
import {Checkpoint, Leaf, checkpointId} from "./Types.sol";
import {ICheckpointRegistry} from "./interfaces/ICheckpointRegistry.sol";
import {IProofVerifier} from "./interfaces/IProofVerifier.sol";
import {IProverRegistry} from "./interfaces/IProverRegistry.sol";
import {IRewardVault} from "./interfaces/IRewardVault.sol";
import {IStateUpdate} from "./interfaces/IStateUpdate.sol";

/// @title The proven tip of the L2 chain (ST-1 to ST-7, CP-4, RW-4, RW-6)
/// @notice Anyone moves the tip by a proof of the blocks beyond it. Nobody owns the contract; registries, vault,
/// proof systems and parameters are fixed at deployment.
/// @dev An update names every checkpoint that it passes although the certificate of the last one suffices: so the L1
/// time at which each block was checkpointed is known without an index of checkpoints by number (RW-6).
contract StateUpdate is Turns {
    /// @dev One word per update, under the hash of its last block. The number tells, without verifying anything, that
    /// a proof is entirely behind the tip. `claim` commits to what a redundant proof is held against (RW-4); zero where
    /// nobody may bring one any more. To forge it takes a collision among 2^92 hashes, and wins a part of the redundancy
    /// reserve at most.
    struct Boundary {
        bool proven;
        uint64 number;
        uint184 claim;
    }

    /// @inheritdoc IStateUpdate
    mapping(uint8 system => IProofVerifier) public verifierOf;
    /// @inheritdoc IStateUpdate
    mapping(bytes32 blockHash => Boundary) public boundary;
    /// @inheritdoc IStateUpdate
    uint64 public immutable redundancyWindow;
    /// @inheritdoc IStateUpdate
    uint64 public immutable proofDeadline;
    /// @inheritdoc IStateUpdate
    uint64 public immutable targetLag;
    /// @inheritdoc IStateUpdate
    uint64 public immutable bonusRamp;
    /// @inheritdoc IStateUpdate
    uint80 public immutable bonusCap;

    /// @notice Links the contracts and starts at genesis.
    /// @param registry_ The registry, already deployed for this contract's address with `genesis`.
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
    ) Turns(registry_, vault_, provers_, parameters) {
        uint256 turnsEnd = uint256(parameters.idleFallback) + parameters.turnLength;
        if (parameters.proofDeadline <= turnsEnd) revert CP4_DeadlineBeforeTurn(parameters.proofDeadline, turnsEnd);
        if (
            parameters.bonusRamp == 0 || uint256(parameters.targetLag) + parameters.bonusRamp > parameters.proofDeadline
        ) {
            revert RW6_RampInvalid(parameters.bonusRamp);
        }
        // Its own: the vault puts shares aside by the same length of time.
        redundancyWindow = vault_.redundancyWindow();
        proofDeadline = parameters.proofDeadline;
        targetLag = parameters.targetLag;
        bonusRamp = parameters.bonusRamp;
        bonusCap = parameters.bonusCap;
        bytes32 given = checkpointId(genesis);
        bytes32 registered = registry_.genesisId();
        if (given != registered) revert GenesisMismatch(given, registered);
        _requireLinked(address(vault_), vault_.stateUpdate());
        _requireLinked(address(registry_), registry_.stateUpdate());
        for (uint8 system = 1; system <= verifiers.length; ++system) {
            if (address(verifiers[system - 1]).code.length == 0) revert ST3_SystemUnknown(system);
            verifierOf[system] = verifiers[system - 1];
        }
        _moveTip(genesis.blockHash, genesis.number);
        boundary[genesis.blockHash] = Boundary({proven: true, number: genesis.number, claim: 0});
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
        _accept(update, update.leaves[overlap:], fromHash, fromNumber, id);
    }

    /// @inheritdoc IStateUpdate
    function submitRedundant(Redundancy calldata redundancy) external {
        Transition calldata transition = redundancy.transition;
        uint256 count = transition.leaves.length;
        bytes32 toHash = count == 0 ? bytes32(0) : transition.leaves[count - 1].blockHash;
        if (count == 0 || boundary[toHash].claim != _claimOf(abi.encode(transition))) {
            revert RW4_TransitionUnknown(toHash);
        }
        address holder = transition.holder;
        if (msg.sender != holder) revert RW4_NotYourTurn(holder);
        uint256 closesAt = transition.settledAt + redundancyWindow;
        if (block.timestamp > closesAt) revert RW4_WindowClosed(closesAt);
        if (redundancy.provers.length != count) revert RW4_LeafCount(redundancy.provers.length, count);

        Leaf[] memory leaves = transition.leaves;
        uint256[] memory earned = new uint256[](count);
        uint256 gas;
        bool any;
        for (uint256 i; i < count; ++i) {
            address prover = redundancy.provers[i];
            if (prover == holder && leaves[i].prover != holder && transition.shares[i] != 0) {
                earned[i] = transition.shares[i];
                gas += leaves[i].proverGas;
                any = true;
            }
            leaves[i].prover = prover;
        }
        if (!any) revert RW4_NothingEarned();
        IProofVerifier verifier = _verifier(redundancy.system);
        if (!verifier.verify(transition.from, leaves, redundancy.mergers, new bytes32[](0), redundancy.proof)) {
            revert ST3_ProofInvalid();
        }
        boundary[toHash].claim = 0;
        uint256 sum = vault.rewardRedundancy(holder, transition.fromNumber + 1, earned, gas, transition.settledAt);
        emit RedundancyProven(toHash, holder, redundancy.system, sum);
    }

    /// @inheritdoc IStateUpdate
    function revertUnproven(Checkpoint calldata fallbackTo, Checkpoint calldata oldest) external {
        bytes32 head = checkpointId(fallbackTo);
        if (oldest.parentId != head) revert CP4_NotLinked();
        bytes32 id = checkpointId(oldest);
        if (!registry.isLive(id)) revert CP4_NotLive(id);
        uint64 tipNumber = _tipNumber;
        if (fallbackTo.number > tipNumber || oldest.number <= tipNumber) revert CP4_NotOldest(tipNumber);
        (, uint40 registeredAt,,,,) = registry.record(id);
        uint256 due = registeredAt + proofDeadline;
        if (block.timestamp <= due) revert CP4_NotDue(due);
        _restartClock(head);
        registry.revertTo(head, tipNumber);
    }

    /// @dev Moves the tip and has the new blocks paid. Everything is checked by now, but for an exclusive turn (ST-6).
    function _accept(Update calldata update, Leaf[] calldata leaves, bytes32 fromHash, uint64 fromNumber, bytes32 id)
        private
    {
        bytes32 toHash = leaves[leaves.length - 1].blockHash;
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 toNumber = fromNumber + uint64(leaves.length);
        (address payee, uint80 bounty) = _designate(toNumber);
        Checkpoint[] calldata passed = _withoutSurplus(update.checkpoints, toNumber);
        // The last one's own registration is in its parent's record, with the number of provers then.
        (,, uint40 registeredAt, uint32 among, uint48 depth,) = registry.record(passed[passed.length - 1].parentId);
        uint256[] memory bonuses = _bonuses(passed, registeredAt, fromNumber + 1, leaves.length);
        _moveTip(toHash, toNumber);
        emit StateUpdated(fromHash, toHash, fromNumber, toNumber, update.system, msg.sender, id);
        uint256[] memory shares = vault.reward(leaves, update.mergers, bonuses, fromNumber + 1, payee, bounty);
        boundary[toHash] = Boundary({
            proven: true,
            number: toNumber,
            claim: _openRedundancy(
                Transition(
                    fromHash, fromNumber, leaves, shares, _redundancyHolder(depth + 1, among), uint64(block.timestamp)
                )
            )
        });
    }

    /// @dev RW-4: the checkpoint that draws the holder is the first that continues END. An update may name later ones, but
    /// must not choose its holder by it.
    function _withoutSurplus(Checkpoint[] calldata named, uint64 toNumber)
        private
        pure
        returns (Checkpoint[] calldata)
    {
        uint256 last = named.length - 1;
        while (last != 0 && named[last - 1].number >= toNumber) --last;
        return named[:last + 1];
    }

    /// @dev RW-4: what a redundant proof will be held against; nothing where nobody holds the turn.
    function _openRedundancy(Transition memory transition) private returns (uint184) {
        if (transition.holder == address(0)) return 0;
        uint256 count = transition.leaves.length;
        address[] memory paid = new address[](count);
        for (uint256 i; i < count; ++i) {
            paid[i] = transition.leaves[i].prover;
        }
        emit RedundancyOpened(
            transition.leaves[count - 1].blockHash,
            transition.holder,
            transition.settledAt + redundancyWindow,
            paid,
            transition.shares
        );
        return _claimOf(abi.encode(transition));
    }

    /// @dev RW-4: the checkpoint's place in the chain draws the holder, the next one in order stands in for the submitter.
    function _redundancyHolder(uint256 depth, uint256 among) private view returns (address holder) {
        (holder,) = provers.proverAt(depth, among);
        if (holder == msg.sender) (holder,) = provers.proverAt(depth + 1, among);
        if (holder == msg.sender) holder = address(0);
    }

    function _claimOf(bytes memory transition) private pure returns (uint184) {
        // The lower 184 bits: the rest of the word is the boundary's.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint184(uint256(keccak256(transition)));
    }

    /// @dev RW-6: the age bonus of each new block; empty while the oldest checkpoint of them is within the target lag. The
    /// last of them was registered at `lastAt`.
    function _bonuses(Checkpoint[] calldata passed, uint40 lastAt, uint64 firstNumber, uint256 count)
        private
        view
        returns (uint256[] memory bonuses)
    {
        uint256 place;
        while (passed[place].number < firstNumber) ++place;
        uint256 bonus = _bonusOf(passed, place, lastAt);
        if (bonus == 0) return bonuses;
        bonuses = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            if (passed[place].number < firstNumber + i) bonus = _bonusOf(passed, ++place, lastAt);
            bonuses[i] = bonus;
        }
    }

    function _bonusOf(Checkpoint[] calldata passed, uint256 place, uint40 registeredAt) private view returns (uint256) {
        // Each checkpoint's id stands in the one after it.
        if (place + 1 < passed.length) (, registeredAt,,,,) = registry.record(passed[place + 1].parentId);
        uint256 age = block.timestamp - registeredAt;
        if (age <= targetLag) return 0;
        uint256 late = age - targetLag;
        return late < bonusRamp ? bonusCap * late / bonusRamp : bonusCap;
    }

    /// @dev ST-2. Registered checkpoints have registered parents (CP-1) and a live one has live parents (CP-4), so that only
    /// the last one is looked up, and the first one's parent for where it stands.
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
        if (!registry.isLive(id)) revert ST2_CheckpointUnknown(id);
        (uint64 parentNumber,,,,,) = registry.record(update.checkpoints[0].parentId);
        if (parentNumber > tipNumber) revert ST2_CheckpointsMissing(parentNumber, tipNumber);
        // The certificate vouches for number and hash together: END is the checkpoint's block, or lies before it.
        uint64 number = update.checkpoints[count - 1].number;
        bool same = toHash == update.checkpoints[count - 1].blockHash;
        if (same ? number != toNumber : number <= toNumber) revert ST2_NotContinued(toNumber, number);
    }

    /// @dev ST-3. An overlap is verified with the rest: a recursive proof cannot be cut.
    function _requireProven(Update calldata update, bytes32 toHash) private view {
        IProofVerifier verifier = _verifier(update.system);
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
        if (!verifier.verify(update.from, update.leaves, update.mergers, path, update.proof)) {
            revert ST3_ProofInvalid();
        }
    }

    function _verifier(uint8 system) private view returns (IProofVerifier verifier) {
        verifier = verifierOf[system];
        if (address(verifier) == address(0)) revert ST3_SystemUnknown(system);
    }

    function _requireLinked(address contract_, address linked) private view {
        if (linked != address(this)) revert NotLinked(contract_, address(this), linked);
    }
}
