// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

/// @notice The cheatcodes that these tests use.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function assertEq(uint256, uint256) external pure;
    function assertEq(bytes32, bytes32) external pure;
    function assertEq(address, address) external pure;
    function assertEq(bytes calldata, bytes calldata) external pure;
    function assertTrue(bool) external pure;
    function assertFalse(bool) external pure;
    function assertLt(uint256, uint256, string calldata) external pure;
    function assume(bool) external pure;
    function chainId(uint256) external;
    function computeCreateAddress(address, uint256) external pure returns (address);
    function deal(address, uint256) external;
    function expectEmit(bool, bool, bool, bool, address) external;
    function expectRevert(bytes calldata) external;
    function getCode(string calldata) external view returns (bytes memory);
    function getNonce(address) external view returns (uint64);
    function getRecordedLogs() external returns (Log[] memory);
    function prank(address) external;
    function recordLogs() external;
    function snapshotGasLastCall(string calldata, string calldata) external returns (uint256);
    function warp(uint256) external;
}

/// @dev Where forge answers them.
Vm constant CHEATCODES = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

/// @notice What a forge test needs, without a dependency.
abstract contract Base {
    bool public constant IS_TEST = true;
    Vm internal constant vm = CHEATCODES;

    /// @notice Maps any number into [low, high], small ones and the ends unchanged.
    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        if (value >= low && value <= high) return value;
        uint256 size = high - low + 1;
        return size == 0 ? value : low + value % size;
    }

    /// @notice Records the whole transaction's gas in a snapshot and holds it below a bar.
    function assertGasBelow(string memory group, string memory name, uint256 bar) internal {
        uint256 used = vm.snapshotGasLastCall(group, name);
        vm.assertLt(used, bar, name);
    }
}
