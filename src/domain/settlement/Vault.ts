/**
 * Who is owed what, and what is set aside (RW-1 to RW-7), with each account's reputation (FM-3): the pure `RewardVault`.
 * Amounts are in wei, prover gas in its own unit.
 */
import { Result } from "effect"
import { BlockNumber, Wei } from "../Amount.ts"
import type { Address } from "../Hash.ts"
import type { Leaf } from "../Proof.ts"
import type { ProtocolParameters } from "../ProtocolParameters.ts"
import { addWork, forfeit as halve, forfeited, noReputation, type Reputation, takeLoss, type TotalReputation, work } from "../Reputation.ts"
import { type CreditKind, splitPot } from "../Rewards.ts"
import type { Emission, Outcome } from "./Emission.ts"
import { type Refusal, refuse } from "./Refusal.ts"

/** What the vault knows of an account. */
export interface Account {
  readonly credit: bigint
  readonly reputation: Reputation
}

export interface Vault {
  readonly accounts: ReadonlyMap<Address, Account>
  readonly totalReputation: TotalReputation
  readonly unallocated: bigint
  readonly protocolReserve: bigint
  /** Redundancy shares of updates in the window of time that the vault last looked at, and in the one before (RW-4). */
  readonly young: bigint
  readonly old: bigint
  /** Windows since the Unix epoch. */
  readonly window: bigint
  /** Ether that the contract holds. */
  readonly balance: bigint
}

export const emptyVault: Vault = {
  accounts: new Map(),
  totalReputation: { amount: 0n, at: 0n },
  unallocated: 0n,
  protocolReserve: 0n,
  young: 0n,
  old: 0n,
  window: 0n,
  balance: 0n
}

const nobody: Account = { credit: 0n, reputation: noReputation }

export const accountOf = ({ accounts }: Vault, account: Address): Account => accounts.get(account) ?? nobody

/** Redundancy shares set aside for turn-holders. */
export const redundancyReserve = ({ old, young }: Vault): bigint => young + old

/** The vault holds less than 2^80 wei beside credits. */
const capacity = (1n << 80n) - 1n

const takeIn = (vault: Vault, amount: bigint): Result.Result<Vault, Refusal> =>
  amount > capacity - vault.unallocated - vault.protocolReserve - redundancyReserve(vault)
    ? refuse("RW5_FundTooLarge", amount)
    : Result.succeed({ ...vault, balance: vault.balance + amount })

/** Money for future pots. */
export const fund = (vault: Vault, by: Address, amount: bigint): Result.Result<Outcome<Vault>, Refusal> =>
  Result.map(takeIn(vault, amount), (paid) => ({
    state: { ...paid, unallocated: vault.unallocated + amount },
    effects: [{ _tag: "Funded", by, amount }]
  }))

const genesisNumber = BlockNumber.make(0)

/** Money for bonuses and bounties (RW-6, ST-6). */
export const endow = (vault: Vault, by: Address, amount: bigint): Result.Result<Outcome<Vault>, Refusal> =>
  Result.map(takeIn(vault, amount), (paid) => ({
    state: { ...paid, protocolReserve: vault.protocolReserve + amount },
    effects: [
      { _tag: "Funded", by, amount },
      { _tag: "Reserved", reserve: "protocol", firstNumber: genesisNumber, lastNumber: genesisNumber, amount }
    ]
  }))

/** Pays an account all that it is owed (RW-5); `refused` says that it does not take ether. */
export const claim = (vault: Vault, account: Address, refused: boolean): Result.Result<Outcome<Vault>, Refusal> => {
  const known = accountOf(vault, account)
  const amount = known.credit
  if (amount === 0n) return refuse("RW5_NothingToClaim", account)
  if (refused) return refuse("RW5_PaymentRefused", account)
  return Result.succeed({
    state: { ...vault, accounts: new Map(vault.accounts).set(account, { ...known, credit: 0n }), balance: vault.balance - amount },
    effects: [{ _tag: "Claimed", account, amount }]
  })
}

