/**
 * What the auditor keeps of L1's history: the vault's books, and of this node's own transactions all that their rewards follow
 * from (RW-5, RW-7).
 */
import { BlockNumber } from "../domain/Amount.ts"
import { type Books, claim, credit, emptyBooks, fund, lapse, reserve, unallocated } from "../domain/Audit.ts"
import type { Address, TransactionHash } from "../domain/Hash.ts"
import type { Credited, L1Event, L1Position } from "../l1/Events.ts"

/** An update of this node's as L1 executed it. */
export interface OwnUpdate {
  readonly at: L1Position
  /** The first block that it pays: what was proven before is cut off (ST-1). */
  readonly first: BlockNumber
  /** The turn in which it came, with whoever held it; none in the race. */
  readonly turn: { readonly holder: Address } | undefined
  /** The live checkpoints beyond the tip before it, oldest first, and the L1 blocks that registered them. */
  readonly checkpoints: ReadonlyArray<{ readonly number: BlockNumber; readonly registered: L1Position }>
  /** What the vault held when it began to split the pots. */
  readonly unallocated: bigint
  readonly protocolReserve: bigint
}

export interface AuditLedger {
  readonly books: Books
  readonly checkpoints: OwnUpdate["checkpoints"]
  readonly turn: { readonly transaction: TransactionHash; readonly holder: Address } | undefined
  readonly updates: ReadonlyMap<TransactionHash, OwnUpdate>
  /** Credits by this node's transactions. */
  readonly credits: ReadonlyMap<TransactionHash, ReadonlyArray<Credited>>
  /** Where this node's redundant proofs stand. */
  readonly proven: ReadonlyMap<TransactionHash, L1Position>
  /** Blocks that the vault could not pay in full. */
  readonly short: ReadonlySet<BlockNumber>
}

export const emptyLedger: AuditLedger = {
  books: emptyBooks,
  checkpoints: [],
  turn: undefined,
  updates: new Map(),
  credits: new Map(),
  proven: new Map(),
  short: new Set()
}

/** The ledger after one more event. */
export const record = (ledger: AuditLedger, event: L1Event, account: Address): AuditLedger => {
  const { books } = ledger
  const { transaction } = event.at
  switch (event._tag) {
    case "CheckpointRegistered":
      return { ...ledger, checkpoints: [...ledger.checkpoints, { number: event.checkpoint.number, registered: event.at }] }
    case "CheckpointsReverted":
      return { ...ledger, checkpoints: ledger.checkpoints.filter(({ number }) => number <= event.headNumber) }
    case "UpdatedInTurn":
      return { ...ledger, turn: { transaction, holder: event.holder } }
    case "StateUpdated": {
      const beyond = ledger.checkpoints.filter(({ number }) => number > event.to.number)
      if (event.submitter !== account) return { ...ledger, checkpoints: beyond }
      const update: OwnUpdate = {
        at: event.at,
        first: BlockNumber.make(event.from.number + 1),
        turn: ledger.turn?.transaction === transaction ? ledger.turn : undefined,
        checkpoints: ledger.checkpoints.filter(({ number }) => number > event.from.number),
        unallocated: unallocated(books),
        protocolReserve: books.protocolReserve
      }
      return { ...ledger, checkpoints: beyond, updates: new Map(ledger.updates).set(transaction, update) }
    }
    case "Funded":
      return { ...ledger, books: fund(books, event.amount) }
    case "Credited": {
      const mine = ledger.updates.has(transaction) || (event.kind === "redundancy" && event.account === account)
      return {
        ...ledger,
        books: credit(books, event.account, event.amount),
        credits: mine ? new Map(ledger.credits).set(transaction, [...ledger.credits.get(transaction) ?? [], event]) : ledger.credits
      }
    }
    case "Reserved":
      return { ...ledger, books: reserve(books, event.reserve, event.amount) }
    case "Released":
      return { ...ledger, books: reserve(books, event.reserve, -event.amount) }
    case "Lapsed": {
      // In an update, what lapses is in the reserve before the pots are split.
      const update = ledger.updates.get(transaction)
      return {
        ...ledger,
        books: lapse(books, event.amount),
        updates: update === undefined
          ? ledger.updates
          : new Map(ledger.updates).set(transaction, { ...update, protocolReserve: update.protocolReserve + event.amount })
      }
    }
    case "RedundancyProven":
      return event.holder === account ? { ...ledger, proven: new Map(ledger.proven).set(transaction, event.at) } : ledger
    case "Claimed":
      return { ...ledger, books: claim(books, event.account, event.amount) }
    case "PotShort":
      return { ...ledger, short: new Set(ledger.short).add(event.block) }
    default:
      return ledger
  }
}
