/**
 * The backlog: prover gas that is checkpointed on L1 and still unproven beyond the target lag (FM-2).
 *
 * It is a function of what everybody can read: headers, the times at which L1 registered checkpoints, and the tip.
 */
import { BlockNumber, ProverGas } from "./Amount.ts"

/** A checkpoint and the timestamp of the L1 block that registered it, in seconds since 1970. */
export interface RegisteredCheckpoint {
  readonly number: BlockNumber
  readonly registeredAt: bigint
}

/** Where settlement stands. */
export interface SettlementView {
  /** The last block that L1 knows to be proven. */
  readonly tip: BlockNumber
  /** Registered checkpoints, oldest first; those that the tip has reached do not count. */
  readonly checkpoints: ReadonlyArray<RegisteredCheckpoint>
}

/**
 * The last block that is overdue at `now`; the tip when none is. A block waits since the first checkpoint at or beyond it was
 * registered, and is overdue when that is longer ago than `targetLag`. All times in seconds.
 */
export const overdueUpTo = ({ checkpoints, tip }: SettlementView, now: bigint, targetLag: bigint): BlockNumber =>
  checkpoints.reduce((last, { number, registeredAt }) => now - registeredAt > targetLag && number > last ? number : last, tip)

/** Prover gas of the overdue blocks at `now`, in seconds since 1970. */
export const overdueGas = (gas: GasTotals, view: SettlementView, now: bigint, targetLag: bigint): ProverGas =>
  gas.between(view.tip, overdueUpTo(view, now, targetLag))

/** Prover gas of the blocks of one chain, summed so that any stretch of it costs one subtraction. */
export class GasTotals {
  readonly #upTo: Array<bigint> = []

  /** The number of the block whose gas is to be recorded next, if nothing is replaced. */
  get next(): number {
    return this.#upTo.length
  }

  /** Records a block's gas, block 0 first and then in order; a number that is known replaces that block and all after it. */
  record(number: BlockNumber, gas: ProverGas): void {
    if (number > this.#upTo.length) throw new RangeError(`block ${number} does not follow block ${this.#upTo.length - 1}`)
    this.#upTo.length = number
    this.#upTo.push((this.#upTo[number - 1] ?? 0n) + gas)
  }

  /** Gas of the blocks after one, up to and with another; blocks that are not recorded count nothing. */
  between(after: BlockNumber, upTo: BlockNumber): ProverGas {
    const last = this.#upTo.length - 1
    const total = (number: number) => this.#upTo[Math.min(number, last)] ?? 0n
    return ProverGas.make(upTo > after ? total(upTo) - total(after) : 0n)
  }
}
