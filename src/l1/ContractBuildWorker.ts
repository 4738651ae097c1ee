/**
 * Runs solc, a WASM program that computes for seconds without a pause, on a thread of its own: standard JSON in, standard JSON out, as
 * often as it is asked.
 */
import { createRequire } from "node:module"
import { parentPort } from "node:worker_threads"

const solc = createRequire(import.meta.url)("solc") as { readonly compile: (input: string) => string }

parentPort!.on("message", (input: string) => parentPort!.postMessage(solc.compile(input)))
