/**
 * The published prover gas schedule (FM-1): what proving a transaction costs, apart from what executing it costs.
 *
 * The block circuit enforces the same constants, so a schedule is part of a rollup's circuit parameters.
 */
import { ProverGas } from "./Amount.ts"
import type { Transfer } from "./Transfer.ts"

/** Prover gas by kind of transaction. */
export interface ProverGasSchedule {
  /** A transfer between two accounts; about the number of constraints that one slot of the block circuit takes. */
  readonly transfer: ProverGas
}

/**
 * The schedule of the devnet's circuits, and the constant that they enforce. Measured, a transfer in a full block has 15,289
 * constraints; `lignum prover-gas calibrate` measures them again and says how far off this is.
 */
export const devnetSchedule: ProverGasSchedule = { transfer: ProverGas.make(16_000n) }

/** Prover gas of one transaction; the transaction itself declares nothing about proving. */
export const proverGasOf = (schedule: ProverGasSchedule, _transfer: Transfer): ProverGas => schedule.transfer
