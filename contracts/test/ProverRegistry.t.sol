// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Parameters} from "../src/Parameters.sol";
import {IProverRegistry as I} from "../src/interfaces/IProverRegistry.sol";
import {Base} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy} from "./Deploy.sol";

/// @notice A prover whose receive hook refuses, or tries to be paid twice.
contract Contender {
    enum Mode {
        Accept,
        Refuse,
        Reenter
    }

    I private immutable registry;
    Mode private mode;
    bytes public reentryError;

    constructor(I registry_) payable {
        registry = registry_;
    }

    function register() external {
        registry.register{value: registry.bond()}();
    }

    function deregister() external {
        registry.deregister();
    }

    function set(Mode next) external {
        mode = next;
    }

    receive() external payable {
        if (mode == Mode.Refuse) revert("no");
        if (mode == Mode.Reenter) {
            (, reentryError) = address(registry).call(abi.encodeCall(I.withdraw, (address(this))));
        }
    }
}

contract ProverRegistryTest is Base {
    uint64 private constant START = 1_800_000_000;
    uint96 private constant BOND = 3 ether;

    I private registry;

    function setUp() public {
        vm.warp(START);
        registry = Deploy.proverRegistry(_parameters(BOND, 1 days));
    }

    function test_ST6_needsABond() public {
        vm.expectRevert(abi.encodeWithSelector(I.ST6_NoBond.selector));
        Deploy.proverRegistry(_parameters(0, 1 days));
    }

    function test_ST6_theBondStaysForATurn() public {
        vm.expectRevert(abi.encodeWithSelector(I.ST6_LeaveDelayBelowTurn.selector, 30 minutes - 1, 30 minutes));
        Deploy.proverRegistry(_parameters(BOND, 30 minutes - 1));
        Deploy.proverRegistry(_parameters(BOND, 30 minutes));
    }

    function test_ST6_registersAtTheEndOfTheOrder() public {
        _assertAt(0, 3, address(0), 0);
        for (uint160 i; i < 3; ++i) {
            vm.expectEmit(true, true, true, true, address(registry));
            emit I.ProverRegistered(address(0xA0 + i), i);
            _register(address(0xA0 + i));
        }
        vm.assertEq(registry.count(), 3);
        vm.assertEq(address(registry).balance, 3 * uint256(BOND));
        vm.assertTrue(registry.isRegistered(address(0xA1)));
        for (uint160 i; i < 7; ++i) {
            _assertAt(i, 3, address(0xA0 + i % 3), START);
            _assertAt(i, 2, address(0xA0 + i % 2), START);
            // None of them was there in time.
            _assertAt(i, 0, address(0), 0);
        }
    }

    function testFuzz_ST6_costsExactlyTheBond(uint96 given) public {
        vm.assume(given != BOND);
        vm.deal(address(0xA0), given);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_BondMismatch.selector, given, BOND));
        vm.prank(address(0xA0));
        registry.register{value: given}();
    }

    function test_ST6_registersOnce() public {
        _register(address(0xA0));
        vm.deal(address(0xA0), BOND);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_AlreadyRegistered.selector, address(0xA0)));
        vm.prank(address(0xA0));
        registry.register{value: BOND}();
    }

    function test_ST6_theLastTakesThePlaceOfOneThatLeaves() public {
        for (uint160 i; i < 4; ++i) {
            _register(address(0xA0 + i));
        }
        _leave(address(0xA1), START + 10, address(0xA3));
        vm.assertEq(registry.count(), 3);
        _assertAt(0, 3, address(0xA0), START);
        _assertAt(1, 3, address(0xA3), START + 10);
        vm.assertFalse(registry.isRegistered(address(0xA1)));
        _leave(address(0xA2), START + 20, address(0));
        // What a round of four had beyond the end goes round once more, from when there were so many.
        _assertAt(0, 4, address(0xA0), START);
        _assertAt(1, 4, address(0xA3), START + 10);
        _assertAt(2, 4, address(0xA0), START + 20);
        _assertAt(3, 4, address(0xA3), START + 20);
        // Who joins takes the first place that has become empty.
        vm.warp(START + 30);
        _register(address(0xA4));
        _assertAt(1, 4, address(0xA3), START + 10);
        _assertAt(2, 4, address(0xA4), START + 30);
        _assertAt(3, 4, address(0xA0), START + 30);
    }

    /// @dev Who took another's place in the same second as the number changed stands there since then, and no longer.
    function test_ST6_thePlaceOfTheLastIsNotTakenOver() public {
        for (uint160 i; i < 3; ++i) {
            _register(address(0xA0 + i));
        }
        _leave(address(0xA0), START + 10, address(0xA2));
        _assertAt(0, 3, address(0xA2), START + 10);
        _assertAt(2, 3, address(0xA2), START + 10);
        _leave(address(0xA2), START + 20, address(0xA1));
        _assertAt(0, 3, address(0xA1), START + 20);
        _leave(address(0xA1), START + 30, address(0));
        _assertAt(0, 3, address(0), 0);
    }

    function test_ST6_onlyTheRegisteredLeave() public {
        vm.expectRevert(abi.encodeWithSelector(I.ST6_NotRegistered.selector, address(this)));
        registry.deregister();
    }

    function test_ST6_theBondComesBackAfterTheDelay() public {
        address prover = address(0xA0);
        _register(prover);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_NothingToWithdraw.selector, prover));
        registry.withdraw(prover);
        vm.prank(prover);
        registry.deregister();
        uint64 unlock = uint64(block.timestamp + 1 days);
        vm.assertEq(registry.unlocksAt(prover), unlock);

        vm.warp(unlock - 1);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_BondLocked.selector, unlock));
        registry.withdraw(prover);
        vm.deal(prover, BOND);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_StillLeaving.selector, prover, unlock));
        vm.prank(prover);
        registry.register{value: BOND}();

        vm.warp(unlock);
        vm.expectEmit(true, true, true, true, address(registry));
        emit I.BondReturned(prover, BOND);
        registry.withdraw(prover);
        vm.assertEq(prover.balance, 2 * uint256(BOND));
        vm.assertEq(registry.unlocksAt(prover), 0);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_NothingToWithdraw.selector, prover));
        registry.withdraw(prover);
        _register(prover);
        vm.assertTrue(registry.isRegistered(prover));
    }

    function test_ST6_aRefusingProverHarmsOnlyItself() public {
        Contender contender = _leaver();
        contender.set(Contender.Mode.Refuse);
        vm.expectRevert(abi.encodeWithSelector(I.ST6_PaymentRefused.selector, address(contender)));
        registry.withdraw(address(contender));
        contender.set(Contender.Mode.Accept);
        registry.withdraw(address(contender));
        vm.assertEq(address(contender).balance, BOND);
    }

    function test_ST6_reenteringFindsNothing() public {
        _register(address(0xA0));
        Contender contender = _leaver();
        contender.set(Contender.Mode.Reenter);
        registry.withdraw(address(contender));
        vm.assertEq(
            contender.reentryError(), abi.encodeWithSelector(I.ST6_NothingToWithdraw.selector, address(contender))
        );
        vm.assertEq(address(registry).balance, BOND);
    }

    /// @dev Whatever the order of coming and going: each registered prover stands once in the order, and the bonds are there.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_ST6_theOrderHoldsEachProverOnce(uint8[24] memory moves) public {
        uint256 bonds;
        for (uint256 i; i < 24; ++i) {
            address prover = address(uint160(0xA0 + moves[i] % 6));
            if (registry.isRegistered(prover)) {
                vm.prank(prover);
                registry.deregister();
            } else if (registry.unlocksAt(prover) != 0) {
                vm.warp(registry.unlocksAt(prover));
                registry.withdraw(prover);
                --bonds;
            } else {
                _register(prover);
                ++bonds;
            }
            uint256 seen;
            for (uint160 j; j < 6; ++j) {
                if (!registry.isRegistered(address(0xA0 + j))) continue;
                uint256 times;
                for (uint256 k; k < registry.count(); ++k) {
                    (address there,) = registry.proverAt(k, registry.count());
                    if (there == address(0xA0 + j)) ++times;
                }
                vm.assertEq(times, 1);
                ++seen;
            }
            vm.assertEq(registry.count(), seen);
            vm.assertEq(address(registry).balance, bonds * BOND);
        }
    }

    function test_gas_registration() public {
        _register(address(0xA0));
        _register(address(0xA1));
        assertGasBelow("ProverRegistry", "register", 100_000);
        vm.prank(address(0xA0));
        registry.deregister();
        assertGasBelow("ProverRegistry", "deregister", 60_000);
    }

    function _leaver() private returns (Contender contender) {
        contender = new Contender(registry);
        vm.deal(address(contender), BOND);
        contender.register();
        contender.deregister();
        vm.warp(block.timestamp + 1 days);
    }

    function _leave(address prover, uint64 time, address moved) private {
        vm.warp(time);
        vm.expectEmit(true, true, true, true, address(registry));
        emit I.ProverLeft(prover, moved, time + 1 days);
        vm.prank(prover);
        registry.deregister();
    }

    function _assertAt(uint256 position, uint256 among, address prover, uint64 since) private view {
        (address there, uint40 standsSince) = registry.proverAt(position, among);
        vm.assertEq(there, prover);
        vm.assertEq(standsSince, since);
    }

    function _register(address prover) private {
        vm.deal(prover, prover.balance + BOND);
        vm.prank(prover);
        registry.register{value: BOND}();
    }

    function _parameters(uint96 bond, uint32 leaveDelay) private pure returns (Parameters memory parameters) {
        parameters = Defaults.parameters();
        parameters.bond = bond;
        parameters.leaveDelay = leaveDelay;
    }
}
