/**
 * Compiles circom circuits with the WASM build of circom that comes from npm.
 */
import { Effect, Schema, type Scope } from "effect"
import { createHash } from "node:crypto"
import fs from "node:fs/promises"
import { createRequire } from "node:module"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import type { CompilerMessage, CompilerTask } from "./CircuitCompilerWorker.ts"
import { type CircuitName, type CircuitParameters, mainProgram } from "./CircuitParameters.ts"

/** Where compiled circuits go unless somebody says otherwise. */
export const defaultBuildDirectory = fileURLToPath(new URL("../../build/circuits", import.meta.url))

/** Where the circuits' sources are. */
export const circuitsDirectory = fileURLToPath(new URL("../../circuits", import.meta.url))

/** circom refused a program, or its output could not be used. Mend what `output` names; where a package is missing, run `npm ci`. */
export class CircuitCompileFailed extends Schema.TaggedError<CircuitCompileFailed>()("CircuitCompileFailed", {
  /** The main program. */
  program: Schema.String,
  /** What circom printed. */
  output: Schema.String
}) {
  override get message() {
    return `circom cannot compile ${this.program}:\n${this.output}\nMend the source it points at; if a file is missing, run \`npm ci\`.`
  }
}

/** A compiled circuit: two files and what is known about them. */
export interface CompiledCircuit {
  readonly name: string
  /** Path of the constraint system. */
  readonly r1cs: string
  /** Path of the witness generator. */
  readonly wasm: string
  /** Path of the table of signal names, where it was asked for. */
  readonly sym: string | undefined
  readonly constraints: number
  readonly publicInputs: number
  readonly wires: number
  /** SHA-256 of both files, hexadecimal. Equal sources give equal hashes, wherever they are compiled. */
  readonly r1csSha256: string
  readonly wasmSha256: string
}

export interface CompileOptions {
  /** Name of the output files. */
  readonly name: string
  /** Path of the main program. It includes files of the circuits' directory by their name, and circomlib. */
  readonly program: string
  /** Directory that the output goes to; it is made if it does not exist. */
  readonly directory: string
  /** Whether to write the table of signal names too. */
  readonly sym?: boolean
  /** Hears what circom prints, line by line. */
  readonly onLine?: (line: string) => void
}

/**
 * Powers of two hold constraints, public inputs and the constant one; this is the power that a circuit needs, and with it
 * the least powers of tau.
 */
export const powerOf = ({ constraints, publicInputs }: { readonly constraints: number; readonly publicInputs: number }): number =>
  Math.ceil(Math.log2(constraints + publicInputs + 1))

/** Numbers from the header of a constraint system, read here because snarkjs would start its threads for it. */
export const readR1csHeader = (r1cs: Uint8Array): { constraints: number; publicInputs: number; wires: number } => {
  const view = new DataView(r1cs.buffer, r1cs.byteOffset, r1cs.byteLength)
  const headerSection = 1
  let at = 12
  while (view.getUint32(at, true) !== headerSection) at += 12 + Number(view.getBigUint64(at + 4, true))
  const fields = at + 12 + 4 + view.getUint32(at + 12, true)
  return {
    wires: view.getUint32(fields, true),
    publicInputs: view.getUint32(fields + 4, true) + view.getUint32(fields + 8, true),
    constraints: view.getUint32(fields + 24, true)
  }
}

/** SHA-256, hexadecimal. */
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const runCircom = (task: CompilerTask, onLine: (line: string) => void) =>
  Effect.callback<boolean>((resume) => {
    const worker = new Worker(new URL("./CircuitCompilerWorker.ts", import.meta.url), { workerData: task })
    const end = (succeeded: boolean) => resume(Effect.succeed(succeeded))
    worker.on("message", (message: CompilerMessage) => "line" in message ? onLine(message.line) : end(message.succeeded))
    worker.on("error", (error) => {
      onLine(String(error))
      end(false)
    })
    worker.on("exit", () => end(false))
    return Effect.promise(() => worker.terminate())
  })

/**
 * Compiles one circuit with all simplifications on. Takes seconds, on a thread of its own; interrupting it stops the thread.
 *
 * The program sees three directories and no more: the circuits, circomlib, and the one of the main program. Its names for
 * them are the same on every machine, and links are resolved beforehand because circom's sandbox does not follow them.
 */
