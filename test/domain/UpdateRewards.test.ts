import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { BlockNumber, Wei } from "../../src/domain/Amount.ts"
import { defaultParameters, ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { ageBonus, splitPot } from "../../src/domain/Rewards.ts"
import { earningsOf, raceTerms, turnTerms, updateCredits, type UpdateFacts } from "../../src/domain/UpdateRewards.ts"
import { prover } from "./builders.ts"

const [self, other] = [prover(1), prover(2)]
const parameters = defaultParameters
const { bonusRamp, shares, targetLag } = parameters
const fees = Wei.make(10n ** 15n + 7n)
const block = (number: number, by = self, proverFees = fees) => ({ number: BlockNumber.make(number), prover: by, proverFees })

const facts = (change: Partial<UpdateFacts> = {}): UpdateFacts => ({
  submitter: self,
  terms: raceTerms,
  blocks: [block(1), block(2, other), block(3)],
  settledAt: 1_000_000n,
  checkpoints: [{ number: BlockNumber.make(3), registeredAt: 1_000_000n }],
  unallocated: 10n ** 18n,
  protocolReserve: 10n ** 18n,
  ...change
})
const credits = (change: Partial<UpdateFacts> = {}) => updateCredits(parameters, false, facts(change))
const kinds = (change: Partial<UpdateFacts> = {}) => credits(change).map(({ kind, block }) => `${block} ${kind}`)

describe("what an update brings", () => {
  it("RW-2, RW-3: leaves and submission, block by block", () => {
    const { leaf, submission } = splitPot(fees, shares, false)
    assert.deepStrictEqual(kinds(), ["1 leaf", "1 submission", "2 leaf", "2 submission", "3 leaf", "3 submission"])
    assert.strictEqual(earningsOf(credits(), self), 2n * leaf + 3n * submission)
    assert.strictEqual(earningsOf(credits(), other), leaf)
  })

  it("RW-6: a block is as old as the first checkpoint that continues it", () => {
    const old = 1_000_000n - BigInt(targetLag + bonusRamp / 4)
    const lines = credits({ checkpoints: [{ number: BlockNumber.make(2), registeredAt: old }, { number: BlockNumber.make(3), registeredAt: 1_000_000n }] })
    const bonus = ageBonus(parameters, BigInt(targetLag + bonusRamp / 4))
    const due = splitPot(fees, shares, false, Wei.make(bonus))
    assert.deepStrictEqual(lines.filter(({ kind }) => kind === "bonus").map(({ block, amount }) => [block as number, amount]), [[1, due.bonus], [2, due.bonus]])
    assert.strictEqual(lines.find(({ block, kind }) => block === 1 && kind === "submission")!.amount, due.submission, "the submission is of the whole pot")
  })

  it("RW-6: bonuses end with the reserve, as it was before the update", () => {
    const cap = parameters.bonusCap
    const checkpoints = [{ number: BlockNumber.make(3), registeredAt: 0n }]
    const lines = credits({ checkpoints, protocolReserve: cap + cap / 2n })
    const bonuses = lines.filter(({ kind }) => kind === "bonus")
    const whole = splitPot(fees, shares, false, cap).bonus
    const half = splitPot(fees, shares, false, Wei.make(cap / 2n)).bonus
    assert.deepStrictEqual(bonuses.map(({ block, amount }) => [block as number, amount]), [[1, whole], [2, half]])
  })

  it("RW-1: a vault that holds too little pays what is there", () => {
    const lines = credits({ unallocated: fees + fees / 2n })
    assert.deepStrictEqual(lines.filter(({ kind }) => kind === "leaf").map(({ block, amount }) => [block as number, amount]), [
      [1, splitPot(fees, shares, false).leaf],
      [2, splitPot(Wei.make(fees / 2n), shares, false).leaf]
    ])
  })

  it("ST-6: in another's turn the submission feeds the reserve; in one's own the bounty comes on top, as far as the reserve goes", () => {
    assert.isFalse(credits({ terms: { paid: false, bounty: 0n } }).some(({ kind }) => kind === "submission"))
    const terms = { paid: true, bounty: parameters.fallbackBounty }
    const bounty = (protocolReserve: bigint) => credits({ terms, protocolReserve }).find(({ kind }) => kind === "bounty")
    assert.deepStrictEqual(bounty(10n ** 18n), { block: BlockNumber.make(3), account: self, kind: "bounty", amount: parameters.fallbackBounty })
    // Nothing but what these pots leave over.
    assert.strictEqual(bounty(0n)!.amount as bigint, 3n * splitPot(fees, shares, false).reserve)
  })

  it("ST-6: terms by designation and holder", () => {
    const of = (designation: "open" | "preferred" | "exclusive", holder?: typeof self) =>
      turnTerms(new ProtocolParameters({ ...parameters, designation }), holder, self)
    const bounty = parameters.fallbackBounty as bigint
    assert.deepStrictEqual(of("open"), Result.succeed({ paid: true, bounty }))
    assert.deepStrictEqual(of("preferred"), Result.succeed(raceTerms))
    assert.deepStrictEqual(of("preferred", self), Result.succeed({ paid: true, bounty }))
    assert.deepStrictEqual(of("preferred", other), Result.succeed({ paid: false, bounty: 0n }))
    assert.deepStrictEqual(of("exclusive", self), Result.succeed({ paid: true, bounty }))
    const refused = of("exclusive", other)
    assert.isTrue(Result.isFailure(refused) && refused.failure.message.includes(other))
  })
})