/** Moves redundancy shares that can no longer be earned to the protocol reserve (RW-4). */
export const lapse = (vault: Vault, { redundancyWindow }: ProtocolParameters, now: bigint): Outcome<Vault> => {
  const window = now / BigInt(redundancyWindow)
  if (window === vault.window) return { state: vault, effects: [] }
  const next = window === vault.window + 1n
  const amount = next ? vault.old : redundancyReserve(vault)
  return {
    state: { ...vault, window, young: 0n, old: next ? vault.young : 0n, protocolReserve: vault.protocolReserve + amount },
    effects: amount === 0n ? [] : [{ _tag: "Lapsed", amount }]
  }
}

/** Turns that passed without an update cost their holders half of their reputation each, oldest first (ST-6). */
export const forfeit = (
  vault: Vault,
  { reputationHalfLife }: ProtocolParameters,
  missed: ReadonlyArray<{ readonly turn: number; readonly holder: Address }>,
  now: bigint
): Outcome<Vault> => {
  const halfLife = BigInt(reputationHalfLife)
  const accounts = new Map(vault.accounts)
  let { totalReputation } = vault
  const effects = missed.map(({ holder, turn }): Emission => {
    const known = accounts.get(holder) ?? nobody
    const lost = forfeited(known.reputation, now, halfLife)
    accounts.set(holder, { ...known, reputation: halve(known.reputation) })
    totalReputation = takeLoss(totalReputation, lost, now, halfLife)
    return { _tag: "TurnMissed", turn, holder, lost }
  })
  return { state: { ...vault, accounts, totalReputation }, effects }
}

/** Credits and reputations that change within one call, and what is said of them. */
class Posting {
  readonly accounts: Map<Address, Account>
  readonly effects: Array<Emission>
  totalReputation: TotalReputation
  readonly #halfLife: bigint
  readonly #now: bigint

  constructor({ effects, state }: Outcome<Vault>, { reputationHalfLife }: ProtocolParameters, now: bigint) {
    this.accounts = new Map(state.accounts)
    this.totalReputation = state.totalReputation
    this.effects = [...effects]
    this.#halfLife = BigInt(reputationHalfLife)
    this.#now = now
  }

  /** Nothing is nobody's credit, and no event. */
  credit(number: BlockNumber, account: Address, kind: CreditKind, amount: bigint): void {
    if (amount === 0n) return
    const known = this.accounts.get(account) ?? nobody
    this.accounts.set(account, { ...known, credit: known.credit + amount })
    this.effects.push({ _tag: "Credited", number, account, kind, amount })
  }

