/**
 * A prover with rapidsnark's command line: `<command> <zkey> <wtns> <proof.json> <public.json>`.
 *
 * It only proves. The witness is computed on our threads before it, and what it writes is decoded and verified like a
 * stranger's proof.
 */
import { Effect, FileSystem, Schema, Semaphore, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import fs from "node:fs/promises"
import path from "node:path"
import type { CircuitName } from "./CircuitParameters.ts"
import { circuitNames } from "./CircuitParameters.ts"
import { type CircuitProver, expectBytes, type Groth16Workers, notProved, NotProved } from "./CircuitProver.ts"
import { encodeProof, MalformedProof } from "./Groth16Encoding.ts"

/**
 * The external prover cannot be used: the command is `missing`, its `files` cannot be written, it ended with an `exit` code
 * other than 0, or its `output` is not a proof. Mend what `detail` names, or take the prover out of the configuration: the built-in one proves the same.
 */
export class ExternalProverFailed extends Schema.TaggedError<ExternalProverFailed>()("ExternalProverFailed", {
  command: Schema.String,
  fault: Schema.Literals(["missing", "files", "exit", "output"]),
  detail: Schema.String
}) {
  override get message() {
    const what = {
      missing: "cannot be started",
      files: "cannot be given its files",
      exit: "failed",
      output: "wrote no usable proof"
    }[this.fault]
    return `the external prover ${this.command} ${what}: ${this.detail}. Give the path of a program with rapidsnark's command line, or remove the external prover from the configuration to prove with the built-in one.`
  }
}

export interface ExternalProverOptions {
  /** Path of the program, or its name on PATH. */
  readonly command: string
  /** Proofs at once; such provers use every core for one. */
  readonly concurrency?: number
}

const Coordinate = Schema.String.check(Schema.isPattern(/^(0|[1-9][0-9]{0,77})$/))
const Pair = Schema.Tuple([Coordinate, Coordinate])

/** `proof.json` as snarkjs and rapidsnark write it; rapidsnark leaves the curve out. */
const ProofFile = Schema.fromJsonString(Schema.Struct({
  pi_a: Schema.Tuple([Coordinate, Coordinate, Coordinate]),
  pi_b: Schema.Tuple([Pair, Pair, Pair]),
  pi_c: Schema.Tuple([Coordinate, Coordinate, Coordinate]),
  protocol: Schema.Literal("groth16")
}))
const decodeProofFile = Schema.decodeUnknownEffect(ProofFile)

/** The proof's bytes, or what is wrong with it. */
const tryEncode = (proof: typeof ProofFile.Type): Uint8Array | string => {
  try {
    return encodeProof({ ...proof, curve: "bn128" })
  } catch (error) {
    if (error instanceof MalformedProof) return error.message
    throw error
  }
}

/** A proof takes about 800 bytes; whatever is much longer is not read. */
const longestProofFile = 16_384

/** How much of what the program printed goes into an error. */
const keptOutput = 2_000

/**
 * The path of the program that a command names.
 *
 * @throws ExternalProverFailed when there is no such program.
 */
export const find = (command: string): Effect.Effect<string, ExternalProverFailed> =>
  Effect.gen(function*() {
    const directories = command.includes(path.sep) ? [""] : (process.env["PATH"] ?? "").split(path.delimiter)
    for (const directory of directories) {
      const file = directory === "" ? path.resolve(command) : path.join(directory, command)
      const found = yield* Effect.promise(() => fs.access(file, fs.constants.X_OK).then(() => true, () => false))
      if (found) return file
    }
    return yield* new ExternalProverFailed({
      command,
      fault: "missing",
      detail: command.includes(path.sep) ? "there is no executable file of this path" : "no executable of this name is on PATH"
    })
  })

/**
 * Lays the proving keys out for the program, in a directory that goes away with the scope.
 *
 * @param program what {@link find} answered.
 * @param workers compute the witnesses.
 */
export const make = Effect.fn("ExternalProver.make")(function*(
  program: string,
  concurrency: number,
  provingKeys: Readonly<Record<CircuitName, Uint8Array>>,
  workers: Groth16Workers
) {
  const files = yield* FileSystem.FileSystem
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const failed = (fault: ExternalProverFailed["fault"], detail: string) => new ExternalProverFailed({ command: program, fault, detail })
  const failing = (fault: ExternalProverFailed["fault"]) =>
    Effect.mapError((error: { readonly message: string }) => failed(fault, error.message))

  const directory = yield* files.makeTempDirectoryScoped({ prefix: "lignum-prover-" }).pipe(failing("files"))
  const keyFile = (circuit: CircuitName) => path.join(directory, `${circuit}.zkey`)
  for (const circuit of circuitNames) yield* files.writeFile(keyFile(circuit), provingKeys[circuit]).pipe(failing("files"))

  /** Runs the program to its end, or kills it on interruption. */
  const run = (args: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make(program, [...args], { stdin: "ignore", killSignal: "SIGKILL" }).pipe(
        Effect.provideService(ChildProcessSpawner.ChildProcessSpawner, spawner),
        failing("missing")
      )
      const [printed, exitCode] = yield* Effect.all([
        handle.all.pipe(Stream.decodeText(), Stream.runFold(() => "", (kept, text) => (kept + text).slice(-keptOutput))),
        handle.exitCode
      ], { concurrency: 2 }).pipe(failing("exit"))
      if (exitCode !== 0) return yield* failed("exit", `exit code ${exitCode}, last words: ${printed.trim() || "none"}`)
    }).pipe(Effect.scoped)

  const readProof = (file: string) =>
    Effect.gen(function*() {
      const { size } = yield* files.stat(file).pipe(failing("output"))
      if (size > longestProofFile) return yield* failed("output", `proof.json has ${size} bytes`)
      const text = yield* files.readFileString(file).pipe(failing("output"))
      const encoded = tryEncode(yield* decodeProofFile(text).pipe(failing("output")))
      return typeof encoded === "string" ? yield* failed("output", encoded) : encoded
    })

  /** One proof, in a directory of its own. */
  const proveWitness = (circuit: CircuitName, witness: Uint8Array) =>
    Effect.gen(function*() {
      const job = yield* files.makeTempDirectoryScoped({ directory, prefix: "job-" }).pipe(failing("files"))
      const witnessFile = path.join(job, "witness.wtns")
      const proofFile = path.join(job, "proof.json")
      yield* files.writeFile(witnessFile, witness).pipe(failing("files"))
      // The public signals that it writes are not looked at: they are recomputed from the statement.
      yield* run([keyFile(circuit), witnessFile, proofFile, path.join(job, "public.json")])
      return yield* readProof(proofFile)
    }).pipe(Effect.scoped)

  const turns = yield* Semaphore.make(concurrency)

  const prover: CircuitProver = {
    capacity: concurrency,
    prove: (circuit, input, onProgress) =>
      Effect.gen(function*() {
        const witness = yield* workers.run({ _tag: "Witness", circuit, input }, onProgress).pipe(
          Effect.mapError(notProved),
          Effect.flatMap(expectBytes)
        )
        yield* onProgress(0.1, `proving with ${path.basename(program)}`)
        return yield* proveWitness(circuit, witness).pipe(
          Effect.mapError((error) => new NotProved({ reason: error.message, retry: true }))
        )
      }).pipe(turns.withPermit)
  }
  return prover
})
