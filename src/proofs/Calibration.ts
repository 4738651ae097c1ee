/**
 * Measures what proving takes (FM-1): the circuit's constraints, counted, and the time of its proofs, taken by the real prover.
 */
import { Clock, Duration, Effect, FileSystem } from "effect"
import os from "node:os"
import { toAddress } from "../domain/Hash.ts"
import { ProverGas } from "../domain/Amount.ts"
import { type ProverGasTable, tableOf } from "../domain/ProverGasTable.ts"
import { DevnetLedgerConfig } from "../ledger/DevnetLedgerConfig.ts"
import { sampleBlocks } from "../ledger/SampleBlocks.ts"
import { compileSized } from "./CircuitCompiler.ts"
import type { CircuitKeys } from "./CircuitKeys.ts"
import { parametersOf } from "./CircuitManifest.ts"
import * as Groth16 from "./Groth16.ts"
import { ProofSystem } from "./ProofSystem.ts"

export interface CalibrationOptions {
  readonly keys: CircuitKeys
  /** How often each block is proven, at least once. */
  readonly runs: number
  /** Hears of every step, before it begins. */
  readonly onStep: (step: number, steps: number, what: string) => Effect.Effect<void>
}

/** Proofs are bound to an address; which one makes no difference to their time. */
const prover = toAddress("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")

/**
 * The constraints of one slot: what the block circuit of these sizes has more than one of half as many slots. The second one is
 * compiled for that, which takes seconds.
 */
const slotConstraintsOf = Effect.fnUntraced(function*({ manifest }: CircuitKeys) {
  const files = yield* FileSystem.FileSystem
  const parameters = parametersOf(manifest)
  const { slots } = parameters.block
  const otherSlots = slots === 1 ? 2 : slots / 2
  const directory = yield* Effect.orDie(files.makeTempDirectoryScoped({ prefix: "lignum-calibrate-" }))
  const other = yield* compileSized("block", { ...parameters, block: { ...parameters.block, slots: otherSlots } }, { directory })
  return Math.round((manifest.circuits.block.constraints - other.constraints) / (slots - otherSlots))
})

/**
 * Measures the block circuit of some keys. Blocks without transfers, with one and with all that fit are proven in turn, one
 * proof at a time, so that a machine that slows down slows all of them; the first proof only warms up.
 */
export const calibrate = Effect.fn("calibrate")(function*({ keys, onStep, runs }: CalibrationOptions) {
  const { parameters, constraints, r1csSha256 } = keys.manifest.circuits.block
  const { depth, slots } = parameters
  const config = new DevnetLedgerConfig({
    seed: "calibration",
    chainId: parameters.chainId,
    slots,
    depth,
    transfersPerBlock: 0,
    accounts: Math.min(2 ** depth, Math.max(2, slots))
  })
  const counts = [...new Set([0, 1, Math.min(slots, config.accounts)])]
  const { blocks } = sampleBlocks(config, counts, { transfer: ProverGas.make(BigInt(parameters.transferGas)) })
  const steps = 2 + runs * counts.length

  yield* onStep(1, steps, "counting the constraints of a slot")
  const slotConstraints = yield* slotConstraintsOf(keys)
  const times = counts.map((transfers) => ({ transfers, milliseconds: Array<number>() }))
  yield* Effect.gen(function*() {
    const { proveBlock } = yield* ProofSystem
    const prove = (block: number) => proveBlock(blocks[block]!.witness, prover, () => Effect.void)
    yield* onStep(2, steps, "warming up")
    yield* prove(0)
    for (let run = 0; run < runs; run++) {
      for (const [index, { milliseconds, transfers }] of times.entries()) {
        yield* onStep(3 + run * counts.length + index, steps, `run ${run + 1} of ${runs}: a block with ${transfers} of ${slots} slots filled`)
        const [duration] = yield* Effect.timed(prove(index))
        milliseconds.push(Duration.toMillis(duration))
      }
    }
  }).pipe(Effect.provide(Groth16.layer({ keys, workers: 1 })))

  return tableOf({
    at: yield* Clock.currentTimeMillis,
    circuit: { r1csSha256, constraints, slots, depth },
    machine: {
      cpu: os.cpus()[0]?.model ?? "unknown",
      cores: os.availableParallelism(),
      platform: `${os.platform()} ${os.arch()}`,
      node: process.version
    },
    slotConstraints,
    times
  }) satisfies ProverGasTable
}, Effect.scoped)
