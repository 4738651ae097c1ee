/**
 * The reward auditor: rebuilds every balance from events alone, holds it against L1 and against what this node's own transactions
 * must bring, says exactly what differs (RW-5, RW-7), and draws what this node is owed when that is worth its gas.
 */
import { Context, Duration, Effect, Layer, Option, Result, Schedule, Schema, Stream, SubscriptionRef } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { BlockNumber } from "../domain/Amount.ts"
import { type Books, totalCredited, totalOwed, unallocated } from "../domain/Audit.ts"
import { Address, type TransactionHash } from "../domain/Hash.ts"
import { raceTerms, turnTerms, updateCredits } from "../domain/UpdateRewards.ts"
import type { L1Position } from "../l1/Events.ts"
import { followL1 } from "../l1/Follower.ts"
import { L1, type L1Block } from "../l1/L1.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import { connectRole, type RoleShape } from "../rpc/RoleService.ts"
import type { RoleTransport } from "../rpc/RoleTransport.ts"
import { type ExpectedCredit, Store } from "../store/Store.ts"
import { type AuditLedger, emptyLedger, type OwnUpdate, record } from "./AuditLedger.ts"
import { Outbox } from "./Outbox.ts"
import { RoleFibers } from "./RoleFibers.ts"
import { SettlerOptions } from "./Settler.ts"

/** What an operator decides about drawing credits. */
export interface AuditorOptions {
  /** Wei below which nothing is claimed. */
  readonly claimAtLeast: bigint
  /** A credit must be so many times the cost of its claim's gas. */
  readonly claimGasShare: bigint
}

export const AuditorOptions = Context.Reference<AuditorOptions>("lignum/AuditorOptions", {
  defaultValue: () => ({ claimAtLeast: 5n * 10n ** 16n, claimGasShare: 20n })
})

/** How often it is asked whether the credit is worth drawing. */
const drawInterval = Duration.seconds(2)

const WeiSum = Schema.BigIntFromString

/** What the auditor found as of one L1 block. */
export class AuditReport extends Schema.Class<AuditReport>("lignum/AuditReport")({
  l1Block: Schema.Int,
  /** Paid into the vault, in wei. */
  funded: WeiSum,
  /** Credited to all accounts since deployment. */
  credited: WeiSum,
  accounts: Schema.Array(Schema.Struct({
    account: Address,
    /** What this node's transaction that is on its way should still bring it. */
    expected: WeiSum,
    /** Credited since deployment. */
    credited: WeiSum,
    /** Credited and not drawn yet. */
    claimable: WeiSum,
    claimed: WeiSum
  })),
  redundancyReserve: WeiSum,
  protocolReserve: WeiSum,
  unallocated: WeiSum,
  /** Blocks of this node's transactions whose credits were compared with what they must be. */
  checkedBlocks: Schema.Int,
  /** Blocks that the vault could not pay in full. */
  short: Schema.Array(BlockNumber),
  /** What becomes of this node's own credit: drawn, or why not (ND-5). */
  claiming: Schema.String,
  /** Every difference, one sentence each. Empty is the only good answer. */
  alarms: Schema.Array(Schema.String)
}) {}

export const RewardAuditorRpcs = RpcGroup.make(
  /** The present report and every later one. */
  Rpc.make("changes", { success: AuditReport, stream: true })
)

/** How long a difference to L1 must last. */
const secondLook = "500 millis"

interface Line {
  readonly account: Address
  readonly block: BlockNumber
  readonly kind: string
  readonly amount: bigint
}

const bookedUnder = ({ account, block, kind }: Line): string => `block ${block}: ${kind} of ${account}`

const sums = (lines: ReadonlyArray<Line>): ReadonlyMap<string, bigint> =>
  lines.reduce((all, line) => all.set(bookedUnder(line), (all.get(bookedUnder(line)) ?? 0n) + line.amount), new Map<string, bigint>())

const differences = (transaction: TransactionHash, due: ReadonlyArray<Line>, got: ReadonlyArray<Line>): ReadonlyArray<string> => {
  const [should, is] = [sums(due), sums(got)]
  return [...new Set([...should.keys(), ...is.keys()])].flatMap((line) => {
    const [a, b] = [is.get(line) ?? 0n, should.get(line) ?? 0n]
    return a === b ? [] : [`${line} is ${a} wei in ${transaction}, ${b} wei was expected`]
  })
}

