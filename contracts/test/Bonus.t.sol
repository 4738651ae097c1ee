// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "../src/Parameters.sol";
import {Checkpoint} from "../src/Types.sol";
import {IProofVerifier} from "../src/interfaces/IProofVerifier.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";
import {IStateUpdate as I} from "../src/interfaces/IStateUpdate.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy} from "./Deploy.sol";
import {Settlement} from "./Settlement.sol";

/// @notice The age bonus of blocks that nobody proves in time (RW-6).
contract BonusTest is Settlement {
    uint64 private constant LAG = 30 minutes;
    uint64 private constant RAMP = 12 hours;
    uint256 private constant CAP = 0.12 ether;

    function setUp() public {
        vm.warp(START);
        deployTrusting(Defaults.parameters());
        _endow(100 ether);
    }

    function test_RW6_theRampIsBounded() public {
        Parameters memory parameters = Defaults.parameters();
        parameters.bonusRamp = 0;
        _refusedRamp(parameters);
        parameters.bonusRamp = 1 days - 30 minutes + 1;
        _refusedRamp(parameters);
        parameters.bonusRamp = type(uint32).max;
        _refusedRamp(parameters);
        // It may end with the proof deadline.
        parameters.bonusRamp = 1 days - 30 minutes;
        deployTrusting(parameters);
        vm.assertEq(state.bonusRamp(), 1 days - 30 minutes);
        vm.assertEq(state.targetLag(), LAG);
        vm.assertEq(state.bonusCap(), CAP);
    }

    function test_RW6_withinTheTargetLagThereIsNone() public {
        extend(4);
        vm.warp(START + LAG);
        _settle(0, 4);
        for (uint64 number = 1; number <= 4; ++number) {
            vm.assertEq(_bonus(number), 0);
        }
        vm.assertEq(vault.protocolReserve(), 100 ether + 4 * uint256(FEES) / 20);
    }

    /// @dev Linear from the second after the lag to the cap at its end.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_RW6_growsLinearly(uint32 age) public {
        _deployWhole();
        age = uint32(bound(age, 0, 1 days));
        extend(1);
        vm.warp(START + age);
        _settle(0, 1);
        uint256 late = age > LAG ? age - LAG : 0;
        vm.assertEq(_bonus(1), late < RAMP ? CAP * late / RAMP : CAP);
    }

    function test_RW6_growsFromTheFirstSecondToTheCap() public {
        uint64[6] memory late = [1, 2, RAMP / 2, RAMP - 1, RAMP, RAMP + 1];
        uint256[6] memory expected =
            [2_777_777_777_777, 5_555_555_555_555, 0.06 ether, uint256(119_997_222_222_222_222), CAP, CAP];
        for (uint256 i; i < 6; ++i) {
            vm.warp(START);
            _deployWhole();
            extend(1);
            vm.warp(START + LAG + late[i]);
            _settle(0, 1);
            vm.assertEq(_bonus(1), expected[i]);
        }
    }

    /// @dev Each block has the age of the first checkpoint at or behind which it lies.
    function test_RW6_eachBlockByItsOwnCheckpoint() public {
        extend(2);
        vm.warp(START + 1 hours);
        extend(4);
        vm.warp(START + 3 hours);
        extend(6);
        vm.warp(START + 3 hours + LAG);
        extend(7);
        vm.warp(START + 4 hours);
        _settle(0, 7);
        vm.assertEq(_bonus(1), CAP * (4 hours - LAG) / RAMP);
        vm.assertEq(_bonus(2), CAP * (4 hours - LAG) / RAMP);
        vm.assertEq(_bonus(3), CAP * (3 hours - LAG) / RAMP);
        vm.assertEq(_bonus(4), CAP * (3 hours - LAG) / RAMP);
        vm.assertEq(_bonus(5), CAP * (1 hours - LAG) / RAMP);
        vm.assertEq(_bonus(6), CAP * (1 hours - LAG) / RAMP);
        vm.assertEq(_bonus(7), 0);
    }

    /// @dev Neither checkpoints behind the tip nor more of them than needed make a block older or younger.
    function test_RW6_namingMoreCheckpointsChangesNothing() public {
        Checkpoint memory first = extend(2);
        vm.warp(START + 1 hours);
        Checkpoint memory second = extend(5);
        vm.warp(START + 2 hours);
        Checkpoint memory third = extend(7);
        _settle(0, 3);
        vm.warp(START + 4 hours);
        I.Update memory update = unproven(3, 5);
        update.checkpoints = new Checkpoint[](3);
        (update.checkpoints[0], update.checkpoints[1], update.checkpoints[2]) = (first, second, third);
        _own(update, 4);
        submit(update);
        vm.assertEq(_bonus(4), CAP * (3 hours - LAG) / RAMP);
        vm.assertEq(_bonus(5), CAP * (3 hours - LAG) / RAMP);
    }

    /// @dev The bonus is a part of the pot, and split like the rest of it.
    function test_RW6_isSplitLikeThePot() public {
        enroll(address(0xB0), 2);
        extend(1);
        vm.warp(START + LAG + RAMP / 2);
        I.Update memory update = unproven(0, 1);
        (,, address holder,) = state.turn();
        uint256 reserve = vault.protocolReserve();
        I.Transition memory transition = open(update, holder);
        uint256 pot = uint256(FEES) + CAP / 2;
        vm.assertEq(vault.creditOf(prover(1)), pot * 75 / 100);
        vm.assertEq(transition.shares[0], pot / 10);
        vm.assertEq(vault.redundancyReserve(), pot / 10);
        vm.assertEq(vault.creditOf(holder), pot / 10 + 0.5 ether);
        vm.assertEq(vault.protocolReserve(), reserve + pot / 20 - CAP / 2 - 0.5 ether);
    }

    /// @dev Oldest first, as far as the reserve goes: what this update adds to it is not paid out by it.
    function test_RW6_theReserveBoundsIt() public {
        deployTrusting(Defaults.parameters());
        _endow(0.3 ether);
        extend(4);
        vm.warp(START + LAG + RAMP);
        _settle(0, 4);
        vm.assertEq(_bonus(1), CAP);
        vm.assertEq(_bonus(2), CAP);
        vm.assertEq(_bonus(3), 0.06 ether);
        vm.assertEq(_bonus(4), 0);
        vm.assertEq(vault.protocolReserve(), (4 * uint256(FEES) + 0.3 ether) / 20);
    }

    function test_RW6_anEmptyReservePaysNone() public {
        deployTrusting(Defaults.parameters());
        extend(2);
        vm.warp(START + LAG + RAMP);
        _settle(0, 2);
        vm.assertEq(_bonus(1), 0);
        vm.assertEq(_bonus(2), 0);
    }

    /// @dev It repairs a price that was too low: a block without fees at all is paid for its age.
    function test_RW6_paysBlocksWithoutFees() public {
        extend(1);
        vm.warp(START + LAG + RAMP);
        I.Update memory update = unproven(0, 1);
        _own(update, 1);
        update.leaves[0].proverFees = 0;
        vm.expectEmit(true, true, true, true, address(vault));
        emit IRewardVault.Credited(1, address(0xE001), IRewardVault.Kind.Bonus, CAP * 75 / 100);
        submit(update);
    }

    function _endow(uint256 amount) private {
        vm.deal(address(this), amount);
        vault.endow{value: amount}();
    }

    /// @dev Each block has a prover of its own, so that its pot can be told from the others.
    function _own(I.Update memory update, uint64 first) private pure {
        for (uint160 i; i < update.leaves.length; ++i) {
            update.leaves[i].prover = address(0xE000 + first + i);
        }
    }

    function _settle(uint64 from, uint64 to) private {
        I.Update memory update = unproven(from, to);
        _own(update, from + 1);
        submit(update);
    }

    /// @dev The bonus in a block's pot, found in what its prover earned of it.
    function _bonus(uint64 number) private view returns (uint256) {
        IRewardVault.Shares memory shares = vault.shares();
        uint256 earned = vault.creditOf(address(uint160(0xE000 + number)));
        return earned * 10_000 / (shares.leaf + shares.merge) - FEES;
    }

    /// @dev All of a pot goes to its leaf, so that a bonus can be read to the wei.
    function _deployWhole() private {
        deployTrusting(Defaults.parameters(), IRewardVault.Shares(10_000, 0, 0, 0, 0));
        _endow(1 ether);
    }

    function _refusedRamp(Parameters memory parameters) private {
        vm.expectRevert(abi.encodeWithSelector(I.RW6_RampInvalid.selector, parameters.bonusRamp));
        Deploy.stateUpdate(registry, vault, provers, genesis, new IProofVerifier[](0), parameters);
    }
}
