/** Jobs for people. */
import type { Job } from "../../jobs/Jobs.ts"

/** Columns as wide as what is in them; the last is as long as it wants. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd())
}

/** A moment by the database's clock. */
export const moment = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ")

/** How long something took, or takes. */
export const seconds = (milliseconds: number): string => `${(milliseconds / 1_000).toFixed(1)} s`

/** The host that has the job, or had it last. */
export const hostOf = ({ attempts }: Job): string => attempts.at(-1)?.host ?? "-"
