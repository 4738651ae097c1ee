import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Option, Schema, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { AccountIndex, Nonce } from "../../src/domain/Account.ts"
import { ProverGas, Wei } from "../../src/domain/Amount.ts"
import { genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import { toAddress } from "../../src/domain/Hash.ts"
import { signerIndices } from "../../src/domain/QuorumCertificate.ts"
import { signTransfer, Transfer } from "../../src/domain/Transfer.ts"
import { DevnetLedger } from "../../src/ledger/DevnetLedger.ts"
import { DevnetLedgerConfig, devnetGenesis, devnetKey } from "../../src/ledger/DevnetLedgerConfig.ts"
import { openLedgerFile } from "../../src/ledger/LedgerFile.ts"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import { includes, total } from "./accounts.ts"
import { assertCertified, blocks, checkpoints, config, domain, ledgerFile, n, produce, registered, transcript, withLedger, witnesses } from "./devnet.ts"
import { lostAnswers } from "./lostAnswers.ts"
import { replay } from "./replay.ts"

const parameters = { chainId: config.chainId, slots: config.slots, depth: config.depth }

describe("production", { timeout: 30_000 }, () => {
  it.effect("makes one block per block time, each on the one before, and every witness replays", () =>
    withLedger(Effect.gen(function*() {
      const source = yield* LedgerSource
      const genesis = yield* source.genesis
      includes(genesis.header, { number: 0, parentHash: `0x${"0".repeat(64)}`, stateRoot: devnetGenesis(config).tree.root })
      yield* TestClock.adjust("5 seconds")
      yield* produce(30)
      const made = yield* blocks(0, 31)
      assert.deepStrictEqual(made.map((block) => block.number), Array.from({ length: 31 }, (_, i) => i))
      assert.deepStrictEqual(made.map((block) => Number(block.header.timestamp)), Array.from({ length: 31 }, (_, i) => 6 * i))
      const seen = yield* witnesses(1, 30)
      let parent = genesis
      for (const witness of seen) {
        assert.strictEqual(witness.block.header.parentHash, parent.header.hash)
        assert.strictEqual(witness.parent.hash, parent.header.hash)
        assert.strictEqual(witness.block.header.hash, made[witness.block.number]?.header.hash)
        replay(witness, parameters)
        parent = witness.block
      }
      const sizes = new Set(made.slice(1).map((block) => block.transfers.length))
      assert.deepStrictEqual([...sizes].sort(), [0, 1, 2], "blocks are empty, half full and full")
      assert.isTrue(made.some((block) => block.transfers.some(({ transfer }) => transfer.to >= config.accounts)), "accounts are created")
    })))

  it.effect("the same seed gives the same chain byte by byte, another seed another", () => Effect.gen(function*() {
    const run = (seed: string) =>
      withLedger(produce(12).pipe(Effect.andThen(transcript(12))), { ...registered, config: new DevnetLedgerConfig({ ...config, seed }) }).pipe(
        Effect.provide(TestClock.layer())
      )
    const first = yield* run("a")
    assert.strictEqual(yield* run("a"), first)
    assert.notStrictEqual(yield* run("b"), first)
  }))

  it.effect("conservation: at every block, balances plus burnt fees are the genesis supply", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    const made = yield* withLedger(produce(30).pipe(Effect.andThen(blocks(0, 31))), { filename })
    const supply = total(devnetGenesis(config).tree)
    assert.strictEqual(supply, BigInt(config.accounts) * config.genesisBalance)
    yield* openLedgerFile(config).pipe(
      Effect.flatMap((file) => Effect.forEach(made, (block) => Effect.map(file.treeAt(block.number), (tree) => {
        const burnt = made.slice(0, block.number + 1).reduce((sum, { header }) => sum + header.proverFees, 0n)
        assert.strictEqual(tree.root, block.header.stateRoot, "the state of any earlier block can be had again")
        assert.strictEqual(total(tree) + burnt, supply)
      }))),
      Effect.provide(layerSqlite(filename))
    )
  }))

  it.effect("a failed write makes no block; the next slot goes on from what is stored", () => Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* Effect.gen(function*() {
      const ledger = yield* DevnetLedger
      yield* produce(2)
      yield* sql`CREATE TRIGGER disk BEFORE INSERT ON block BEGIN SELECT RAISE(ABORT, 'disk full'); END`
      yield* TestClock.adjust("12 seconds")
      const status = yield* ledger.status
      assert.strictEqual(status.tip.number, 2)
      assert.include(Option.getOrThrow(status.lastFailure), "disk full")
      yield* sql`DROP TRIGGER disk`
      yield* produce(2)
      assert.isTrue(Option.isNone((yield* ledger.status).lastFailure))
      const made = yield* blocks(0, 5)
      assert.deepStrictEqual(made.slice(1).map((block) => block.header.parentHash), made.slice(0, 4).map((block) => block.header.hash))
      assert.deepStrictEqual(made.map((block) => Number(block.header.timestamp)), [0, 6, 12, 30, 36])
    }).pipe(Effect.provide(DevnetLedger.layerSql(config, { domain: Effect.never })))
  }).pipe(Effect.provide(layerSqlite(":memory:"))))
})

