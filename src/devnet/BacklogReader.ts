/**
 * The sequencers' eye on L1: how much prover gas is overdue when they make a block (FM-2). Like the poster it is part of the
 * black box, so it asks no prover's node.
 */
import { Clock, Duration, Effect, Option, Schedule, Stream } from "effect"
import { BlockNumber, type ProverGas } from "../domain/Amount.ts"
import { GasTotals, overdueGas, type SettlementView } from "../domain/Backlog.ts"
import { followL1 } from "../l1/Follower.ts"
import { L1 } from "../l1/L1.ts"
import { LedgerSource } from "../ledger/LedgerSource.ts"

const nothing: SettlementView = { tip: BlockNumber.make(0), checkpoints: [] }

/** Reads L1 and the ledger; until {@link BacklogReader.follow} has read both, nothing is overdue. */
export interface BacklogReader {
  /** Overdue prover gas at a block's timestamp, in seconds since 1970. It answers at once, from what was read last. */
  readonly overdue: (timestamp: bigint) => Effect.Effect<ProverGas>
  /** Keeps reading, for ever. */
  readonly follow: Effect.Effect<never, never, L1 | LedgerSource>
}

/** A reader with nothing read yet. */
export const makeBacklogReader = (targetLag: Duration.Duration): BacklogReader => {
  const lag = BigInt(Math.ceil(Duration.toSeconds(targetLag)))
  const gas = new GasTotals()
  let view = nothing

  const readLedger = Effect.gen(function*() {
    const ledger = yield* LedgerSource
    // A stream that broke off may have missed replacements (CP-4), which lie beyond the tip: what is read again replaces itself.
    yield* Stream.runForEach(ledger.blocks(BlockNumber.make(Math.min(gas.next, view.tip + 1))), ({ header }) =>
      Effect.sync(() => gas.record(header.number, header.proverGasUsed)))
  }).pipe(
    Effect.tapError((error) => Effect.logWarning(error.message)),
    Effect.retry(Schedule.spaced("1 second")),
    // The schedule has no end, so that no error comes through it.
    Effect.orDie
  )

  /** When L1 registered what is in one of its blocks. */
  const timestampOf = Effect.fnUntraced(function*(l1Block: number) {
    const l1 = yield* L1
    const block = yield* l1.block(l1Block).pipe(Effect.retry(Schedule.spaced("1 second")), Effect.orDie)
    // A block that is gone is read again with those that replaced it; until then, nothing of it is overdue.
    return Option.isSome(block) ? block.value.timestamp : BigInt(Math.floor((yield* Clock.currentTimeMillis) / 1000))
  })

  const readL1 = Effect.gen(function*() {
    const l1 = yield* L1
    return yield* followL1<SettlementView>({
      initial: nothing,
      step: (seen, event) => {
        switch (event._tag) {
          case "CheckpointRegistered":
            return Effect.map(Effect.provideService(timestampOf(event.at.block), L1, l1), (registeredAt) => ({
              ...seen,
              checkpoints: [...seen.checkpoints, { number: event.checkpoint.number, registeredAt }]
            }))
          case "StateUpdated":
            return Effect.succeed(after(seen, event.to.number))
          case "CheckpointsReverted":
            return Effect.succeed({ ...seen, checkpoints: seen.checkpoints.filter(({ number }) => number <= event.headNumber) })
          default:
            return Effect.succeed(seen)
        }
      },
      publish: (seen) => Effect.sync(() => void (view = seen))
    })
  })

  return {
    overdue: (timestamp) => Effect.sync(() => overdueGas(gas, view, timestamp, lag)),
    follow: Effect.andThen(Effect.all([readLedger, readL1], { concurrency: "unbounded" }), Effect.never)
  }
}

const after = ({ checkpoints }: SettlementView, tip: BlockNumber): SettlementView => ({
  tip,
  checkpoints: checkpoints.filter(({ number }) => number > tip)
})
