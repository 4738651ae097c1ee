/**
 * Blocks proved per second: the worker pool against bare snarkjs, on the same blocks with the same keys.
 *
 * Bare snarkjs has the keys in memory and uses all cores for one proof. The pool's proofs are verified, as they always are;
 * those of bare snarkjs are not.
 */
import { Duration, Effect, Result } from "effect"
import { curves, groth16 } from "snarkjs"
import { toAddress } from "../src/domain/Hash.ts"
import { blockInput } from "../src/proofs/CircuitInputs.ts"
import { loadKeys } from "../src/proofs/CircuitKeys.ts"
import { parametersOf } from "../src/proofs/CircuitManifest.ts"
import * as Groth16 from "../src/proofs/Groth16.ts"
import { ProofSystem } from "../src/proofs/ProofSystem.ts"
import { fullBlocks } from "./Blocks.ts"
import { type Bench, type BenchOptions, type Measurements, median } from "./Report.ts"

const blockCount = 8
const prover = toAddress("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")

const megabytes = (bytes: number) => Math.round(bytes / 1e6)
const rounded = (value: number) => Number(value.toPrecision(4))

/** Highest resident memory of the process while the effect runs. */
const withPeakMemory = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    let peak = process.memoryUsage.rss()
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss())
    }, 50)
    return effect.pipe(
      Effect.map((result) => [peak, result] as const),
      Effect.ensuring(Effect.sync(() => clearInterval(timer)))
    )
  })

const program = ({ progress, runs, seed }: BenchOptions): Effect.Effect<Measurements, unknown> =>
  Effect.gen(function*() {
    const keys = yield* loadKeys()
    const { blocks } = fullBlocks(`bench/${seed}`, blockCount)
    const inputs = blocks.map(({ witness }) => Result.getOrThrow(blockInput(witness, prover, parametersOf(keys.manifest).block)))
    const before = process.memoryUsage.rss()

    return yield* Effect.gen(function*() {
      const { capacity, proveBlock } = yield* ProofSystem
      const provePool = (indices: ReadonlyArray<number>) =>
        Effect.forEach(indices, (index) => proveBlock(blocks[index]!.witness, prover, () => Effect.void), { concurrency: "unbounded", discard: true })
      const proveBare = (indices: ReadonlyArray<number>) =>
        Effect.promise(async () => {
          for (const index of indices) await groth16.fullProve(inputs[index]!, keys.block.witnessGenerator, keys.block.provingKey)
        })
      // As many blocks as the pool takes at once, then the same with bare snarkjs: whatever else the machine does hits both.
      const batches = Array.from({ length: Math.ceil(blockCount / capacity) }, (_, batch) =>
        Array.from({ length: Math.min(capacity, blockCount - batch * capacity) }, (_, index) => batch * capacity + index))
      const seconds = <E>(prove: Effect.Effect<void, E>) => Effect.map(Effect.timed(prove), ([duration]) => Duration.toSeconds(duration))

      progress(`proving ${blockCount} blocks of ${keys.block.constraints} constraints, ${capacity} at once in the pool`)
      // Also the first proofs of each, which find code that is not yet optimised, before anything is timed.
      const [peak] = yield* withPeakMemory(Effect.forEach(batches.slice(0, 2), provePool, { discard: true }))
      yield* proveBare([0])

      const measured: Array<{ readonly pool: number; readonly bare: number; readonly ratio: number }> = []
      for (let run = 1; run <= runs; run++) {
        let pool = 0
        let bare = 0
        for (const [number, batch] of batches.entries()) {
          const poolFirst = (run + number) % 2 === 0
          if (poolFirst) pool += yield* seconds(provePool(batch))
          bare += yield* seconds(proveBare(batch))
          if (!poolFirst) pool += yield* seconds(provePool(batch))
        }
        measured.push({ pool: rounded(blockCount / pool), bare: rounded(blockCount / bare), ratio: rounded(bare / pool) })
        progress(`run ${run} of ${runs}: pool ${(blockCount / pool).toFixed(3)} blocks/s, bare snarkjs ${(blockCount / bare).toFixed(3)} blocks/s, ratio ${(bare / pool).toFixed(3)}`)
      }
      const middle = (name: "pool" | "bare" | "ratio") => median(measured.map((each) => each[name]))
      return {
        bars: [{ id: "pool-over-bare", value: middle("ratio"), unit: "x", atLeast: 1 }],
        details: {
          blocks: blockCount,
          constraints: keys.block.constraints,
          workers: capacity,
          pool: middle("pool"),
          bare: middle("bare"),
          ratio: middle("ratio"),
          unit: "blocks/s",
          measured,
          memory: {
            peakMegabytes: megabytes(peak),
            workersMegabytes: megabytes(peak - before),
            workersShare: rounded((peak - before) / peak)
          }
        }
      }
    }).pipe(
      Effect.provide(Groth16.layer({ keys })),
      Effect.ensuring(Effect.promise(async () => (await curves.getCurveFromName("bn128")).terminate()))
    )
  })

export const bench: Bench = {
  runs: 3,
  measure: (options) => Effect.runPromise(program(options))
}