it.effect("a commit whose answer was lost is found in the file, and no height is made twice", () => Effect.gen(function*() {
  const { lose, unreliable } = yield* lostAnswers
  yield* Effect.gen(function*() {
    const ledger = yield* DevnetLedger
    yield* produce(2)
    lose(true)
    yield* TestClock.adjust("6 seconds")
    assert.strictEqual((yield* ledger.status).tip.number, 2)
    lose(false)
    yield* TestClock.adjust("6 seconds")
    assert.strictEqual((yield* ledger.status).tip.number, 4)
    const made = yield* blocks(0, 5)
    assert.deepStrictEqual(made.slice(1).map((block) => block.header.parentHash), made.slice(0, 4).map((block) => block.header.hash))
    assert.deepStrictEqual(made.map((block) => Number(block.header.timestamp)), [0, 6, 12, 18, 24])
  }).pipe(Effect.provide(DevnetLedger.layerSql(config, { domain: Effect.never })), Effect.provideService(SqlClient.SqlClient, unreliable))
}).pipe(Effect.provide(layerSqlite(":memory:"))), 30_000)

describe("price", { timeout: 30_000 }, () => {
  const priceOf = (transfers: ReadonlyArray<{ readonly header: { readonly proverPrice: bigint } }>) => transfers.map(({ header }) => header.proverPrice)

  it.effect("FM-4: the L1 signal is read at checkpoint boundaries only", () => Effect.gen(function*() {
    let signal = 1_000_000n
    const wide = new DevnetLedgerConfig({ ...config, checkpointInterval: 3 })
    yield* withLedger(Effect.gen(function*() {
      yield* produce(1)
      signal = 2_000_000n
      yield* produce(4)
      const made = yield* blocks(0, 6)
      assert.deepStrictEqual(made.map((block) => block.header.signalMultiplier), [1, 1, 1, 1, 2, 2].map((x) => BigInt(x) * 1_000_000n))
      assert.isTrue(made[4]!.header.proverPrice >= 2n * config.price.floor)
    }), { config: wide, signalMultiplier: () => Effect.sync(() => Option.some(signal)) })
  }))

  it.effect("FM-2: overdue proving raises the price, and it falls again when nobody pays", () => Effect.gen(function*() {
    let overdue = 0n
    const asked: Array<bigint> = []
    yield* withLedger(Effect.gen(function*() {
      yield* produce(3)
      overdue = 1_000_000n
      yield* produce(30)
      overdue = 0n
      const raised = (yield* DevnetLedger.use((ledger) => ledger.status)).proverPrice
      yield* produce(40)
      const prices = priceOf(yield* blocks(0, 74))
      assert.strictEqual(prices[0], config.price.floor)
      const rising = prices.slice(4, 34)
      assert.deepStrictEqual(rising, [...rising].sort((a, b) => (a < b ? -1 : 1)), "it never falls while the backlog lasts")
      // Half of the users leave with every doubling, and a backlog raises the price no further than somebody pays.
      assert.isAtLeast(Number(raised / config.price.floor), 3)
      assert.isBelow(Math.min(...prices.slice(34).map((price) => Number(price * 100n / config.price.floor))), 200)
    }), {
      overdue: (timestamp) => {
        asked.push(timestamp)
        return Effect.sync(() => ProverGas.make(overdue))
      }
    })
    assert.deepStrictEqual(asked.slice(0, 4), [6n, 12n, 18n, 24n], "it is asked at the blocks' own timestamps")
  }))

  it.effect("FM-5: a transfer whose cap is below the price waits, and is executed once the price has fallen", () => Effect.gen(function*() {
    let signal = 8_000_000n
    const cap = 16_000n * config.price.floor
    const poor = new DevnetLedgerConfig({
      ...config,
      checkpointInterval: 1,
      accounts: 1,
      genesisBalance: Wei.make(cap + 1n),
      transfersPerBlock: 0
    })
    yield* withLedger(Effect.gen(function*() {
      const ledger = yield* DevnetLedger
      const [from, toOwner] = [AccountIndex.make(0), devnetGenesis(poor).tree.account(AccountIndex.make(0))!.owner]
      const signed = signTransfer(
        new Transfer({ from, to: from, toOwner, amount: Wei.make(1n), maxProverFee: Wei.make(cap), nonce: Nonce.make(0n) }),
        devnetKey(poor, 0),
        poor.chainId
      )
      yield* ledger.submit(signed)
      yield* produce(3)
      assert.deepStrictEqual((yield* blocks(1, 3)).flatMap((block) => block.transfers), [])
      assert.strictEqual((yield* ledger.status).pending, 1)
      signal = 1_000_000n
      yield* produce(1)
      const [block] = yield* blocks(4, 1)
      assert.deepStrictEqual(block?.transfers, [signed])
      assert.strictEqual(block?.header.proverFees, cap)
      assert.strictEqual((yield* ledger.status).pending, 0)
    }), { config: poor, signalMultiplier: () => Effect.sync(() => Option.some(signal)) })
  }))

  it.effect("submit tells why a transfer is refused", () => withLedger(Effect.gen(function*() {
    const ledger = yield* DevnetLedger
    const owner = devnetGenesis(config).tree.account(AccountIndex.make(1))!.owner
    const signed = signTransfer(
      new Transfer({ from: AccountIndex.make(0), to: AccountIndex.make(1), toOwner: owner, amount: Wei.make(1n), maxProverFee: Wei.make(1n), nonce: Nonce.make(5n) }),
      devnetKey(config, 0),
      config.chainId
    )
    includes(yield* Effect.flip(ledger.submit(signed)), { _tag: "TransferRefused", reason: "NonceAhead" })
  })))
})

