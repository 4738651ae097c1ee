/**
 * The door of a node on its own machine: real sockets, a role behind them, and strangers at either end.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Stream } from "effect"
import { createServer } from "node:http"
import { type AddressInfo, createConnection } from "node:net"
import { BlockNumber, ProverGas } from "../../src/domain/Amount.ts"
import { quote } from "../../src/domain/Quote.ts"
import { devnetPriceRule as rule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { FeeController, FeeControllerRpcs, PriceView } from "../../src/roles/FeeController.ts"
import { knock, NodeUnreachable, openDoor } from "../../src/rpc/HttpDoor.ts"

const header = { number: BlockNumber.make(7), proverPrice: rule.floor, signalMultiplier: 1_000_000n }
const expected = quote(header, ProverGas.make(16_000n), { rule, blockGas: ProverGas.make(32_000n), blocks: 3 }, { execution: { gas: 21_000n, price: 7n } })
const view = new PriceView({ block: header.number, price: header.proverPrice, signalMultiplier: 1_000_000n, unproven: ProverGas.make(0n), flagging: null })

/** A fee controller that answers one quote. */
const fees = (answer = Effect.succeed(expected)) => Layer.succeed(FeeController, { quote: () => answer, changes: () => Stream.concat(Stream.succeed(view), Stream.never) })

const ask = (url: string, patience?: number) =>
  knock(FeeControllerRpcs, url, (client) => client.quote({ proverGas: ProverGas.make(16_000n), blocks: 3 }), patience)

/** An HTTP server of somebody else's. */
const stranger = (status: number, body: string) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      new Promise<{ readonly url: string; readonly close: () => void }>((resolve) => {
        const server = createServer((_, response) => response.writeHead(status).end(body))
        server.listen(0, "127.0.0.1", () => resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }))
      })
    ),
    ({ close }) => Effect.sync(close)
  )

const post = (url: string, body: string) =>
  Effect.promise(() => fetch(`${url}/rpc`, { method: "POST", body }).then(async (response) => ({ status: response.status, text: await response.text() })))

describe("FM-5: a node's door on loopback", () => {
  it.live("answers a quote with all its parts, and streams, as the role itself does", () =>
    Effect.gen(function*() {
      const url = yield* openDoor(FeeControllerRpcs, FeeController, 0)
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
      assert.deepStrictEqual(yield* ask(url), expected)
      assert.deepStrictEqual(yield* ask(`${url}/`), expected)
      assert.deepStrictEqual(yield* knock(FeeControllerRpcs, url, (client) => Stream.runHead(client.changes())), Option.some(view))
    }).pipe(Effect.scoped, Effect.provide(fees())))

  it.live("closes with its scope, whoever still listens to a stream", () =>
    Effect.gen(function*() {
      const listening = yield* Deferred.make<void>()
      const [url, fiber] = yield* Effect.scoped(Effect.gen(function*() {
        const url = yield* openDoor(FeeControllerRpcs, FeeController, 0)
        const fiber = yield* Effect.forkDetach(
          Effect.exit(knock(FeeControllerRpcs, url, (client) => Stream.runForEach(client.changes(), () => Deferred.succeed(listening, undefined)), "20 seconds"))
        )
        yield* Deferred.await(listening)
        return [url, fiber] as const
      }))
      yield* Fiber.await(fiber)
      assert.instanceOf(yield* Effect.flip(ask(url)), NodeUnreachable)
    }).pipe(Effect.provide(fees())))

  it.live("says that nobody answers, that a stranger does, and that a node is too slow", () =>
    Effect.gen(function*() {
      const free = yield* Effect.scoped(Effect.map(stranger(200, ""), ({ url }) => url))
      const nobody = yield* Effect.flip(ask(free))
      assert.match(nobody.message, /^no lignum node answers at http:\/\/127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*--rpc-port/)
      for (const { body, status } of [{ status: 404, body: "not here" }, { status: 200, body: "<html>" }, { status: 200, body: "{}\n" }, { status: 200, body: "" }]) {
        const { url } = yield* stranger(status, body)
        const failure = yield* Effect.flip(ask(url, 2_000))
        assert.instanceOf(failure, NodeUnreachable, body)
        assert.notInclude(failure.message, "()", body)
      }
      const slow = yield* openDoor(FeeControllerRpcs, FeeController, 0).pipe(Effect.provide(fees(Effect.never)))
      assert.match((yield* Effect.flip(ask(slow, 300))).message, /does not answer in time/)
    }).pipe(Effect.scoped))

  it.live("a taken port is named with the way out", () =>
    Effect.gen(function*() {
      const { url } = yield* stranger(200, "")
      const port = Number(new URL(url).port)
      const failure = yield* Effect.flip(openDoor(FeeControllerRpcs, FeeController, port))
      assert.strictEqual(failure.message, `port ${port} is taken: stop what listens there, or choose another with --rpc-port (0 picks a free one)`)
    }).pipe(Effect.scoped, Effect.provide(fees())))

  it.live("what strangers send does not keep it from answering", () =>
    Effect.gen(function*() {
      const url = yield* openDoor(FeeControllerRpcs, FeeController, 0)
      for (const body of ["", "garbage", "{}\n", `{"_tag":"Request","id":"1","tag":"flag","payload":{},"headers":[]}\n`, "[".repeat(20_000)]) yield* post(url, body)
      const tooLong = yield* post(url, `{"_tag":"Request","id":"1","tag":"quote","payload":{"proverGas":"${"1".repeat(100_000)}"},"headers":[]}\n`)
      assert.isAtLeast(tooLong.status, 400, "more than 64 KiB is not read")
      yield* Effect.promise(() =>
        new Promise<void>((resolve) => {
          const socket = createConnection(Number(new URL(url).port), "127.0.0.1", () => socket.end("no HTTP at all\r\n\r\n"))
          socket.on("close", () => resolve())
          socket.resume()
        })
      )
      assert.deepStrictEqual(yield* ask(url), expected)
    }).pipe(Effect.scoped, Effect.provide(fees())))

  it.live("a question out of bounds is refused before it is answered", () =>
    Effect.gen(function*() {
      const url = yield* openDoor(FeeControllerRpcs, FeeController, 0)
      const { text } = yield* post(url, `{"_tag":"Request","id":"1","tag":"quote","payload":{"proverGas":"4294967296","blocks":3},"headers":[]}\n`)
      assert.include(text, "Exit")
      assert.notInclude(text, "maxProverFee")
      const sound = yield* post(url, `{"_tag":"Request","id":"1","tag":"quote","payload":{"proverGas":"16000","blocks":3},"headers":[]}\n`)
      assert.include(sound.text, `"maxProverFee":"${expected.maxProverFee}"`)
    }).pipe(Effect.scoped, Effect.provide(fees())))
})
