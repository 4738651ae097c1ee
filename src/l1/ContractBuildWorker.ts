/**
 * Runs solc, a WASM program that computes for seconds without a pause, on a thread of its own: standard JSON in, standard JSON out.
 */
import { createRequire } from "node:module"
import { parentPort, workerData } from "node:worker_threads"

const solc = createRequire(import.meta.url)("solc") as { readonly compile: (input: string) => string }

parentPort!.postMessage(solc.compile(workerData as string))
