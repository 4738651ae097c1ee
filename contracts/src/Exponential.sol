// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

/// @title The exponential of prices and decay (FM-2, FM-3)
/// @notice The integer Taylor series of EIP-4844 (`fake_exponential`), bit for bit what a node computes off-chain.
library Exponential {
    /// @notice `factor * e^(numerator / denominator)`, rounded down, and never above the exact value.
    /// @dev A factor below 2^64, a denominator below 2^56 and an exponent of at most 45 keep every step below 2^250.
    /// Beyond what 256 bits hold it reverts: it never answers a wrong number. A denominator of zero reverts.
    /// @param factor What is multiplied.
    /// @param numerator The exponent's numerator.
    /// @param denominator The exponent's denominator; not zero.
    /// @return The product.
    function integerExponential(uint256 factor, uint256 numerator, uint256 denominator)
        internal
        pure
        returns (uint256)
    {
        uint256 sum;
        uint256 term = factor * denominator;
        for (uint256 i = 1; term != 0; ++i) {
            sum += term;
            term = term * numerator / (denominator * i);
        }
        return sum / denominator;
    }
}
