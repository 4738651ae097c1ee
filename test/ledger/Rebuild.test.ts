import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { BlockRef } from "../../src/domain/Block.ts"
import { BlockHash, CheckpointId, toAddress, toHex32 } from "../../src/domain/Hash.ts"
import { DevnetLedger } from "../../src/ledger/DevnetLedger.ts"
import { devnetGenesis } from "../../src/ledger/DevnetLedgerConfig.ts"
import { openLedgerFile } from "../../src/ledger/LedgerFile.ts"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import { includes, total } from "./accounts.ts"
import { assertCertified, blocks, chainOf, checkpoints, config, domain, genesisId, ledgerFile, n, produce, rebuildTo, refAt, registered, transcript, withLedger, witnesses } from "./devnet.ts"
import { lostAnswers } from "./lostAnswers.ts"
import { replay } from "./replay.ts"

const hashesUpTo = (number: number) => Effect.map(blocks(0, number + 1), (made) => made.map(({ header }) => header.hash))
const stored = openLedgerFile(config).pipe(Effect.flatMap((file) => file.load))

describe("CP-4: a ledger follows a revert", { timeout: 60_000 }, () => {
  it.effect("goes on from the proven tip: its state, its price, other blocks, and every witness replays", () => withLedger(Effect.gen(function*() {
    const ledger = yield* DevnetLedger
    yield* produce(11)
    const before = yield* blocks(0, 12)
    assert.isTrue(yield* rebuildTo(5, 1))
    includes((yield* ledger.status).tip, { number: 5, hash: before[5]!.header.hash })
    yield* produce(9)
    const after = yield* blocks(0, 15)
    assert.deepStrictEqual(after.slice(0, 6), before.slice(0, 6), "the tip and what lies behind it stay")
    for (const [i, { header }] of after.slice(6, 12).entries()) assert.notStrictEqual(header.hash, before[6 + i]!.header.hash)
    assert.strictEqual(after[6]!.header.proverPrice, before[6]!.header.proverPrice, "the price goes on from the excess at the tip")
    assert.strictEqual(Number(after[6]!.header.timestamp), 6 * 12)
    let burnt = 0n
    for (const witness of yield* witnesses(1, 14)) {
      assert.strictEqual(witness.parent.hash, after[witness.block.number - 1]!.header.hash)
      burnt += replay(witness, config)
    }
    assert.isAbove(Number(burnt), 0)
  }), registered))

  it.effect("balances and burnt fees are the genesis supply at every block of the new chain", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    const made = yield* withLedger(Effect.gen(function*() {
      yield* produce(12)
      yield* rebuildTo(4, 1)
      yield* produce(10)
      return yield* blocks(0, 15)
    }), { filename, ...registered })
    const supply = total(devnetGenesis(config).tree)
    yield* openLedgerFile(config).pipe(
      Effect.flatMap((file) => Effect.forEach(made, ({ header, number }) => Effect.map(file.treeAt(number), (tree) => {
        assert.strictEqual(tree.root, header.stateRoot)
        assert.strictEqual(total(tree) + made.slice(0, number + 1).reduce((sum, { header }) => sum + header.proverFees, 0n), supply)
      }))),
      Effect.provide(layerSqlite(filename))
    )
  }))

  it.effect("dropped transfers wait again, in their old order and before all others, and none is lost or executed twice", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    const dropped = yield* withLedger(Effect.gen(function*() {
      yield* produce(24)
      return (yield* blocks(6, 19)).flatMap(({ transfers }) => transfers)
    }), { filename, ...registered })
    assert.isAbove(dropped.length, 10)
    const waited = yield* Effect.provide(stored, layerSqlite(filename))
    yield* withLedger(rebuildTo(5, 1), { filename, ...registered })
    const waiting = yield* Effect.provide(stored, layerSqlite(filename))
    assert.deepStrictEqual(waiting.mempool.map(({ signed }) => signed), [...dropped, ...waited.mempool.map(({ signed }) => signed)])
    assert.isTrue(waiting.mempool.every(({ since }) => since <= 5), "they wait from the tip on, or from when they came")
    const after = yield* withLedger(Effect.gen(function*() {
      yield* produce(20)
      return yield* blocks(6, 20)
    }), { filename, ...registered })
    const left = yield* Effect.provide(stored, layerSqlite(filename))
    const name = ({ transfer }: (typeof dropped)[number]) => `${transfer.from}/${transfer.nonce}`
    const executed = after.flatMap(({ transfers }) => transfers.map(name))
    assert.strictEqual(new Set(executed).size, executed.length)
    const accounted = new Set([...executed, ...left.mempool.map(({ signed }) => name(signed))])
    assert.deepStrictEqual(dropped.map(name).filter((each) => !accounted.has(each)), [])
    assert.isTrue(dropped.some((each) => executed.includes(name(each))))
  }))

  it.effect("CP-1: new checkpoints continue the head that was left, above the tip, at multiples of the interval", () => withLedger(Effect.gen(function*() {
    yield* produce(11)
    const before = yield* checkpoints(0, 5)
    yield* rebuildTo(5, 1)
    yield* produce(5)
    const after = yield* checkpoints(0, 5)
    assert.deepStrictEqual(after.map(({ checkpoint }) => Number(checkpoint.number)), [2, 4, 6, 8, 10])
    assert.deepStrictEqual(after.slice(0, 2), before.slice(0, 2))
    let parent = before[1]!.checkpoint.id
    for (const certified of after.slice(2)) {
      assert.strictEqual(certified.checkpoint.parent, parent)
      assert.strictEqual(certified.checkpoint.blockHash, (yield* refAt(certified.checkpoint.number)).hash)
      assertCertified(certified)
      parent = certified.checkpoint.id
    }
  }), registered))

  it.effect("a tip that is a checkpoint's own block, and one before any checkpoint", () => withLedger(Effect.gen(function*() {
    yield* produce(7)
    const [, second] = yield* checkpoints(0, 2)
    yield* rebuildTo(4, 1)
    yield* produce(2)
    includes((yield* checkpoints(4, 1))[0]!.checkpoint, { number: 6, parent: second!.checkpoint.id })
    yield* rebuildTo(1, 2)
    yield* produce(1)
    includes((yield* checkpoints(0, 1))[0]!.checkpoint, { number: 2, parent: genesisId })
  }), registered))

  it.effect("it is done once for a generation, whatever was made or restarted meanwhile; another revert is another", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    const [tip, parent, made] = yield* withLedger(Effect.gen(function*() {
      yield* produce(9)
      const [tip, [, second]] = [yield* refAt(5), yield* checkpoints(0, 2)]
      assert.isTrue(yield* rebuildTo(5, 1))
      yield* produce(4)
      assert.isFalse(yield* rebuildTo(5, 1))
      return [tip, second!.checkpoint.id, yield* transcript(9)] as const
    }), { filename, ...registered })
    yield* withLedger(Effect.gen(function*() {
      const ledger = yield* DevnetLedger
      assert.isFalse(yield* ledger.rebuild(tip, parent, 1))
      assert.strictEqual(yield* transcript(9), made)
      yield* produce(1)
      assert.isTrue(yield* rebuildTo(7, 2))
      assert.isFalse(yield* ledger.rebuild(tip, parent, 1), "L1 is read again from the start")
      assert.isFalse(yield* rebuildTo(7, 2))
      assert.strictEqual((yield* ledger.status).tip.number, 7)
      assert.isTrue(yield* rebuildTo(3, 1), "L1 put another revert in the place of the first")
      assert.strictEqual((yield* ledger.status).tip.number, 3)
    }), { filename, ...registered })
  }))

  it.effect("what the ledger does not have is refused, says why, and nothing changes", () => withLedger(Effect.gen(function*() {
    const ledger = yield* DevnetLedger
    yield* produce(8)
    const [tip, before] = [yield* refAt(5), yield* hashesUpTo(8)]
    const [, second, third] = yield* checkpoints(0, 3)
    const elsewhere = BlockHash.make(toHex32(7n))
    const refusal = (to: BlockRef, parent: CheckpointId) => Effect.flip(ledger.rebuild(to, parent, 1))
    includes(yield* refusal(new BlockRef({ ...tip, hash: elsewhere }), second!.checkpoint.id), { _tag: "RebuildRefused" })
    assert.include((yield* refusal(new BlockRef({ ...tip, hash: elsewhere }), second!.checkpoint.id)).message, `its block 5 is ${tip.hash}`)
    assert.include((yield* refusal(new BlockRef({ number: n(9), hash: elsewhere }), second!.checkpoint.id)).message, "it has no block 9")
    assert.include((yield* refusal(tip, third!.checkpoint.id)).message, `its newest checkpoint up to there is ${second!.checkpoint.id}`)
    assert.include((yield* refusal(tip, CheckpointId.make(toHex32(0n)))).message, "restore a copy")
    assert.deepStrictEqual(yield* hashesUpTo(8), before)
    yield* produce(1)
    assert.deepStrictEqual((yield* hashesUpTo(9)).slice(0, 9), before)
  }), registered))

  it.effect("a registry deployed anew gets all checkpoints of the rebuilt chain, and counts its own reverts", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    yield* withLedger(Effect.gen(function*() {
      yield* produce(7)
      yield* rebuildTo(3, 1)
      yield* produce(3)
    }), { filename, ...registered })
    const elsewhere = { ...domain, registry: toAddress("0x00000000000000000000000000000000000000bb") }
    yield* withLedger(Effect.gen(function*() {
      const made = yield* checkpoints(0, 3)
      assert.deepStrictEqual(made.map(({ checkpoint }) => Number(checkpoint.number)), [2, 4, 6])
      made.forEach((certified) => assertCertified(certified, elsewhere))
      assert.isTrue(yield* rebuildTo(3, 1))
    }), { filename, domain: Effect.succeed(elsewhere) })
  }))

  it.effect("a rebuild that is cut off has changed nothing, and is done when it is told again", () => Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* Effect.gen(function*() {
      const ledger = yield* DevnetLedger
      yield* produce(8)
      const before = yield* hashesUpTo(8)
      // The last thing that it writes.
      yield* sql`CREATE TRIGGER disk BEFORE INSERT ON rebuild BEGIN SELECT RAISE(ABORT, 'disk full'); END`
      assert.include((yield* Effect.flip(rebuildTo(4, 1))).message, "disk full")
      assert.deepStrictEqual(yield* hashesUpTo(8), before)
      yield* produce(1)
      yield* sql`DROP TRIGGER disk`
      assert.isTrue(yield* rebuildTo(4, 1))
      yield* produce(1)
      assert.strictEqual((yield* ledger.status).tip.number, 5)
    }).pipe(Effect.provide(DevnetLedger.layerSql(config, registered)))
  }).pipe(Effect.provide(layerSqlite(":memory:"))))
})

