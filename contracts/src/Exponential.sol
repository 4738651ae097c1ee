// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

/// @notice `factor` times e to the power of `numerator / denominator`, rounded down, by the integer Taylor series of
/// EIP-4844 (FM-2, FM-3). The same as `integerExponential` of the node, bit for bit.
/// @param factor What is multiplied.
/// @param numerator Numerator of the exponent.
/// @param denominator Denominator of the exponent; above zero.
/// @return The product.
/// @dev With factor below 2^64, denominator below 2^56 and an exponent of at most 45, nothing reaches 2^250.
function integerExponential(uint256 factor, uint256 numerator, uint256 denominator) pure returns (uint256) {
    uint256 sum;
    uint256 term = factor * denominator;
    for (uint256 i = 1; term != 0; ++i) {
        sum += term;
        term = term * numerator / (denominator * i);
    }
    return sum / denominator;
}
