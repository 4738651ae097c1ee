/**
 * Groth16 proving with a key that is read once, on the curve of snarkjs.
 *
 * The same computation as snarkjs' own `groth16.prove`, step by step. That one copies the key for every proof and evaluates
 * the constraints in JavaScript, one field operation a call: a tenth of the time and most of the garbage. Here the curve's
 * WebAssembly does it in one call.
 *
 * Loaded by worker threads.
 */
import type { Curve, CurvePoint } from "snarkjs"
import { encodePoints } from "./Groth16Encoding.ts"

/** Hears which stage of a proof begins, and how much of the time is over by then. */
export type OnStage = (fraction: number, stage: string) => void

/** A proving key in use. */
export interface Prover {
  /**
   * The proof's 256 bytes, not verified: a witness that does not satisfy the circuit gives a proof that does not verify.
   *
   * @param witness a `wtns` file of the same circuit.
   */
  readonly prove: (witness: Uint8Array, onStage: OnStage) => Promise<Uint8Array>
}

/** Bytes of a field element and of affine points. */
const scalarSize = 32
const g1Size = 64
const g2Size = 128

/** Sections by number of a file in iden3's binary format: magic, version and count, then each with number and 64-bit length. */
const readSections = (file: Uint8Array, magic: string): ReadonlyMap<number, Uint8Array> => {
  if (String.fromCharCode(...file.subarray(0, 4)) !== magic) throw new Error(`not a ${magic} file`)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const sections = new Map<number, Uint8Array>()
  let position = 12
  for (let left = view.getUint32(8, true); left > 0; left--) {
    const start = position + 12
    const end = start + Number(view.getBigUint64(position + 4, true))
    sections.set(view.getUint32(position, true), file.subarray(start, end))
    position = end
  }
  return sections
}

/** The circuit's size and the key's single points: the part of a `zkey` before its long lists. */
const readHeader = (section: Uint8Array) => {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength)
  let position = 4 + scalarSize + 4 + scalarSize
  const count = () => {
    position += 4
    return view.getUint32(position - 4, true)
  }
  const point = (size: number): CurvePoint => {
    position += size
    return section.slice(position - size, position)
  }
  return {
    variables: count(),
    publicSignals: count(),
    domain: count(),
    alpha1: point(g1Size),
    beta1: point(g1Size),
    beta2: point(g2Size),
    gamma2: point(g2Size),
    delta1: point(g1Size),
    delta2: point(g2Size)
  }
}

/**
 * @param curve BN254, single-threaded.
 * @param zkey snarkjs' proving key; it stays where it is, only what a step needs is copied into the curve's memory.
 */
export const makeProver = (curve: Curve, zkey: Uint8Array): Prover => {
  const { Fr, G1, G2, tm } = curve
  const sections = readSections(zkey, "zkey")
  const section = (number: number): Uint8Array => {
    const found = sections.get(number)
    if (found === undefined) throw new Error(`the proving key has no section ${number}`)
    return found
  }
  const key = readHeader(section(2))
  const domainBytes = key.domain * scalarSize
  const coefficients = section(4).subarray(4)
  const power = Math.log2(key.domain)
  // To the points between those of the domain, where the quotient by the domain's polynomial is a division by a constant.
  const increment = power === Fr.s ? Fr.shift : Fr.w[power + 1]!

  /** Values of the constraints' three sides over the domain. */
  const evaluate = (witness: Uint8Array) =>
    tm.queueAction([
      { cmd: "ALLOCSET", var: 0, buff: coefficients },
      { cmd: "ALLOCSET", var: 1, buff: witness },
      { cmd: "ALLOC", var: 2, len: domainBytes },
      { cmd: "ALLOC", var: 3, len: domainBytes },
      { cmd: "ALLOC", var: 4, len: domainBytes },
      {
        cmd: "CALL",
        fnName: "qap_buildABC",
        params: [
          { var: 0 },
          { val: coefficients.length / (12 + scalarSize) },
          { var: 1 },
          { var: 2 },
          { var: 3 },
          { var: 4 },
          { val: 0 },
          { val: key.domain },
          { val: 0 },
          { val: key.variables }
        ]
      },
      { cmd: "GET", out: 0, var: 2, len: domainBytes },
      { cmd: "GET", out: 1, var: 3, len: domainBytes },
      { cmd: "GET", out: 2, var: 4, len: domainBytes }
    ])

  const toOddPoints = async (values: Uint8Array) => Fr.fft(await Fr.batchApplyKey(await Fr.ifft(values), Fr.one, increment))

  /** a · b - c, ready to be scalars. */
  const join = async (a: Uint8Array, b: Uint8Array, c: Uint8Array): Promise<Uint8Array> => {
    const [joined] = await tm.queueAction([
      { cmd: "ALLOCSET", var: 0, buff: a },
      { cmd: "ALLOCSET", var: 1, buff: b },
      { cmd: "ALLOCSET", var: 2, buff: c },
      { cmd: "ALLOC", var: 3, len: domainBytes },
      { cmd: "CALL", fnName: "qap_joinABC", params: [{ var: 0 }, { var: 1 }, { var: 2 }, { val: key.domain }, { var: 3 }] },
      { cmd: "CALL", fnName: "frm_batchFromMontgomery", params: [{ var: 3 }, { val: key.domain }, { var: 3 }] },
      { cmd: "GET", out: 0, var: 3, len: domainBytes }
    ])
    return joined!
  }

  return {
    prove: async (file, onStage) => {
      const witness = readSections(file, "wtns").get(2)
      if (witness?.length !== key.variables * scalarSize) throw new Error("the witness is not of the proving key's circuit")

      onStage(0.01, "constraints")
      const [a, b, c] = await evaluate(witness)
      onStage(0.02, "polynomials")
      const quotient = await join(await toOddPoints(a!), await toOddPoints(b!), await toOddPoints(c!))
      onStage(0.1, "multi-exponentiation A")
      const sumA = await G1.multiExpAffine(section(5), witness)
      onStage(0.2, "multi-exponentiation B in G1")
      const sumB1 = await G1.multiExpAffine(section(6), witness)
      onStage(0.31, "multi-exponentiation B in G2")
      const sumB2 = await G2.multiExpAffine(section(7), witness)
      onStage(0.71, "multi-exponentiation C")
      const sumC = await G1.multiExpAffine(section(8), witness.subarray((key.publicSignals + 1) * scalarSize))
      onStage(0.85, "multi-exponentiation H")
      const sumH = await G1.multiExpAffine(section(9), quotient)

      // Fresh for every proof: they are what hides the witness.
      const r = Fr.random()
      const s = Fr.random()
      const pointA = G1.add(G1.add(sumA, key.alpha1), G1.timesFr(key.delta1, r))
      const pointB = G2.add(G2.add(sumB2, key.beta2), G2.timesFr(key.delta2, s))
      const pointB1 = G1.add(G1.add(sumB1, key.beta1), G1.timesFr(key.delta1, s))
      const pointC = [
        sumH,
        G1.timesFr(pointA, s),
        G1.timesFr(pointB1, r),
        G1.timesFr(key.delta1, Fr.neg(Fr.mul(r, s)))
      ].reduce((sum, point) => G1.add(sum, point), sumC)

      const [aX, aY] = G1.toObject(G1.toAffine(pointA))
      const [bX, bY] = G2.toObject(G2.toAffine(pointB))
      const [cX, cY] = G1.toObject(G1.toAffine(pointC))
      return encodePoints({ a: [aX, aY], b: [bX, bY], c: [cX, cY] })
    }
  }
}
