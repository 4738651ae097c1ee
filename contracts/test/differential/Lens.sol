// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {ICheckpointRegistry} from "../../src/interfaces/ICheckpointRegistry.sol";
import {IFeeSignal} from "../../src/interfaces/IFeeSignal.sol";
import {IProverRegistry} from "../../src/interfaces/IProverRegistry.sol";
import {IReputation} from "../../src/interfaces/IReputation.sol";
import {IRewardVault} from "../../src/interfaces/IRewardVault.sol";
import {IStateUpdate} from "../../src/interfaces/IStateUpdate.sol";

/// @notice Reads everything that can be observed of a deployment in one call, as a row of words whose order
/// `test/differential/Words.ts` knows.
contract Lens {
    struct Contracts {
        ICheckpointRegistry registry;
        IProverRegistry provers;
        IStateUpdate state;
        IRewardVault vault;
        IFeeSignal signal;
    }

    uint256 private constant FIXED = 24;

    /// @notice All that can be observed now.
    /// @param at Where the contracts are.
    /// @param checkpoints Ids whose records to read.
    /// @param blocks Block hashes that may be boundaries.
    /// @param accounts Whose books to read.
    /// @return words The words.
    function observe(
        Contracts calldata at,
        bytes32[] calldata checkpoints,
        bytes32[] calldata blocks,
        address[] calldata accounts
    ) external view returns (uint256[] memory words) {
        uint256 count = at.provers.count();
        words = new uint256[](FIXED + 2 * count + 7 * checkpoints.length + 3 * blocks.length + 6 * accounts.length);
        uint256 next = _fixed(at, words);
        words[next++] = count;
        for (uint256 i; i < count; ++i) {
            (address prover, uint40 since) = at.provers.proverAt(i, count);
            words[next++] = uint160(prover);
            words[next++] = since;
        }
        // A place that has become empty.
        (, words[next++]) = at.provers.proverAt(count, count + 1);
        for (uint256 i; i < checkpoints.length; ++i) {
            next = _checkpoint(at.registry, checkpoints[i], words, next);
        }
        for (uint256 i; i < blocks.length; ++i) {
            (bool proven, uint64 number, uint184 claim) = at.state.boundary(blocks[i]);
            words[next++] = proven ? 1 : 0;
            words[next++] = number;
            words[next++] = claim;
        }
        for (uint256 i; i < accounts.length; ++i) {
            next = _account(at, accounts[i], words, next);
        }
    }

    function _fixed(Contracts calldata at, uint256[] memory words) private view returns (uint256 next) {
        next = _chain(at, words);
        next = _turn(at, words, next);
        words[next++] = IReputation(address(at.vault)).totalReputation();
        words[next++] = at.vault.unallocated();
        words[next++] = at.vault.redundancyReserve();
        words[next++] = at.vault.protocolReserve();
        words[next++] = address(at.vault).balance;
        words[next++] = address(at.provers).balance;
        words[next++] = at.signal.epoch();
        words[next++] = at.signal.multiplier();
    }

    function _chain(Contracts calldata at, uint256[] memory words) private view returns (uint256 next) {
        words[next++] = block.timestamp;
        (bytes32 tipHash, uint64 tipNumber) = at.state.tip();
        words[next++] = uint256(tipHash);
        words[next++] = tipNumber;
        words[next++] = uint256(at.registry.headId());
        words[next++] = at.registry.generation();
        words[next++] = at.registry.floor();
        (uint64 epoch, uint256 validators) = at.registry.validatorSet();
        words[next++] = epoch;
        words[next++] = validators;
        words[next++] = at.registry.validatorKeys().length;
    }

    function _turn(Contracts calldata at, uint256[] memory words, uint256 next) private view returns (uint256) {
        words[next++] = at.state.idleSince();
        (bool inFallback, uint64 index, address holder, uint64 endsAt) = at.state.turn();
        words[next++] = inFallback ? 1 : 0;
        words[next++] = index;
        words[next++] = uint160(holder);
        words[next++] = endsAt;
        return next;
    }

    function _checkpoint(ICheckpointRegistry registry, bytes32 id, uint256[] memory words, uint256 next)
        private
        view
        returns (uint256)
    {
        (
            uint64 number,
            uint40 registeredAt,
            uint40 continuedAt,
            uint32 continuedAmong,
            uint48 depth,
            uint32 generation
        ) = registry.record(id);
        words[next++] = number;
        words[next++] = registeredAt;
        words[next++] = continuedAt;
        words[next++] = continuedAmong;
        words[next++] = depth;
        words[next++] = generation;
        words[next++] = registry.isLive(id) ? 1 : 0;
        return next;
    }

    function _account(Contracts calldata at, address account, uint256[] memory words, uint256 next)
        private
        view
        returns (uint256)
    {
        words[next++] = at.provers.isRegistered(account) ? 1 : 0;
        words[next++] = at.provers.unlocksAt(account);
        words[next++] = at.vault.creditOf(account);
        (words[next], words[next + 1]) = IReputation(address(at.vault)).reputationOf(account);
        next += 2;
        words[next++] = at.signal.hasFlagged(account) ? 1 : 0;
        return next;
    }
}
