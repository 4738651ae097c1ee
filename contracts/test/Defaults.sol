// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Designation, Parameters} from "../src/Parameters.sol";
import {IRewardVault} from "../src/interfaces/IRewardVault.sol";

/// @notice The protocol's default parameters, but for bounty and bonus, which are large enough here to be seen beside fees.
library Defaults {
    function parameters() internal pure returns (Parameters memory) {
        return Parameters({
            idleFallback: 5 hours,
            turnLength: 30 minutes,
            leaveDelay: 1 days,
            redundancyWindow: 1 hours,
            proofDeadline: 1 days,
            targetLag: 30 minutes,
            bonusRamp: 12 hours,
            signalEpoch: 1 hours,
            reputationHalfLife: 7 days,
            designation: Designation.Preferred,
            fallbackBounty: 0.5 ether,
            bonusCap: 0.12 ether,
            bond: 1 ether,
            minUpdates: 3,
            signalQuorum: 3333,
            signalCap: 2000,
            signalStep: 1_250_000,
            signalMax: 8_000_000,
            signalDecay: 900_000
        });
    }

    function shares() internal pure returns (IRewardVault.Shares memory) {
        return IRewardVault.Shares({leaf: 6000, merge: 1500, submission: 1000, redundancy: 1000, reserve: 500});
    }
}
