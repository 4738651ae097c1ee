// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {integerExponential} from "../src/Exponential.sol";

/// @notice Lets a test see the function revert, and a node's tests compare it with theirs on a chain.
contract Calculator {
    function calculate(uint256 factor, uint256 numerator, uint256 denominator) external pure returns (uint256) {
        return integerExponential(factor, numerator, denominator);
    }

    /// @notice Many at once: factor, numerator and denominator of each.
    function calculateAll(uint256[3][] calldata operands) external pure returns (uint256[] memory results) {
        results = new uint256[](operands.length);
        for (uint256 i; i < operands.length; ++i) {
            results[i] = integerExponential(operands[i][0], operands[i][1], operands[i][2]);
        }
    }
}
