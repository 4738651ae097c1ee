/**
 * One operator on several hosts, each a process, with real proofs over a real Postgres. Its longer sisters, `rolling-restart` and
 * `host-chaos`, are played by `npm run scenarios`.
 */
import { assert, describe, it } from "@effect/vitest"
import { played } from "./played.ts"

const nothingLostOrTwice = "no job is lost, and none was done twice"

describe("one operator on three hosts", () => {
  it("ND-3, ND-4: the host that proves and the host of the settler are killed; others go on, nothing is lost, nothing comes twice", async () => {
    const { evidence, report } = await played("host-loss", "--until-updates", "3")
    assert.isAtLeast(report.updates.length, 3)
    const killed = evidence("the host that proves a block and the host of the settler are killed")
    assert.notStrictEqual(evidence("its job is done by another host").host, killed.prover)
    assert.isAbove(Number(evidence("the settler is another than the one that was killed, and brings an update").epoch), Number(killed.epoch))
    const jobs = evidence(nothingLostOrTwice)
    assert.isAtLeast(Number(jobs.lost), 1)
    assert.isAtLeast(Number(jobs.done), report.updates.at(-1)!.to)
  }, 600_000)
})
