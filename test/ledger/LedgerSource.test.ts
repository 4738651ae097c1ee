/** What every ledger owes its readers: the devnet's own, and the same one over RPC, whose connections are lost now and then. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Redacted, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Block } from "../../src/domain/Block.ts"
import { CertifiedCheckpoint } from "../../src/domain/Checkpoint.ts"
import { DevnetLedger } from "../../src/ledger/DevnetLedger.ts"
import { DevnetLedgerConfig } from "../../src/ledger/DevnetLedgerConfig.ts"
import { LedgerSource } from "../../src/ledger/LedgerSource.ts"
import * as RemoteLedger from "../../src/ledger/RemoteLedger.ts"
import { seededRandom } from "../../src/ledger/SeededRandom.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { RoleTransport } from "../../src/rpc/RoleTransport.ts"
import * as SocketTransport from "../../src/rpc/SocketTransport.ts"
import { blocks, chainOf, checkpoints, config as full, hasty, n, produce, rebuildTo, registered, withLedger as withDevnetLedger } from "./devnet.ts"

const config = new DevnetLedgerConfig({ ...full, validators: 1, transfersPerBlock: 0 })

/** Where the ledger under test is the other one, the devnet's own as it is. */
class Local extends Context.Service<Local, typeof LedgerSource.Service>()("test/LocalLedger") {}

const onLocal = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flatMap(Local, (local) => Effect.provideService(effect, LedgerSource, local))

/** The server of a remote ledger, which goes away and comes back. */
class Line extends Context.Service<Line, { readonly cut: Effect.Effect<void>; readonly mend: Effect.Effect<void> }>()("test/Line") {}

const asItIs = Layer.effectContext(Effect.map(LedgerSource, (source) =>
  Context.make(Local, source).pipe(Context.add(Line, { cut: Effect.void, mend: Effect.void }), Context.add(LedgerSource, source))))

const overRpc = Layer.effectContext(Effect.gen(function*() {
  const local = yield* LedgerSource
  const transport = yield* RoleTransport
  let serving: Scope.Closeable | undefined
  const cut = Effect.suspend(() => {
    const before = serving
    serving = undefined
    return before === undefined ? Effect.void : Scope.close(before, Exit.void)
  })
  const mend = Effect.gen(function*() {
    if (serving !== undefined) return
    serving = yield* Scope.make()
    yield* Layer.buildWithScope(RemoteLedger.serve, serving).pipe(Effect.provideService(RoleTransport, transport), Effect.provideService(LedgerSource, local))
  })
  yield* mend
  const remote = Context.get(yield* Layer.build(RemoteLedger.layer), LedgerSource)
  return Context.make(Local, local).pipe(Context.add(Line, { cut, mend }), Context.add(LedgerSource, remote))
})).pipe(Layer.provide(MemoryTransport.layer))

const ledgers = [["DevnetLedger", asItIs], ["RemoteLedger", overRpc]] as const

/** Lets everybody go on until they wait for time to pass. */
const settled = Effect.repeat(Effect.yieldNow, { times: 500 })

/** A reader that takes whatever a stream gives. */
const collect = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.gen(function*() {
    const seen: Array<A> = []
    const fiber = yield* Effect.forkChild(Stream.runForEach(stream, (item) => Effect.sync(() => seen.push(item))), { startImmediately: true })
    yield* settled
    return { seen, fiber }
  })

const ref = ({ header: { hash, number, parentHash } }: Block) => ({ number: Number(number), hash, parent: parentHash })
const id = ({ checkpoint }: CertifiedCheckpoint) => ({ number: Number(checkpoint.number), hash: checkpoint.id, parent: checkpoint.parent })
const refs = (from: number) => Effect.map(LedgerSource, (source) => source.blocks(n(from)).pipe(Stream.map(ref)))
const ids = (after: number) => Effect.map(LedgerSource, (source) => source.checkpoints(n(after)).pipe(Stream.map(id)))

/** No item is given twice unless it was replaced meanwhile, and each continues the one before it. */
const assertOrderly = (seen: ReadonlyArray<ReturnType<typeof ref> | ReturnType<typeof id>>, what: string) => {
  let chain: ReadonlyArray<(typeof seen)[number]> = []
  for (const item of seen) {
    assert.isUndefined(chain.find((one) => one.number === item.number && one.hash === item.hash), `${what}: ${item.number} was given and not replaced`)
    chain = [...chain.filter(({ number }) => number < item.number), item]
    if (chain.length > 1) assert.strictEqual(item.parent, chain[chain.length - 2]!.hash, `${what}: ${item.number} continues the one before it`)
  }
}

