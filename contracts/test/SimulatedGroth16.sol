// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity 0.8.37;

import {Leaf} from "../src/Types.sol";

/// @notice Genuine Groth16 proofs for any public inputs, made with the trapdoor of a setup that these tests know.
/// @dev Whoever knows alpha, beta, gamma, delta and the bases as scalars of the generators solves the verification
/// equation for C. The verifier cannot tell such proofs from others, so its whole arithmetic is tested on real pairings.
library SimulatedGroth16 {
    uint256 internal constant ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    uint256 private constant ALPHA = 0x1234567890abcdef;
    uint256 private constant BETA = 3;
    uint256 private constant GAMMA = 5;
    uint256 internal constant BLOCK_DELTA = 7;
    uint256 internal constant ANCESTRY_DELTA = 11;

    /// @notice One proof. Whoever knows C as a multiple of the generator can sum and forge it at will.
    /// @param pair A and B as words.
    /// @param c C as a multiple of the generator.
    struct Proof {
        bytes pair;
        uint256 c;
    }

    function blockKey() internal view returns (uint256[] memory) {
        return _key(BLOCK_DELTA, "block", 5);
    }

    function ancestryKey() internal view returns (uint256[] memory) {
        return _key(ANCESTRY_DELTA, "ancestry", 2);
    }

    function verifyingKeysHash() internal view returns (bytes32) {
        uint256[] memory ancestry = ancestryKey();
        uint256[] memory unshared = new uint256[](ancestry.length - 10);
        for (uint256 i; i < unshared.length; ++i) {
            unshared[i] = ancestry[i + 10];
        }
        return keccak256(abi.encodePacked(blockKey(), unshared));
    }

    /// @notice The bundle that proves `leaves` after `from` and the steps of `ancestry` after the last leaf.
    function prove(bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry, uint256 salt)
        internal
        view
        returns (bytes memory)
    {
        return bundle(from, leaves, ancestry, proofs(from, leaves, ancestry, salt));
    }

    /// @notice One proof per leaf, then one per step of ancestry.
    function proofs(bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry, uint256 salt)
        internal
        view
        returns (Proof[] memory list)
    {
        list = new Proof[](leaves.length + ancestry.length);
        bytes32 parent = from;
        for (uint256 i; i < list.length; ++i) {
            if (i < leaves.length) {
                list[i] = proveBlock(parent, leaves[i], salt + 4 * i);
                parent = leaves[i].blockHash;
            } else {
                list[i] = proveAncestry(parent, ancestry[i - leaves.length], salt + 4 * i);
                parent = ancestry[i - leaves.length];
            }
        }
    }

    /// @notice Proofs of the blocks and steps of a statement, as the verifier takes them.
    function bundle(bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry, Proof[] memory list)
        internal
        view
        returns (bytes memory)
    {
        bytes32 seed = seedOf(verifyingKeysHash(), from, leaves, ancestry, pairsOf(list));
        (uint256 blockC, uint256 ancestryC) = sums(seed, list, leaves.length);
        return encode(list, leaves.length, blockC, ancestryC);
    }

    function seedOf(bytes32 keysHash, bytes32 from, Leaf[] memory leaves, bytes32[] memory ancestry, bytes memory pairs)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(keysHash, from, leaves, ancestry, pairs));
    }

    function pairsOf(Proof[] memory list) internal pure returns (bytes memory pairs) {
        for (uint256 i; i < list.length; ++i) {
            pairs = bytes.concat(pairs, list[i].pair);
        }
    }

    /// @notice Each circuit's C as a multiple of the generator. The first `blocks` proofs are of blocks.
    function sums(bytes32 seed, Proof[] memory list, uint256 blocks)
        internal
        pure
        returns (uint256 blockC, uint256 ancestryC)
    {
        for (uint256 i; i < list.length; ++i) {
            uint256 term = mulmod(_coefficient(seed, i), list[i].c, ORDER);
            if (i < blocks) blockC = addmod(blockC, term, ORDER);
            else ancestryC = addmod(ancestryC, term, ORDER);
        }
    }

    function encode(Proof[] memory list, uint256 blocks, uint256 blockC, uint256 ancestryC)
        internal
        view
        returns (bytes memory)
    {
        bytes memory proof = bytes.concat(pairsOf(list), pointOf(blockC));
        return list.length == blocks ? proof : bytes.concat(proof, pointOf(ancestryC));
    }

    function proveBlock(bytes32 parent, Leaf memory leaf, uint256 salt) internal view returns (Proof memory) {
        uint256[] memory inputs = new uint256[](5);
        inputs[0] = uint256(parent);
        inputs[1] = uint256(leaf.blockHash);
        inputs[2] = uint160(leaf.prover);
        inputs[3] = leaf.proverFees;
        inputs[4] = leaf.proverGas;
        return _prove(BLOCK_DELTA, "block", inputs, salt);
    }

    function proveAncestry(bytes32 end, bytes32 descendant, uint256 salt) internal view returns (Proof memory) {
        uint256[] memory inputs = new uint256[](2);
        inputs[0] = uint256(end);
        inputs[1] = uint256(descendant);
        return _prove(ANCESTRY_DELTA, "ancestry", inputs, salt);
    }

    /// @notice `scalar` times the generator of G1, as words.
    function pointOf(uint256 scalar) internal view returns (bytes memory) {
        (uint256 x, uint256 y) = multiply(scalar);
        return abi.encode(x, y);
    }

    function multiply(uint256 scalar) internal view returns (uint256 x, uint256 y) {
        (bool done, bytes memory point) = address(7).staticcall(abi.encode(uint256(1), uint256(2), scalar));
        require(done, "G1 multiplication");
        return abi.decode(point, (uint256, uint256));
    }

    /// @notice `scalar` times the generator of G2, imaginary parts first. The EVM cannot multiply there: a table.
    function generator2(uint256 scalar) internal pure returns (uint256[4] memory) {
        if (scalar == 1) {
            return [
                11559732032986387107991004021392285783925812861821192530917403151452391805634,
                10857046999023057135944570762232829481370756359578518086990519993285655852781,
                4082367875863433681332203403145435568316851327593401208105741076214120093531,
                8495653923123431417604973247489272438418190587263600148770280649306958101930
            ];
        }
        if (scalar == 2) {
            return [
                14583779054894525174450323658765874724019480979794335525732096752006891875705,
                18029695676650738226693292988307914797657423701064905010927197838374790804409,
                11474861747383700316476719153975578001603231366361248090558603872215261634898,
                2140229616977736810657479771656733941598412651537078903776637920509952744750
            ];
        }
        if (scalar == BETA) {
            return [
                7273165102799931111715871471550377909735733521218303035754523677688038059653,
                2725019753478801796453339367788033689375851816420509565303521482350756874229,
                957874124722006818841961785324909313781880061366718538693995380805373202866,
                2512659008974376214222774206987427162027254181373325676825515531566330959255
            ];
        }
        if (scalar == GAMMA) {
            return [
                4540444681147253467785307942530223364530218361853237193970751657229138047649,
                20954117799226682825035885491234530437475518021362091509513177301640194298072,
                11631839690097995216017572651900167465857396346217730511548857041925508482915,
                21508930868448350162258892668132814424284302804699005394342512102884055673846
            ];
        }
        if (scalar == BLOCK_DELTA) {
            return [
                18551411094430470096460536606940536822990217226529861227533666875800903099477,
                15512671280233143720612069991584289591749188907863576513414377951116606878472,
                1711576522631428957817575436337311654689480489843856945284031697403898093784,
                13376798835316611669264291046140500151806347092962367781523498857425536295743
            ];
        }
        if (scalar == ANCESTRY_DELTA) {
            return [
                15624790064206502667756020446826209080711344272800176518784649088946231692936,
                8472151341754925747860535367990505955708751825377817860727104273184244800723,
                19488077321171448217727198730828487286865984357780136663388739985720647978898,
                1196137947243150610106053819405501111182787323156221967342356892090037828244
            ];
        }
        require(scalar == 13, "no such multiple");
        return [
            280672898440571232725436467950720547829638241593507531241322547969961007057,
            16137324789686743234629608741537369181251990815455155257427276976918350071287,
            17641806683785498955878869918183868440783188556637975525088932771694068429840,
            12136420650226457477690750437223209427924916790606163705631661913973995426040
        ];
    }

    function _key(uint256 delta, string memory circuit, uint256 inputs) private view returns (uint256[] memory key) {
        key = new uint256[](16 + 2 * inputs);
        (key[0], key[1]) = multiply(ALPHA);
        uint256[3] memory points = [BETA, GAMMA, delta];
        for (uint256 i; i < 3; ++i) {
            uint256[4] memory point = generator2(points[i]);
            for (uint256 j; j < 4; ++j) {
                key[2 + 4 * i + j] = point[j];
            }
        }
        for (uint256 i; i <= inputs; ++i) {
            (key[14 + 2 * i], key[15 + 2 * i]) = multiply(_base(circuit, i));
        }
    }

    function _base(string memory circuit, uint256 index) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(circuit, index))) % ORDER;
    }

    /// @dev The remainder of `salt` by three chooses B, the rest of it A.
    function _prove(uint256 delta, string memory circuit, uint256[] memory inputs, uint256 salt)
        private
        view
        returns (Proof memory)
    {
        uint256 a = uint256(keccak256(abi.encode("A", salt / 3))) % ORDER;
        uint256 b = [uint256(1), 2, 13][salt % 3];
        uint256 sum = _base(circuit, 0);
        for (uint256 i; i < inputs.length; ++i) {
            sum = addmod(sum, mulmod(_base(circuit, i + 1), inputs[i], ORDER), ORDER);
        }
        uint256 rest = addmod(mulmod(ALPHA, BETA, ORDER), mulmod(sum, GAMMA, ORDER), ORDER);
        uint256 c = mulmod(addmod(mulmod(a, b, ORDER), ORDER - rest, ORDER), inverse(delta), ORDER);
        return Proof({pair: abi.encodePacked(pointOf(a), generator2(b)), c: c});
    }

    function _coefficient(bytes32 seed, uint256 index) private pure returns (uint256) {
        if (index == 0) return 1;
        bytes32 digest = keccak256(abi.encode(seed, index / 2));
        return uint256(uint128(bytes16(index % 2 == 0 ? digest : digest << 128))) + 1;
    }

    function inverse(uint256 value) internal view returns (uint256) {
        (, bytes memory result) =
            address(5).staticcall(abi.encode(uint256(32), uint256(32), uint256(32), value, ORDER - 2, ORDER));
        return abi.decode(result, (uint256));
    }
}
