// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

/// @notice Who is served by a turn, and how (ST-6).
/// @dev `Preferred` is the protocol's rule. The others exist so that the three can be compared; `Exclusive` gives up
/// that a valid proof is never refused.
enum Designation {
    Open,
    Preferred,
    Exclusive
}

/// @notice The protocol's parameters, fixed at deployment. Durations are in seconds; a devnet divides them all by one
/// factor and changes nothing else. Each contract checks what it reads.
/// @param idleFallback Idle time after which turns begin (ST-5, ST-6).
/// @param turnLength Length of one turn (ST-6).
/// @param leaveDelay Time from leaving to the return of the bond; at least one turn.
/// @param designation Who a turn serves.
/// @param fallbackBounty What the protocol reserve pays, as far as it can, for an update that ends a fallback (ST-6).
/// @param bond What a prover deposits to take part in turns, in wei.
struct Parameters {
    uint32 idleFallback;
    uint32 turnLength;
    uint32 leaveDelay;
    Designation designation;
    uint80 fallbackBounty;
    uint96 bond;
}
