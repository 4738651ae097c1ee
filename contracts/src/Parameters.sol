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
/// @param redundancyWindow Time after an update within which its turn-holder may bring a redundant proof (RW-4).
/// @param proofDeadline Age from which an unproven checkpoint may be reverted (CP-4); beyond the first turn's end.
/// @param targetLag Age up to which a checkpointed block earns no bonus (RW-6).
/// @param bonusRamp Time beyond `targetLag` in which the bonus grows to its cap; it ends before the proof deadline.
/// @param signalEpoch Length of an epoch of the fee signal (FM-3).
/// @param reputationHalfLife Time in which a prover's reputation halves (FM-3).
/// @param designation Who a turn serves.
/// @param fallbackBounty What the protocol reserve pays, as far as it can, for an update that ends a fallback (ST-6).
/// @param bonusCap The largest age bonus of one block, in wei (RW-6).
/// @param bond What a prover deposits to take part in turns, in wei.
/// @param minUpdates Updates with work of its own after which a prover may flag (FM-3).
/// @param signalQuorum Share of all reputation that raises the multiplier, in basis points (FM-3).
/// @param signalCap Share of all reputation that one prover's flag weighs at most, in basis points (FM-3).
/// @param signalStep Factor of a raise, in millionths (FM-3).
/// @param signalMax The highest multiplier, in millionths (FM-3).
/// @param signalDecay Factor of an epoch without quorum, in millionths (FM-3).
// It lives in calldata and memory alone, so that its order is by meaning and not by size.
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
