// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Leaf} from "../Types.sol";

/// @notice Holds the rollup's collected prover fees and owes them to provers, submitters and two reserves (RW-1 to RW-7).
interface IRewardVault {
    /// @notice What a credit is for (RW-7).
    enum Kind {
        Leaf,
        Merge,
        Submission,
        Redundancy,
        Bonus,
        Bounty
    }

    /// @notice Money that is set aside and owed to nobody yet.
    enum Reserve {
        Redundancy,
        Protocol
    }

    /// @notice Shares of a block's pot in basis points (RW-2). They sum to 10,000.
    struct Shares {
        uint16 leaf;
        uint16 merge;
        uint16 submission;
        uint16 redundancy;
        uint16 reserve;
    }

    /// @notice Money came in for future pots.
    /// @param by Who paid it in.
    /// @param amount Wei.
    event Funded(address indexed by, uint256 amount);
    /// @notice An account earned a part of a block's pot (RW-7).
    /// @param number Number of the block.
    /// @param account Who earned it.
    /// @param kind What for.
    /// @param amount Wei.
    event Credited(uint64 indexed number, address indexed account, Kind kind, uint256 amount);
    /// @notice A reserve grew by the sum of its shares over the blocks of an update (RW-7).
    /// @param reserve Which one.
    /// @param firstNumber Number of the first block.
    /// @param lastNumber Number of the last block.
    /// @param amount Wei.
    event Reserved(Reserve indexed reserve, uint64 firstNumber, uint64 lastNumber, uint256 amount);
    /// @notice A reserve shrank; a credit of the same transaction or the other reserve received it (RW-7).
    /// @param reserve Which one.
    /// @param firstNumber Number of the first block that it was released for.
    /// @param lastNumber Number of the last block.
    /// @param amount Wei.
    event Released(Reserve indexed reserve, uint64 firstNumber, uint64 lastNumber, uint256 amount);
    /// @notice Redundancy shares that nobody earned in time moved to the protocol reserve (RW-4).
    /// @param amount Wei.
    event Lapsed(uint256 amount);
    /// @notice A turn passed without an update: its holder lost half of its reputation (ST-6).
    /// @param turn Index of the turn since the race ended, from zero.
    /// @param holder Whose turn it was.
    /// @param lost Prover gas that its reputation was reduced by.
    event TurnMissed(uint64 indexed turn, address indexed holder, uint256 lost);
    /// @notice The vault held less than a block collected (RW-1).
    /// @param number Number of the block.
    /// @param proverFees What the block collected, in wei.
    /// @param pot What it is paid instead, in wei.
    event PotShort(uint64 indexed number, uint256 proverFees, uint256 pot);
    /// @notice An account was paid all that it was owed.
    /// @param account Who was paid.
    /// @param amount Wei.
    event Claimed(address indexed account, uint256 amount);

    /// @notice The shares must sum to 10,000 basis points.
    error RW2_SharesDoNotSum(uint256 sum);
    /// @notice Redundant proofs need a time above zero in which they are paid.
    error RW4_NoWindow();
    /// @notice Only the state update contract that the vault was deployed for may credit.
    error RW5_OnlyStateUpdate(address caller);
    /// @notice The account is owed nothing. Read `creditOf` first.
    error RW5_NothingToClaim(address account);
    /// @notice The account refused its payment; its credit stays. Make the account able to receive ether, then claim again.
    error RW5_PaymentRefused(address account);
    /// @notice The vault takes no more than 2^80 wei (1.2 million ether) for pots and reserves at a time. Pay in less.
    error RW5_FundTooLarge(uint256 amount);

    /// @notice Pays in money for future pots. Anyone may; the rollup deposits the prover fees it collected.
    function fund() external payable;

    /// @notice Pays into the protocol reserve, which bonuses and bounties come from (RW-6, ST-6). Anyone may; a rollup that
    /// starts has no reserve of its own yet.
    function endow() external payable;

    /// @notice Splits the pots of freshly proven blocks into credits and reserves (RW-1, RW-2, RW-3, RW-6). Only by the
    /// state update.
    /// @param leaves The blocks, oldest first; each is paid once because the proven tip moves past it.
    /// @param mergers Who did the merging, one for each merge; none where the merge share goes to the leaves (RW-2).
    /// @param bonuses What the protocol reserve adds to each block's pot, as far as it can, in wei; empty for none (RW-6).
    /// @param firstNumber Number of the first block.
    /// @param submitter Who earns the submission share and the bounty; zero if nobody does, and the share goes to the
    /// protocol reserve (ST-6).
    /// @param bounty What the protocol reserve pays on top, at most, in wei; zero where nobody earns it (ST-6).
    /// @return redundancyShares What a redundant proof of each block earns, in wei (RW-4).
    function reward(
        Leaf[] calldata leaves,
        address[] calldata mergers,
        uint256[] calldata bonuses,
        uint64 firstNumber,
        address submitter,
        uint80 bounty
    ) external returns (uint256[] memory redundancyShares);

    /// @notice Credits the shares that a redundant proof earned (RW-4). Only by the state update.
    /// @param holder The turn-holder.
    /// @param firstNumber Number of the first block of the transition.
    /// @param earned Share of each block in wei; zero where the holder earns nothing.
    /// @param gas Prover gas of the blocks that it earns.
    /// @param settledAt L1 time of the update in seconds.
    /// @return sum All that was credited, in wei.
    function rewardRedundancy(
        address holder,
        uint64 firstNumber,
        uint256[] calldata earned,
        uint256 gas,
        uint64 settledAt
    ) external returns (uint256 sum);

    /// @notice Halves the reputation of those whose turns passed without an update (ST-6). Only by the state update.
    /// @param firstTurn Index of the first of these turns.
    /// @param holders Whose turns they were, one after the other; zero for nobody's.
    function forfeit(uint64 firstTurn, address[] calldata holders) external;

    /// @notice Moves redundancy shares that can no longer be earned to the protocol reserve (RW-4). Anyone may; rewards do it, too.
    function lapse() external;

    /// @notice Pays an account all that it is owed (RW-5). Anyone may trigger it, the money goes to the account itself:
    /// a prover's key can stay cold while another key pays the gas.
    /// @param account Who is paid.
    /// @return amount What it was paid, in wei.
    function claim(address account) external returns (uint256 amount);

    /// @notice What an account is owed.
    /// @param account Whose credit.
    /// @return Wei.
    function creditOf(address account) external view returns (uint256);

    /// @notice Money paid in and not yet part of any pot.
    /// @return Wei.
    function unallocated() external view returns (uint256);

    /// @notice Redundancy shares set aside for turn-holders (RW-4), with those that lapse at the next reward.
    /// @return Wei.
    function redundancyReserve() external view returns (uint256);

    /// @notice The protocol's reserve with all rounding dust.
    /// @return Wei.
    function protocolReserve() external view returns (uint256);

    /// @notice The shares that pots are split by (RW-2).
    /// @return In basis points.
    function shares() external view returns (Shares memory);

    /// @notice The only contract that may credit.
    /// @return Its address.
    function stateUpdate() external view returns (address);

    /// @notice Time from an update to the end of its redundancy turn (RW-4).
    /// @return Seconds.
    function redundancyWindow() external view returns (uint40);
}
