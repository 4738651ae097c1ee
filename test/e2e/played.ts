/** Plays a scenario to its end, and holds the report against what the exit code says. */
import { assert } from "@effect/vitest"
import { Schema } from "effect"
import { DevnetReport, isSound } from "../../src/devnet/Report.ts"
import { lastLine, lignum } from "../cli/lignum.ts"

export const played = async (name: string, ...args: ReadonlyArray<string>) => {
  const ended = await lignum(["devnet", "--scenario", name, "--json", ...args]).ended
  assert.strictEqual(ended.code, 0, ended.stderr)
  const report = Schema.decodeUnknownSync(Schema.toCodecJson(DevnetReport))(lastLine(ended))
  assert.isTrue(isSound(report), JSON.stringify(report.invariants))
  assert.strictEqual(report.scenario!.name, name)
  assert.isNull(report.scenario!.missing)
  return { report, evidence: (step: string) => report.scenario!.seen.find((seen) => seen.step === step)!.evidence }
}
