/**
 * What this project uses of snarkjs 0.7.6, which ships without types.
 *
 * Everything that reads or writes a "file" takes a path, the bytes themselves, or `{ type: "mem" }`, whose `data` it reads or fills in.
 */
declare module "snarkjs" {
  /** A file in memory; snarkjs fills `data` in when it writes one. */
  export interface MemoryFile {
    readonly type: "mem"
    data?: Uint8Array
  }
  export type Source = string | Uint8Array | MemoryFile
  export type Target = string | MemoryFile

  /** Hears what snarkjs is doing, as sentences. */
  export interface Logger {
    readonly debug: (message: string) => void
    readonly info: (message: string) => void
    readonly warn: (message: string) => void
    readonly error: (message: string) => void
  }

  /** Inside a worker thread `singleThread` must be true: snarkjs' own workers cannot be started there. */
  export interface ThreadOptions {
    readonly singleThread?: boolean
  }

  /** Coordinates as decimal strings; the third one is 1, or 0 for the point at infinity. */
  export type G1Decimal = readonly [x: string, y: string, z: string]
  /** Coordinates over the quadratic extension, each as [real, imaginary]. */
  export type G2Decimal = readonly [x: readonly [string, string], y: readonly [string, string], z: readonly [string, string]]

  export interface Groth16Proof {
    readonly pi_a: G1Decimal
    readonly pi_b: G2Decimal
    readonly pi_c: G1Decimal
    readonly protocol: "groth16"
    readonly curve: "bn128"
  }

  export interface Groth16VerifyingKey {
    readonly protocol: "groth16"
    readonly curve: "bn128"
    readonly nPublic: number
    readonly vk_alpha_1: G1Decimal
    readonly vk_beta_2: G2Decimal
    readonly vk_gamma_2: G2Decimal
    readonly vk_delta_2: G2Decimal
    readonly IC: ReadonlyArray<G1Decimal>
  }

  export type CircuitSignal = bigint | number | string | ReadonlyArray<CircuitSignal>

  export interface ProofWithSignals {
    readonly proof: Groth16Proof
    readonly publicSignals: ReadonlyArray<string>
  }

  export const groth16: {
    readonly prove: (zkey: Source, witness: Source, logger?: Logger, options?: ThreadOptions) => Promise<ProofWithSignals>
    readonly fullProve: (
      input: Readonly<Record<string, CircuitSignal>>,
      wasm: Source,
      zkey: Source,
      logger?: Logger,
      witnessOptions?: object,
      options?: ThreadOptions
    ) => Promise<ProofWithSignals>
    readonly verify: (
      verifyingKey: Groth16VerifyingKey,
      publicSignals: ReadonlyArray<string | bigint>,
      proof: Groth16Proof,
      logger?: Logger
    ) => Promise<boolean>
    /** The proof and its signals as Solidity call arguments, in the EVM's order, hexadecimal, without the outer brackets. */
    readonly exportSolidityCallData: (proof: Groth16Proof, publicSignals: ReadonlyArray<string>) => Promise<string>
  }

  export const wtns: {
    readonly calculate: (input: Readonly<Record<string, CircuitSignal>>, wasm: Source, witness: Target, options?: object) => Promise<void>
    readonly check: (r1cs: Source, witness: Source, logger?: Logger) => Promise<boolean>
    readonly exportJson: (witness: Source) => Promise<ReadonlyArray<bigint>>
  }

  export interface R1csInfo {
    readonly n8: number
    readonly prime: bigint
    readonly nVars: number
    readonly nOutputs: number
    readonly nPubInputs: number
    readonly nPrvInputs: number
    readonly nLabels: number
    readonly nConstraints: number
  }

  export const r1cs: {
    readonly info: (r1cs: Source, logger?: Logger) => Promise<R1csInfo>
    readonly print: (r1cs: Source, sym: Source, logger?: Logger) => Promise<void>
    readonly exportJson: (r1cs: Source, logger?: Logger) => Promise<object>
  }

  export const zKey: {
    /** Answers the circuit's hash, or -1 where the powers of tau do not fit the circuit. */
    readonly newZKey: (r1cs: Source, powersOfTau: Source, zkey: Target, logger?: Logger) => Promise<Uint8Array | -1>
    /** Answers the hash of the contribution. */
    readonly contribute: (old: Source, next: Target, name: string, entropy: string, logger?: Logger) => Promise<Uint8Array>
    readonly beacon: (
      old: Source,
      next: Target,
      name: string,
      beaconHash: string,
      iterationsExponent: number,
      logger?: Logger
    ) => Promise<Uint8Array | false>
    readonly verifyFromR1cs: (r1cs: Source, powersOfTau: Source, zkey: Source, logger?: Logger) => Promise<boolean>
    readonly verifyFromInit: (initial: Source, powersOfTau: Source, zkey: Source, logger?: Logger) => Promise<boolean>
    readonly exportVerificationKey: (zkey: Source, logger?: Logger) => Promise<Groth16VerifyingKey>
    readonly exportSolidityVerifier: (zkey: Source, templates: Readonly<Record<string, string>>, logger?: Logger) => Promise<string>
    readonly exportJson: (zkey: Source) => Promise<object>
  }

