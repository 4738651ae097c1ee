/**
 * A rollup for devnets: users, sequencer and validators in one process, behind the same port as any other ledger.
 *
 * It stands in for consensus, so nothing here is trustless; but blocks, signatures, witnesses and certificates are real.
 */
import { Cause, Clock, Context, Duration, Effect, Layer, Option, Schedule, Semaphore, Stream, SubscriptionRef } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { BlockNumber, ProverGas, type ProverPrice } from "../domain/Amount.ts"
import { Block, BlockRef, type Header, signalOne } from "../domain/Block.ts"
import { type CertificateDomain, Checkpoint, genesisCheckpoint } from "../domain/Checkpoint.ts"
import type { CheckpointId } from "../domain/Hash.ts"
import { nextExcess, snapshotPrice } from "../domain/ProverPrice.ts"
import type { SignedTransfer } from "../domain/Transfer.ts"
import { layerSqlite, type SqliteOpenError } from "../store/Sqlite.ts"
import type { DevnetLedgerConfig } from "./DevnetLedgerConfig.ts"
import { executeBlock, type TransferRefused } from "./Execution.ts"
import { LedgerDamaged, type LedgerMismatch, type LedgerState, openLedgerFile, type RebuildRefused } from "./LedgerFile.ts"
import { LedgerSource, LedgerUnavailable } from "./LedgerSource.ts"
import { admit, afterBlock, type MempoolFull } from "./Mempool.ts"
import { makeKeyring, withTraffic } from "./Traffic.ts"
import { certifyCheckpoint, devnetValidatorKeys } from "./Validators.ts"

/** What the ledger learns from outside. */
export interface DevnetLedgerInputs {
  /**
   * Where certificates are to be valid; known once the registry stands on L1. Blocks are made before, checkpoints are not.
   * Certificates for another domain found in the file are made again.
   */
  readonly domain: Effect.Effect<CertificateDomain>
  /**
   * The L1 signal's multiplier in millionths at a block's timestamp (FM-3), read for the first block after each checkpoint (FM-4).
   * It must answer at once; while it does not know, the multiplier stays.
   */
  readonly signalMultiplier?: (timestamp: bigint) => Effect.Effect<Option.Option<bigint>>
  /**
   * Prover gas that is checkpointed but unproven beyond the target lag at a block's timestamp (FM-2), read for every block. It
   * must answer at once.
   */
  readonly overdue?: (timestamp: bigint) => Effect.Effect<ProverGas>
  /**
   * What a consensus that errs makes of a header, for scenarios: certificates vouch for the result, and a circuit may refuse it. State
   * and state root must stay.
   */
  readonly tamper?: (header: Header) => Header
}

/** A look at the ledger from outside. */
export interface DevnetLedgerStatus {
  readonly tip: BlockRef
  /** What the next block's transfers pay for proving, in wei per prover gas, if the L1 signal stays. */
  readonly proverPrice: ProverPrice
  /** Excess prover gas that this price comes from (FM-2). */
  readonly excess: bigint
  /** Transfers that wait. */
  readonly pending: number
  readonly accounts: number
  /** Why the last attempt to make a block failed; none after a success. */
  readonly lastFailure: Option.Option<string>
}

/** Why a devnet ledger cannot start. */
export type DevnetLedgerError = SqliteOpenError | LedgerMismatch | LedgerDamaged

const batchSize = 64

/** How far a chain is, for those who follow it. Every state of it is an object of its own. */
interface Reached {
  readonly number: number
  /** The tips that it went back to (CP-4). */
  readonly rebuilds: ReadonlyArray<number>
}

/** Where a reader stands. */
interface Place {
  /** Number of the item that it wants. */
  readonly next: number
  /** Rebuilds that it knows of. */
  readonly seen: number
  /** How far the chain was when it looked and there was nothing for it. */
  readonly vain: Reached | undefined
}

