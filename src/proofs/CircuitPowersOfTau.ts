/**
 * Phase 1 of the Groth16 setup: powers of tau that serve every circuit up to their size, read or made afresh.
 */
import { Effect, Schema } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { createReadStream } from "node:fs"
import fs from "node:fs/promises"
import path from "node:path"
import { pipeline } from "node:stream/promises"
import { curves, type Logger, powersOfTau, type Source } from "snarkjs"

/**
 * The given file is no help for these circuits. Give one over BN254 that is prepared for phase 2 and has the named power or
 * a higher one, or give none and let a fresh one be made.
 */
export class PowersOfTauUnusable extends Schema.TaggedError<PowersOfTauUnusable>()("PowersOfTauUnusable", {
  path: Schema.String,
  reason: Schema.String,
  /** The least power that the circuits need. */
  powerNeeded: Schema.Int
}) {
  override get message() {
    return `the powers of tau in ${this.path} cannot be used: ${this.reason}. Give a file over BN254 prepared for phase 2, of power ${this.powerNeeded} or higher, or none to have a fresh one made (about ${preparationMinutes(this.powerNeeded)} min).`
  }
}

/** A step of the setup failed. Nothing was written to the key directory; mend the cause and start again. */
export class KeySetupFailed extends Schema.TaggedError<KeySetupFailed>()("KeySetupFailed", {
  step: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the key setup failed at "${this.step}": ${this.reason}. Nothing was written to the key directory; start again when the cause is mended.`
  }
}

/** Minutes that fresh powers of tau take on two cores: 6 at 2^14, twice that for every further power. */
export const preparationMinutes = (power: number): number => Math.max(1, Math.ceil(6 * 2 ** (power - 14)))

/** Runs one step of snarkjs, which reports some faults only to its logger and by answering `false` or -1. */
export const setupStep = <A>(
  step: string,
  run: (logger: Logger) => Promise<A>,
  onMessage?: (message: string) => void
): Effect.Effect<Exclude<A, false | -1>, KeySetupFailed> => {
  let fault: string | undefined
  const hear = (message: string) => onMessage?.(message)
  const logger: Logger = {
    debug: hear,
    info: hear,
    warn: hear,
    error: (message) => {
      fault = message
      hear(message)
    }
  }
  return Effect.tryPromise({
    try: () => run(logger),
    catch: (error) => new KeySetupFailed({ step, reason: error instanceof Error ? error.message : String(error) })
  }).pipe(
    Effect.flatMap((result) =>
      result === false || result === -1
        ? Effect.fail(new KeySetupFailed({ step, reason: fault ?? "snarkjs refused without a reason" }))
        : Effect.succeed(result as Exclude<A, false | -1>)
    )
  )
}

/**
 * Stops snarkjs' threads after the effect, which would otherwise keep the process alive. Leaves them alone where the process
 * had them running before: somebody else is proving.
 */
export const releasingCurve = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const shared = globalThis as { curve_bn128?: { readonly terminate: () => Promise<void> } | null }
    if (shared.curve_bn128) return effect
    return Effect.ensuring(effect, Effect.promise(async () => shared.curve_bn128?.terminate()))
  })

const bn254Modulus = 21888242871839275222246405745257275088696311157297823662689037894645226208583n
const headerSection = 1
const lagrangeSection = 12

/** What the beginning of a powers of tau file and its table of sections say. */
const inspect = async (file: string): Promise<{ power: number; prepared: boolean }> => {
  const handle = await fs.open(file)
  try {
    const readAt = async (at: number, length: number) => {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, at)
      if (bytesRead < length) throw new Error("the file is cut short")
      return buffer
    }
    if ((await readAt(0, 4)).toString("latin1") !== "ptau") throw new Error("it is not a powers of tau file")
    const sections = (await readAt(8, 4)).readUInt32LE()
    const found = new Map<number, number>()
    for (let i = 0, at = 12; i < sections; i++) {
      const entry = await readAt(at, 12)
      found.set(entry.readUInt32LE(), at + 12)
      at += 12 + Number(entry.readBigUInt64LE(4))
    }
    const header = await readAt(found.get(headerSection) ?? Number.MAX_SAFE_INTEGER, 44)
    const modulus = BigInt(`0x${Buffer.from(header.subarray(4, 36)).reverse().toString("hex")}`)
    if (modulus !== bn254Modulus) throw new Error("it is over another curve than BN254")
    return { power: header.readUInt32LE(36), prepared: found.has(lagrangeSection) }
  } finally {
    await handle.close()
  }
}

/** Checks that a file can serve circuits of the given power, and answers its own power. */
export const checkPowersOfTau = Effect.fn("checkPowersOfTau")(function*(
  file: string,
  powerNeeded: number
): Effect.fn.Return<number, PowersOfTauUnusable> {
  const unusable = (reason: string) => new PowersOfTauUnusable({ path: file, reason, powerNeeded })
  const { power, prepared } = yield* Effect.tryPromise({
    try: () => inspect(file),
    catch: (error) => unusable(error instanceof Error ? error.message : String(error))
  })
  if (!prepared) return yield* unusable("it is not prepared for phase 2")
  if (power < powerNeeded) return yield* unusable(`its power is ${power}`)
  return power
})

/** SHA-256 of a file of any size, hexadecimal. */
export const hashFile = async (file: string): Promise<string> => {
  const hash = createHash("sha256")
  await pipeline(createReadStream(file), hash)
  return hash.digest("hex")
}

const inMemoryLimit = 2 ** 30

/**
 * A file as snarkjs should read it: in memory unless that takes more than 1 GiB, because snarkjs leaves some of the files open
 * that it opens itself.
 */
export const sourceOf = async (file: string): Promise<Source> =>
  (await fs.stat(file)).size <= inMemoryLimit ? fs.readFile(file) : file

/**
 * Makes powers of tau with one contribution and prepares them for phase 2. Takes {@link preparationMinutes}. Whoever runs this
 * could keep tau: good enough for development and nothing else.
 */
export const makePowersOfTau = Effect.fn("makePowersOfTau")(function*(options: {
  readonly power: number
  /** Path of the new file. */
  readonly file: string
  /** Mixed with the system's own randomness. */
  readonly entropy?: string
  readonly onMessage?: (message: string) => void
}): Effect.fn.Return<void, KeySetupFailed> {
  const { file, onMessage, power } = options
  const step = <A>(name: string, run: (logger: Logger) => Promise<A>) => setupStep(`powers of tau: ${name}`, run, onMessage)
  const scratch = path.join(path.dirname(file), `.${path.basename(file)}`)
  const [blank, contributed] = [`${scratch}.blank`, `${scratch}.contributed`]
  const curve = yield* step("curve", () => curves.getCurveFromName("bn128"))
  yield* Effect.gen(function*() {
    yield* step("start", (logger) => powersOfTau.newAccumulator(curve, power, blank, logger))
    yield* step("contribution", (logger) =>
      powersOfTau.contribute(blank, contributed, "lignum", options.entropy ?? randomBytes(64).toString("hex"), logger))
    yield* step("preparation", (logger) => powersOfTau.preparePhase2(contributed, file, logger))
  }).pipe(
    Effect.ensuring(Effect.promise(() => Promise.all([blank, contributed].map((each) => fs.rm(each, { force: true })))))
  )
})
