import { assert, describe, it } from "@effect/vitest"
import { scenarioNames } from "../../src/devnet/scenarios/summaries.ts"
import { lignum } from "../cli/lignum.ts"
import { played } from "./played.ts"

// `npm run -s scenarios` plays the others as well.
describe("scenarios", () => {
  it("ST-4, ST-6: fallback: the update comes in its holder's turn, with the bounty", async () => {
    const { evidence, report } = await played("fallback", "--until-updates", "1")
    const { holder } = evidence("it is the holder's who brings it")
    assert.strictEqual(report.operators.find(({ name }) => name === holder)!.updates, 1)
    assert.strictEqual(evidence("the holder is credited the bounty").amount, String(10n ** 16n))
    assert.strictEqual(report.credits.find(({ operator }) => operator === holder)!.credited >= 10n ** 16n, true)
  })

  it("RW-4: copycat: copied leaves are reverted on chain and earn zero, and the share lapses", async () => {
    const { evidence, report } = await played("copycat")
    assert.strictEqual(evidence("the copied proof is on chain, reverted by RW4_NothingEarned").error, "RW4_NothingEarned")
    assert.isAtLeast(Number(evidence("the copied proof is on chain, reverted by RW4_NothingEarned").gasUsed), 21_000)
    assert.isTrue(report.credits.every(({ operator }) => operator !== "prover-2"))
    const { share } = evidence("an update opens a redundancy turn for the copycat")
    assert.isTrue(BigInt(evidence("the share lapses to the protocol reserve").amount!) >= BigInt(share!))
  })

  it("ND-3: reorg: L1 takes back a checkpoint and an update, and all is settled again, once", async () => {
    const { report } = await played("reorg")
    assert.strictEqual(report.operators.length, 2)
    assert.isTrue(report.invariants.noDoubleUpdate && report.invariants.updatesFormOneChain)
  })

  it("an unknown scenario is refused, and the refusal lists those that there are", async () => {
    const { code, stderr, stdout } = await lignum(["devnet", "--scenario", "no-such"]).ended
    assert.strictEqual(code, 2)
    assert.strictEqual(stdout, "")
    for (const name of scenarioNames) assert.include(stderr, name)
  })
})
