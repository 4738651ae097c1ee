/**
 * Uses this node's redundancy turns (RW-4): proves what others were paid for once more, where that earns more than it costs.
 */
import { Duration, Effect, Option, Stream } from "effect"
import { BlockNumber } from "../domain/Amount.ts"
import { offer, worthLimit } from "../domain/GasPolicy.ts"
import type { BlockHash } from "../domain/Hash.ts"
import { BlockRef } from "../domain/Block.ts"
import { Leaf, type Proof } from "../domain/Proof.ts"
import { redundantEarnings, Transition, transitionClaim } from "../domain/Redundancy.ts"
import { L1 } from "../l1/L1.ts"
import { LedgerSource, LedgerUnavailable } from "../ledger/LedgerSource.ts"
import { ProofSystem } from "../proofs/ProofSystem.ts"
import { Store } from "../store/Store.ts"
import { Outbox } from "./Outbox.ts"
import { ProverPool } from "./ProverPool.ts"
import type { RedundancyTurn } from "./SettlementSight.ts"
import { TreePlanner } from "./TreePlanner.ts"

/** No proof system verifies for less gas. What would not pay for this much is not worth proving. */
const leastGas = 200_000n

/** L1 has the blocks proven, so that the ledger has them at once, unless it is behind. */
const ledgerPatience = Duration.seconds(10)

/** The part of the time that is left in which proofs must be ready, in tenths. The rest is for L1. */
const provingShare = 9

/**
 * One look at a turn, to be repeated while the window lasts. Never sends what costs more than it earns at the gas price of the
 * moment, and nothing once the window is closed.
 *
 * @param say hears what is done, waited for, or why there is nothing to do (ND-5)
 * @returns whether the turn is over for this node
 */
