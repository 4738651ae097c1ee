// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Checkpoint, Leaf, checkpointId} from "../src/Types.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate} from "../src/interfaces/IStateUpdate.sol";
import {Vm} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Settlement} from "./Settlement.sol";

/// @notice Drives every entry point of all contracts through random histories and keeps its own books.
contract History is Settlement {
    uint64 private constant STEP = 5;
    uint64 private constant WINDOW = 1 hours;

    // Books of what was done.
    uint256 public funded;
    uint256 public endowed;
    uint256 public claimed;
    /// @notice What the vault must have paid out of `funded` so far, block by block.
    uint256 public pots;
    uint256 public bonds;
    uint64 public tipNumber;
    bool public tipMovedBack;

    // Books of what events told (RW-7).
    mapping(address account => uint256) public credited;
    uint256 public protocolReserve;
    /// @notice Redundancy shares by the window of time that their update came in.
    mapping(uint256 window => uint256) public redundancyOf;
    /// @notice The last window that the vault looked at the time in.
    uint256 public window = START / WINDOW;

    // How often something came about.
    uint256 public moves;
    mapping(IRewardVault.Kind => uint256) public credits;
    uint256 public lapses;
    uint256 public reverts;
    uint256 public missed;

    bytes32[] private registered;
    uint64[] private boundaries;
    /// @dev ABI-encoded transitions that nobody proved once more yet.
    bytes[] private opened;
    uint64 private clock = START;
    address[6] private accounts =
        [address(0xA0), address(0xA1), address(0xA2), address(0xA3), SUBMITTER, address(0xD0)];

    constructor() {
        vm.warp(clock);
        deployTrusting(Defaults.parameters());
        funded = 1000 ether;
        boundaries.push(0);
    }

    /// @dev Time does not outlive a call of the fuzzer by itself; what events tell is booked at the end.
    modifier booked() {
        vm.warp(clock);
        vm.recordLogs();
        _;
        _book(vm.getRecordedLogs());
        (, uint64 tip) = state.tip();
        if (tip < tipNumber) tipMovedBack = true;
        tipNumber = tip;
    }

    function fund(uint72 amount) external booked {
        vm.deal(address(this), amount);
        vault.fund{value: amount}();
        funded += amount;
    }

    function endow(uint72 amount) external booked {
        vm.deal(address(this), amount);
        vault.endow{value: amount}();
        endowed += amount;
    }

    /// @dev After a revert the chain grows with other content, or it would be refused (CP-4).
    function register(uint8 blocks) external booked {
        uint64 least = head.number > tipNumber ? head.number : tipNumber;
        Checkpoint memory next = following(least + uint64(bound(blocks, 1, STEP)));
        next.stateRoot = keccak256(abi.encode(next.stateRoot, registry.generation()));
        registry.register(next, 7, certify(next));
        head = next;
        chain.push(next);
        registered.push(checkpointId(next));
    }

    /// @dev From any late boundary to any block that a checkpoint continues: behind, overlapping or new; merged or not.
    function update(uint256 start, uint256 length, uint256 submitter, uint8 merges) external booked {
        uint256 back = start % (boundaries.length < 4 ? boundaries.length : 4);
        uint64 from = boundaries[boundaries.length - 1 - back];
        if (from >= head.number) return;
        uint64 most = head.number - from;
        uint64 to = from + uint64(bound(length, 1, most < 12 ? most : 12));
        IStateUpdate.Update memory next = unproven(from, to);
        for (uint64 i; i < next.leaves.length; ++i) {
            next.leaves[i].prover = accounts[(from + 1 + i) % 4];
            next.leaves[i].proverFees = _feesOf(from + 1 + i);
            if (i % 3 == 2) next.leaves[i].proverGas = 0;
        }
        next.mergers = new address[](merges % 4);
        for (uint256 i; i < next.mergers.length; ++i) {
            next.mergers[i] = accounts[i == 0 ? 5 : i];
        }
        if (to > tipNumber) {
            uint256 available = funded - pots;
            for (uint64 number = tipNumber + 1; number <= to; ++number) {
                uint256 fees = _feesOf(number);
                if (fees > available) fees = available;
                available -= fees;
                pots += fees;
            }
            boundaries.push(to);
            ++moves;
            window = clock / WINDOW;
        }
        (bytes32 fromHash,) = state.tip();
        _submit(next, accounts[submitter % 6], fromHash);
    }

    /// @dev RW-4: any part of the blocks proven again by the holder, in its window.
    function redundant(uint256 which, uint16 own_) external booked {
        if (opened.length == 0) return;
        which %= opened.length;
        IStateUpdate.Redundancy memory next = own(abi.decode(opened[which], (IStateUpdate.Transition)));
        IStateUpdate.Transition memory transition = next.transition;
        bool any;
        for (uint256 i; i < next.provers.length; ++i) {
            if (own_ >> i & 1 == 0) next.provers[i] = SUBMITTER;
            else if (transition.shares[i] != 0 && transition.leaves[i].prover != transition.holder) any = true;
        }
        if (!any || clock > transition.settledAt + WINDOW) return;
        window = clock / WINDOW;
        bring(next);
        _book(vm.getRecordedLogs());
        opened[which] = opened[opened.length - 1];
        opened.pop();
    }

    /// @dev CP-4, whenever it is due.
    function revertUnproven() external booked {
        (, Checkpoint memory oldest) = aroundTip();
        if (oldest.number == 0) return;
        (, uint40 registeredAt,,,,) = registry.record(checkpointId(oldest));
        if (clock <= registeredAt + 1 days) return;
        revertChain();
        ++reverts;
    }

    function lapse() external booked {
        vault.lapse();
        window = clock / WINDOW;
    }

    function claim(uint256 who) external booked {
        address account = accounts[who % 6];
        if (vault.creditOf(account) == 0) return;
        claimed += vault.claim(account);
    }

    /// @dev ST-6: provers come, go and take their bonds back.
    function enroll(uint256 who) external booked {
        address account = accounts[who % 4];
        uint64 unlock = provers.unlocksAt(account);
        if (provers.isRegistered(account)) {
            vm.prank(account);
            provers.deregister();
        } else if (unlock == 0) {
            enroll(account, 1);
            ++bonds;
        } else if (unlock <= clock) {
            provers.withdraw(account);
            --bonds;
        }
    }

    /// @dev Time passes, over every boundary of windows, race and turns.
    function wait(uint16 time) external {
        clock += time;
    }

    /// @dev And over proof deadlines, now and then.
    function sleep(uint8 hours_) external {
        if (hours_ % 4 == 0) clock += uint64(hours_ % 30) * 1 hours;
    }

    function sums() external view returns (uint256 owed, uint256 reserves, uint256 unallocated, uint256 balance) {
        for (uint256 i; i < 6; ++i) {
            owed += vault.creditOf(accounts[i]);
        }
        reserves = vault.redundancyReserve() + vault.protocolReserve();
        return (owed, reserves, vault.unallocated(), address(vault).balance);
    }

    /// @notice Fails where the vault's balances are not what its events tell (RW-7).
    function requireBalancesAsTold() external view {
        for (uint256 i; i < 6; ++i) {
            vm.assertEq(vault.creditOf(accounts[i]), credited[accounts[i]]);
        }
        vm.assertEq(vault.protocolReserve(), protocolReserve);
        vm.assertEq(vault.redundancyReserve(), redundancyOf[window] + redundancyOf[window - 1]);
    }

    /// @notice What can still be earned by redundant proofs at most (RW-4).
    function earnable() external view returns (uint256 sum) {
        for (uint256 i; i < opened.length; ++i) {
            IStateUpdate.Transition memory transition = abi.decode(opened[i], (IStateUpdate.Transition));
            if (clock > transition.settledAt + WINDOW) continue;
            for (uint256 j; j < transition.shares.length; ++j) {
                sum += transition.shares[j];
            }
        }
    }

    /// @notice Fails unless the live checkpoints are one chain from genesis to the head, and nothing else is live (CP-1, CP-4).
    function requireOneLiveChain() external view {
        vm.assertEq(registry.headId(), checkpointId(chain[chain.length - 1]));
        for (uint256 i; i < chain.length; ++i) {
            bytes32 id = checkpointId(chain[i]);
            (uint64 number,, uint40 continuedAt,, uint48 depth,) = registry.record(id);
            vm.assertTrue(registry.isLive(id));
            vm.assertEq(depth, i);
            vm.assertEq(number, chain[i].number);
            vm.assertTrue((continuedAt == 0) == (i + 1 == chain.length));
            if (i != 0) {
                vm.assertEq(chain[i].parentId, checkpointId(chain[i - 1]));
                vm.assertTrue(number > chain[i - 1].number);
            }
        }
        uint256 live = 1;
        for (uint256 i; i < registered.length; ++i) {
            if (registry.isLive(registered[i])) ++live;
        }
        vm.assertEq(live, chain.length);
        vm.assertTrue(registry.floor() <= tipNumber);
    }

    /// @notice Fails where reputations come to more than their total, but for the last digits of the exponential (FM-3).
    function requireTotalAboveParts() external view {
        uint256 total = vault.totalReputation();
        uint256 sum;
        for (uint256 i; i < 6; ++i) {
            sum += reputation(accounts[i]);
        }
        vm.assertTrue(total + total / 1e9 >= sum);
    }

    function bondsHeld() external view returns (uint256) {
        return address(provers).balance;
    }

    function tipIsABoundary() external view returns (bool proven) {
        (bytes32 tipHash, uint64 number) = state.tip();
        uint64 known;
        (proven, known,) = state.boundary(tipHash);
        return proven && known == number;
    }

    /// @dev Submits and keeps what the holder of a redundancy turn would (RW-4).
    function _submit(IStateUpdate.Update memory next, address submitter, bytes32 fromHash) private {
        uint64 fromNumber = tipNumber;
        submitAs(submitter, next);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        _book(logs);
        Vm.Log memory last = logs[logs.length - 1];
        if (last.topics[0] != IStateUpdate.RedundancyOpened.selector) return;
        IStateUpdate.Transition memory transition;
        (, address[] memory paid, uint256[] memory shares) = abi.decode(last.data, (uint64, address[], uint256[]));
        transition.from = fromHash;
        transition.fromNumber = fromNumber;
        transition.shares = shares;
        transition.holder = address(uint160(uint256(last.topics[2])));
        transition.settledAt = clock;
        transition.leaves = new Leaf[](paid.length);
        for (uint256 i; i < paid.length; ++i) {
            transition.leaves[i] = next.leaves[next.leaves.length - paid.length + i];
        }
        opened.push(abi.encode(transition));
    }

    function _book(Vm.Log[] memory logs) private {
        for (uint256 i; i < logs.length; ++i) {
            bytes32 topic = logs[i].topics[0];
            if (topic == IRewardVault.Credited.selector) {
                (IRewardVault.Kind kind, uint256 amount) = abi.decode(logs[i].data, (IRewardVault.Kind, uint256));
                credited[address(uint160(uint256(logs[i].topics[2])))] += amount;
                ++credits[kind];
            } else if (topic == IRewardVault.Claimed.selector) {
                credited[address(uint160(uint256(logs[i].topics[1])))] -= abi.decode(logs[i].data, (uint256));
            } else if (topic == IRewardVault.Lapsed.selector) {
                protocolReserve += abi.decode(logs[i].data, (uint256));
                ++lapses;
            } else if (topic == IRewardVault.TurnMissed.selector) {
                ++missed;
            } else if (topic == IRewardVault.Reserved.selector) {
                (,, uint256 amount) = abi.decode(logs[i].data, (uint64, uint64, uint256));
                if (uint256(logs[i].topics[1]) == uint256(IRewardVault.Reserve.Protocol)) protocolReserve += amount;
                else redundancyOf[clock / WINDOW] += amount;
            } else if (topic == IRewardVault.Released.selector) {
                (uint64 firstNumber,, uint256 amount) = abi.decode(logs[i].data, (uint64, uint64, uint256));
                if (uint256(logs[i].topics[1]) == uint256(IRewardVault.Reserve.Protocol)) protocolReserve -= amount;
                else redundancyOf[_windowOf(firstNumber)] -= amount;
            }
        }
    }

    /// @dev The window of the update that proved a block, from what the holder kept of it.
    function _windowOf(uint64 number) private view returns (uint256) {
        for (uint256 i; i < opened.length; ++i) {
            IStateUpdate.Transition memory transition = abi.decode(opened[i], (IStateUpdate.Transition));
            if (transition.fromNumber + 1 == number) return transition.settledAt / WINDOW;
        }
        revert("no such transition");
    }

    /// @dev Some blocks collected nothing, some an odd amount, some more than the vault is likely to hold.
    function _feesOf(uint64 number) private pure returns (uint96) {
        uint256 random = uint256(keccak256(abi.encode("fees", number)));
        return number % 7 == 0 ? 0 : uint96(random >> (182 + number % 3 * 8));
    }
}
