/**
 * Runs the witness generator that circom compiles a circuit to.
 *
 * snarkjs' own calculator compiles the module anew for each witness and prints to the console when a constraint does not hold.
 * This one takes the compiled module, which workers share, and throws.
 *
 * Loaded by worker threads: imports nothing.
 */

/** A signal or an array of signals of any dimension. */
export type Signal = bigint | ReadonlyArray<Signal>

/** A circuit's inputs by name. */
export type CircuitInput = Readonly<Record<string, Signal>>

/** The inputs do not satisfy the circuit, or are not the circuit's inputs at all. The same inputs will never do. */
export class WitnessError extends Error {
  override readonly name = "WitnessError"
}

/** What circom's WebAssembly exports; field elements cross in a shared buffer of 32-bit words, least significant first. */
interface Exports {
  readonly init: (checks: number) => void
  readonly getRawPrime: () => void
  readonly getFieldNumLen32: () => number
  readonly getInputSize: () => number
  readonly getInputSignalSize: (nameHigh: number, nameLow: number) => number
  readonly setInputSignal: (nameHigh: number, nameLow: number, position: number) => void
  readonly getWitnessSize: () => number
  readonly getWitness: (index: number) => void
  readonly readSharedRWMemory: (word: number) => number
  readonly writeSharedRWMemory: (word: number, value: number) => void
  readonly getMessageChar: () => number
}

const faults: Readonly<Record<number, string>> = {
  1: "no such signal",
  2: "too many signals set",
  3: "signal set twice",
  4: "a constraint does not hold",
  5: "not enough memory",
  6: "an input array is too long",
  7: "array access out of bounds"
}

const instantiate = (circuit: WebAssembly.Module): Exports => {
  let trace = ""
  const message = (): string => {
    let text = ""
    for (let char = exports.getMessageChar(); char !== 0; char = exports.getMessageChar()) text += String.fromCharCode(char)
    return text
  }
  const instance = new WebAssembly.Instance(circuit, {
    runtime: {
      exceptionHandler: (code: number) => {
        throw new WitnessError([faults[code] ?? `fault ${code}`, ...trace.split("\n")].map((line) => line.trim()).filter(Boolean).join("; "))
      },
      printErrorMessage: () => {
        trace += `${message()}\n`
      },
      // What `log()` in a circuit prints is drained, because the generator waits for its reader, and dropped.
      writeBufferMessage: message,
      showSharedRWMemory: () => {}
    }
  })
  const exports = instance.exports as unknown as Exports
  return exports
}

/** Names are addressed by their 64-bit FNV-1a hash, as two words. */
const hashName = (name: string): readonly [high: number, low: number] => {
  let hash = 0xcbf29ce484222325n
  for (let i = 0; i < name.length; i++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(name.charCodeAt(i))) * 0x100000001b3n)
  }
  return [Number(hash >> 32n), Number(hash & 0xffffffffn)]
}

const flatten = (signal: Signal): ReadonlyArray<bigint> => (typeof signal === "bigint" ? [signal] : signal.flatMap(flatten))

/**
 * The witness in snarkjs' `wtns` format.
 *
 * @throws WitnessError when the inputs do not satisfy the circuit; the message names templates and lines.
 */
export const calculateWitness = (circuit: WebAssembly.Module, input: CircuitInput): Uint8Array => {
  // A fresh instance each time: a failed run leaves the generator's stack where it was.
  const wasm = instantiate(circuit)
  const words = wasm.getFieldNumLen32()
  wasm.init(1)
  wasm.getRawPrime()
  let prime = 0n
  for (let word = 0; word < words; word++) prime += BigInt(wasm.readSharedRWMemory(word) >>> 0) << BigInt(32 * word)

  let given = 0
  for (const [name, signal] of Object.entries(input)) {
    const [high, low] = hashName(name)
    const values = flatten(signal)
    const size = wasm.getInputSignalSize(high, low)
    if (size <= 0) throw new WitnessError(`the circuit has no input "${name}"`)
    if (size !== values.length) throw new WitnessError(`input "${name}" takes ${size} values, not ${values.length}`)
    values.forEach((value, position) => {
      if (value < 0n || value >= prime) throw new WitnessError(`input "${name}" is not an element of the field`)
      for (let word = 0; word < words; word++) {
        wasm.writeSharedRWMemory(word, Number((value >> BigInt(32 * word)) & 0xffffffffn))
      }
      wasm.setInputSignal(high, low, position)
      given++
    })
  }
  if (given < wasm.getInputSize()) throw new WitnessError(`${wasm.getInputSize() - given} of ${wasm.getInputSize()} inputs are missing`)

  return encodeWitness(wasm, words)
}

/** Sections 1 (field and count) and 2 (values), each with its number and 64-bit length before it. */
const encodeWitness = (wasm: Exports, words: number): Uint8Array => {
  const size = wasm.getWitnessSize()
  const file = new Uint32Array(11 + words + size * words)
  const copyShared = (position: number) => {
    for (let word = 0; word < words; word++) file[position + word] = wasm.readSharedRWMemory(word)
  }
  new Uint8Array(file.buffer).set(new TextEncoder().encode("wtns"))
  file.set([2, 2, 1, 8 + 4 * words, 0, 4 * words], 1)
  wasm.getRawPrime()
  copyShared(7)
  const sectionLength = BigInt(4 * words) * BigInt(size)
  file.set([size, 2, Number(sectionLength & 0xffffffffn), Number(sectionLength >> 32n)], 7 + words)
  for (let i = 0; i < size; i++) {
    wasm.getWitness(i)
    copyShared(11 + words + i * words)
  }
  return new Uint8Array(file.buffer)
}
