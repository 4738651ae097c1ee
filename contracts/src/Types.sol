// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

/// @notice A block's hash and state commitment as consensus hands them to L1, chained to the checkpoint before (CP-1).
/// @dev It travels in calldata and events; storage keeps one word per checkpoint, under `checkpointId`.
/// @param parentId Id of the checkpoint before; zero for the genesis checkpoint alone.
/// @param number Number of the checkpointed L2 block.
/// @param blockHash Hash of that block (Poseidon2, below the BN254 scalar field's order).
/// @param stateRoot Root of the L2 state after that block. Vouched for by the certificate; `blockHash` commits to it too.
struct Checkpoint {
    bytes32 parentId;
    uint64 number;
    bytes32 blockHash;
    bytes32 stateRoot;
}

/// @notice One proven block, with all that L1 needs in order to pay for it.
/// @dev Exactly the public inputs of the block circuit, but for the parent hash, which is the leaf before.
/// @param blockHash Hash of the block.
/// @param prover L1 address that the block proof is bound to; it earns the leaf share (RW-3).
/// @param proverFees Prover fees that the block's header collected, in wei (RW-1).
/// @param proverGas Prover gas that the block used: the unit of a prover's reputation (FM-3).
struct Leaf {
    bytes32 blockHash;
    address prover;
    uint96 proverFees;
    uint64 proverGas;
}

/// @notice Key of a checkpoint in the registry, and what validators sign, domain-separated (CP-2).
/// @param checkpoint The checkpoint's preimage.
/// @return Hash over its four fields.
function checkpointId(Checkpoint memory checkpoint) pure returns (bytes32) {
    return keccak256(abi.encode(checkpoint));
}
