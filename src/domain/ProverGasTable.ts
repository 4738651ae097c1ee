/**
 * A prover gas schedule as a table with the measurement that it comes from (FM-1), for whoever publishes one or checks one.
 *
 * One unit of prover gas is one constraint of the block circuit. A slot has its constraints whether a transfer fills it or not,
 * so a table does not take the extra time of one more transfer for its price: in Groth16 that is close to nothing.
 */
import { Result, Schema } from "effect"
import { ProverGas } from "./Amount.ts"
import type { ProverGasSchedule } from "./ProverGasSchedule.ts"

const Count = Schema.Int.check(Schema.isGreaterThan(0))
const Milliseconds = Schema.Finite.check(Schema.isGreaterThan(0))

/** What was measured, and on what. */
export const ProverGasMeasurement = Schema.Struct({
  /** Milliseconds since 1970. */
  at: Schema.Int,
  circuit: Schema.Struct({
    /** Hash of the constraint system, as the key manifest has it. */
    r1csSha256: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
    constraints: Count,
    slots: Count,
    depth: Count
  }),
  machine: Schema.Struct({ cpu: Schema.String, cores: Count, platform: Schema.String, node: Schema.String }),
  /** How often each block was proven. */
  runs: Count,
  /** Median proving time of a block by its number of transfers, verification included; the empty block first. */
  medians: Schema.Array(Schema.Struct({ transfers: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), milliseconds: Milliseconds })).check(
    Schema.isMinLength(2)
  ),
  /** The same in prover gas, where the fullest block that was measured is worth the circuit's constraints. */
  timed: Schema.Struct({ transfer: ProverGas, block: ProverGas })
})
export type ProverGasMeasurement = typeof ProverGasMeasurement.Type

/** A published schedule: prover gas by what it is for, and where the figures come from. */
export const ProverGasTable = Schema.Struct({
  version: Schema.Literal(1),
  /** Prover gas of a transfer: the constraints of one slot. */
  transfer: ProverGas,
  /** Prover gas of a block beside its slots: headers, totals, the tree of transactions. */
  block: ProverGas,
  measured: ProverGasMeasurement
}).check(
  Schema.makeFilter(({ block, measured: { circuit }, transfer }) =>
    block + transfer * BigInt(circuit.slots) === BigInt(circuit.constraints)
    || `a block and its slots that add up to the circuit's ${circuit.constraints} constraints`
  )
)
export type ProverGasTable = typeof ProverGasTable.Type

/** A text is no prover gas table. Write a new one with `lignum prover-gas calibrate --write`. */
export class ProverGasTableUnusable extends Schema.TaggedError<ProverGasTableUnusable>()("ProverGasTableUnusable", {
  source: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.source} cannot be used as a prover gas table (${this.reason}): write a new one with \`lignum prover-gas calibrate --write FILE\``
  }
}

const TableText = Schema.fromJsonString(Schema.toCodecJson(ProverGasTable))
const decode = Schema.decodeUnknownResult(TableText)

/** The table as JSON, for people to read as well. */
export const encodeProverGasTable = (table: ProverGasTable): string =>
  `${JSON.stringify(Schema.encodeSync(Schema.toCodecJson(ProverGasTable))(table), undefined, 2)}\n`

/** Reads a table and checks it; `source` names it in the error. */
export const decodeProverGasTable = (text: string, source: string): Result.Result<ProverGasTable, ProverGasTableUnusable> =>
  Result.mapError(decode(text), (error) => new ProverGasTableUnusable({ source, reason: error.message.split(/\s*\n\s*/).join(" ") }))

/**
 * The schedule that a table leads to where only transactions pay: a full block's transfers bear the block's own gas in equal
 * parts, rounded up.
 */
export const scheduleOf = ({ block, measured: { circuit }, transfer }: ProverGasTable): ProverGasSchedule => {
  const slots = BigInt(circuit.slots)
  return { transfer: ProverGas.make(transfer + (block + slots - 1n) / slots) }
}

/** How far an enforced schedule is from the one that a table leads to, in basis points; above 0 where it asks for more. */
export const deviationOf = (enforced: ProverGasSchedule, table: ProverGasTable): number => {
  const measured = scheduleOf(table).transfer
  return Number(((enforced.transfer - measured) * 10_000n) / measured)
}

/** The middle value; of two middle ones, their mean. */
const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** What the circuit says and how long its blocks took. */
export interface CalibrationInput extends Pick<ProverGasMeasurement, "at" | "circuit" | "machine"> {
  /** Constraints that one slot takes. */
  readonly slotConstraints: number
  /** Milliseconds of every proof, by the block's number of transfers, the empty block first. */
  readonly times: ReadonlyArray<{ readonly transfers: number; readonly milliseconds: ReadonlyArray<number> }>
}

/** The table of a calibration. Of the times, only the medians count: a busy machine makes single proofs slow, never fast. */
export const tableOf = ({ at, circuit, machine, slotConstraints, times }: CalibrationInput): ProverGasTable => {
  const medians = times.map(({ milliseconds, transfers }) => ({ transfers, milliseconds: Math.round(median(milliseconds) * 10) / 10 }))
  const [empty, fullest] = [medians[0]!, medians[medians.length - 1]!]
  const gasPerMillisecond = circuit.constraints / fullest.milliseconds
  // Noise can make a fuller block look faster; then a transfer's own time is lost in it.
  const perTransfer = Math.max(0, (fullest.milliseconds - empty.milliseconds) / (fullest.transfers - empty.transfers))
  return {
    version: 1,
    transfer: ProverGas.make(BigInt(slotConstraints)),
    block: ProverGas.make(BigInt(circuit.constraints - slotConstraints * circuit.slots)),
    measured: {
      at,
      circuit,
      machine,
      runs: times[0]!.milliseconds.length,
      medians,
      timed: {
        transfer: ProverGas.make(BigInt(Math.round(perTransfer * gasPerMillisecond))),
        block: ProverGas.make(BigInt(Math.round(empty.milliseconds * gasPerMillisecond)))
      }
    }
  }
}
