/** Progress of long commands on keys, on stderr. */
import type { OnKeyProgress } from "../../proofs/CircuitKeys.ts"

/** Writes each step once, and on a terminal the latest detail of the step behind it. */
export const keyProgress = (quiet: boolean): OnKeyProgress => {
  if (quiet) return () => undefined
  let shown = 0
  return ({ detail, stage, step, steps }) => {
    if (step !== shown) {
      if (shown > 0 && process.stderr.isTTY) process.stderr.write("\n")
      process.stderr.write(`${step}/${steps} ${stage}${process.stderr.isTTY ? "" : "\n"}`)
      shown = step
    } else if (process.stderr.isTTY && detail !== undefined) {
      process.stderr.write(`\r\u001b[K${step}/${steps} ${stage}: ${detail.trim().slice(0, 60)}`)
    }
  }
}
