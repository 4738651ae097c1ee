/**
 * `lignum prover-gas calibrate`: measures the circuits and says what a transfer should cost to prove (FM-1).
 */
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { ProverGas } from "../../domain/Amount.ts"
import { deviationOf, encodeProverGasTable, type ProverGasTable, scheduleOf } from "../../domain/ProverGasTable.ts"
import { calibrate } from "../../proofs/Calibration.ts"
import { loadKeys } from "../../proofs/CircuitKeys.ts"
import { devnetKeysDirectory } from "../../proofs/CircuitManifest.ts"
import { keyProgress } from "../keys/progress.ts"
import { requireWritable, writeProverGasTable } from "./tableFile.ts"

const percent = (basisPoints: number): string => `${basisPoints > 0 ? "+" : ""}${(basisPoints / 100).toFixed(2)} %`

const lines = (table: ProverGasTable, enforced: ProverGas): ReadonlyArray<string> => {
  const { circuit, machine, medians, runs, timed } = table.measured
  const empty = medians[0]!
  const fullest = medians[medians.length - 1]!
  return [
    `block circuit of ${circuit.slots} slots at depth ${circuit.depth}: ${circuit.constraints} constraints, ${table.transfer} of them per slot, ${table.block} beside`,
    ...medians.map(({ milliseconds, transfers }) => `a block with ${transfers} of ${circuit.slots} slots filled is proven in ${milliseconds} ms (median of ${runs})`),
    `measured on ${machine.cores} x ${machine.cpu}, ${machine.platform}, Node ${machine.node}`,
    `an empty block takes ${((100 * empty.milliseconds) / fullest.milliseconds).toFixed(1)} % of the time of the fullest; ` +
    `in time alone, that is ${timed.block} prover gas for a block and ${timed.transfer} per transfer`,
    `a transfer in a full block: ${scheduleOf(table).transfer} prover gas; the circuit enforces ${enforced}, which is ` +
    percent(deviationOf({ transfer: enforced }, table))
  ]
}

export const proverGasCalibrate = Command.make(
  "calibrate",
  {
    runs: Flag.Int("runs").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))),
      Flag.withDescription("How often each block is proven; medians count"),
      Flag.withDefault(5)
    ),
    keys: Flag.String("keys").pipe(Flag.withDescription("Folder of the proving keys"), Flag.withDefault(devnetKeysDirectory)),
    write: Flag.String("write").pipe(Flag.withDescription("File to write the schedule to, as a table in JSON"), Flag.optional),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print one JSON object as the last line"), Flag.withDefault(false))
  },
  Effect.fn(function*(given) {
    if (Option.isSome(given.write)) yield* requireWritable(given.write.value)
    const keys = yield* loadKeys(given.keys)
    const progress = keyProgress(given.json)
    const table = yield* calibrate({
      keys,
      runs: given.runs,
      onStep: (step, steps, stage) => Effect.sync(() => progress({ step, steps, stage }))
    })
    if (!given.json && process.stderr.isTTY) process.stderr.write("\n")
    if (Option.isSome(given.write)) yield* writeProverGasTable(given.write.value, table)
    const enforced = ProverGas.make(BigInt(keys.manifest.circuits.block.parameters.transferGas))
    if (given.json) {
      return yield* Console.log(JSON.stringify({
        table: JSON.parse(encodeProverGasTable(table)),
        schedule: { transfer: String(scheduleOf(table).transfer) },
        enforced: { transfer: String(enforced) },
        deviationBasisPoints: deviationOf({ transfer: enforced }, table)
      }))
    }
    for (const line of lines(table, enforced)) yield* Console.log(line)
  })
).pipe(
  Command.withDescription("Measure what proving takes and compare it with the prover gas that the circuit enforces"),
  Command.withExamples([
    { command: "lignum prover-gas calibrate", description: "Measure the devnet's circuits on this machine" },
    { command: "lignum prover-gas calibrate --runs 9 --write schedule.json", description: "Write the schedule that follows" }
  ])
)
