// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {LibBit} from "solady/utils/LibBit.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";
import {BLS} from "./BLS.sol";
import {Checkpoint, checkpointId} from "./Types.sol";
import {ICheckpointRegistry} from "./interfaces/ICheckpointRegistry.sol";
import {IProverRegistry} from "./interfaces/IProverRegistry.sol";

/// @title Registry of L1 checkpoints (CP-1 to CP-4)
/// @notice Keeps one chain of checkpoints, each certified by more than two thirds of the validator set. Nobody owns it:
/// only certificates of the set in force extend it, and only the age of an unproven checkpoint takes a part of it back.
/// @dev Storage is one word per checkpoint; the preimage travels in calldata and is checked against its id. That word
/// holds what later transactions cannot know from the preimage: when it was registered, when its child was and among how
/// many provers (which starts the idle clock, ST-4, when the tip stands on its block, and says who takes turns, ST-6, and
/// who holds the child's redundancy turn, RW-4), where it stands in the chain, and how often the chain was reverted before
/// it (CP-4).
///
/// A revert touches none of the checkpoints that it ends: it opens a new generation. A checkpoint of an older one is live
/// if the first revert after it fell back to it or beyond; later ones fall back no further, because the proven tip never
/// moves back.
contract CheckpointRegistry is ICheckpointRegistry {
    struct Record {
        uint64 number;
        uint40 registeredAt;
        uint40 continuedAt;
        uint32 continuedAmong;
        uint48 depth;
        uint32 generation;
    }

    /// @dev One word, so that a registration reads the whole set description at once.
    struct ValidatorSet {
        address keys;
        uint64 epoch;
        uint8 validators;
    }

    /// @notice Largest validator set. More proofs of possession do not fit into one transaction (EIP-7825: 16.7 M gas).
    uint256 public constant MAX_VALIDATORS = 64;

    bytes32 private constant CHECKPOINT_TAG = keccak256("lignum.checkpoint.v1");
    bytes32 private constant HAND_OVER_TAG = keccak256("lignum.handover.v1");
    /// @dev Both kinds of signed digest carry their own tag inside; possession is signed under another domain, so that
    /// a proof of possession can never pass for a certificate.
    bytes private constant CERTIFICATE_DOMAIN = "LIGNUM-CHECKPOINT-V1-BLS12381G1_XMD:SHA-256_SSWU_RO_";
    bytes private constant POSSESSION_DOMAIN = "LIGNUM-POSSESSION-V1-BLS12381G1_XMD:SHA-256_SSWU_RO_";

    /// @inheritdoc ICheckpointRegistry
    bytes32 public immutable genesisId;
    /// @inheritdoc ICheckpointRegistry
    IProverRegistry public immutable provers;
    /// @inheritdoc ICheckpointRegistry
    address public immutable stateUpdate;
    /// @inheritdoc ICheckpointRegistry
    bytes32 public headId;
    /// @inheritdoc ICheckpointRegistry
    uint64 public floor;
    /// @inheritdoc ICheckpointRegistry
    uint32 public generation;
    /// @inheritdoc ICheckpointRegistry
    mapping(bytes32 id => Record) public record;
    mapping(uint32 generation => uint48) private _revertedTo;
    ValidatorSet private _set;

    /// @notice Starts the chain at genesis and installs the first validator set.
    /// @param genesis Checkpoint of the genesis block; its parent id is zero.
    /// @param keys Keys of the first validator set, 256 bytes each.
    /// @param possessions Their proofs of possession, 128 bytes each.
    /// @param provers_ The provers among whom turns go round (ST-6, RW-4).
    /// @param stateUpdate_ The only contract that may revert. It may be deployed later: its constructor checks the link.
    constructor(
        Checkpoint memory genesis,
        bytes memory keys,
        bytes memory possessions,
        IProverRegistry provers_,
        address stateUpdate_
    ) {
        if (genesis.parentId != 0) revert CP1_ParentIsNotHead(genesis.parentId, 0);
        provers = provers_;
        stateUpdate = stateUpdate_;
        floor = genesis.number;
        genesisId = _append(genesis, 0, 0, "");
        _install(keys, possessions, 0);
    }

    /// @inheritdoc ICheckpointRegistry
    function register(Checkpoint calldata checkpoint, uint256 signers, bytes calldata signature)
        external
        returns (bytes32 id)
    {
        bytes32 head = headId;
        if (checkpoint.parentId != head) revert CP1_ParentIsNotHead(checkpoint.parentId, head);
        Record memory parent = record[head];
        // A revert may leave a head behind the proven tip: what it must stay above is then the tip.
        uint64 least = parent.number > floor ? parent.number : floor;
        if (checkpoint.number <= least) revert CP1_NumberNotAboveHead(checkpoint.number, least);
        id = checkpointId(checkpoint);
        // A certificate outlives a revert, but what it certified must not come back by it.
        if (record[id].registeredAt != 0) revert CP4_Reverted(id);
        ValidatorSet memory set = _set;
        _requireCertificate(set, _checkpointDigest(set.epoch, id), signers, signature);
        parent.continuedAt = uint40(block.timestamp);
        // Each of them bonded ether: there are never 2^32.
        // forge-lint: disable-next-line(unsafe-typecast)
        parent.continuedAmong = uint32(provers.count());
        record[head] = parent;
        _append(checkpoint, parent.depth + 1, signers, signature);
    }

    /// @inheritdoc ICheckpointRegistry
    function revertTo(bytes32 id, uint64 tipNumber) external {
        if (msg.sender != stateUpdate) revert CP4_OnlyStateUpdate(msg.sender);
        uint32 opened = ++generation;
        _revertedTo[opened] = record[id].depth;
        record[id].continuedAt = 0;
        record[id].continuedAmong = 0;
        headId = id;
        floor = tipNumber;
        emit CheckpointsReverted(opened, id, record[id].number, tipNumber);
    }

    /// @inheritdoc ICheckpointRegistry
    function handOver(bytes calldata keys, bytes calldata possessions, uint256 signers, bytes calldata signature)
        external
    {
        ValidatorSet memory set = _set;
        _requireCertificate(set, _handOverDigest(set.epoch, keys), signers, signature);
        _install(keys, possessions, set.epoch + 1);
    }

    /// @inheritdoc ICheckpointRegistry
    function isLive(bytes32 id) external view returns (bool) {
        Record memory known = record[id];
        if (known.registeredAt == 0) return false;
        return known.generation == generation || known.depth <= _revertedTo[known.generation + 1];
    }

    /// @inheritdoc ICheckpointRegistry
    function validatorSet() external view returns (uint64 epoch, uint256 validators) {
        return (_set.epoch, _set.validators);
    }

    /// @inheritdoc ICheckpointRegistry
    function validatorKeys() external view returns (bytes memory) {
        return SSTORE2.read(_set.keys, BLS.KEY_LENGTH);
    }

    /// @inheritdoc ICheckpointRegistry
    function checkpointDigest(bytes32 id) external view returns (bytes32) {
        return _checkpointDigest(_set.epoch, id);
    }

    /// @inheritdoc ICheckpointRegistry
    function handOverDigest(bytes calldata keys) external view returns (bytes32) {
        return _handOverDigest(_set.epoch, keys);
    }

    function _append(Checkpoint memory checkpoint, uint48 depth, uint256 signers, bytes memory signature)
        private
        returns (bytes32 id)
    {
        id = checkpointId(checkpoint);
        record[id] = Record({
            number: checkpoint.number,
            registeredAt: uint40(block.timestamp),
            continuedAt: 0,
            continuedAmong: 0,
            depth: depth,
            generation: generation
        });
        headId = id;
        emit CheckpointRegistered(
            id, checkpoint.parentId, checkpoint.number, checkpoint.blockHash, checkpoint.stateRoot, signers, signature
        );
    }

    /// @dev Proofs of possession make the plain sum of keys safe: without them, a validator could pick its key as a
    /// multiple of the generator minus the others' keys and sign for all of them alone.
    function _install(bytes memory keys, bytes memory possessions, uint64 epoch) private {
        uint256 validators = keys.length / BLS.KEY_LENGTH;
        if (keys.length % BLS.KEY_LENGTH != 0 || possessions.length != validators * BLS.SIGNATURE_LENGTH) {
            revert CP3_KeysMalformed(keys.length, possessions.length);
        }
        if (validators == 0 || validators > MAX_VALIDATORS) revert CP3_ValidatorCount(validators, MAX_VALIDATORS);

        bytes32[] memory hashes = new bytes32[](validators);
        bytes memory total = new bytes(BLS.KEY_LENGTH);
        for (uint256 i; i < validators; ++i) {
            bytes memory key = _slice(keys, i * BLS.KEY_LENGTH, BLS.KEY_LENGTH);
            hashes[i] = keccak256(key);
            for (uint256 j; j < i; ++j) {
                if (hashes[j] == hashes[i]) revert CP3_DuplicateKey(j, i);
            }
            bytes memory possession = _slice(possessions, i * BLS.SIGNATURE_LENGTH, BLS.SIGNATURE_LENGTH);
            if (!BLS.verify(possession, key, abi.encodePacked(hashes[i]), POSSESSION_DOMAIN)) {
                revert CP3_PossessionInvalid(i);
            }
            total = BLS.addKeys(total, key);
        }
        // The sum stands first: a certificate subtracts the absent signers, who are always the minority.
        address stored = SSTORE2.write(bytes.concat(total, keys));
        // forge-lint: disable-next-line(unsafe-typecast)
        _set = ValidatorSet({keys: stored, epoch: epoch, validators: uint8(validators)});
        emit ValidatorSetChanged(epoch, validators, keys);
    }

    /// @dev CP-2: more than two thirds of the set signed the digest.
    function _requireCertificate(ValidatorSet memory set, bytes32 digest, uint256 signers, bytes calldata signature)
        private
        view
    {
        uint256 validators = set.validators;
        if (signers >> validators != 0) revert CP2_UnknownSigner(signers, validators);
        uint256 needed = validators * 2 / 3 + 1;
        uint256 count = LibBit.popCount(signers);
        if (count < needed) revert CP2_QuorumNotReached(count, needed);
        bytes memory key = _aggregateKey(set.keys, validators, signers);
        if (!BLS.verify(signature, key, abi.encodePacked(digest), CERTIFICATE_DOMAIN)) revert CP2_SignatureInvalid();
    }

    /// @dev Total key minus the absent signers' keys. An infinite result is refused where the signature is verified.
    function _aggregateKey(address keys, uint256 validators, uint256 signers)
        private
        view
        returns (bytes memory total)
    {
        total = _storedKey(keys, 0);
        // forge-lint: disable-next-line(incorrect-shift)
        uint256 absent = ~signers & ((1 << validators) - 1);
        if (absent == 0) return total;
        bytes memory sum = new bytes(BLS.KEY_LENGTH);
        for (; absent != 0; absent &= absent - 1) {
            sum = BLS.addKeys(sum, _storedKey(keys, LibBit.ffs(absent) + 1));
        }
        BLS.negateKey(sum);
        return BLS.addKeys(total, sum);
    }

    function _storedKey(address keys, uint256 position) private view returns (bytes memory) {
        return SSTORE2.read(keys, position * BLS.KEY_LENGTH, (position + 1) * BLS.KEY_LENGTH);
    }

    function _checkpointDigest(uint64 epoch, bytes32 id) private view returns (bytes32) {
        return keccak256(abi.encode(CHECKPOINT_TAG, block.chainid, address(this), epoch, id));
    }

    function _handOverDigest(uint64 epoch, bytes calldata keys) private view returns (bytes32) {
        return keccak256(abi.encode(HAND_OVER_TAG, block.chainid, address(this), epoch, keccak256(keys)));
    }

    function _slice(bytes memory data, uint256 start, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        assembly ("memory-safe") {
            mcopy(add(part, 32), add(add(data, 32), start), length)
        }
    }
}
