/**
 * Groth16 proofs as provers exchange them: eight 32-byte words A.x A.y B.x1 B.x0 B.y1 B.y0 C.x C.y, in the order of the EVM's
 * pairing precompile, which wants the imaginary part first. `Groth16Aggregation.ts` makes of them what L1 takes.
 *
 * Loaded by worker threads: imports types only.
 */
import type { G1Decimal, G2Decimal, Groth16Proof } from "snarkjs"

/** Bytes of one proof. */
export const proofLength = 256

/** Order of the BN254 base field, which coordinates lie in. */
export const baseFieldOrder = 21888242871839275222246405745257275088696311157297823662689037894645226208583n

type G1 = readonly [x: bigint, y: bigint]
type G2 = readonly [x: readonly [real: bigint, imaginary: bigint], y: readonly [real: bigint, imaginary: bigint]]

/** The points of a proof in affine coordinates. */
export interface ProofPoints {
  readonly a: G1
  readonly b: G2
  readonly c: G1
}

/** Not the encoding of a proof; no proof that anyone can make is refused with it. */
export class MalformedProof extends Error {
  override readonly name = "MalformedProof"
}

const g1 = ([x, y, z]: G1Decimal): G1 => {
  if (z !== "1") throw new MalformedProof("a point is at infinity")
  return [BigInt(x), BigInt(y)]
}

const g2 = ([x, y, [zReal, zImaginary]]: G2Decimal): G2 => {
  if (zReal !== "1" || zImaginary !== "0") throw new MalformedProof("a point is at infinity")
  return [[BigInt(x[0]), BigInt(x[1])], [BigInt(y[0]), BigInt(y[1])]]
}

/** What snarkjs and rapidsnark write, as the 256 bytes. */
export const encodeProof = (proof: Groth16Proof): Uint8Array => encodePoints({ a: g1(proof.pi_a), b: g2(proof.pi_b), c: g1(proof.pi_c) })

/** The 256 bytes of three points, none of them at infinity. */
export const encodePoints = ({ a, b, c }: ProofPoints): Uint8Array => {
  const words = [a[0], a[1], b[0][1], b[0][0], b[1][1], b[1][0], c[0], c[1]]
  const bytes = new Uint8Array(proofLength)
  words.forEach((word, index) => {
    if (word < 0n || word >= baseFieldOrder) throw new MalformedProof("a coordinate is not below the field's order")
    for (let i = 31, rest = word; i >= 0; i--, rest >>= 8n) bytes[32 * index + i] = Number(rest & 0xffn)
  })
  return bytes
}

/**
 * The points behind 256 bytes.
 *
 * Coordinates must be canonical, or one proof would have several encodings and several identities. The point at infinity
 * (all zero) is refused: only a forger could hit it.
 *
 * @throws MalformedProof
 */
export const decodeProof = (bytes: Uint8Array): ProofPoints => {
  if (bytes.length !== proofLength) throw new MalformedProof(`a proof has ${proofLength} bytes, not ${bytes.length}`)
  const word = (index: number): bigint => {
    let value = 0n
    for (const byte of bytes.subarray(32 * index, 32 * index + 32)) value = (value << 8n) | BigInt(byte)
    if (value >= baseFieldOrder) throw new MalformedProof("a coordinate is not below the field's order")
    return value
  }
  const a: G1 = [word(0), word(1)]
  const b: G2 = [[word(3), word(2)], [word(5), word(4)]]
  const c: G1 = [word(6), word(7)]
  for (const coordinates of [a, b.flat(), c]) {
    if (coordinates.every((coordinate) => coordinate === 0n)) throw new MalformedProof("a point is at infinity")
  }
  return { a, b, c }
}