  export const powersOfTau: {
    readonly newAccumulator: (curve: Curve, power: number, file: Target, logger?: Logger) => Promise<Uint8Array>
    readonly contribute: (old: Source, next: Target, name: string, entropy: string, logger?: Logger) => Promise<Uint8Array>
    readonly beacon: (
      old: Source,
      next: Target,
      name: string,
      beaconHash: string,
      iterationsExponent: number,
      logger?: Logger
    ) => Promise<Uint8Array | false>
    readonly preparePhase2: (old: Source, next: Target, logger?: Logger) => Promise<void>
    readonly truncate: (file: Source, template: string, logger?: Logger) => Promise<void>
    readonly verify: (file: Source, logger?: Logger) => Promise<boolean>
  }

  /** A point in the curve library's own encoding (little-endian Montgomery form; affine or Jacobian by its length). */
  export type CurvePoint = Uint8Array

  export interface Group<Coordinate> {
    readonly zero: CurvePoint
    readonly one: CurvePoint
    readonly fromObject: (point: readonly [x: Coordinate, y: Coordinate, z: Coordinate]) => CurvePoint
    readonly toObject: (point: CurvePoint) => [x: Coordinate, y: Coordinate, z: Coordinate]
    readonly toAffine: (point: CurvePoint) => CurvePoint
    readonly add: (a: CurvePoint, b: CurvePoint) => CurvePoint
    readonly neg: (a: CurvePoint) => CurvePoint
    readonly eq: (a: CurvePoint, b: CurvePoint) => boolean
    readonly isZero: (a: CurvePoint) => boolean
    /** On the curve, or at infinity. Says nothing about the subgroup. */
    readonly isValid: (a: CurvePoint) => boolean
    readonly timesScalar: (a: CurvePoint, scalar: bigint) => CurvePoint
    readonly timesFr: (a: CurvePoint, scalar: FieldElement) => CurvePoint
    /** The sum of affine points, each times its scalar (32 bytes, little-endian, not in Montgomery form). */
    readonly multiExpAffine: (points: Uint8Array, scalars: Uint8Array) => Promise<CurvePoint>
  }

  /** An element of the scalar field: 32 bytes, little-endian, in Montgomery form. */
  export type FieldElement = Uint8Array

  /** The scalar field. Arrays of elements are their bytes in a row. */
  export interface ScalarField {
    /** log2 of the largest domain that has a Fourier transform. */
    readonly s: number
    /** `w[i]` generates the domain of 2^i elements. */
    readonly w: ReadonlyArray<FieldElement>
    /** Shifts the largest domain to one that does not meet it. */
    readonly shift: FieldElement
    readonly one: FieldElement
    readonly random: () => FieldElement
    readonly mul: (a: FieldElement, b: FieldElement) => FieldElement
    readonly neg: (a: FieldElement) => FieldElement
    readonly fft: (values: Uint8Array) => Promise<Uint8Array>
    readonly ifft: (values: Uint8Array) => Promise<Uint8Array>
    /** Element i times `first · increment^i`. */
    readonly batchApplyKey: (values: Uint8Array, first: FieldElement, increment: FieldElement) => Promise<Uint8Array>
  }

  /** One step of work in the curve's WebAssembly: memory for variable `var`, a call with variables or numbers, a result. */
  export type CurveCommand =
    | { readonly cmd: "ALLOCSET"; readonly var: number; readonly buff: Uint8Array }
    | { readonly cmd: "ALLOC"; readonly var: number; readonly len: number }
    | { readonly cmd: "CALL"; readonly fnName: string; readonly params: ReadonlyArray<{ readonly var: number } | { readonly val: number }> }
    | { readonly cmd: "GET"; readonly out: number; readonly var: number; readonly len: number }

  export interface Curve {
    readonly name: string
    /** Order of the base field. */
    readonly q: bigint
    /** Order of the scalar field. */
    readonly r: bigint
    readonly Fr: ScalarField
    readonly tm: { readonly queueAction: (commands: ReadonlyArray<CurveCommand>) => Promise<ReadonlyArray<Uint8Array>> }
    readonly G1: Group<bigint>
    readonly G2: Group<readonly [bigint, bigint]>
    /** Whether the product of the pairings of (G1, G2), (G1, G2), … is one. */
    readonly pairingEq: (...points: ReadonlyArray<CurvePoint>) => Promise<boolean>
    readonly terminate: () => Promise<void>
  }

  export const curves: {
    readonly getCurveFromName: (name: string, options?: ThreadOptions) => Promise<Curve>
  }
}
