// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Checkpoint, checkpointId} from "../src/Types.sol";
import {ICheckpointRegistry as I} from "../src/interfaces/ICheckpointRegistry.sol";
import {IProverRegistry} from "../src/interfaces/IProverRegistry.sol";
import {Base} from "./Base.sol";
import {Defaults} from "./Defaults.sol";
import {Deploy} from "./Deploy.sol";
import {Signers} from "./Signers.sol";

contract CheckpointRegistryTest is Base {
    uint256 private constant FIRST = 100;
    uint256 private constant SECOND = 200;

    Checkpoint private genesis;
    IProverRegistry private provers;
    I private registry;
    bytes private keys;
    bytes private possessions;

    function setUp() public {
        genesis = Checkpoint({parentId: 0, number: 0, blockHash: bytes32(uint256(1)), stateRoot: bytes32(uint256(2))});
        (keys, possessions) = Signers.set(FIRST, 4);
        provers = Deploy.proverRegistry(Defaults.parameters());
        registry = _deploy(keys, possessions);
    }

    // CP-1

    function test_CP1_startsAtGenesis() public view {
        bytes32 id = checkpointId(genesis);
        vm.assertEq(registry.headId(), id);
        vm.assertEq(registry.genesisId(), id);
        (uint64 number, uint64 registeredAt,,,,) = registry.record(id);
        vm.assertEq(number, 0);
        vm.assertEq(registeredAt, block.timestamp);
    }

    function test_CP1_refusesAGenesisWithAParent() public {
        genesis.parentId = bytes32(uint256(3));
        vm.expectRevert(abi.encodeWithSelector(I.CP1_ParentIsNotHead.selector, genesis.parentId, bytes32(0)));
        _deploy(keys, possessions);
    }

    function test_CP1_appendsToTheHead() public {
        Checkpoint memory first = _next(4);
        bytes32 id = checkpointId(first);
        bytes memory signature = Signers.certify(FIRST, 7, registry.checkpointDigest(id));
        vm.warp(1_800_000_000);
        vm.expectEmit(true, true, true, true, address(registry));
        emit I.CheckpointRegistered(id, first.parentId, 4, first.blockHash, first.stateRoot, 7, signature);
        vm.assertEq(registry.register(first, 7, signature), id);
        vm.assertEq(registry.headId(), id);
        (uint64 number, uint64 registeredAt,,,,) = registry.record(id);
        vm.assertEq(number, 4);
        vm.assertEq(registeredAt, 1_800_000_000);
    }

    /// @dev What the idle clock and turns follow from (ST-4, ST-6, RW-4): when a checkpoint was continued, and among how many.
    function test_ST4_keepsWhenAndAmongHowManyItWasContinued() public {
        bytes32 id = checkpointId(genesis);
        for (uint160 i; i < 2; ++i) {
            vm.deal(address(0xB0 + i), 1 ether);
            vm.prank(address(0xB0 + i));
            provers.register{value: 1 ether}();
        }
        (,, uint64 continuedAt, uint32 continuedAmong,,) = registry.record(id);
        vm.assertEq(continuedAt, 0);
        vm.assertEq(continuedAmong, 0);
        vm.warp(1_800_000_000);
        _register(_next(4), 15);
        (,, continuedAt, continuedAmong,,) = registry.record(id);
        vm.assertEq(continuedAt, 1_800_000_000);
        vm.assertEq(continuedAmong, 2);
        (,, continuedAt, continuedAmong,,) = registry.record(registry.headId());
        vm.assertEq(continuedAt, 0);
        vm.assertEq(continuedAmong, 0);
    }

    function testFuzz_CP1_refusesAnotherParent(bytes32 parent) public {
        Checkpoint memory next = _next(4);
        vm.assume(parent != next.parentId);
        next.parentId = parent;
        vm.expectRevert(abi.encodeWithSelector(I.CP1_ParentIsNotHead.selector, parent, registry.headId()));
        registry.register(next, 15, "");
    }

    function test_CP1_refusesASecondChildOfAnOldHead() public {
        Checkpoint memory rival = _next(5);
        _register(_next(4), 15);
        vm.expectRevert(abi.encodeWithSelector(I.CP1_ParentIsNotHead.selector, rival.parentId, registry.headId()));
        registry.register(rival, 15, "");
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_CP1_numbersStrictlyIncrease(uint64 head, uint64 next) public {
        head = uint64(bound(head, 1, type(uint64).max));
        _register(_next(head), 15);
        Checkpoint memory checkpoint = _next(next);
        if (next > head) {
            _register(checkpoint, 15);
            vm.assertEq(registry.headId(), checkpointId(checkpoint));
        } else {
            vm.expectRevert(abi.encodeWithSelector(I.CP1_NumberNotAboveHead.selector, next, head));
            registry.register(checkpoint, 15, "");
        }
    }

    function test_CP1_refusesTheSameNumberAgain() public {
        _register(_next(4), 15);
        Checkpoint memory again = _next(4);
        bytes memory signature = Signers.certify(FIRST, 15, registry.checkpointDigest(checkpointId(again)));
        vm.expectRevert(abi.encodeWithSelector(I.CP1_NumberNotAboveHead.selector, 4, 4));
        registry.register(again, 15, signature);
    }

    // CP-2

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_CP2_countsMoreThanTwoThirds(uint256 size, uint256 bitmap) public {
        size = bound(size, 1, 12);
        bitmap &= (1 << size) - 1;
        (bytes memory k, bytes memory p) = Signers.set(FIRST, size);
        registry = _deploy(k, p);
        uint256 signed;
        for (uint256 i; i < size; ++i) {
            signed += bitmap >> i & 1;
        }
        Checkpoint memory next = _next(1);
        bytes memory signature = Signers.certify(FIRST, bitmap, registry.checkpointDigest(checkpointId(next)));
        if (signed * 3 > size * 2) {
            registry.register(next, bitmap, signature);
            vm.assertEq(registry.headId(), checkpointId(next));
        } else {
            vm.expectRevert(abi.encodeWithSelector(I.CP2_QuorumNotReached.selector, signed, size * 2 / 3 + 1));
            registry.register(next, bitmap, signature);
        }
    }

    function testFuzz_CP2_refusesUnknownSigners(uint256 bitmap) public {
        bitmap = bound(bitmap, 16, type(uint256).max);
        Checkpoint memory next = _next(1);
        vm.expectRevert(abi.encodeWithSelector(I.CP2_UnknownSigner.selector, bitmap, 4));
        registry.register(next, bitmap, "");
    }

    function test_CP2_refusesABitmapThatIsNotTheSigners() public {
        Checkpoint memory next = _next(1);
        bytes memory signature = Signers.certify(FIRST, 7, registry.checkpointDigest(checkpointId(next)));
        vm.expectRevert(abi.encodeWithSelector(I.CP2_SignatureInvalid.selector));
        registry.register(next, 11, signature);
        vm.expectRevert(abi.encodeWithSelector(I.CP2_SignatureInvalid.selector));
        registry.register(next, 15, signature);
        registry.register(next, 7, signature);
    }

    /// @dev Each field of the checkpoint, of the domain, and the set's epoch is under the signature.
    function test_CP2_bindsEverything() public {
        Checkpoint memory next = _next(7);
        bytes32 digest = registry.checkpointDigest(checkpointId(next));
        bytes memory signature = Signers.certify(FIRST, 15, digest);
        bytes memory refusal = abi.encodeWithSelector(I.CP2_SignatureInvalid.selector);

        next.number = 8;
        vm.expectRevert(refusal);
        registry.register(next, 15, signature);
        next.number = 7;
        next.blockHash ^= bytes32(uint256(1));
        vm.expectRevert(refusal);
        registry.register(next, 15, signature);
        next.blockHash ^= bytes32(uint256(1));
        next.stateRoot ^= bytes32(uint256(1));
        vm.expectRevert(refusal);
        registry.register(next, 15, signature);
        next.stateRoot ^= bytes32(uint256(1));

        I twin = _deploy(keys, possessions);
        vm.expectRevert(refusal);
        twin.register(next, 15, signature);

        vm.chainId(block.chainid + 1);
        vm.expectRevert(refusal);
        registry.register(next, 15, signature);
        vm.chainId(block.chainid - 1);

        registry.register(next, 15, signature);
    }

    function test_CP2_digestIsAsSpecified() public view {
        bytes32 id = bytes32(uint256(77));
        bytes32 expected =
            keccak256(abi.encode(keccak256("lignum.checkpoint.v1"), block.chainid, address(registry), uint64(0), id));
        vm.assertEq(registry.checkpointDigest(id), expected);
        bytes32 handOver = keccak256(
            abi.encode(
                keccak256("lignum.handover.v1"), block.chainid, address(registry), uint64(0), keccak256("new keys")
            )
        );
        vm.assertEq(registry.handOverDigest("new keys"), handOver);
    }

    function test_CP2_refusesInfinityAndGarbage() public {
        Checkpoint memory next = _next(1);
        bytes memory refusal = abi.encodeWithSelector(I.CP2_SignatureInvalid.selector);
        vm.expectRevert(refusal);
        registry.register(next, 15, new bytes(128));
        vm.expectRevert(refusal);
        registry.register(next, 15, "");
        bytes memory garbage = new bytes(128);
        garbage[100] = 0x01;
        vm.expectRevert(refusal);
        registry.register{gas: 10_000_000}(next, 15, garbage);
    }

    /// @dev Two colluding validators can prove possession of opposite keys. Alone they sign for nothing: their sum is
    /// infinity, which only the infinite signature matches, and that is refused.
    function test_CP2_oppositeKeysSignNothing() public {
        uint256 secretKey = Signers.secret(1);
        bytes memory one = Signers.publicKey(secretKey);
        bytes memory other = Signers.publicKey(Signers.ORDER - secretKey);
        registry = _deploy(
            bytes.concat(one, other),
            bytes.concat(Signers.possession(secretKey, one), Signers.possession(Signers.ORDER - secretKey, other))
        );
        Checkpoint memory next = _next(1);
        vm.expectRevert(abi.encodeWithSelector(I.CP2_SignatureInvalid.selector));
        registry.register(next, 3, new bytes(128));
    }

    // CP-3

    function test_CP3_handsOver() public {
        (bytes memory newKeys, bytes memory newPossessions) = Signers.set(SECOND, 3);
        bytes memory signature = Signers.certify(FIRST, 14, registry.handOverDigest(newKeys));
        vm.expectEmit(true, true, true, true, address(registry));
        emit I.ValidatorSetChanged(1, 3, newKeys);
        registry.handOver(newKeys, newPossessions, 14, signature);
        (uint64 epoch, uint256 validators) = registry.validatorSet();
        vm.assertEq(epoch, 1);
        vm.assertEq(validators, 3);
        vm.assertEq(registry.validatorKeys(), newKeys);

        Checkpoint memory next = _next(1);
        bytes32 digest = registry.checkpointDigest(checkpointId(next));
        bytes memory old = Signers.certify(FIRST, 7, digest);
        vm.expectRevert(abi.encodeWithSelector(I.CP2_SignatureInvalid.selector));
        registry.register(next, 7, old);
        registry.register(next, 7, Signers.certify(SECOND, 7, digest));
    }

    function test_CP3_aHandOverCannotBeReplayed() public {
        (bytes memory newKeys, bytes memory newPossessions) = Signers.set(SECOND, 3);
        bytes memory signature = Signers.certify(FIRST, 15, registry.handOverDigest(newKeys));
        registry.handOver(newKeys, newPossessions, 15, signature);
        // Back to the first set: its old certificate for the second one must be worth nothing now.
        registry.handOver(keys, possessions, 7, Signers.certify(SECOND, 7, registry.handOverDigest(keys)));
        vm.expectRevert(abi.encodeWithSelector(I.CP2_SignatureInvalid.selector));
        registry.handOver(newKeys, newPossessions, 15, signature);
    }

    function test_CP3_needsTheCurrentSetsQuorum() public {
        (bytes memory newKeys, bytes memory newPossessions) = Signers.set(SECOND, 3);
        bytes32 digest = registry.handOverDigest(newKeys);
        bytes memory few = Signers.certify(FIRST, 3, digest);
        vm.expectRevert(abi.encodeWithSelector(I.CP2_QuorumNotReached.selector, 2, 3));
        registry.handOver(newKeys, newPossessions, 3, few);
        bytes memory own = Signers.certify(SECOND, 7, digest);
        vm.expectRevert(abi.encodeWithSelector(I.CP2_SignatureInvalid.selector));
        registry.handOver(newKeys, newPossessions, 7, own);
    }

    function test_CP3_aCheckpointCertificateIsNoHandOver() public {
        (bytes memory newKeys, bytes memory newPossessions) = Signers.set(SECOND, 3);
        bytes memory signature = Signers.certify(FIRST, 15, registry.checkpointDigest(keccak256(newKeys)));
        vm.expectRevert(abi.encodeWithSelector(I.CP2_SignatureInvalid.selector));
        registry.handOver(newKeys, newPossessions, 15, signature);
    }

    function test_CP3_refusesMalformedKeys() public {
        bytes memory longer = bytes.concat(keys, hex"00");
        vm.expectRevert(abi.encodeWithSelector(I.CP3_KeysMalformed.selector, 1025, 512));
        _deploy(longer, possessions);
        bytes memory more = bytes.concat(possessions, new bytes(128));
        vm.expectRevert(abi.encodeWithSelector(I.CP3_KeysMalformed.selector, 1024, 640));
        _deploy(keys, more);
    }

    function test_CP3_refusesEmptyAndOversizedSets() public {
        vm.expectRevert(abi.encodeWithSelector(I.CP3_ValidatorCount.selector, 0, 64));
        _deploy("", "");
        vm.expectRevert(abi.encodeWithSelector(I.CP3_ValidatorCount.selector, 65, 64));
        _deploy(new bytes(65 * 256), new bytes(65 * 128));
    }

    function test_CP3_refusesDuplicateKeys() public {
        (bytes memory one, bytes memory proof) = Signers.set(SECOND, 1);
        vm.expectRevert(abi.encodeWithSelector(I.CP3_DuplicateKey.selector, 4, 5));
        _deploy(bytes.concat(keys, one, one), bytes.concat(possessions, proof, proof));
    }

    /// @dev The rogue key: it cancels the honest validators' keys and leaves the attacker's. Without proof of
    /// possession the attacker alone would sign for everybody.
    function test_CP3_refusesARogueKey() public {
        uint256 sum;
        for (uint256 i; i < 4; ++i) {
            sum = addmod(sum, Signers.secret(FIRST + i), Signers.ORDER);
        }
        uint256 attacker = Signers.secret(666);
        bytes memory rogue = Signers.publicKey(addmod(attacker, Signers.ORDER - sum, Signers.ORDER));
        bytes memory forged = Signers.possession(attacker, rogue);
        vm.expectRevert(abi.encodeWithSelector(I.CP3_PossessionInvalid.selector, 4));
        _deploy(bytes.concat(keys, rogue), bytes.concat(possessions, forged));
    }

    function test_CP3_refusesAnInfiniteKey() public {
        vm.expectRevert(abi.encodeWithSelector(I.CP3_PossessionInvalid.selector, 4));
        _deploy(bytes.concat(keys, new bytes(256)), bytes.concat(possessions, new bytes(128)));
    }

    /// @dev A certificate is signed under another domain than a proof of possession, even over the same bytes.
    function test_CP3_aCertificateIsNoPossession() public {
        uint256 secretKey = Signers.secret(SECOND);
        bytes memory key = Signers.publicKey(secretKey);
        bytes memory signature = Signers.sign(secretKey, abi.encodePacked(keccak256(key)), Signers.CERTIFICATE_DOMAIN);
        vm.expectRevert(abi.encodeWithSelector(I.CP3_PossessionInvalid.selector, 0));
        _deploy(key, signature);
    }

    // Gas of whole transactions, in the steady state: not the first registration ever.

    function test_gas_registerWithFourValidators() public {
        _register(_next(1), 15);
        _register(_next(2), 7);
        assertGasBelow("CheckpointRegistry", "register, 3 of 4 validators", 260_000);
        _register(_next(3), 15);
        assertGasBelow("CheckpointRegistry", "register, 4 of 4 validators", 260_000);
    }

    function test_gas_registerWithSixtyFourValidators() public {
        (bytes memory k, bytes memory p) = Signers.set(FIRST, 64);
        registry.handOver(k, p, 15, Signers.certify(FIRST, 15, registry.handOverDigest(k)));
        assertGasBelow("CheckpointRegistry", "hand over to 64 validators", 16_777_216);
        _register(_next(1), type(uint64).max);
        _register(_next(2), (1 << 43) - 1);
        assertGasBelow("CheckpointRegistry", "register, 43 of 64 validators", 300_000);
        _register(_next(3), type(uint64).max);
        assertGasBelow("CheckpointRegistry", "register, 64 of 64 validators", 300_000);
    }

    function _deploy(bytes memory keys_, bytes memory possessions_) private returns (I) {
        return Deploy.checkpointRegistry(genesis, keys_, possessions_, provers, address(this));
    }

    function _next(uint64 number) private view returns (Checkpoint memory) {
        return Checkpoint({
            parentId: registry.headId(),
            number: number,
            blockHash: keccak256(abi.encode("block", number)) >> 3,
            stateRoot: keccak256(abi.encode("state", number)) >> 3
        });
    }

    function _register(Checkpoint memory checkpoint, uint256 bitmap) private {
        bytes32 digest = registry.checkpointDigest(checkpointId(checkpoint));
        registry.register(checkpoint, bitmap, Signers.certify(FIRST, bitmap, digest));
    }
}
