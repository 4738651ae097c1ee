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
 * The external prover cannot be used: the command is `missing`, it ended with an `exit` code other than 0, or its `output`
 * is not a proof. Mend what `detail` names, or take the prover out of the configuration: the built-in one proves the same.
 */
export class ExternalProverFailed extends Schema.TaggedError<ExternalProverFailed>()("ExternalProverFailed", {
  command: Schema.String,
  fault: Schema.Literals(["missing", "exit", "output"]),
  detail: Schema.String
}) {
  override get message() {
    const what = {
      missing: "cannot be started",
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

const findCommand = (command: string) =>
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
 * Looks for the program and lays the proving keys out for it, in a directory that goes away with the scope.
 *
 * @throws ExternalProverFailed when there is no such program.
 */
export const make = Effect.fn("ExternalProver.make")(function*(
  { command, concurrency = 1 }: ExternalProverOptions,
  provingKeys: Readonly<Record<CircuitName, Uint8Array>>,
  workers: Groth16Workers
) {
  const files = yield* FileSystem.FileSystem
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const program = yield* findCommand(command)
  const directory = yield* files.makeTempDirectoryScoped({ prefix: "lignum-prover-" }).pipe(Effect.orDie)
  const keyFile = (circuit: CircuitName) => path.join(directory, `${circuit}.zkey`)
  for (const circuit of circuitNames) yield* files.writeFile(keyFile(circuit), provingKeys[circuit]).pipe(Effect.orDie)

  const failed = (fault: ExternalProverFailed["fault"], detail: string) => new ExternalProverFailed({ command, fault, detail })

  /** Runs the program to its end, or kills it on interruption. */
  const run = (args: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make(program, [...args], { stdin: "ignore", killSignal: "SIGKILL" })
      const [printed, exitCode] = yield* Effect.all([
        handle.all.pipe(Stream.decodeText(), Stream.runFold(() => "", (kept, text) => (kept + text).slice(-keptOutput))),
        handle.exitCode
      ], { concurrency: 2 })
      if (exitCode !== 0) return yield* failed("exit", `exit code ${exitCode}, last words: ${printed.trim() || "none"}`)
    }).pipe(
      Effect.scoped,
      Effect.provideService(ChildProcessSpawner.ChildProcessSpawner, spawner),
      Effect.catchTag("PlatformError", (error) => Effect.fail(failed("missing", error.message)))
    )

  const readProof = (file: string) =>
    Effect.gen(function*() {
      const { size } = yield* files.stat(file)
      if (size > longestProofFile) return yield* failed("output", `proof.json has ${size} bytes`)
      const proof = yield* decodeProofFile(yield* files.readFileString(file))
      const encoded = tryEncode(proof)
      return typeof encoded === "string" ? yield* failed("output", encoded) : encoded
    }).pipe(
      Effect.catchTag("PlatformError", (error) => Effect.fail(failed("output", error.message))),
      Effect.catchTag("SchemaError", (error) => Effect.fail(failed("output", error.message)))
    )

  const turns = yield* Semaphore.make(concurrency)

  const prover: CircuitProver = {
    capacity: concurrency,
    prove: (circuit, input, onProgress) =>
      Effect.gen(function*() {
        const witness = yield* workers.run({ _tag: "Witness", circuit, input }, onProgress).pipe(
          Effect.mapError(notProved),
          Effect.flatMap(expectBytes)
        )
        yield* onProgress(0.1, `proving with ${path.basename(command)}`)
        const job = yield* files.makeTempDirectoryScoped({ directory, prefix: "job-" }).pipe(Effect.orDie)
        const witnessFile = path.join(job, "witness.wtns")
        const proofFile = path.join(job, "proof.json")
        yield* files.writeFile(witnessFile, witness).pipe(Effect.orDie)
        // The public signals that it writes are not looked at: they are recomputed from the statement.
        return yield* run([keyFile(circuit), witnessFile, proofFile, path.join(job, "public.json")]).pipe(
          Effect.andThen(readProof(proofFile)),
          Effect.mapError((error) => new NotProved({ reason: error.message, retry: true }))
        )
      }).pipe(Effect.scoped, turns.withPermit)
  }
  return prover
})