export const makeRedundancy = Effect.fnUntraced(function*(
  options: { readonly maxFeePerGas: bigint; readonly redundancyWindow: number },
  say: (activity: string) => Effect.Effect<void>
) {
  const l1 = yield* L1
  const ledger = yield* LedgerSource
  const store = yield* Store
  const proofs = yield* ProofSystem
  const planner = yield* TreePlanner
  const pool = yield* ProverPool
  const outbox = yield* Outbox

  /** What the update did, by its events and this node's ledger. */
  const transitionOf = Effect.fnUntraced(function*({ from, opened, to }: RedundancyTurn) {
    const headers = yield* ledger.blocks(BlockNumber.make(from.number + 1)).pipe(
      Stream.take(to.number - from.number),
      Stream.map(({ header }) => header),
      Stream.runCollect,
      Effect.timeoutOption(ledgerPatience),
      Effect.flatMap(Effect.fromOption),
      Effect.catchTag("NoSuchElementError", () => Effect.fail(new LedgerUnavailable({ number: to.number, reason: "it is not there yet" })))
    )
    const [first, ...rest] = headers.map((header, i) =>
      new Leaf({ blockHash: header.hash, prover: opened.provers[i]!, proverFees: header.proverFees, proverGas: header.proverGasUsed }))
    return new Transition({
      from,
      leaves: [first!, ...rest],
      shares: opened.shares,
      holder: opened.holder,
      settledAt: opened.closesAt - BigInt(options.redundancyWindow)
    })
  })

  /** A proof of one block: this node's own, a new one where that earns something, else the winner's. */
  const proofOf = Effect.fnUntraced(function*({ holder, leaves, shares }: Transition, number: BlockNumber, i: number, patience: Duration.Duration) {
    const { blockHash, prover } = leaves[i]!
    const own = yield* store.blockProof(blockHash, holder)
    if (Option.isSome(own)) return own
    const block = new BlockRef({ number, hash: blockHash })
    const prove = planner.proveAgain({ block }).pipe(
      Effect.timeoutOption(patience),
      Effect.tap((made) => Option.isSome(made) ? Effect.void : pool.cancel({ blocks: [block], reason: "its redundancy turn is over" })),
      Effect.catchTags({
        ProvingFailed: ({ message }) => Effect.as(Effect.logWarning(message), Option.none<Proof>()),
        // Settled blocks are not replaced: the ledger read another chain, or L1 took the update back.
        BlockReplaced: ({ message }) => Effect.as(Effect.logWarning(message), Option.none<Proof>()),
        Quarantined: ({ message }) => Effect.as(Effect.logError(message), Option.none<Proof>())
      })
    )
    if (prover === holder || shares[i] === 0n) {
      const known = yield* store.blockProof(blockHash, prover)
      return Option.isSome(known) ? known : yield* prove
    }
    const made = yield* prove
    return Option.isSome(made) ? made : yield* store.blockProof(blockHash, prover)
  })

  /** What the last proof that was too dear would cost and earn, so that it is not put together at every look at the price. */
  let weighed: { readonly to: BlockHash; readonly gas: bigint; readonly earned: bigint } | undefined

  const affordable = (earned: bigint, gas: bigint) =>
    Effect.flatMap(l1.gasMarket, (market) => Effect.fromResult(offer(market, worthLimit(options, earned, gas))))

  const look = Effect.fnUntraced(function*(turn: RedundancyTurn) {
    const { opened: { closesAt }, to } = turn
    const subject = `the redundant proof of blocks ${turn.from.number + 1} to ${to.number}`
    const ends = (reason: string) => Effect.as(say(`no redundant proof of blocks to ${to.number}: ${reason}`), true)
    const { timestamp } = yield* l1.latest
    if (timestamp >= closesAt) return yield* ends("its time is over")
    const sent = yield* store.outgoing("redundant", to.hash)
    if (Option.isSome(sent)) return yield* Effect.as(say(`${subject} is ${sent.value.state === "pending" ? "on its way" : "done"}`), false)

    const transition = yield* transitionOf(turn)
    if ((yield* l1.redundancyClaim(to.hash)) !== transitionClaim(transition)) {
      return yield* ends("L1 takes none, or it was of other blocks than this ledger has")
    }
    const most = redundantEarnings(transition, transition.leaves.map(() => transition.holder)).total
    if (most === 0n) return yield* ends("every block that pays was proven by this node")
    if (weighed?.to === to.hash) yield* affordable(weighed.earned, weighed.gas)
    else yield* affordable(most, leastGas)

    yield* say(`gathering proofs for ${subject}`)
    const patience = Duration.millis((Number(closesAt - timestamp) * 1_000 * provingShare) / 10)
    const gathered = yield* Effect.forEach(
      transition.leaves,
      (_, i) => proofOf(transition, BlockNumber.make(turn.from.number + 1 + i), i, patience),
      { concurrency: "unbounded" }
    )
    const missing = gathered.findIndex(Option.isNone)
    if (missing >= 0) {
      yield* say(`${subject} waits: there is no proof of block ${turn.from.number + 1 + missing}`)
      return false
    }
    const [first, ...rest] = gathered.flatMap(Option.toArray)
    let proof = first!
    for (const each of rest) proof = yield* proofs.merge(proof, each)
    const provers = proof.statement.leaves.map(({ prover }) => prover)
    const earnings = redundantEarnings(transition, provers)
    if (earnings.total === 0n) {
      yield* say(`${subject} waits: copied leaves earn nothing, and this node has no proof of its own`)
      return false
    }
    const redundant = { transition, system: proof.system, provers, mergers: [], proof: proofs.encodeForL1(proof, undefined) }
    const call = { kind: "redundant", redundant } as const
    weighed = { to: to.hash, gas: yield* l1.dryRun(call), earned: earnings.total }
    yield* affordable(weighed.earned, weighed.gas)
    yield* outbox.offer({
      call,
      key: to.hash,
      subject,
      block: to.number,
      worth: earnings.total,
      expiresAt: closesAt,
      expected: earnings.shares.flatMap((amount, i) =>
        amount === 0n ? [] : [{
          block: BlockNumber.make(turn.from.number + 1 + i),
          account: transition.holder,
          kind: "redundancy" as const,
          amount: transition.shares[i]!
        }])
    })
    yield* Effect.logInfo(`${subject} earns ${earnings.total} wei for ${weighed.gas} gas`)
    return false
  })

  return (turn: RedundancyTurn): Effect.Effect<boolean> =>
    look(turn).pipe(
      Effect.catchTags({
        CallRefused: ({ message }) => say(message),
        GasTooDear: ({ message }) => say(`the redundant proof of blocks to ${turn.to.number} ${message}`),
        OutboxBusy: ({ message }) => say(message),
        L1Unavailable: ({ message }) => Effect.andThen(Effect.logWarning(message), say(message)),
        LedgerUnavailable: ({ message }) => Effect.andThen(Effect.logWarning(message), say(message)),
        ProvingFailed: ({ message }) => Effect.andThen(Effect.logWarning(message), say(message))
      }),
      Effect.map((over) => over === true)
    )
})
