import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { openRpcDoor } from "../../src/devnet/RpcDoor.ts"
import { Quote } from "../../src/domain/Quote.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { modelPorts } from "../roles/model.ts"
import { type Ended, lastLine, lignum } from "./lignum.ts"

const answered = (ended: Ended): Quote => {
  assert.strictEqual(ended.code, 0, ended.stderr)
  return Schema.decodeUnknownSync(Schema.toCodecJson(Quote))(lastLine(ended))
}

const ask = (url: string, ...more: ReadonlyArray<string>) =>
  Effect.promise(() => lignum(["quote", "--rpc", url, "--prover-gas", "16000", ...more]).ended)

describe("FM-5: lignum quote", () => {
  it.live("asks a node over a real socket: fee, bound and cap, and what they are made of", () =>
    Effect.gen(function*() {
      yield* startRoles()
      const url = yield* openRpcDoor(0)
      const [ten, one, inTime] = yield* Effect.all(
        [ask(url, "--json"), ask(url, "--blocks", "1", "--json"), ask(url, "--overdue", "0", "--json")].map(Effect.map(answered)),
        { concurrency: 2 }
      ) as Effect.Effect<[Quote, Quote, Quote]>
      assert.strictEqual(ten.proverGas, 16_000n)
      assert.strictEqual(ten.fee, 16_000n * ten.price)
      assert.strictEqual(ten.parts.proverFee, ten.fee)
      assert.strictEqual(ten.maxProverFee, 16_000n * ten.priceBound)
      assert.isNull(ten.parts.execution)
      assert.strictEqual(ten.parts.settlement?.share, 7n * 260_000n)
      assert.strictEqual(ten.total, ten.fee + 7n * 260_000n)
      assert.isTrue(one.maxProverFee < ten.maxProverFee && inTime.maxProverFee < ten.maxProverFee)

      const { code, stdout } = yield* ask(url, "--blocks", "1")
      assert.strictEqual(code, 0)
      assert.match(stdout, /^as of block \d+, for a transaction of 16,000 prover gas$/m)
      assert.match(stdout, /^execution +- +nothing is charged for it here$/m)
      assert.match(stdout, /^proving +0\.00032 ETH +16,000 prover gas · 20,000,000,000 wei \(rule 20,000,000,000 ×1 by the L1 signal\)$/m)
      assert.match(stdout, /^settlement +0\.00000000000182 ETH +its part of 260,000 L1 gas a block · 7 wei$/m)
      assert.match(stdout, /^total +0\.00032000000182 ETH$/m)
      assert.match(stdout, new RegExp(`^within 1 block the price of proving is at most [\\d,]+ wei per prover gas:\nsign maxProverFee ${one.maxProverFee} `, "m"))
    }).pipe(Effect.scoped, Effect.provide(connectRoles.pipe(Layer.provideMerge(Layer.mergeAll(modelPorts, MemoryTransport.layer))))))

  it("asks a running devnet, whose address is in its data folder until it stops", async () => {
    const data = mkdtempSync(join(tmpdir(), "lignum-quote-"))
    const file = join(data, "rpc.json")
    const devnet = lignum(["devnet", "--data", data, "--operators", "1", "--rpc-port", "0", "--block-time", "500 millis", "--workers", "1", "--proving-cost", "0"])
    try {
      while (!existsSync(file)) await sleep(200)
      const { url } = JSON.parse(readFileSync(file, "utf8")) as { readonly url: string }
      assert.include(devnet.seen(), `the node answers quotes at ${url}`)
      let quote = answered(await lignum(["quote", "--rpc", url, "--prover-gas", "16000", "--json"]).ended)
      const first = quote.block
      while (quote.block <= first) quote = answered(await lignum(["quote", "--rpc", url, "--prover-gas", "16000", "--json"]).ended)
      assert.strictEqual(quote.fee, 16_000n * quote.price)
      assert.isAbove(Number(quote.parts.settlement?.share ?? 0n), 0)
      assert.strictEqual(quote.total, quote.fee + quote.parts.settlement!.share)
      assert.isTrue(quote.maxProverFee > quote.fee)
      devnet.interrupt()
      assert.strictEqual((await devnet.ended).code, 0)
      assert.isFalse(existsSync(file), "where nobody listens, no address stands")
    } finally {
      devnet.killAll()
      rmSync(data, { recursive: true, force: true })
    }
  })
})
