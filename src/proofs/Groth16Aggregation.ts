/**
 * Groth16 proofs as L1 takes them: A and B of every proof, but of all C of a circuit one sum (ST-3).
 *
 * The sum has random coefficients, a hash over everything else. `Groth16BatchVerifier.sol` works them out again, and says why
 * nothing but the C of valid proofs adds up.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { concat, encodeAbiParameters, keccak256, size, slice } from "viem/utils"
import { type Bytes32, type HexBytes, toHex32 } from "../domain/Hash.ts"
import { type AncestryProof, leavesAbi, type Proof, type Statement } from "../domain/Proof.ts"
import { proofLength } from "./Groth16Encoding.ts"

/** Bytes of A and B, with which the encoding of a proof begins. */
const pairLength = 192

/** One proof, taken apart. */
interface Parts {
  /** A and B. */
  readonly pair: HexBytes
  readonly c: HexBytes
}

const partsOf = (bytes: HexBytes): ReadonlyArray<Parts> =>
  Array.from({ length: size(bytes) / proofLength }, (_, i) => {
    const start = proofLength * i
    return { pair: slice(bytes, start, start + pairLength), c: slice(bytes, start + pairLength, start + proofLength) }
  })

const seedAbi = [{ type: "bytes32" }, { type: "bytes32" }, leavesAbi, { type: "bytes32[]" }, { type: "bytes" }] as const

/** What coefficients are drawn from. All but C goes into it: keys, public inputs, A and B. */
const seedOf = (verifyingKeysHash: Bytes32, { from, leaves }: Statement, ancestry: AncestryProof | undefined, pairs: HexBytes): Bytes32 =>
  keccak256(encodeAbiParameters(
    seedAbi,
    [verifyingKeysHash, from.hash, leaves, ancestry === undefined ? [] : [...ancestry.via, ancestry.checkpointBlock], pairs]
  ))

/** The coefficient of a proof by its place: one for the first, else 128 bits of a hash, plus one. */
const coefficientOf = (seed: Bytes32, index: number): bigint => {
  if (index === 0) return 1n
  const digest = BigInt(keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "uint256" }], [seed, BigInt(index >> 1)])))
  return (index % 2 === 0 ? digest >> 128n : BigInt.asUintN(128, digest)) + 1n
}

/** The sum of C, each times its coefficient, as x and y. The first of `proofs` is number `first` of the update. */
const sumOf = (seed: Bytes32, proofs: ReadonlyArray<Parts>, first: number): HexBytes => {
  const { Point } = bn254.G1
  const sum = proofs.reduce(
    (sum, { c }, i) =>
      sum.add(Point.fromAffine({ x: BigInt(slice(c, 0, 32)), y: BigInt(slice(c, 32)) }).multiplyUnsafe(coefficientOf(seed, first + i))),
    Point.ZERO
  )
  const { x, y } = sum.toAffine()
  return concat([toHex32(x), toHex32(y)])
}

/**
 * The `proof` of a state update: 192 bytes of each block's proof, then of each ancestry link's, then the blocks' C, then that of
 * ancestry if there is any. Both are verified before.
 */
export const aggregate = (verifyingKeysHash: Bytes32, proof: Proof, ancestry: AncestryProof | undefined): HexBytes => {
  const blocks = partsOf(proof.bytes)
  const links = ancestry === undefined ? [] : partsOf(ancestry.bytes)
  const pairs = concat([...blocks, ...links].map(({ pair }) => pair))
  const seed = seedOf(verifyingKeysHash, proof.statement, ancestry, pairs)
  return concat([
    pairs,
    sumOf(seed, blocks, 0),
    ...(links.length === 0 ? [] : [sumOf(seed, links, blocks.length)])
  ])
}
