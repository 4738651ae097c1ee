// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {integerExponential} from "../src/Exponential.sol";
import {Base} from "./Base.sol";
import {Calculator} from "./Calculator.sol";

/// @dev Equality with TypeScript is checked against the deployed function, in `test/l1/Exponential.test.ts`.
contract ExponentialTest is Base {
    uint256 private constant MOST = 45;
    uint256 private constant DENOMINATORS = 2 ** 56 - 1;

    Calculator private calculator = new Calculator();

    function test_FM2_agreesWithClientsOfL1() public pure {
        vm.assertEq(integerExponential(1, 0, 1), 1);
        vm.assertEq(integerExponential(38_493, 0, 1000), 38_493);
        vm.assertEq(integerExponential(0, 1234, 2345), 0);
        vm.assertEq(integerExponential(1, 2, 1), 6);
        vm.assertEq(integerExponential(1, 4, 2), 6);
        vm.assertEq(integerExponential(10, 8, 2), 542);
        vm.assertEq(integerExponential(11, 8, 2), 596);
        vm.assertEq(integerExponential(2, 5, 2), 23);
        vm.assertEq(integerExponential(1, 50_000_000, 2_225_652), 5_709_098_764);
    }

    function testFuzz_FM2_anExponentOfZeroChangesNothing(uint64 factor, uint256 denominator) public pure {
        denominator = bound(denominator, 1, DENOMINATORS);
        vm.assertEq(integerExponential(factor, 0, denominator), factor);
    }

    function testFuzz_FM2_isMonotone(uint64 factor, uint64 other, uint256 denominator, uint256 x, uint256 y)
        public
        pure
    {
        denominator = bound(denominator, 1, DENOMINATORS);
        x = bound(x, 0, MOST * denominator);
        y = bound(y, 0, MOST * denominator);
        if (x > y) (x, y) = (y, x);
        if (factor > other) (factor, other) = (other, factor);
        uint256 low = integerExponential(factor, x, denominator);
        vm.assertTrue(low <= integerExponential(factor, y, denominator));
        vm.assertTrue(low <= integerExponential(other, x, denominator));
    }

    function test_FM2_fitsAtTheLargestOperands() public pure {
        uint256 top = integerExponential(type(uint64).max, MOST * DENOMINATORS, DENOMINATORS);
        // 2^64 * e^45 lies between 2^128 and 2^129.
        vm.assertTrue(top >> 128 == 1);
    }

    function test_FM2_revertsRatherThanAnswerWrongly() public {
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        calculator.calculate(type(uint256).max, 1, 2);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        calculator.calculate(1, 200, 1);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x12));
        calculator.calculate(1, 1, 0);
    }
}
