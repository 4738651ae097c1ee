/**
 * The reward auditor: rebuilds every balance from events alone, holds it against L1 and against what this node expects to be
 * paid, and says exactly what differs (RW-5, RW-7).
 */
import { Context, Effect, Layer, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber } from "../domain/Amount.ts"
import { type Books, claim, credit, emptyBooks, fund, lapse, reserve, totalCredited, totalOwed, unallocated } from "../domain/Audit.ts"
import { Address, type TransactionHash } from "../domain/Hash.ts"
import type { Credited, L1Event } from "../l1/Events.ts"
import { followL1 } from "../l1/Follower.ts"
import { L1, type L1Block } from "../l1/L1.ts"
import type { RoleShape } from "../rpc/RoleService.ts"
import { type ExpectedCredit, Store } from "../store/Store.ts"
import { RoleFibers } from "./RoleFibers.ts"

const WeiSum = Schema.BigIntFromString

/** What the auditor found as of one L1 block. */
export class AuditReport extends Schema.Class<AuditReport>("lignum/AuditReport")({
  l1Block: Schema.Int,
  /** Paid into the vault, in wei. */
  funded: WeiSum,
  /** Credited to all accounts since deployment. */
  credited: WeiSum,
  accounts: Schema.Array(Schema.Struct({ account: Address, credited: WeiSum, claimed: WeiSum })),
  redundancyReserve: WeiSum,
  protocolReserve: WeiSum,
  unallocated: WeiSum,
  /** Blocks of this node's updates whose credits were compared with its own expectation. */
  checkedBlocks: Schema.Int,
  /** Blocks that the vault could not pay in full. */
  short: Schema.Array(BlockNumber),
  /** Every difference, one sentence each. Empty is the only good answer. */
  alarms: Schema.Array(Schema.String)
}) {}

export const RewardAuditorRpcs = RpcGroup.make(
  /** The present report and every later one. */
  Rpc.make("changes", { success: AuditReport, stream: true })
)

/** The part of L1's history that expectations are held against. */
interface Ledger {
  readonly books: Books
  readonly credits: ReadonlyMap<TransactionHash, ReadonlyArray<Credited>>
  /** By transaction: the first block that an update pays. */
  readonly updates: ReadonlyMap<TransactionHash, BlockNumber>
  readonly short: ReadonlySet<BlockNumber>
}

const record = (ledger: Ledger, event: L1Event): Ledger => {
  switch (event._tag) {
    case "Funded":
      return { ...ledger, books: fund(ledger.books, event.amount) }
    case "Credited":
      return {
        ...ledger,
        books: credit(ledger.books, event.account, event.amount),
        credits: new Map(ledger.credits).set(event.at.transaction, [...ledger.credits.get(event.at.transaction) ?? [], event])
      }
    case "Reserved":
      return { ...ledger, books: reserve(ledger.books, event.reserve, event.amount) }
    case "Released":
      return { ...ledger, books: reserve(ledger.books, event.reserve, -event.amount) }
    case "Lapsed":
      return { ...ledger, books: lapse(ledger.books, event.amount) }
    case "Claimed":
      return { ...ledger, books: claim(ledger.books, event.account, event.amount) }
    case "PotShort":
      return { ...ledger, short: new Set(ledger.short).add(event.block) }
    case "StateUpdated":
      return { ...ledger, updates: new Map(ledger.updates).set(event.at.transaction, BlockNumber.make(event.from.number + 1)) }
    default:
      return ledger
  }
}

const bookedUnder = ({ account, block, kind }: { readonly account: Address; readonly block: BlockNumber; readonly kind: string }): string =>
  `block ${block}: ${kind} of ${account}`