for (const [name, layer] of ledgers) {
  const withLedger = <A, E, R>(body: Effect.Effect<A, E, R>, of = config) =>
    withDevnetLedger(Effect.scoped(Effect.provide(body, layer)), { config: of, ...registered })

  describe(`${name}: the port's contract`, { timeout: 60_000 }, () => {
    it.effect("a late reader gets all blocks and then the live ones, without gap or repetition", () => withLedger(Effect.gen(function*() {
      yield* produce(5)
      const readers = yield* Effect.forEach([0, 3, 5, 6, 9], (from) => Effect.flatMap(refs(from), collect))
      yield* produce(7)
      yield* settled
      for (const [i, from] of [0, 3, 5, 6, 9].entries()) {
        assert.deepStrictEqual(readers[i]!.seen.map(({ number }) => number), Array.from({ length: 13 - from }, (_, k) => from + k))
        assertOrderly(readers[i]!.seen, `from ${from}`)
      }
    })))

    it.effect("genesis, witnesses and checkpoints are what the ledger has; what it does not have is unavailable and says so", () => withLedger(Effect.gen(function*() {
      const [source, local] = [yield* LedgerSource, yield* Local]
      yield* produce(5)
      assert.deepStrictEqual(yield* source.genesis, yield* local.genesis)
      assert.deepStrictEqual(yield* source.witness(n(3)), yield* local.witness(n(3)))
      assert.deepStrictEqual(yield* checkpoints(0, 2), yield* onLocal(checkpoints(0, 2)))
      assert.deepStrictEqual((yield* checkpoints(2, 1)).map((each) => id(each).number), [4])
      assert.include((yield* Effect.flip(source.witness(n(6)))).message, "newest block is 5")
      assert.include((yield* Effect.flip(source.witness(n(0)))).message, "genesis")
    })))

    it.effect("CP-4: readers at the newest block hear of a rebuild at once; one that waits for a later block hears of those before it", () => withLedger(Effect.gen(function*() {
      yield* produce(6)
      const [all, waiting, certified] = [yield* Effect.flatMap(refs(0), collect), yield* Effect.flatMap(refs(9), collect), yield* Effect.flatMap(ids(0), collect)]
      yield* onLocal(rebuildTo(3, 1))
      yield* produce(2)
      yield* settled
      assert.deepStrictEqual(all.seen.map(({ number }) => number), [0, 1, 2, 3, 4, 5, 6, 4, 5])
      assert.deepStrictEqual(waiting.seen.map(({ number }) => number), [4, 5])
      assert.deepStrictEqual(certified.seen.map(({ number }) => number), [2, 4, 6, 4])
      assertOrderly(all.seen, "all")
      assertOrderly(certified.seen, "certified")
      assert.deepStrictEqual(chainOf(all.seen).map(({ hash }) => hash), (yield* onLocal(blocks(0, 6))).map(({ header }) => header.hash))
    })))

    it.effect("CP-4: whatever is made, rebuilt and cut off, every reader ends up with the ledger's chain and was given nothing twice", () =>
      Effect.forEach(Array.from({ length: 4 }, (_, seed) => seed), (seed) => withLedger(Effect.gen(function*() {
        const random = seededRandom("readers", `${process.env.LIGNUM_TEST_SEED ?? "1"}/${seed}`)
        const [ledger, line] = [yield* DevnetLedger, yield* Line]
        yield* produce(3)
        const head = Effect.map(ledger.status, ({ tip }) => Number(tip.number))
        const readers: Array<{ readonly what: string; readonly from: number; readonly seen: Array<ReturnType<typeof ref>> }> = []
        const certified: Array<{ readonly what: string; readonly seen: Array<ReturnType<typeof id>> }> = []
        let generation = 0
        for (let step = 0; step < 24; step++) {
          const dice = random.integer(10)
          if (dice < 3) yield* produce(1 + random.integer(3))
          else if (dice < 5) yield* line.cut
          else if (dice < 7) yield* line.mend
          // Readers begin behind what was proven: nothing up to block 2 is ever replaced here.
          else if (dice < 9) yield* onLocal(rebuildTo(2 + random.integer((yield* head) - 1), ++generation, config))
          else {
            const from = random.integer(4)
            readers.push({ what: `seed ${seed}, blocks from ${from} since step ${step}`, from, seen: (yield* Effect.flatMap(refs(from), collect)).seen })
            certified.push({ what: `seed ${seed}, checkpoints since step ${step}`, seen: (yield* Effect.flatMap(ids(0), collect)).seen })
          }
        }
        yield* line.mend
        yield* produce(3)
        yield* settled
        const chain = yield* onLocal(blocks(0, (yield* head) + 1))
        for (const { from, seen, what } of readers) {
          assertOrderly(seen, what)
          assert.deepStrictEqual(chainOf(seen).map(({ hash }) => hash), chain.slice(from).map(({ header }) => header.hash), what)
        }
        for (const { seen, what } of certified) {
          assertOrderly(seen, what)
          const last = chainOf(seen).map(({ hash }) => hash)
          assert.deepStrictEqual(last, (yield* onLocal(checkpoints(0, last.length))).map(({ checkpoint }) => checkpoint.id), what)
        }
      })), { discard: true }))
  })
}

