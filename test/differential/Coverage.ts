/**
 * How often calls of each kind succeeded, and how often they ended in each refusal: what a run of histories has really tried.
 */
import type { Event } from "../../src/domain/Settlement.ts"

export class Coverage {
  readonly #counts = new Map<string, number>()

  /** Notes one call; no error is a success. */
  note(kind: Event["_tag"], error?: string): void {
    const key = `${kind} ${error ?? "succeeded"}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** Notes an event of the contracts, or another thing that must happen now and then. */
  saw(name: string): void {
    const key = `saw ${name}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** Counts by `kind outcome`, in alphabetical order. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a < b ? -1 : 1))
  }

  /** Which of these never happened. */
  missing(names: ReadonlyArray<string>): ReadonlyArray<string> {
    return names.filter((name) => !this.#counts.has(name))
  }
}
