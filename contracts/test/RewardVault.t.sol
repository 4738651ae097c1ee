// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Leaf} from "../src/Types.sol";
import {IRewardVault as I} from "../src/interfaces/IRewardVault.sol";
import {Base, Vm} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy} from "./Deploy.sol";

/// @notice An account whose receive hook does what a test tells it to.
contract Receiver {
    enum Mode {
        Accept,
        Refuse,
        Reenter
    }

    Mode private mode;
    bytes public reentryError;

    function set(Mode next) external {
        mode = next;
    }

    receive() external payable {
        if (mode == Mode.Refuse) revert("no");
        if (mode == Mode.Reenter) {
            (, reentryError) = msg.sender.call(abi.encodeCall(I.claim, (address(this))));
        }
    }
}

/// @dev The test contract stands where the state update contract does.
contract RewardVaultTest is Base {
    uint256 private constant BASIS_POINTS = 10_000;
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    address private constant SUBMITTER = address(0x5b);

    I private vault;

    function setUp() public {
        vault = _deploy(address(this), I.Shares(6000, 1500, 1000, 1000, 500));
    }

    // RW-1

    function test_RW1_aPotIsTheBlocksProverFees() public {
        _fund(10 ether);
        _reward(_leaves(1 ether, 3 ether), 7, SUBMITTER);
        vm.assertEq(vault.unallocated(), 6 ether);
    }

    /// @dev Money runs out inside the second block: the first is paid in full, the second in part, the third not at all.
    function test_RW1_aShortfallIsPaidBlockByBlock() public {
        _fund(1.5 ether);
        Leaf[] memory leaves = new Leaf[](3);
        for (uint256 i; i < 3; ++i) {
            leaves[i] = Leaf(0, address(uint160(0xA0 + i)), 1 ether, 1);
        }
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.PotShort(8, 1 ether, 0.5 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.PotShort(9, 1 ether, 0);
        _reward(leaves, 7, SUBMITTER);
        vm.assertEq(vault.creditOf(address(0xA0)), 0.75 ether);
        vm.assertEq(vault.creditOf(address(0xA1)), 0.375 ether);
        vm.assertEq(vault.creditOf(address(0xA2)), 0);
        vm.assertEq(vault.unallocated(), 0);
    }

    function test_RW1_anEmptyVaultStopsNothing() public {
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.PotShort(7, 1 ether, 0);
        _reward(_leaves(1 ether, 0), 7, SUBMITTER);
        vm.assertEq(vault.creditOf(ALICE), 0);
    }

    // RW-2

    function testFuzz_RW2_sharesMustSumToAll(uint16 a, uint16 b, uint16 c, uint16 d, uint16 e) public {
        uint256 sum = uint256(a) + b + c + d + e;
        if (sum != BASIS_POINTS) vm.expectRevert(abi.encodeWithSelector(I.RW2_SharesDoNotSum.selector, sum));
        _deploy(ALICE, I.Shares(a, b, c, d, e));
    }

    /// @dev Any split, any fees: each part is its share rounded down, the reserve takes the rest.
    function testFuzz_RW2_splitsEveryPot(uint16[4] memory cuts, uint80 fees) public {
        uint16[5] memory parts = _partition(cuts);
        vault = _deploy(address(this), I.Shares(parts[0], parts[1], parts[2], parts[3], parts[4]));
        vm.assertEq(abi.encode(vault.shares()), abi.encode(parts));
        _fund(fees);
        _reward(_leaves(fees, 0), 1, SUBMITTER);
        uint256 leaf = uint256(fees) * (uint256(parts[0]) + parts[1]) / BASIS_POINTS;
        uint256 submission = uint256(fees) * parts[2] / BASIS_POINTS;
        uint256 redundancy = uint256(fees) * parts[3] / BASIS_POINTS;
        vm.assertEq(vault.creditOf(ALICE), leaf);
        vm.assertEq(vault.creditOf(SUBMITTER), submission);
        vm.assertEq(vault.redundancyReserve(), redundancy);
        vm.assertEq(vault.protocolReserve(), fees - leaf - submission - redundancy);
        vm.assertEq(vault.unallocated(), 0);
    }

    function test_RW2_theMergeShareGoesToTheLeaf() public {
        _fund(1 ether);
        _reward(_leaves(1 ether, 0), 1, SUBMITTER);
        vm.assertEq(vault.creditOf(ALICE), 0.75 ether);
    }

    function test_RW2_dustGoesToTheReserve() public {
        _fund(19);
        _reward(_leaves(19, 0), 1, SUBMITTER);
        vm.assertEq(vault.creditOf(ALICE), 14);
        vm.assertEq(vault.creditOf(SUBMITTER), 1);
        vm.assertEq(vault.redundancyReserve(), 1);
        vm.assertEq(vault.protocolReserve(), 3);
    }

    // RW-3

    function test_RW3_paysLeafProversAndTheSubmitter() public {
        _fund(4 ether);
        _reward(_leaves(1 ether, 3 ether), 7, BOB);
        vm.assertEq(vault.creditOf(ALICE), 0.75 ether);
        vm.assertEq(vault.creditOf(BOB), 2.25 ether + 0.4 ether);
    }

    // RW-5

    function testFuzz_RW5_onlyTheStateUpdateCredits(address caller) public {
        vm.assume(caller != address(this));
        vm.expectRevert(abi.encodeWithSelector(I.RW5_OnlyStateUpdate.selector, caller));
        vm.prank(caller);
        _reward(_leaves(1, 1), 1, caller);
    }

    function test_RW5_anyoneMayTriggerAClaimForItsOwner() public {
        _fund(1 ether);
        _reward(_leaves(1 ether, 0), 1, SUBMITTER);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Claimed(ALICE, 0.75 ether);
        vm.prank(BOB);
        vm.assertEq(vault.claim(ALICE), 0.75 ether);
        vm.assertEq(ALICE.balance, 0.75 ether);
        vm.assertEq(BOB.balance, 0);
        vm.assertEq(vault.creditOf(ALICE), 0);
        vm.assertEq(address(vault).balance, 0.25 ether);
    }

    function test_RW5_refusesAnEmptyClaim() public {
        vm.expectRevert(abi.encodeWithSelector(I.RW5_NothingToClaim.selector, ALICE));
        vault.claim(ALICE);
    }

    function test_RW5_aRefusingReceiverHarmsOnlyItself() public {
        Receiver receiver = new Receiver();
        receiver.set(Receiver.Mode.Refuse);
        _fund(2 ether);
        Leaf[] memory leaves = _leaves(1 ether, 1 ether);
        leaves[0].prover = address(receiver);
        _reward(leaves, 1, SUBMITTER);
        vm.expectRevert(abi.encodeWithSelector(I.RW5_PaymentRefused.selector, address(receiver)));
        vault.claim(address(receiver));
        vm.assertEq(vault.claim(BOB), 0.75 ether);
        receiver.set(Receiver.Mode.Accept);
        vm.assertEq(vault.claim(address(receiver)), 0.75 ether);
    }

    function test_RW5_reenteringFindsNothing() public {
        Receiver receiver = new Receiver();
        receiver.set(Receiver.Mode.Reenter);
        _fund(2 ether);
        Leaf[] memory leaves = _leaves(1 ether, 1 ether);
        leaves[0].prover = address(receiver);
        _reward(leaves, 1, SUBMITTER);
        vault.claim(address(receiver));
        vm.assertEq(receiver.reentryError(), abi.encodeWithSelector(I.RW5_NothingToClaim.selector, address(receiver)));
        vm.assertEq(address(receiver).balance, 0.75 ether);
        vm.assertEq(address(vault).balance, 1.25 ether);
    }

    function test_RW5_fundsAddUpAndHaveABound() public {
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Funded(address(this), 5);
        _fund(5);
        vm.assertEq(vault.unallocated(), 5);
        uint256 tooMuch = uint256(type(uint80).max) - 4;
        vm.deal(address(this), tooMuch);
        vm.expectRevert(abi.encodeWithSelector(I.RW5_FundTooLarge.selector, tooMuch));
        vault.fund{value: tooMuch}();
        vault.fund{value: tooMuch - 1}();
        vm.assertEq(vault.unallocated(), type(uint80).max);
    }

    /// @dev What was paid in before counts, wherever it is now, until it is credited.
    function testFuzz_RW5_theBoundCountsReserves(uint80 first, uint96 fees, uint256 second) public {
        _fund(first);
        _reward(_leaves(fees, 0), 1, SUBMITTER);
        uint256 room = type(uint80).max - vault.unallocated() - vault.redundancyReserve() - vault.protocolReserve();
        second = bound(second, 0, type(uint96).max);
        vm.deal(address(this), second);
        if (second > room) vm.expectRevert(abi.encodeWithSelector(I.RW5_FundTooLarge.selector, second));
        vault.fund{value: second}();
        // All of it may go to the protocol's reserve.
        if (second <= room) _reward(_leaves(type(uint96).max, 0), 3, SUBMITTER);
    }

    function test_RW5_refusesEtherOutsideFund() public {
        vm.deal(address(this), 1 ether);
        (bool sent,) = address(vault).call{value: 1 ether}("");
        vm.assertFalse(sent);
    }

    function test_RW5_forcedEtherIsNotCounted() public {
        vm.deal(address(vault), 3 ether);
        _reward(_leaves(1 ether, 0), 1, SUBMITTER);
        vm.assertEq(vault.unallocated(), 0);
        vm.assertEq(vault.creditOf(ALICE), 0);
    }

    // RW-7

    /// @dev What an auditor does: every balance of the vault, from its events alone.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_RW7_eventsRebuildEveryBalance(uint96[4] memory fees, uint80 funds, bool claim) public {
        vm.recordLogs();
        _fund(funds);
        Leaf[] memory leaves = new Leaf[](2);
        for (uint64 i; i < 2; ++i) {
            leaves[0] = Leaf(0, ALICE, fees[2 * i], 1);
            leaves[1] = Leaf(0, BOB, fees[2 * i + 1], 1);
            _reward(leaves, 1 + 2 * i, i == 0 ? BOB : SUBMITTER);
        }
        if (claim && vault.creditOf(BOB) != 0) vault.claim(BOB);

        uint256[3] memory credits;
        uint256[2] memory reserves;
        uint256 funded;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            bytes32 topic = logs[i].topics[0];
            if (topic == I.Funded.selector) funded += abi.decode(logs[i].data, (uint256));
            if (topic == I.Credited.selector) {
                (, uint256 amount) = abi.decode(logs[i].data, (I.Kind, uint256));
                credits[_index(logs[i].topics[2])] += amount;
            }
            if (topic == I.Reserved.selector) {
                (,, uint256 amount) = abi.decode(logs[i].data, (uint64, uint64, uint256));
                reserves[uint256(logs[i].topics[1])] += amount;
            }
            if (topic == I.Claimed.selector) credits[_index(logs[i].topics[1])] -= abi.decode(logs[i].data, (uint256));
        }
        vm.assertEq(vault.creditOf(ALICE), credits[0]);
        vm.assertEq(vault.creditOf(BOB), credits[1]);
        vm.assertEq(vault.creditOf(SUBMITTER), credits[2]);
        vm.assertEq(vault.redundancyReserve(), reserves[0]);
        vm.assertEq(vault.protocolReserve(), reserves[1]);
        uint256 claimed = BOB.balance;
        vm.assertEq(
            vault.unallocated(), funded - credits[0] - credits[1] - credits[2] - reserves[0] - reserves[1] - claimed
        );
    }

    function test_RW7_namesBlockAccountKindAndAmount() public {
        _fund(4 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(7, ALICE, I.Kind.Leaf, 0.75 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(7, SUBMITTER, I.Kind.Submission, 0.1 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(8, BOB, I.Kind.Leaf, 2.25 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Credited(8, SUBMITTER, I.Kind.Submission, 0.3 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Reserved(I.Reserve.Redundancy, 7, 8, 0.4 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit I.Reserved(I.Reserve.Protocol, 7, 8, 0.2 ether);
        _reward(_leaves(1 ether, 3 ether), 7, SUBMITTER);
    }

    function test_gas_claim() public {
        _fund(4 ether);
        _reward(_leaves(1 ether, 3 ether), 7, SUBMITTER);
        vault.claim(ALICE);
        assertGasBelow("RewardVault", "claim", 70_000);
    }

    function _deploy(address stateUpdate, I.Shares memory shares) private returns (I) {
        return Deploy.rewardVault(stateUpdate, shares, Defaults.parameters());
    }

    function _reward(Leaf[] memory leaves, uint64 firstNumber, address submitter) private {
        vault.reward(leaves, new address[](0), new uint256[](0), firstNumber, submitter, 0);
    }

    function _fund(uint256 amount) private {
        vm.deal(address(this), amount);
        vault.fund{value: amount}();
    }

    function _leaves(uint96 first, uint96 second) private pure returns (Leaf[] memory leaves) {
        leaves = new Leaf[](2);
        leaves[0] = Leaf(bytes32(uint256(1)), ALICE, first, 16_000);
        leaves[1] = Leaf(bytes32(uint256(2)), BOB, second, 16_000);
    }

    /// @dev Any four numbers into five parts of 10,000.
    function _partition(uint16[4] memory cuts) private pure returns (uint16[5] memory parts) {
        uint256 left = BASIS_POINTS;
        for (uint256 i; i < 4; ++i) {
            parts[i] = uint16(bound(cuts[i], 0, left));
            left -= parts[i];
        }
        parts[4] = uint16(left);
    }

    function _index(bytes32 account) private pure returns (uint256) {
        address who = address(uint160(uint256(account)));
        return who == ALICE ? 0 : who == BOB ? 1 : 2;
    }
}
