/**
 * What an update brings, and to whom, from what L1 knows of it (RW-1 to RW-3, RW-6, ST-6), by the pure vault.
 */
import { Result, Schema } from "effect"
import type { Address } from "./Hash.ts"
import { type BlockNumber, ProverGas, Wei } from "./Amount.ts"
import type { ProtocolParameters } from "./ProtocolParameters.ts"
import { ageBonus, type CreditKind } from "./Rewards.ts"
import { emptyVault, reward } from "./settlement/Vault.ts"

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
  /** The newly proven blocks, one after the other. */
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

/** Reputation is another matter. */
const noGas = ProverGas.make(0n)

/**
 * Every credit of an update in the vault's order: block by block, then the bounty. Those of nothing are left out.
 *
 * @param mergeWork whether its proof system has merge work. Merges are paid by what the proof binds, and are left out.
 */
export const updateCredits = (parameters: ProtocolParameters, mergeWork: boolean, facts: UpdateFacts): ReadonlyArray<CreditLine> => {
  const { blocks: [first, ...rest], checkpoints, protocolReserve, settledAt, submitter, terms, unallocated } = facts
  if (first === undefined) return []
  const blocks = [first, ...rest]
  const { effects } = reward(
    { ...emptyVault, unallocated, protocolReserve, window: settledAt / BigInt(parameters.redundancyWindow) },
    parameters,
    {
      leaves: blocks.map(({ prover, proverFees }) => ({ prover, proverFees, proverGas: noGas })),
      firstNumber: first.number,
      mergers: mergeWork ? [submitter] : [],
      bonuses: blocks.map(({ number }) => {
        const checkpoint = checkpoints.find((each) => each.number >= number)
        return checkpoint === undefined ? 0n : ageBonus(parameters, settledAt - checkpoint.registeredAt)
      }),
      submitter: terms.paid ? submitter : undefined,
      bounty: terms.bounty
    },
    settledAt
  )
  return effects.flatMap((effect) =>
    effect._tag === "Credited" && effect.kind !== "merge"
      ? [{ block: effect.number, account: effect.account, kind: effect.kind, amount: Wei.make(effect.amount) }]
      : []
  )
}

/** What an account earns of it, in wei. */
export const earningsOf = (credits: ReadonlyArray<CreditLine>, account: Address): bigint =>
  credits.reduce((sum, credit) => credit.account === account ? sum + credit.amount : sum, 0n)