const numbers = (seen: ReadonlyArray<{ readonly number: number }>) => seen.map(({ number }) => Number(number))

/** A reader from block `from` on that stands still once it has had block `pauseAt`, until it is let go. */
const reader = (from: number, pauseAt: number) =>
  Effect.gen(function*() {
    const source = yield* LedgerSource
    const gate = yield* Deferred.make<void>()
    const seen: Array<BlockRef> = []
    const fiber = yield* source.blocks(n(from)).pipe(
      Stream.runForEach(({ number, ref }) =>
        Effect.sync(() => seen.push(ref)).pipe(Effect.andThen(number === pauseAt ? Deferred.await(gate) : Effect.void))),
      Effect.forkChild({ startImmediately: true })
    )
    return { seen, go: Effect.andThen(Deferred.succeed(gate, undefined), TestClock.adjust(0)), fiber }
  })

const live = (from: number) => reader(from, -1)

describe("CP-4: readers of a ledger that replaces blocks", { timeout: 60_000 }, () => {
  it.effect("one far behind never sees what is gone; one at the tip just goes on; those ahead go back to the first replaced block", () =>
    withLedger(Effect.gen(function*() {
      const [far, at, middle] = [yield* reader(0, 0), yield* reader(0, 4), yield* reader(2, 7)]
      const ahead = yield* live(0)
      yield* produce(9)
      yield* rebuildTo(4, 1)
      yield* produce(3)
      assert.deepStrictEqual(numbers(far.seen), [0])
      yield* Effect.forEach([far, at, middle], ({ go }) => go)
      const now = yield* hashesUpTo(7)
      assert.deepStrictEqual(numbers(far.seen), [0, 1, 2, 3, 4, 5, 6, 7])
      assert.deepStrictEqual(numbers(at.seen), [0, 1, 2, 3, 4, 5, 6, 7])
      assert.deepStrictEqual(numbers(middle.seen), [2, 3, 4, 5, 6, 7, 5, 6, 7])
      assert.deepStrictEqual(numbers(ahead.seen), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 6, 7])
      for (const { seen } of [far, at, ahead]) assert.deepStrictEqual(chainOf(seen).map(({ hash }) => hash), now)
      assert.deepStrictEqual(chainOf(middle.seen).map(({ hash }) => hash), now.slice(2))
    }), registered))

  it.effect("two rebuilds in a row, seen one by one or both at once, lead to the same chain", () => withLedger(Effect.gen(function*() {
    const [deep, shallow, late] = [yield* reader(0, 9), yield* reader(0, 3), yield* reader(0, 5)]
    const ahead = yield* live(0)
    yield* produce(9)
    yield* rebuildTo(6, 1)
    yield* produce(2)
    yield* rebuildTo(4, 2)
    yield* rebuildTo(4, 3)
    yield* produce(2)
    yield* Effect.forEach([deep, shallow, late], ({ go }) => go)
    assert.deepStrictEqual(numbers(ahead.seen), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 8, 5, 6])
    assert.deepStrictEqual(numbers(deep.seen), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 6])
    assert.deepStrictEqual(numbers(shallow.seen), [0, 1, 2, 3, 4, 5, 6])
    assert.deepStrictEqual(numbers(late.seen), [0, 1, 2, 3, 4, 5, 5, 6])
    const now = yield* hashesUpTo(6)
    for (const { seen } of [ahead, deep, shallow, late]) assert.deepStrictEqual(chainOf(seen).map(({ hash }) => hash), now)
  }), registered))

  it.effect("one that waits for a later block hears of the replaced ones before it", () => withLedger(Effect.gen(function*() {
    yield* produce(6)
    const waiting = yield* live(9)
    yield* rebuildTo(4, 1)
    yield* produce(2)
    assert.deepStrictEqual(numbers(waiting.seen), [5, 6])
  }), registered))

  it.effect("checkpoints: those that are dead are replaced by the ones that continue the head", () => withLedger(Effect.gen(function*() {
    const source = yield* LedgerSource
    const seen: Array<{ readonly number: number; readonly id: CheckpointId; readonly parent: CheckpointId }> = []
    yield* source.checkpoints(n(0)).pipe(
      Stream.runForEach(({ checkpoint: { id, number, parent } }) => Effect.sync(() => seen.push({ number, id, parent }))),
      Effect.forkChild({ startImmediately: true })
    )
    yield* produce(9)
    yield* rebuildTo(5, 1)
    yield* produce(4)
    assert.deepStrictEqual(numbers(seen), [2, 4, 6, 8, 6, 8])
    assert.strictEqual(seen[4]!.parent, seen[1]!.id)
    assert.strictEqual(seen[5]!.parent, seen[4]!.id)
  }), registered))

  it.effect("a rebuild whose answer was lost is told to readers before anything that comes after it", () => Effect.gen(function*() {
    const { lose, unreliable } = yield* lostAnswers
    yield* Effect.gen(function*() {
      const [ahead, late] = [yield* live(0), yield* reader(0, 6)]
      yield* produce(8)
      const [tip, [, second]] = [yield* refAt(4), yield* checkpoints(0, 2)]
      lose(true)
      assert.strictEqual((yield* Effect.flip((yield* DevnetLedger).rebuild(tip, second!.checkpoint.id, 1)))._tag, "LedgerUnavailable")
      lose(false)
      // The file has no block 7 any more, and memory does not know it yet.
      yield* late.go
      assert.deepStrictEqual(numbers(late.seen), [0, 1, 2, 3, 4, 5, 6])
      yield* TestClock.adjust("12 seconds")
      assert.deepStrictEqual(numbers(ahead.seen), [0, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6])
      assert.deepStrictEqual(numbers(late.seen), [0, 1, 2, 3, 4, 5, 6, 5, 6])
      assert.isFalse(yield* (yield* DevnetLedger).rebuild(tip, second!.checkpoint.id, 1))
      yield* Fiber.interrupt(ahead.fiber)
    }).pipe(Effect.provide(DevnetLedger.layerSql(config, registered)), Effect.provideService(SqlClient.SqlClient, unreliable))
  }).pipe(Effect.provide(layerSqlite(":memory:"))))
})
