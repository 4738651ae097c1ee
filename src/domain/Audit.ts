/**
 * The vault's books, rebuilt from its events alone (RW-5, RW-7).
 */
import type { Address } from "./Hash.ts"

/** What came to an account and what it drew, in wei. */
export interface AccountBook {
  readonly credited: bigint
  readonly claimed: bigint
}

/** Every wei that was paid in is in exactly one of these places. */
export interface Books {
  readonly funded: bigint
  readonly accounts: ReadonlyMap<Address, AccountBook>
  readonly redundancyReserve: bigint
  readonly protocolReserve: bigint
}

export const emptyBooks: Books = { funded: 0n, accounts: new Map(), redundancyReserve: 0n, protocolReserve: 0n }

const change = (books: Books, account: Address, by: Partial<AccountBook>): Books => {
  const before = books.accounts.get(account) ?? { credited: 0n, claimed: 0n }
  return {
    ...books,
    accounts: new Map(books.accounts).set(account, {
      credited: before.credited + (by.credited ?? 0n),
      claimed: before.claimed + (by.claimed ?? 0n)
    })
  }
}

export const fund = (books: Books, amount: bigint): Books => ({ ...books, funded: books.funded + amount })
export const credit = (books: Books, account: Address, amount: bigint): Books => change(books, account, { credited: amount })
export const claim = (books: Books, account: Address, amount: bigint): Books => change(books, account, { claimed: amount })
export const reserve = (books: Books, which: "redundancy" | "protocol", amount: bigint): Books =>
  which === "redundancy"
    ? { ...books, redundancyReserve: books.redundancyReserve + amount }
    : { ...books, protocolReserve: books.protocolReserve + amount }

/** Redundancy shares that nobody earned in time (RW-4). */
export const lapse = (books: Books, amount: bigint): Books => reserve(reserve(books, "redundancy", -amount), "protocol", amount)

/** Credited to all accounts so far. */
export const totalCredited = (books: Books): bigint => [...books.accounts.values()].reduce((sum, { credited }) => sum + credited, 0n)

/** Owed to all accounts now. */
export const totalOwed = (books: Books): bigint =>
  [...books.accounts.values()].reduce((sum, { claimed, credited }) => sum + credited - claimed, 0n)

/** What no pot has taken yet. Below zero when more was paid out than came in. */
export const unallocated = (books: Books): bigint =>
  books.funded - totalCredited(books) - books.redundancyReserve - books.protocolReserve