const make = (config: DevnetLedgerConfig, inputs: DevnetLedgerInputs) =>
  Effect.gen(function*() {
    const file = yield* openLedgerFile(config)
    const keyring = makeKeyring(config)
    const writer = yield* Semaphore.make(1)
    let state: LedgerState = yield* file.load.pipe(
      Effect.catchTag("SqlError", (error) => Effect.fail(new LedgerDamaged({ reason: error.message })))
    )
    // After a failed write the file alone knows what was stored: memory is then taken from it again.
    let stale = false
    let lastFailure = Option.none<string>()
    const tip = yield* SubscriptionRef.make<Reached>({ number: state.header.number, rebuilds: state.rebuilds })
    // Below every number until the domain is known and checkpoints of another one are gone.
    const certified = yield* SubscriptionRef.make<Reached>({ number: -1, rebuilds: state.rebuilds })

    /** Tells the readers how far the chain is. */
    const publish = Effect.suspend(() => {
      const { header, rebuilds } = state
      return Effect.andThen(
        SubscriptionRef.set(tip, { number: header.number, rebuilds }),
        SubscriptionRef.update(certified, (before) =>
          before.rebuilds.length === rebuilds.length
            ? before
            : { number: Math.min(before.number, ...rebuilds.slice(before.rebuilds.length)), rebuilds })
      )
    })

    const current = Effect.gen(function*() {
      if (!stale) return state
      state = yield* file.load
      stale = false
      yield* publish
      return state
    })

    /** Stores the state that follows and then, never before, makes it the current one. */
    const advance = <E>(next: LedgerState, store: Effect.Effect<unknown, E>) =>
      Effect.uninterruptible(store.pipe(
        Effect.tapCause(() => Effect.sync(() => {
          stale = true
        })),
        Effect.andThen(Effect.suspend(() => {
          state = next
          return publish
        }))
      ))

    const signalFor = (before: LedgerState, timestamp: bigint) =>
      before.header.number % config.checkpointInterval === 0
        ? Effect.map(
          inputs.signalMultiplier?.(timestamp) ?? Effect.succeed(Option.some(signalOne)),
          Option.getOrElse(() => before.header.signalMultiplier)
        )
        : Effect.succeed(before.header.signalMultiplier)

    const produce = writer.withPermit(Effect.gen(function*() {
      const before = yield* current
      const now = BigInt(Math.floor((yield* Clock.currentTimeMillis) / 1000))
      // A clock that was set back must not make a block older than its parent.
      const timestamp = now > before.header.timestamp ? now : before.header.timestamp
      const signalMultiplier = yield* signalFor(before, timestamp)
      const overdue = yield* inputs.overdue?.(timestamp) ?? Effect.succeed(ProverGas.make(0n))
      const number = BlockNumber.make(before.header.number + 1)
      const mempool = withTraffic(config, keyring, before.tree, before.mempool, number)
      const executed = executeBlock(config.rules, before.header, before.tree, mempool.map(({ signed }) => signed), {
        proverPrice: snapshotPrice(config.price, before.excess, signalMultiplier),
        signalMultiplier,
        timestamp
      })
      const { header, transfers } = executed.block
      const made = inputs.tamper === undefined ? executed : { ...executed, block: new Block({ header: inputs.tamper(header), transfers }) }
      const after: LedgerState = {
        header: made.block.header,
        tree: made.tree,
        excess: nextExcess(config.price, before.excess, made.block.header.proverGasUsed, overdue),
        mempool: afterBlock(mempool, made),
        rebuilds: before.rebuilds
      }
      yield* advance(after, file.append(made, before, after))
      lastFailure = Option.none()
    })).pipe(Effect.withSpan("DevnetLedger.produce"))

    const blockTime = Duration.toMillis(config.blockTime)
    const slotAt = (millis: number) => Math.floor(millis / blockTime)

    /** One block at every multiple of the block time; slots that passed while the machine slept stay without a block. */
    const producer = Effect.gen(function*() {
      let slot = slotAt(yield* Clock.currentTimeMillis)
      while (true) {
        const now = yield* Clock.currentTimeMillis
        yield* Effect.sleep(Duration.millis(blockTime - (now % blockTime)))
        const reached = slotAt(yield* Clock.currentTimeMillis)
        // A timer may fire a millisecond early: the slot has its block already, and the rest is slept.
        if (reached === slot) continue
        slot = reached
        yield* produce.pipe(Effect.catchCause((cause) => {
          if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
          lastFailure = Option.some(Cause.pretty(cause))
          return Effect.logWarning("no block in this slot, the next one tries again", cause)
        }))
      }
    })

    /** Waits until a reader has something to do: what it wants is there, or was replaced. */
    const news = (ref: SubscriptionRef.SubscriptionRef<Reached>, { next, seen, vain }: Place) =>
      SubscriptionRef.changes(ref).pipe(
        Stream.filter((now) => now !== vain && (now.number >= next || now.rebuilds.length > seen)),
        Stream.runHead,
        // The changes of a ref have no end.
        Effect.flatMap(Effect.fromOption),
        Effect.orDie
      )

    const certifier = Effect.gen(function*() {
      const keys = devnetValidatorKeys(config)
      const domain = yield* inputs.domain
      while (true) {
        const seen = (yield* SubscriptionRef.get(tip)).rebuilds.length
        const { floor, forgotten, newest } = yield* file.newestCheckpoint(domain)
        if (forgotten > 0) yield* Effect.logWarning(`${forgotten} checkpoints were certified for another registry and are certified again`)
        const last = newest ?? genesisCheckpoint(file.genesis.ref, file.genesis.header.stateRoot)
        yield* SubscriptionRef.update(certified, ({ rebuilds }) => ({ number: last.number, rebuilds }))
        const interval = config.checkpointInterval
        const number = BlockNumber.make(interval * (Math.floor(Math.max(last.number, floor) / interval) + 1))
        yield* news(tip, { next: number, seen, vain: undefined })
        // No rebuild may come between the look at the block and its checkpoint.
        yield* writer.withPermit(Effect.gen(function*() {
          const { header: { number: reached }, rebuilds } = yield* current
          if (rebuilds.length !== seen || reached < number) return
          const header = (yield* file.headerAt(number))!
          const checkpoint = new Checkpoint({ parent: last.id, number, blockHash: header.hash, stateRoot: header.stateRoot })
          yield* file.putCheckpoint(domain, certifyCheckpoint(config, keys, domain, checkpoint))
        }))
      }
    }).pipe(
      Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logWarning("certifying starts again", cause)),
      Effect.retry(Schedule.spaced("1 second"))
    )

    const unavailable = (number: BlockNumber) => (error: SqlError.SqlError | LedgerDamaged) =>
      new LedgerUnavailable({ number, reason: error.message })

    /** Pages through what the file holds and waits for more; a reader's pace is its own. */
    const follow = <A>(
      start: number,
      ref: SubscriptionRef.SubscriptionRef<Reached>,
      page: (from: number) => Effect.Effect<ReadonlyArray<A>, SqlError.SqlError | LedgerDamaged>,
      numberOf: (item: A) => number
    ) =>
      Stream.unwrap(Effect.map(SubscriptionRef.get(ref), ({ rebuilds }) =>
        Stream.paginate<Place, A, LedgerUnavailable>({ next: start, seen: rebuilds.length, vain: undefined }, (place) =>
          Effect.gen(function*() {
            const now = yield* news(ref, place)
            const next = Math.min(place.next, ...now.rebuilds.slice(place.seen).map((tip) => tip + 1))
            const items = yield* page(next)
            const seen = now.rebuilds.length
            // A page from behind a rebuild that this reader has not heard of yet may lie beyond the first block that it replaced.
            const usable = items.length > 0 && (yield* file.rebuildCount) === seen
            return usable
              ? [items, Option.some({ next: numberOf(items[items.length - 1]!) + 1, seen, vain: undefined })] as const
              : [[], Option.some({ next, seen, vain: now })] as const
          }).pipe(Effect.mapError(unavailable(BlockNumber.make(place.next)))))))

    yield* Effect.forkScoped(producer)
    yield* Effect.forkScoped(certifier)

    const source = LedgerSource.of({
      genesis: Effect.succeed(file.genesis),
      blocks: (from) => follow<Block>(from, tip, (next) => file.blocks(next, batchSize), (block) => block.number),
      witness: Effect.fn("LedgerSource.witness")(function*(number) {
        const witness = yield* file.witness(number).pipe(Effect.mapError(unavailable(number)))
        if (witness !== undefined) return witness
        const reason = number === 0 ? "the genesis block is not proven" : `the newest block is ${state.header.number}`
        return yield* new LedgerUnavailable({ number, reason })
      }),
      checkpoints: (after) =>
        follow(after + 1, certified, (next) => file.checkpoints(next - 1, batchSize), ({ checkpoint }) => checkpoint.number)
    })

    const ledger = DevnetLedger.of({
      submit: Effect.fn("DevnetLedger.submit")((signed) =>
        writer.withPermit(Effect.gen(function*() {
          const before = yield* current
          const mempool = yield* Effect.fromResult(
            admit(config.rules, before.tree, before.mempool, config.mempoolSize, { signed, since: before.header.number })
          )
          yield* advance({ ...before, mempool }, file.putMempool(before.mempool, mempool))
        })).pipe(
          Effect.catchTag(["SqlError", "LedgerDamaged"], (error) => Effect.fail(unavailable(state.header.number)(error)))
        )
      ),
      rebuild: Effect.fn("DevnetLedger.rebuild")(function*(tip, parent, generation) {
        const domain = yield* inputs.domain
        return yield* writer.withPermit(Effect.uninterruptible(Effect.gen(function*() {
          // Memory follows the file, also where the answer to the commit is lost.
          stale = true
          const rebuilt = yield* file.rebuild(domain, { tip, parent, generation })
          yield* current
          return rebuilt
        }))).pipe(Effect.catchTag(["SqlError", "LedgerDamaged"], (error) => Effect.fail(unavailable(tip.number)(error))))
      }),
      status: Effect.sync(() => ({
        tip: new BlockRef({ number: state.header.number, hash: state.header.hash }),
        proverPrice: snapshotPrice(config.price, state.excess, state.header.signalMultiplier),
        excess: state.excess,
        pending: state.mempool.length,
        accounts: state.tree.size,
        lastFailure
      }))
    })

    return Context.make(LedgerSource, source).pipe(Context.add(DevnetLedger, ledger))
  })