export class RewardAuditor extends Context.Service<RewardAuditor, RoleShape<typeof RewardAuditorRpcs>>()(
  "lignum/RewardAuditor"
) {
  /** The role in another process, or behind the transport of this one. */
  static readonly layerRemote: Layer.Layer<RewardAuditor, never, RoleTransport> = connectRole("reward-auditor", RewardAuditorRpcs, RewardAuditor)

  static readonly layer = Layer.effect(
    RewardAuditor,
    Effect.gen(function*() {
      const { claimAtLeast, claimGasShare } = yield* AuditorOptions
      const { parameters } = yield* SettlerOptions
      const { mergeWork } = yield* ProofSystem
      const l1 = yield* L1
      const store = yield* Store
      const outbox = yield* Outbox
      const fibers = yield* RoleFibers
      const report = yield* SubscriptionRef.make<AuditReport | undefined>(undefined)

      /** L1's own figures against the books; nothing when L1 moved on while they were read. */
      const compareWithL1 = Effect.fnUntraced(function*(books: Books, block: L1Block) {
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

      /** An L1 node may answer from a block's state before it says that there is this block: what differs is looked at twice. */
      const heldAgainstL1 = (books: Books, block: L1Block) =>
        Effect.flatMap(compareWithL1(books, block), (alarms) =>
          alarms.length === 0 ? Effect.succeed(alarms) : Effect.andThen(Effect.sleep(secondLook), compareWithL1(books, block)))

      const timestamps = new Map<string, bigint>()
      /** L1 time of a block; none when L1 has another one at that height by now. */
      const timestampOf = Effect.fnUntraced(function*({ block, blockHash }: L1Position) {
        const known = timestamps.get(blockHash)
        if (known !== undefined) return Option.some(known)
        const found = Option.filter(yield* l1.block(block), ({ hash }) => hash === blockHash)
        return Option.map(found, ({ timestamp }) => {
          timestamps.set(blockHash, timestamp)
          return timestamp
        })
      })

      /** What an update of this node's must have brought, by the rules and by what L1 knew when it executed it. */
      const dueOf = Effect.fnUntraced(function*(update: OwnUpdate, expected: ReadonlyArray<ExpectedCredit>) {
        const settledAt = yield* timestampOf(update.at)
        const registered = yield* Effect.forEach(update.checkpoints, ({ number, registered }) =>
          Effect.map(timestampOf(registered), Option.map((registeredAt) => ({ number, registeredAt }))))
        const checkpoints = Option.all(registered)
        if (Option.isNone(settledAt) || Option.isNone(checkpoints)) return Option.none<ReadonlyArray<Line>>()
        // Zero stands for nobody; under exclusive designation, nobody but the holder gets here.
        const holder = update.turn === undefined || /^0x0+$/.test(update.turn.holder) ? undefined : update.turn.holder
        const terms = update.turn === undefined ? raceTerms : Result.getOrElse(turnTerms(parameters, holder, l1.account), () => raceTerms)
        return Option.some<ReadonlyArray<Line>>(updateCredits(parameters, mergeWork, {
          submitter: l1.account,
          terms,
          blocks: expected.flatMap(({ account, block, kind, proverFees }) =>
            kind === "leaf" && proverFees !== undefined && block >= update.first ? [{ number: block, prover: account, proverFees }] : []
          ),
          settledAt: settledAt.value,
          checkpoints: checkpoints.value,
          unallocated: update.unallocated,
          protocolReserve: update.protocolReserve
        }))
      })

      /** What was found out about a transaction in an L1 block, which does not change any more. */
      const checked = new Map<string, { readonly blocks: number; readonly alarms: ReadonlyArray<string> }>()

      /** What this node's own transactions brought, against what they must have. */
      const heldAgainstRules = Effect.fnUntraced(function*({ credits, proven, updates }: AuditLedger) {
        const found: Array<{ readonly blocks: number; readonly alarms: ReadonlyArray<string> }> = []
        for (const [transaction, expected] of Map.groupBy(yield* store.expectedCredits, (credit) => credit.transaction)) {
          const update = updates.get(transaction)
          // Merges are paid by what the proof binds, which nobody expects in advance.
          const got = (credits.get(transaction) ?? []).filter(({ kind }) => kind !== "merge")
          const at = update?.at ?? proven.get(transaction)
          // Nothing of it is on L1: it is on its way, or somebody else was faster.
          if (at === undefined) continue
          const key = `${transaction} ${at.blockHash}`
          if (!checked.has(key)) {
            // Expectations of a former version do not name the fees: they are exact.
            const derived = update !== undefined && expected.some(({ proverFees }) => proverFees !== undefined)
            const due = derived ? yield* dueOf(update, expected) : Option.some(expected.filter(({ block }) => block >= (update?.first ?? 0)))
            if (Option.isNone(due)) continue
            checked.set(key, {
              blocks: new Set(expected.map(({ block }) => block).filter((block) => block >= (update?.first ?? 0))).size,
              alarms: differences(transaction, due.value, got)
            })
          }
          found.push(checked.get(key)!)
        }
        return { blocks: found.reduce((sum, { blocks }) => sum + blocks, 0), alarms: found.flatMap(({ alarms }) => alarms) }
      })

      /** What this node could draw by the books of the newest block. */
      let drawable: { readonly claimable: bigint; readonly block: L1Block } | undefined
      let claiming = "reading L1"

      /** Draws this node's credit if it is worth the gas; says what it did, or why not. */
      const draw = Effect.fnUntraced(function*({ block, claimable }: { readonly claimable: bigint; readonly block: L1Block }) {
        if (claimable < claimAtLeast) return `${claimable} wei to draw, ${claimAtLeast} wei at least are claimed at once`
        return yield* outbox.offer({
          call: { kind: "claim", account: l1.account },
          key: `${l1.account} ${block.number}`,
          subject: `the claim of ${claimable} wei`,
          block: null,
          worth: claimable / claimGasShare,
          expiresAt: null,
          expected: []
        }).pipe(
          Effect.as(`drawing ${claimable} wei`),
          Effect.catch(({ message }) => Effect.succeed(`${claimable} wei to draw: ${message}`))
        )
      })

      /** A comparison with an L1 that does not answer finds nothing out. */
      const ifAnswered = <A, B>(what: Effect.Effect<A, { readonly message: string }>, otherwise: B) =>
        Effect.catch(what, (error) => Effect.as(Effect.logWarning(error.message), otherwise))

      yield* fibers.fork(followL1<AuditLedger>({
        initial: emptyLedger,
        step: (ledger, event) => Effect.succeed(record(ledger, event, l1.account)),
        publish: Effect.fnUntraced(function*(ledger, block) {
          const { books } = ledger
          const own = yield* ifAnswered(heldAgainstRules(ledger), { blocks: 0, alarms: [] })
          const chain = yield* ifAnswered(heldAgainstL1(books, block), [])
          const alarms = [...chain, ...own.alarms]
          yield* Effect.forEach(alarms, (alarm) => Effect.logError(alarm), { discard: true })
          const mine = books.accounts.get(l1.account) ?? { credited: 0n, claimed: 0n }
          drawable = { claimable: mine.credited - mine.claimed, block }
          const pending = yield* store.inFlight
          const coming = Option.isNone(pending)
            ? []
            : pending.value.variants.some(({ hash }) => ledger.updates.has(hash) || ledger.proven.has(hash))
            ? []
            : (yield* store.expectedCredits).filter(({ transaction }) => transaction === pending.value.id)
          const accounts = new Map(books.accounts)
          for (const { account } of coming) if (!accounts.has(account)) accounts.set(account, { credited: 0n, claimed: 0n })
          yield* SubscriptionRef.set(
            report,
            new AuditReport({
              l1Block: block.number,
              funded: books.funded,
              credited: totalCredited(books),
              accounts: [...accounts].map(([account, { claimed, credited }]) => ({
                account,
                expected: coming.reduce((sum, credit) => credit.account === account ? sum + credit.amount : sum, 0n),
                credited,
                claimable: credited - claimed,
                claimed
              })),
              redundancyReserve: books.redundancyReserve,
              protocolReserve: books.protocolReserve,
              unallocated: unallocated(books),
              checkedBlocks: own.blocks,
              short: [...ledger.short],
              claiming,
              alarms
            })
          )
        })
      }))

      // Not only when L1 has a new block: something else may be on its way for a while, and gas becomes cheaper.
      yield* fibers.fork(
        Effect.gen(function*() {
          if (drawable === undefined) return
          const said = yield* draw(drawable)
          if (said === claiming) return
          claiming = said
          yield* SubscriptionRef.update(report, (found) => found && new AuditReport({ ...found, claiming }))
        }).pipe(Effect.repeat(Schedule.spaced(drawInterval)))
      )

      return RewardAuditor.of({
        changes: () => SubscriptionRef.changes(report).pipe(Stream.filter((one) => one !== undefined))
      })
    })
  )
}