/** What this node's own updates brought, against what they should have. An update that the vault could not pay in full may bring less. */
const differences = (ledger: Ledger, expected: ReadonlyArray<ExpectedCredit>): { readonly checked: number; readonly alarms: ReadonlyArray<string> } => {
  const due = new Map<TransactionHash, Map<string, bigint>>()
  const checked = new Set<BlockNumber>()
  const short = new Set<TransactionHash>()
  for (const credit of expected) {
    const first = ledger.updates.get(credit.transaction)
    // Somebody else's update was faster: for what it covered, this one brings nothing.
    if (first === undefined || credit.block < first) continue
    checked.add(credit.block)
    if (ledger.short.has(credit.block)) short.add(credit.transaction)
    const lines = due.get(credit.transaction) ?? new Map<string, bigint>()
    const line = bookedUnder(credit)
    due.set(credit.transaction, lines.set(line, (lines.get(line) ?? 0n) + credit.amount))
  }
  const alarms = [...due].flatMap(([transaction, lines]) => {
    const got = new Map<string, bigint>()
    for (const credit of ledger.credits.get(transaction) ?? []) {
      const line = bookedUnder(credit)
      got.set(line, (got.get(line) ?? 0n) + credit.amount)
    }
    return [...new Set([...lines.keys(), ...got.keys()])].flatMap((line) => {
      const [is, should] = [got.get(line) ?? 0n, lines.get(line) ?? 0n]
      return is === should || (is < should && short.has(transaction))
        ? []
        : [`${line} is ${is} wei in ${transaction}, ${should} wei was expected`]
    })
  })
  return { checked: checked.size, alarms }
}

export class RewardAuditor extends Context.Service<RewardAuditor, RoleShape<typeof RewardAuditorRpcs>>()(
  "lignum/RewardAuditor"
) {
  static readonly layer = Layer.effect(
    RewardAuditor,
    Effect.gen(function*() {
      const l1 = yield* L1
      const store = yield* Store
      const fibers = yield* RoleFibers
      const report = yield* SubscriptionRef.make<AuditReport | undefined>(undefined)

      /** L1's own figures against the books; nothing when L1 moved on while they were read. */
      const heldAgainstL1 = Effect.fnUntraced(function*(books: Books, block: L1Block) {
        const alarms: Array<string> = []
        const compare = (what: string, onL1: bigint, rebuilt: bigint) => {
          if (onL1 !== rebuilt) alarms.push(`${what} is ${onL1} wei on L1, ${rebuilt} wei by its events`)
        }
        const vault = yield* l1.vault
        for (const [account, { claimed, credited }] of books.accounts) {
          compare(`the credit of ${account}`, yield* l1.creditOf(account), credited - claimed)
        }
        compare("what is unallocated", vault.unallocated, unallocated(books))
        compare("the redundancy reserve", vault.redundancyReserve, books.redundancyReserve)
        compare("the protocol reserve", vault.protocolReserve, books.protocolReserve)
        const due = totalOwed(books) + books.redundancyReserve + books.protocolReserve + unallocated(books)
        if (vault.balance < due) alarms.push(`the vault holds ${vault.balance} wei and owes ${due} wei`)
        return (yield* l1.latest).hash === block.hash ? alarms : []
      })

      yield* fibers.fork(followL1<Ledger>({
        initial: { books: emptyBooks, credits: new Map(), updates: new Map(), short: new Set() },
        step: (ledger, event) => Effect.succeed(record(ledger, event)),
        publish: Effect.fnUntraced(function*(ledger, block) {
          const { books } = ledger
          const own = differences(ledger, yield* store.expectedCredits)
          const chain = yield* Effect.catch(heldAgainstL1(books, block), (error) => Effect.as(Effect.logWarning(error.message), []))
          const alarms = [...chain, ...own.alarms]
          yield* Effect.forEach(alarms, (alarm) => Effect.logError(alarm), { discard: true })
          yield* SubscriptionRef.set(
            report,
            new AuditReport({
              l1Block: block.number,
              funded: books.funded,
              credited: totalCredited(books),
              accounts: [...books.accounts].map(([account, book]) => ({ account, ...book })),
              redundancyReserve: books.redundancyReserve,
              protocolReserve: books.protocolReserve,
              unallocated: unallocated(books),
              checkedBlocks: own.checked,
              short: [...ledger.short],
              alarms
            })
          )
        })
      }))

      return RewardAuditor.of({
        changes: () => SubscriptionRef.changes(report).pipe(Stream.filter((one) => one !== undefined))
      })
    })
  )
}