describe("CP-1, CP-2: checkpoints", { timeout: 30_000 }, () => {
  it.effect("every second block is certified by more than two thirds, sometimes by all, in one chain", () => withLedger(Effect.gen(function*() {
    const source = yield* LedgerSource
    yield* produce(30)
    const made = yield* checkpoints(0, 15)
    const genesis = yield* source.genesis
    let parent = genesisCheckpoint(genesis.ref, genesis.header.stateRoot).id
    for (const certified of made) {
      const { checkpoint } = certified
      const [block] = yield* blocks(checkpoint.number, 1)
      assert.strictEqual(checkpoint.parent, parent)
      includes(checkpoint, { blockHash: block!.header.hash, stateRoot: block!.header.stateRoot })
      assertCertified(certified)
      parent = checkpoint.id
    }
    assert.deepStrictEqual(made.map(({ checkpoint }) => checkpoint.number), Array.from({ length: 15 }, (_, i) => 2 * i + 2))
    const sizes = made.map(({ certificate }) => signerIndices(certificate.signers).length)
    assert.deepStrictEqual([...new Set(sizes)].sort(), [3, 4])
    assert.isAbove(new Set(made.map(({ certificate }) => certificate.signers)).size, 2, "the quorum changes")
    assert.deepStrictEqual((yield* checkpoints(7, 2)).map(({ checkpoint }) => checkpoint.number), [8, 10])
  }), registered))

  it.effect("blocks are made before the registry is known, checkpoints of all of them after", () => Effect.gen(function*() {
    const known = yield* Deferred.make<typeof domain>()
    yield* withLedger(Effect.gen(function*() {
      const first = yield* Effect.forkChild(checkpoints(0, 3), { startImmediately: true })
      yield* produce(6)
      assert.isUndefined(first.pollUnsafe())
      yield* Deferred.succeed(known, domain)
      const made = yield* Fiber.join(first)
      assert.deepStrictEqual(made.map(({ checkpoint }) => checkpoint.number), [2, 4, 6])
      made.forEach((certified) => assertCertified(certified))
    }), { domain: Deferred.await(known) })
  }))

  it.effect("a registry deployed anew gets the same checkpoints, certified for it", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    const before = yield* withLedger(produce(6).pipe(Effect.andThen(checkpoints(0, 3))), { filename, ...registered })
    const elsewhere = { ...domain, registry: toAddress("0x00000000000000000000000000000000000000bb") }
    const after = yield* withLedger(checkpoints(0, 3), { filename, domain: Effect.succeed(elsewhere) })
    assert.deepStrictEqual(after.map(({ checkpoint }) => checkpoint.id), before.map(({ checkpoint }) => checkpoint.id))
    after.forEach((certified) => assertCertified(certified, elsewhere))
    before.forEach((certified) => assertCertified(certified))
  }))
})