/** The devnet ledger's own doors, beside {@link LedgerSource}. */
export class DevnetLedger extends Context.Service<DevnetLedger, {
  /** Takes a transfer in; once this succeeds it is stored and waits for a block. */
  readonly submit: (transfer: SignedTransfer) => Effect.Effect<void, TransferRefused | MempoolFull | LedgerUnavailable>
  /**
   * Follows a revert on L1 (CP-4): drops every block above the proven tip with its checkpoints, lets the dropped transfers wait again
   * before all others, and goes on from the tip with its own state and price. New checkpoints continue `parent`, the head that the
   * revert left, and lie above the tip. Says whether it had anything to do: once for each revert, `generation`, however often it is
   * told. Waits until the registry is known.
   */
  readonly rebuild: (
    tip: BlockRef,
    parent: CheckpointId,
    generation: number
  ) => Effect.Effect<boolean, RebuildRefused | LedgerUnavailable>
  readonly status: Effect.Effect<DevnetLedgerStatus>
}>()("lignum/DevnetLedger") {
  /**
   * A running ledger. It goes on with the chain in its file, or starts one; blocks are made as long as the layer lives.
   *
   * @example
   * ```ts
   * const ledger = DevnetLedger.layer(new DevnetLedgerConfig({}), {
   *   filename: "ledger.db",
   *   domain: Deferred.await(registryDeployed)
   * })
   * ```
   */
  static readonly layer = (
    config: DevnetLedgerConfig,
    inputs: DevnetLedgerInputs & {
      /** The ledger's own database file, kept from other processes while open; `:memory:` forgets the chain at the end. */
      readonly filename: string
    }
  ): Layer.Layer<DevnetLedger | LedgerSource, DevnetLedgerError> =>
    DevnetLedger.layerSql(config, inputs).pipe(
      // FULL and exclusive: a block that L1 knows of must survive a power cut, and two writers would fork the chain.
      Layer.provide(layerSqlite(inputs.filename, { synchronous: "FULL", exclusive: true, busyTimeout: "1 second" }))
    )

  /** As {@link DevnetLedger.layer}, in a database of the caller's, which nobody else may write to. */
  static readonly layerSql = (
    config: DevnetLedgerConfig,
    inputs: DevnetLedgerInputs
  ): Layer.Layer<DevnetLedger | LedgerSource, LedgerMismatch | LedgerDamaged, SqlClient.SqlClient> =>
    Layer.effectContext(make(config, inputs))
}
