import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { DevnetReport, isSound } from "../../src/devnet/Report.ts"
import { seededRandom } from "../../src/ledger/SeededRandom.ts"
import { type Ended, lastLine, lignum } from "../cli/lignum.ts"

const reportOf = (ended: Ended): DevnetReport => {
  assert.strictEqual(ended.code, 0, ended.stderr)
  return Schema.decodeUnknownSync(Schema.toCodecJson(DevnetReport))(lastLine(ended))
}

const assertSound = (report: DevnetReport) => {
  assert.isTrue(isSound(report), JSON.stringify(report.invariants))
  for (const [i, update] of report.updates.entries()) {
    assert.strictEqual(update.from, i === 0 ? 0 : report.updates[i - 1]!.to, "updates follow each other without a gap or an overlap")
    assert.strictEqual(update.blocks, update.to - update.from)
    assert.isAtLeast(update.continuedBy, update.to)
    assert.strictEqual(update.endIsCheckpoint, update.continuedBy === update.to)
  }
}

describe("the devnet", () => {
  it("ST-2: settles an update whose END is a checkpoint's block, and one whose END is not", async () => {
    const report = reportOf(await lignum(["devnet", "--operators", "1", "--until-updates", "2", "--json"]).ended)
    assertSound(report)
    assert.deepStrictEqual(new Set(report.updates.map(({ endIsCheckpoint }) => endIsCheckpoint)), new Set([true, false]))
    assert.isAtLeast(report.checkpoints, 2)
    assert.isAtLeast(report.blocksProven, report.updates.at(-1)!.to)
    assert.isAbove(report.credits.length, 0)
  })

  // LIGNUM_TEST_KILLS=10 or more takes its time.
  it("RW-5, ND-3: goes on after kill -9 at random moments; nothing is proven, settled or paid twice", async () => {
    const data = mkdtempSync(join(tmpdir(), "lignum-kill-"))
    const random = seededRandom("kill", process.env.LIGNUM_TEST_SEED ?? "1")
    const devnet = ["devnet", "--data", data, "--operators", "1", "--block-time", "4 seconds", "--json"]
    try {
      for (let kill = 0; kill < Number(process.env.LIGNUM_TEST_KILLS ?? 5); kill++) {
        const run = lignum(devnet)
        await sleep(1_500 + random.integer(12_000))
        run.killAll()
        const { code, stderr } = await run.ended
        assert.isNull(code, `it ended by itself before kill ${kill}: ${stderr}`)
      }
      const report = reportOf(await lignum([...devnet, "--until-updates", "4"]).ended)
      assertSound(report)
      // It starts once more, only to look: everything is as it was.
      const again = reportOf(await lignum([...devnet, "--until-updates", "4"]).ended)
      assert.deepStrictEqual(again.updates.slice(0, report.updates.length), report.updates)
    } finally {
      rmSync(data, { recursive: true, force: true })
    }
  })

  it("says in plain lines what happens, and stops at Ctrl-C", async () => {
    const run = lignum(["devnet", "--operators", "1", "--block-time", "500 millis"])
    let shown = ""
    const deadline = Date.now() + 120_000
    while (!/checkpoint 2 is on L1/.test(shown) && Date.now() < deadline) {
      await sleep(250)
      shown = run.seen()
    }
    run.interrupt()
    const { code, stderr } = await run.ended
    assert.strictEqual(code, 0)
    assert.match(stderr, /L1 listens at http:\/\/127\.0\.0\.1:\d+/)
    assert.match(stderr, /block 1: \d transfers, prover fees/)
    assert.match(stderr, /checkpoint 2 is on L1, certified by [34] validators/)
  })
})
