/**
 * Verifies any number of Groth16 proofs of one circuit with a single product of pairings: n + 3 of them instead of 4 n.
 *
 * The equations are summed with random coefficients of 128 bits, so a sum that holds over an equation that does not is a
 * 2^-128 accident.
 *
 * Loaded by worker threads.
 */
import { randomBytes } from "node:crypto"
import type { Curve, CurvePoint, G1Decimal, G2Decimal, Groth16VerifyingKey } from "snarkjs"
import { decodeProof, MalformedProof } from "./Groth16Encoding.ts"

/** A proof and the public signals that it is claimed to be for. */
export interface Claim {
  readonly signals: ReadonlyArray<bigint>
  /** 256 bytes, see `Groth16Encoding.ts`. */
  readonly proof: Uint8Array
}

/** The verifying key of one circuit as points of a curve. */
export interface Verifier {
  /** Why the claims do not all hold; undefined when they do. Never rejects because of what a claim contains. */
  readonly refute: (claims: ReadonlyArray<Claim>) => Promise<string | undefined>
}

interface Points {
  readonly a: CurvePoint
  readonly b: CurvePoint
  readonly c: CurvePoint
}

const randomCoefficient = (): bigint => BigInt(`0x${randomBytes(16).toString("hex")}`)

/** @param curve BN254, single-threaded: its pairings run on the calling thread. */
export const makeVerifier = (curve: Curve, key: Groth16VerifyingKey): Verifier => {
  const { G1, G2 } = curve
  const g1 = ([x, y, z]: G1Decimal) => G1.fromObject([BigInt(x), BigInt(y), BigInt(z)])
  const g2 = ([x, y, z]: G2Decimal) =>
    G2.fromObject([[BigInt(x[0]), BigInt(x[1])], [BigInt(y[0]), BigInt(y[1])], [BigInt(z[0]), BigInt(z[1])]])
  const alpha = g1(key.vk_alpha_1)
  const beta = g2(key.vk_beta_2)
  const gamma = g2(key.vk_gamma_2)
  const delta = g2(key.vk_delta_2)
  const inputBases = key.IC.map(g1)

  const times = (point: CurvePoint, scalar: bigint) => (scalar === 0n ? G1.zero : G1.timesScalar(point, scalar))

  const decode = (proof: Uint8Array): Points => {
    const { a, b, c } = decodeProof(proof)
    const points = {
      a: G1.fromObject([...a, 1n]),
      b: G2.fromObject([...b, [1n, 0n]]),
      c: G1.fromObject([...c, 1n])
    }
    if (!G1.isValid(points.a) || !G2.isValid(points.b) || !G1.isValid(points.c)) throw new MalformedProof("a point is not on the curve")
    // The curve of B has more points than its subgroup; L1's precompile refuses the rest, snarkjs does not look.
    if (!G2.isZero(G2.timesScalar(points.b, curve.r))) throw new MalformedProof("a point is not in the subgroup")
    return points
  }

  const holds = async (claims: ReadonlyArray<Claim>): Promise<boolean> => {
    let sumOfCoefficients = 0n
    let sumOfC: CurvePoint = G1.zero
    const inputs = inputBases.map(() => 0n)
    const pairs: Array<CurvePoint> = []
    for (const { proof, signals } of claims) {
      const { a, b, c } = decode(proof)
      // One equation alone needs no coefficient.
      const coefficient = claims.length === 1 ? 1n : randomCoefficient()
      pairs.push(G1.neg(times(a, coefficient)), b)
      sumOfC = G1.add(sumOfC, times(c, coefficient))
      sumOfCoefficients += coefficient
      inputs[0]! += coefficient
      signals.forEach((signal, index) => {
        inputs[index + 1]! += coefficient * signal
      })
    }
    const sumOfInputs = inputBases.reduce((sum, base, index) => G1.add(sum, times(base, inputs[index]! % curve.r)), G1.zero)
    return curve.pairingEq(...pairs, times(alpha, sumOfCoefficients % curve.r), beta, sumOfInputs, gamma, sumOfC, delta)
  }

  return {
    refute: async (claims) => {
      for (const { signals } of claims) {
        if (signals.length !== key.nPublic) return `the circuit has ${key.nPublic} public signals, not ${signals.length}`
        if (signals.some((signal) => signal < 0n || signal >= curve.r)) return "a public signal is not below the field's order"
      }
      try {
        return (await holds(claims)) ? undefined : "the pairing equation does not hold"
      } catch (error) {
        if (error instanceof MalformedProof) return error.message
        throw error
      }
    }
  }
}
