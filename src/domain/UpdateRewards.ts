/**
 * What an update brings, and to whom, from what L1 knows of it (RW-1 to RW-3, RW-6, ST-6). The same integers as in the reward vault.
 */
import { Result, Schema } from "effect"
import type { Address } from "./Hash.ts"
import { BlockNumber, Wei } from "./Amount.ts"
import type { ProtocolParameters } from "./ProtocolParameters.ts"
import { ageBonus, type CreditKind, splitPot } from "./Rewards.ts"

/** Under exclusive designation nobody else may submit now (ST-6). */
export class NotYourTurn extends Schema.TaggedError<NotYourTurn>()("NotYourTurn", { holder: Schema.String }) {
  override get message() {
    return `only ${this.holder} may submit in its turn: waits for the next one`
  }
}

/** How the submission of an update is paid. */
export interface SubmissionTerms {
  /** Whether the submitter earns the submission share; else the protocol reserve does. */
  readonly paid: boolean
  /** What the protocol reserve pays on top, as far as it can. */
  readonly bounty: bigint
}

/** In the race, everybody who comes first is paid. */
export const raceTerms: SubmissionTerms = { paid: true, bounty: 0n }

/**
 * How an update's submission is paid once the race is over (ST-6).
 *
 * @param holder whose turn it is; none where nobody is designated
 */
export const turnTerms = (
  { designation, fallbackBounty }: Pick<ProtocolParameters, "designation" | "fallbackBounty">,
  holder: Address | undefined,
  submitter: Address
): Result.Result<SubmissionTerms, NotYourTurn> => {
  if (designation === "open" || holder === submitter) return Result.succeed({ paid: true, bounty: fallbackBounty })
  // Nobody is designated: the race goes on, unpaid by the reserve.
  if (holder === undefined) return Result.succeed(raceTerms)
  return designation === "exclusive" ? Result.fail(new NotYourTurn({ holder })) : Result.succeed({ paid: false, bounty: 0n })
}

/** What an update's rewards follow from. */
export interface UpdateFacts {
  readonly submitter: Address
  readonly terms: SubmissionTerms
  /** The newly proven blocks, oldest first. */
  readonly blocks: ReadonlyArray<{ readonly number: BlockNumber; readonly prover: Address; readonly proverFees: Wei }>
  /** L1 time of the update in seconds. */
  readonly settledAt: bigint
  /** The checkpoints that the update passes, oldest first, with the L1 times of their registration. */
  readonly checkpoints: ReadonlyArray<{ readonly number: BlockNumber; readonly registeredAt: bigint }>
  /** What the vault holds before it, once the redundancy shares whose time is over have lapsed. */
  readonly unallocated: bigint
  readonly protocolReserve: bigint
}

/** An amount that an account is owed for a block. */
export interface CreditLine {
  readonly block: BlockNumber
  readonly account: Address
  readonly kind: CreditKind
  readonly amount: Wei
}

/**
 * Every credit of an update, block by block, then the bounty. Those of nothing are left out.
 *
 * @param mergeWork whether its proof system has merge work. Merges are paid by what the proof binds, which is not known here.
 */
export const updateCredits = (parameters: ProtocolParameters, mergeWork: boolean, facts: UpdateFacts): ReadonlyArray<CreditLine> => {
  const { blocks, checkpoints, settledAt, submitter, terms } = facts
  let available = facts.unallocated
  let forBonuses = facts.protocolReserve
  let reserved = 0n
  const lines = blocks.flatMap(({ number, prover, proverFees }): ReadonlyArray<CreditLine> => {
    const checkpoint = checkpoints.find((each) => each.number >= number)
    const due = checkpoint === undefined ? 0n : ageBonus(parameters, settledAt - checkpoint.registeredAt)
    const bonus = due < forBonuses ? due : forBonuses
    const fees = proverFees < available ? proverFees : available
    available -= fees
    forBonuses -= bonus
    const split = splitPot(Wei.make(fees), parameters.shares, mergeWork, Wei.make(bonus))
    reserved += split.reserve + (terms.paid ? 0n : split.submission)
    return [
      { block: number, account: prover, kind: "leaf", amount: split.leaf },
      { block: number, account: prover, kind: "bonus", amount: split.bonus },
      { block: number, account: submitter, kind: "submission", amount: terms.paid ? split.submission : Wei.make(0n) }
    ]
  })
  // The bounty comes out of what the reserve holds once these pots are split.
  const held = forBonuses + reserved
  const bounty = terms.bounty < held ? terms.bounty : held
  const last = blocks[blocks.length - 1]?.number ?? BlockNumber.make(0)
  return [...lines, { block: last, account: submitter, kind: "bounty" as const, amount: Wei.make(bounty) }].filter(({ amount }) => amount > 0n)
}

/** What an account earns of it, in wei. */
export const earningsOf = (credits: ReadonlyArray<CreditLine>, account: Address): bigint =>
  credits.reduce((sum, credit) => credit.account === account ? sum + credit.amount : sum, 0n)
