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
/// @param redundancyWindow Time after an update in which its turn-holder may bring a redundant proof (RW-4).
/// @param proofDeadline Age from which the oldest unproven checkpoint can be reverted (CP-4).
/// @param targetLag Age up to which a checkpointed block earns no bonus (RW-6).
/// @param bonusRamp Time beyond the target lag after which the bonus is full (RW-6).
/// @param signalEpoch Length of an epoch of the fee signal (FM-3).
/// @param reputationHalfLife Time in which a prover's reputation halves (FM-3).
/// @param designation Who a turn serves.
/// @param fallbackBounty What the protocol reserve pays, as far as it can, for an update that ends a fallback (ST-6).
/// @param bonusCap The full bonus of one block, in wei (RW-6).
/// @param bond What a prover deposits to take part in turns, in wei.
/// @param minUpdates Updates with a prover's work from which on it may flag (FM-3).
/// @param signalQuorum Flagged weight at which the multiplier rises, in basis points of the total reputation (FM-3).
/// @param signalCap The most that one prover's flag weighs, in basis points of the total reputation (FM-3).
/// @param signalStep Factor by which the multiplier rises at a quorum, in millionths (FM-3).
/// @param signalMax The highest multiplier, in millionths (FM-3).
/// @param signalDecay Factor by which the multiplier falls in an epoch without a quorum, in millionths (FM-3).
// The order groups what belongs together; the struct is only ever in memory and calldata, where packing saves nothing.
// solhint-disable-next-line gas-struct-packing
struct Parameters {
    uint32 idleFallback;
    uint32 turnLength;
    uint32 leaveDelay;
    uint32 redundancyWindow;
    uint32 proofDeadline;
    uint32 targetLag;
    uint32 bonusRamp;
    uint32 signalEpoch;
    uint32 reputationHalfLife;
    Designation designation;
    uint80 fallbackBounty;
    uint80 bonusCap;
    uint96 bond;
    uint32 minUpdates;
    uint16 signalQuorum;
    uint16 signalCap;
    uint32 signalStep;
    uint32 signalMax;
    uint32 signalDecay;
}