describe("RemoteLedger: lost connections", { timeout: 60_000 }, () => {
  const withLedger = <A, E, R>(body: Effect.Effect<A, E, R>) =>
    withDevnetLedger(Effect.scoped(Effect.provide(body, overRpc)), { config, ...registered })

  it.effect("what is asked while nobody serves the ledger waits", () => withLedger(Effect.gen(function*() {
    const [source, line] = [yield* LedgerSource, yield* Line]
    yield* produce(2)
    yield* line.cut
    const asked = yield* Effect.forkChild(Effect.all([source.genesis, source.witness(n(1))]), { startImmediately: true })
    yield* produce(1)
    assert.isUndefined(asked.pollUnsafe())
    yield* line.mend
    yield* TestClock.adjust("3 seconds")
    assert.strictEqual((yield* Fiber.join(asked))[1].block.number, 1)
  })))

  it.effect("CP-4: a rebuild that was missed is told before the chain is as long as it was", () => withLedger(Effect.gen(function*() {
    const line = yield* Line
    yield* produce(8)
    const { seen } = yield* Effect.flatMap(refs(0), collect)
    yield* line.cut
    yield* onLocal(rebuildTo(3, 1))
    yield* line.mend
    yield* produce(1)
    yield* settled
    assert.deepStrictEqual(seen.slice(9).map(({ number }) => number), [4])
  })))

  it.effect("a reader that was cut off is given again nothing that it had", () => withLedger(Effect.gen(function*() {
    const line = yield* Line
    yield* produce(4)
    const { seen } = yield* Effect.flatMap(refs(0), collect)
    for (let i = 0; i < 5; i++) {
      yield* line.cut
      yield* produce(1)
      yield* line.mend
      yield* produce(1)
    }
    yield* settled
    assert.deepStrictEqual(seen.map(({ number }) => number), Array.from({ length: 15 }, (_, i) => i))
  })))
})

it.live("a ledger over sockets: every byte is decoded by schema, and a reader outlives the server", () =>
  withDevnetLedger(Effect.gen(function*() {
    const secret = Redacted.make(new Uint8Array(32).fill(3))
    let address = { host: "127.0.0.1", port: 0 }
    const serving = Effect.gen(function*() {
      const listening = yield* SocketTransport.listening({ secret, at: { host: "127.0.0.1", port: 0 } })
      address = listening.address
      yield* Layer.build(RemoteLedger.serve).pipe(Effect.provideService(RoleTransport, listening.transport))
    })
    const first = yield* Scope.make()
    yield* Scope.provide(serving, first)
    const transport = SocketTransport.connecting({ secret, locate: Effect.sync(() => address) })
    const remote = Context.get(yield* Effect.provideService(Layer.build(RemoteLedger.layer), RoleTransport, transport), LedgerSource)
    const reading = yield* Effect.forkChild(remote.blocks(n(0)).pipe(Stream.take(40), Stream.runCollect))
    yield* remote.blocks(n(10)).pipe(Stream.take(1), Stream.runDrain)
    yield* Scope.close(first, Exit.void)
    yield* Effect.sleep("300 millis")
    yield* serving
    const read = yield* Fiber.join(reading)
    const encode = Schema.encodeSync(Schema.Array(Block))
    assert.deepStrictEqual(encode(read), encode(yield* blocks(0, 40)))
    assert.instanceOf(read[7], Block)
  }).pipe(Effect.scoped), { config: hasty }))
