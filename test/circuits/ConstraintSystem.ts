/**
 * Reads a circuit's constraint system and checks witnesses against it, one changed wire at a time.
 */

const FIELD = 21888242871839275222246405745257275088548364400416034343698204186575808495617n

/** A linear combination: wires and their coefficients. */
interface Combination {
  readonly wires: ReadonlyArray<number>
  readonly coefficients: ReadonlyArray<bigint>
}

/** a · b = c */
export interface Constraint {
  readonly a: Combination
  readonly b: Combination
  readonly c: Combination
}

export interface ConstraintSystem {
  readonly constraints: ReadonlyArray<Constraint>
  /** The circom label of each wire. */
  readonly labels: ReadonlyArray<number>
}

const readField = (view: DataView, at: number): bigint => {
  let value = 0n
  for (let word = 3; word >= 0; word--) value = (value << 64n) | view.getBigUint64(at + 8 * word, true)
  return value
}

export const readConstraintSystem = (bytes: Uint8Array): ConstraintSystem => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const sections = new Map<number, number>()
  for (let at = 12; at < bytes.byteLength; at += 12 + Number(view.getBigUint64(at + 4, true))) {
    sections.set(view.getUint32(at, true), at + 12)
  }
  const header = sections.get(1)! + 4 + view.getUint32(sections.get(1)!, true)
  const wires = view.getUint32(header, true)
  const count = view.getUint32(header + 24, true)

  // The same few hundred round coefficients occur a thousand times each.
  const seen = new Map<string, bigint>()
  const coefficient = (at: number): bigint => {
    const key = `${view.getBigUint64(at, true)}:${view.getBigUint64(at + 8, true)}:${view.getBigUint64(at + 16, true)}`
    let value = seen.get(key)
    if (value === undefined) seen.set(key, value = readField(view, at))
    return value
  }
  let at = sections.get(2)!
  const combination = (): Combination => {
    const terms = view.getUint32(at, true)
    const combined = { wires: Array.from({ length: terms }, () => 0), coefficients: Array.from({ length: terms }, () => 0n) }
    at += 4
    for (let term = 0; term < terms; term++, at += 36) {
      combined.wires[term] = view.getUint32(at, true)
      combined.coefficients[term] = coefficient(at + 4)
    }
    return combined
  }
  const constraints = Array.from({ length: count }, () => ({ a: combination(), b: combination(), c: combination() }))
  const map = sections.get(3)!
  return {
    constraints,
    labels: Array.from({ length: wires }, (_, wire) => Number(view.getBigUint64(map + 8 * wire, true)))
  }
}

/** The values of all wires; wire 0 is the constant one, the public inputs follow. */
export const readWitness = (bytes: Uint8Array): Array<bigint> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 12
  const values = 2
  while (view.getUint32(at, true) !== values) at += 12 + Number(view.getBigUint64(at + 4, true))
  const count = Number(view.getBigUint64(at + 4, true)) / 32
  return Array.from({ length: count }, (_, wire) => readField(view, at + 12 + 32 * wire))
}

const evaluate = ({ coefficients, wires }: Combination, witness: ReadonlyArray<bigint>): bigint => {
  let sum = 0n
  for (let term = 0; term < wires.length; term++) sum += coefficients[term]! * witness[wires[term]!]!
  return sum % FIELD
}

/** How many constraints a witness breaks. */
export const countBroken = (system: ConstraintSystem, witness: ReadonlyArray<bigint>): number => {
  let broken = 0
  for (const { a, b, c } of system.constraints) {
    if ((evaluate(a, witness) * evaluate(b, witness) - evaluate(c, witness)) % FIELD !== 0n) broken++
  }
  return broken
}

/** The wires that could take another value while all others keep theirs, without breaking a constraint. */
export const freeWires = (system: ConstraintSystem, witness: ReadonlyArray<bigint>, delta: bigint): Array<number> => {
  const held = new Set<number>([0])
  for (const { a, b, c } of system.constraints) {
    const changes = new Map<number, [a: bigint, b: bigint, c: bigint]>()
    const note = ({ coefficients, wires }: Combination, side: 0 | 1 | 2) =>
      wires.forEach((wire, term) => {
        if (held.has(wire)) return
        let change = changes.get(wire)
        if (change === undefined) changes.set(wire, change = [0n, 0n, 0n])
        change[side] = coefficients[term]! * delta
      })
    note(a, 0)
    note(b, 1)
    note(c, 2)
    if (changes.size === 0) continue
    const valueA = evaluate(a, witness)
    const valueB = evaluate(b, witness)
    const valueC = evaluate(c, witness)
    for (const [wire, [da, db, dc]] of changes) {
      if (((valueA + da) * (valueB + db) - valueC - dc) % FIELD !== 0n) held.add(wire)
    }
  }
  return witness.map((_, wire) => wire).filter((wire) => !held.has(wire))
}