describe("restart", { timeout: 30_000 }, () => {
  it.effect("stopped twice, the ledger makes the chain that it would have made in one go", () => Effect.gen(function*() {
    const whole = yield* withLedger(produce(24).pipe(Effect.andThen(transcript(24))), registered).pipe(Effect.provide(TestClock.layer()))
    const parts = yield* Effect.gen(function*() {
      const filename = yield* ledgerFile
      yield* withLedger(produce(7), { filename, ...registered })
      yield* withLedger(produce(9), { filename, ...registered })
      return yield* withLedger(produce(8).pipe(Effect.andThen(transcript(24))), { filename, ...registered })
    }).pipe(Effect.provide(TestClock.layer()))
    assert.strictEqual(parts, whole)
  }))

  it.effect("time off leaves no gap in the numbers", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    yield* withLedger(produce(2), { filename })
    yield* TestClock.adjust("1 hour")
    const made = yield* withLedger(produce(1).pipe(Effect.andThen(blocks(1, 3))), { filename })
    assert.deepStrictEqual(made.map((block) => [block.number, Number(block.header.timestamp)]), [[1, 6], [2, 12], [3, 3618]])
  }))

  it.effect("another config is refused with what differs; pace, traffic and mempool may change", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    yield* withLedger(produce(2), { filename })
    const other = (changes: object) => withLedger(Effect.void, { filename, config: new DevnetLedgerConfig({ ...config, ...changes }) })
    const error = yield* Effect.flip(other({ seed: "x", slots: 4 }))
    includes(error, { _tag: "LedgerMismatch", differences: ["seed was \"lignum\", is \"x\"", "slots was 2, is 4"] })
    for (const changes of [{ depth: 6 }, { validators: 5 }, { genesisTime: 1n }, { checkpointInterval: 3 }, { chainId: 1n }, { accounts: 5 }]) {
      assert.strictEqual((yield* Effect.flip(other(changes)))._tag, "LedgerMismatch")
    }
    const faster = new DevnetLedgerConfig({ ...config, blockTime: Duration.seconds(1), transfersPerBlock: 0, mempoolSize: 3 })
    yield* withLedger(produce(1, faster.blockTime), { filename, config: faster })
    assert.deepStrictEqual((yield* withLedger(blocks(3, 1), { filename })).map((block) => block.header.proverGasUsed), [0n])
  }))

  it.effect("a file that is in use, or that somebody altered, is refused", () => Effect.gen(function*() {
    const filename = yield* ledgerFile
    yield* withLedger(Effect.gen(function*() {
      yield* produce(4)
      includes(yield* Effect.flip(withLedger(Effect.void, { filename })), { _tag: "SqliteOpenError", reason: "InUse" })
    }), { filename })
    const alter = (statement: string) => SqlClient.SqlClient.use((sql) => sql.unsafe(statement)).pipe(Effect.provide(layerSqlite(filename)))
    const refused = Effect.flip(withLedger(Effect.void, { filename }))
    yield* alter("UPDATE account SET account = json_set(account, '$.balance', '7') WHERE leaf = 0")
    const damaged = yield* refused
    assert.strictEqual(damaged._tag, "LedgerDamaged")
    assert.include(damaged.message, "state root")
    yield* alter("UPDATE block SET header = json_set(header, '$.timestamp', '7') WHERE number = 0")
    assert.include((yield* refused).message, "genesis")
  }))
})