  work(account: Address, gas: bigint): void {
    if (gas === 0n) return
    const known = this.accounts.get(account) ?? nobody
    this.accounts.set(account, { ...known, reputation: work(known.reputation, gas, this.#now, this.#halfLife) })
    this.totalReputation = addWork(this.totalReputation, gas, this.#now, this.#halfLife)
  }

  move(_tag: "Reserved" | "Released", reserve: "redundancy" | "protocol", firstNumber: BlockNumber, lastNumber: BlockNumber, amount: bigint): void {
    if (amount !== 0n) this.effects.push({ _tag, reserve, firstNumber, lastNumber, amount })
  }
}

const least = (a: bigint, b: bigint) => a < b ? a : b

/** What is paid for the new blocks of an update. */
export interface Payment {
  /** The blocks, oldest first. */
  readonly leaves: ReadonlyArray<Pick<Leaf, "prover" | "proverFees" | "proverGas">>
  readonly firstNumber: BlockNumber
  /** One entry for each merge; none where the proof system merges nothing. */
  readonly mergers: ReadonlyArray<Address>
  /** What the protocol reserve adds to each block's pot, as far as it can (RW-6). */
  readonly bonuses: ReadonlyArray<bigint>
  /** Who earns the submission share; nobody in another prover's turn (ST-6). */
  readonly submitter: Address | undefined
  /** What the protocol reserve pays the submitter on top, as far as it can (ST-6). */
  readonly bounty: bigint
}

/** Splits the pots of newly proven blocks (RW-1 to RW-3, RW-6). `shares` is what proving each block again earns (RW-4). */
export const reward = (
  before: Vault,
  parameters: ProtocolParameters,
  { bonuses, bounty, firstNumber, leaves, mergers, submitter }: Payment,
  now: bigint
): Outcome<Vault> & { readonly shares: ReadonlyArray<bigint> } => {
  const lapsed = lapse(before, parameters, now)
  const vault = lapsed.state
  const posting = new Posting(lapsed, parameters, now)
  const lastNumber = BlockNumber.make(firstNumber + leaves.length - 1)
  let [feesPaid, bonusPaid, mergePart, redundancy, reserve] = [0n, 0n, 0n, 0n, 0n]

  const shares = leaves.map((leaf, i) => {
    const number = BlockNumber.make(firstNumber + i)
    const fees = least(leaf.proverFees, vault.unallocated - feesPaid)
    if (fees < leaf.proverFees) posting.effects.push({ _tag: "PotShort", number, proverFees: leaf.proverFees, pot: fees })
    const bonus = least(bonuses[i]!, vault.protocolReserve - bonusPaid)
    const parts = splitPot(Wei.make(fees), parameters.shares, mergers.length > 0, Wei.make(bonus))
    feesPaid += fees
    bonusPaid += bonus
    mergePart += parts.merge
    redundancy += parts.redundancy
    reserve += parts.reserve
    posting.work(leaf.prover, leaf.proverGas)
    posting.credit(number, leaf.prover, "leaf", parts.leaf)
    posting.credit(number, leaf.prover, "bonus", parts.bonus)
    if (submitter === undefined) reserve += parts.submission
    else posting.credit(number, submitter, "submission", parts.submission)
    return parts.redundancy
  })

  if (mergers.length > 0) {
    const each = mergePart / BigInt(mergers.length)
    for (const merger of mergers) posting.credit(lastNumber, merger, "merge", each)
    reserve += mergePart - each * BigInt(mergers.length)
  }
  posting.move("Released", "protocol", firstNumber, lastNumber, bonusPaid)
  posting.move("Reserved", "redundancy", firstNumber, lastNumber, redundancy)
  posting.move("Reserved", "protocol", firstNumber, lastNumber, reserve)
  let protocolReserve = vault.protocolReserve - bonusPaid + reserve
  if (submitter !== undefined) {
    const paid = least(bounty, protocolReserve)
    protocolReserve -= paid
    posting.move("Released", "protocol", lastNumber, lastNumber, paid)
    posting.credit(lastNumber, submitter, "bounty", paid)
  }
  return {
    state: {
      ...vault,
      accounts: posting.accounts,
      totalReputation: posting.totalReputation,
      unallocated: vault.unallocated - feesPaid,
      protocolReserve,
      young: vault.young + redundancy
    },
    effects: posting.effects,
    shares
  }
}

/** What a redundant proof earns (RW-4). */
export interface RedundancyPayment {
  readonly holder: Address
  readonly firstNumber: BlockNumber
  /** The redundancy share of each block of the transition that it earns, 0 of the others. */
  readonly earned: ReadonlyArray<bigint>
  /** Prover gas of the earned blocks. */
  readonly gas: bigint
  /** L1 time of the update. */
  readonly settledAt: bigint
}

/** Pays the holder of a redundancy turn out of the shares that its update set aside (RW-4). */
export const rewardRedundancy = (
  before: Vault,
  parameters: ProtocolParameters,
  { earned, firstNumber, gas, holder, settledAt }: RedundancyPayment,
  now: bigint
): Outcome<Vault> => {
  const lapsed = lapse(before, parameters, now)
  const vault = lapsed.state
  const posting = new Posting(lapsed, parameters, now)
  const sum = earned.reduce((total, each) => total + each, 0n)
  earned.forEach((share, i) => posting.credit(BlockNumber.make(firstNumber + i), holder, "redundancy", share))
  posting.move("Released", "redundancy", firstNumber, BlockNumber.make(firstNumber + earned.length - 1), sum)
  posting.work(holder, gas)
  const isYoung = settledAt / BigInt(parameters.redundancyWindow) === vault.window
  return {
    state: {
      ...vault,
      accounts: posting.accounts,
      totalReputation: posting.totalReputation,
      young: isYoung ? vault.young - sum : vault.young,
      old: isYoung ? vault.old : vault.old - sum
    },
    effects: posting.effects
  }
}