export const compileCircuit = Effect.fn("compileCircuit")(function*(
  options: CompileOptions
): Effect.fn.Return<CompiledCircuit, CircuitCompileFailed, Scope.Scope> {
  const { directory, name, program } = options
  const output: Array<string> = []
  const failed = (cause?: unknown) =>
    new CircuitCompileFailed({ program, output: [...output, ...(cause === undefined ? [] : [String(cause)])].join("\n") })
  const attempt = <A>(task: () => Promise<A>) => Effect.tryPromise({ try: task, catch: failed })

  // circom writes where nobody reads; finished files are moved into place, so that two compilations do not meet halfway.
  yield* attempt(() => fs.mkdir(directory, { recursive: true }))
  const scratch = yield* Effect.acquireRelease(
    attempt(() => fs.mkdtemp(path.join(directory, ".compiling-"))),
    (scratch) => Effect.promise(() => fs.rm(scratch, { recursive: true, force: true }))
  )

  const task = yield* attempt(async (): Promise<CompilerTask> => {
    const circomlib = path.dirname(createRequire(import.meta.url).resolve("circomlib/package.json"))
    const circuits = await fs.realpath(circuitsDirectory)
    const main = await fs.realpath(program)
    const ownCircuit = main.startsWith(circuits + path.sep)
    return {
      arguments: [
        ownCircuit ? `/circuits/${path.relative(circuits, main)}` : `/program/${path.basename(main)}`,
        "--O2",
        "--r1cs",
        "--wasm",
        ...(options.sym === true ? ["--sym"] : []),
        "-l",
        "/circuits",
        "-l",
        "/packages",
        "-o",
        "/output"
      ],
      directories: {
        ...(ownCircuit ? {} : { "/program": path.dirname(main) }),
        "/circuits": circuits,
        "/packages/circomlib": await fs.realpath(circomlib),
        "/output": await fs.realpath(scratch)
      }
    }
  })

  const succeeded = yield* runCircom(task, (line) => {
    if (line.trim() === "") return
    output.push(line)
    options.onLine?.(line)
  })
  if (!succeeded) return yield* failed()

  const stem = path.basename(program, ".circom")
  return yield* attempt(async () => {
    const place = async (from: string, extension: string) => {
      const to = path.join(directory, `${name}.${extension}`)
      const contents = await fs.readFile(path.join(scratch, from))
      await fs.rename(path.join(scratch, from), to)
      return [to, contents] as const
    }
    const [wasm, witnessGenerator] = await place(`${stem}_js/${stem}.wasm`, "wasm")
    const [r1cs, constraintSystem] = await place(`${stem}.r1cs`, "r1cs")
    const sym = options.sym === true ? (await place(`${stem}.sym`, "sym"))[0] : undefined
    return {
      name,
      r1cs,
      wasm,
      sym,
      ...readR1csHeader(constraintSystem),
      r1csSha256: sha256(constraintSystem),
      wasmSha256: sha256(witnessGenerator)
    }
  })
}, Effect.scoped)

/**
 * Compiles one of the project's circuits for the given sizes. Its main program and the output go to a directory below
 * `directory` that is named after the sizes, so that builds of different sizes stay apart.
 */
export const compileSized = Effect.fn("compileSized")(function*(
  name: CircuitName,
  parameters: CircuitParameters,
  options: { readonly directory?: string; readonly onLine?: (line: string) => void } = {}
): Effect.fn.Return<CompiledCircuit, CircuitCompileFailed> {
  const sizes = Object.values(parameters[name]).join("-")
  const directory = path.join(options.directory ?? defaultBuildDirectory, `${name}-${sizes}`)
  const program = path.join(directory, `${name}-main.circom`)
  yield* Effect.tryPromise({
    try: async () => {
      await fs.mkdir(directory, { recursive: true })
      await fs.writeFile(program, mainProgram(name, parameters))
    },
    catch: (error) => new CircuitCompileFailed({ program, output: String(error) })
  })
  return yield* compileCircuit({ name, program, directory, ...(options.onLine === undefined ? {} : { onLine: options.onLine }) })
})