describe("streams", { timeout: 30_000 }, () => {
  it.effect("a late reader gets all blocks and then the live ones, without gap or repetition", () => withLedger(Effect.gen(function*() {
    yield* produce(5)
    const readers = yield* Effect.forEach([0, 3, 5, 6, 9], (from) =>
      Effect.forkChild(Effect.map(blocks(from, 12 - from), (made) => ({ from, numbers: made.map((block) => Number(block.number)) }))))
    yield* produce(7)
    for (const { from, numbers } of yield* Effect.forEach(readers, Fiber.join)) {
      assert.deepStrictEqual(numbers, Array.from({ length: 12 - from }, (_, i) => from + i))
    }
  })))

  it.effect("a reader that stands still does not hold up production, and misses nothing", () => withLedger(Effect.gen(function*() {
    const source = yield* LedgerSource
    const gate = yield* Deferred.make<void>()
    const seen: Array<number> = []
    const reader = yield* source.blocks(n(0)).pipe(
      Stream.take(15),
      Stream.runForEach((block) => Effect.sync(() => seen.push(block.number)).pipe(Effect.andThen(Deferred.await(gate)))),
      Effect.forkChild
    )
    yield* produce(20)
    assert.deepStrictEqual(seen, [0])
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(reader)
    assert.deepStrictEqual(seen, Array.from({ length: 15 }, (_, i) => i))
  })))

  it.effect("pages through a long past", () => withLedger(Effect.gen(function*() {
    yield* produce(140)
    assert.deepStrictEqual((yield* blocks(3, 138)).map((block) => Number(block.number)), Array.from({ length: 138 }, (_, i) => i + 3))
  }), { config: new DevnetLedgerConfig({ ...config, transfersPerBlock: 0 }) }))

  it.effect("a witness of a block not made yet, or of genesis, is unavailable and says so", () => withLedger(Effect.gen(function*() {
    const source = yield* LedgerSource
    yield* produce(1)
    assert.include((yield* Effect.flip(source.witness(n(2)))).message, "newest block is 1")
    assert.include((yield* Effect.flip(source.witness(n(0)))).message, "genesis")
    assert.strictEqual((yield* source.witness(n(1))).block.number, 1)
  })))
})

it("the config has the devnet's defaults, decodes from JSON, and refuses what the circuit cannot", () => {
  const decode = Schema.decodeUnknownSync(DevnetLedgerConfig)
  assert.deepStrictEqual(decode({}), new DevnetLedgerConfig({}))
  includes(decode({ slots: 4, blockTime: 200, chainId: "7" }), { slots: 4, chainId: 7n, depth: 8, validators: 4, seed: "lignum" })
  for (const wrong of [{ slots: 3 }, { slots: 1, transfersPerBlock: 2 }, { slots: 0 }, { depth: 33 }, { accounts: 300 }, { validators: 257 }, { blockTime: 0 }, { chainId: String(2n ** 64n) }, { genesisBalance: String(2n ** 95n) }]) {
    assert.throws(() => decode(wrong))
  }
})
