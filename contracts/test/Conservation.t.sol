// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Checkpoint, Leaf} from "../src/Types.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IStateUpdate} from "../src/interfaces/IStateUpdate.sol";
import {Base} from "./Base.sol";
import {World} from "./World.sol";

/// @notice Accepts every proof: histories of money need many updates, and no pairing.
contract Believer is IProofVerifier {
    function verify(bytes32, Leaf[] calldata, bytes32[] calldata, bytes calldata) external pure returns (bool) {
        return true;
    }
}

/// @notice Drives all contracts through random histories and keeps its own books.
contract Handler is World {
    uint64 private constant STEP = 5;

    uint256 public funded;
    uint256 public claimed;
    /// @notice What the vault must have paid out of `funded` so far, block by block.
    uint256 public pots;
    uint64 public tipNumber;
    uint256 public moves;
    uint256 public bonds;
    uint64 private clock = 1_800_000_000;
    Checkpoint[] private chain;
    uint64[] private boundaries;
    address[5] private accounts = [address(0xA0), address(0xA1), address(0xA2), address(0xA3), SUBMITTER];

    constructor() {
        vm.warp(clock);
        deployWith(new Believer());
        chain.push(genesis);
        boundaries.push(0);
    }

    function fund(uint72 amount) external {
        vm.deal(address(this), amount);
        vault.fund{value: amount}();
        funded += amount;
    }

    function register(uint8 blocks) external {
        chain.push(checkpoint(head.number + uint64(bound(blocks, 1, STEP))));
    }

    /// @dev From any boundary to any block that a checkpoint continues: behind, overlapping or new.
    function update(uint256 start, uint256 length, uint256 submitter) external {
        uint64 from = boundaries[start % boundaries.length];
        if (from == head.number) return;
        uint64 to = from + uint64(bound(length, 1, head.number - from));
        IStateUpdate.Update memory next;
        next.system = 1;
        next.from = blockHash(from);
        next.leaves = leavesOf(from + 1, to);
        for (uint64 i; i < next.leaves.length; ++i) {
            next.leaves[i].prover = accounts[(from + 1 + i) % 4];
            next.leaves[i].proverFees = feesOf(from + 1 + i);
        }
        next.checkpoints = _passed(to);
        vm.prank(accounts[submitter % 5]);
        state.submit(next);
        if (to <= tipNumber) return;
        uint256 available = funded - pots;
        for (uint64 number = tipNumber + 1; number <= to; ++number) {
            uint256 pot = feesOf(number);
            if (pot > available) pot = available;
            available -= pot;
            pots += pot;
        }
        tipNumber = to;
        boundaries.push(to);
        ++moves;
    }

    /// @dev ST-4 to ST-6: time passes, over every boundary of race and turns.
    function wait(uint16 time) external {
        vm.warp(clock += time);
    }

    /// @dev ST-6: provers come, go and take their bonds back.
    function enroll(uint256 who) external {
        address account = accounts[who % 4];
        uint64 unlock = provers.unlocksAt(account);
        if (provers.isRegistered(account)) {
            vm.prank(account);
            provers.deregister();
        } else if (unlock == 0) {
            vm.deal(account, account.balance + 1 ether);
            vm.prank(account);
            provers.register{value: 1 ether}();
            ++bonds;
        } else if (unlock <= clock) {
            provers.withdraw(account);
            --bonds;
        }
    }

    function bondsHeld() external view returns (uint256) {
        return address(provers).balance;
    }

    function claim(uint256 who) external {
        address account = accounts[who % 5];
        if (vault.creditOf(account) == 0) return;
        claimed += vault.claim(account);
    }

    function books()
        external
        view
        returns (uint256 credits, uint256 reserves, uint256 unallocated, uint256 balance, uint64 tip)
    {
        for (uint256 i; i < 5; ++i) {
            credits += vault.creditOf(accounts[i]);
        }
        reserves = vault.redundancyReserve() + vault.protocolReserve();
        unallocated = vault.unallocated();
        balance = address(vault).balance;
        (, tip) = state.tip();
    }

    /// @dev Some blocks collected nothing, some an odd amount, some more than the vault is likely to hold.
    function feesOf(uint64 number) private pure returns (uint96) {
        uint256 random = uint256(keccak256(abi.encode("fees", number)));
        return number % 7 == 0 ? 0 : uint96(random >> (182 + number % 3 * 8));
    }

    function _passed(uint64 to) private view returns (Checkpoint[] memory passed) {
        uint256 first = 1;
        while (chain[first].number <= tipNumber && first + 1 < chain.length) ++first;
        uint256 last = first;
        while (chain[last].number < to) ++last;
        passed = new Checkpoint[](last - first + 1);
        for (uint256 i; i < passed.length; ++i) {
            passed[i] = chain[first + i];
        }
    }
}

/// forge-config: default.invariant.runs = 32
contract ConservationTest is Base {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev RW-5: credited + reserves = pots, and what was claimed was credited before.
    function invariant_RW5_potsBecomeCreditsAndReserves() public view {
        (uint256 credits, uint256 reserves,,,) = handler.books();
        vm.assertEq(credits + handler.claimed() + reserves, handler.pots());
    }

    /// @dev RW-5: the vault holds all that it owes, to the wei.
    function invariant_RW5_theVaultCanPay() public view {
        (uint256 credits, uint256 reserves, uint256 unallocated, uint256 balance,) = handler.books();
        vm.assertEq(credits + reserves + unallocated, balance);
        vm.assertEq(balance, handler.funded() - handler.claimed());
    }

    /// @dev ST-6: every bond that was not returned is there.
    function invariant_ST6_bondsAreThere() public view {
        vm.assertEq(handler.bondsHeld(), handler.bonds() * 1 ether);
    }

    /// @dev RW-3 and ST-1: a block is paid once, whatever overlaps; the tip never moves back.
    function invariant_RW3_everyBlockIsPaidOnce() public view {
        (,, uint256 unallocated,, uint64 tip) = handler.books();
        vm.assertEq(tip, handler.tipNumber());
        vm.assertEq(unallocated, handler.funded() - handler.pots());
    }

    /// @dev A handler that never moved anything would prove nothing: this history pays, overlaps, falls short and claims.
    function test_RW5_theHandlerMakesHistory() public {
        handler.fund(1e18);
        handler.register(3);
        handler.update(0, 2, 1);
        handler.update(0, 3, 2);
        handler.register(5);
        handler.update(2, 5, 4);
        handler.update(0, 1, 0);
        handler.claim(1);
        handler.enroll(1);
        handler.register(2);
        handler.wait(20_000);
        // In its only prover's turn: the bounty empties the protocol reserve, but no wei is lost.
        handler.update(3, 2, 1);
        vm.assertEq(handler.moves(), 4);
        vm.assertEq(handler.tipNumber(), 10);
        handler.enroll(1);
        invariant_ST6_bondsAreThere();
        vm.assertTrue(handler.claimed() > 0);
        vm.assertTrue(handler.pots() == handler.funded());
        invariant_RW5_potsBecomeCreditsAndReserves();
        invariant_RW5_theVaultCanPay();
        invariant_RW3_everyBlockIsPaidOnce();
    }
}
