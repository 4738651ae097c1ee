import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { devnetParameters } from "../../src/devnet/DevnetConfig.ts"
import { DevnetLedgerConfig } from "../../src/ledger/DevnetLedgerConfig.ts"
import { NodeConfig, NodeConfigJson, readNodeConfig } from "../../src/node/NodeConfig.ts"

const ledger = new DevnetLedgerConfig({})

/** What a configuration must say at least. */
const least = {
  data: "data",
  rollup: {
    parameters: Schema.encodeSync(NodeConfig.fields.rollup.fields.parameters)(devnetParameters({ blocksPerUpdate: 3, ledger })),
    price: Schema.encodeSync(NodeConfig.fields.rollup.fields.price)(ledger.price),
    slots: 2,
    blockTime: "6 seconds",
    checkpointInterval: 2,
    settlementGas: { update: "340000", block: "57000", checkpoint: "196000", blocksPerUpdate: 3, blocksPerCheckpoint: 2 }
  },
  l1: { url: "http://127.0.0.1:8545", addressesFile: "../addresses.json", keyFile: "l1.key" },
  ledger: { host: "127.0.0.1", port: 4501, secretFile: "/etc/ledger.secret" },
  proving: { keys: "keys", workers: 2 },
  settling: { blocksPerUpdate: 3, maxBlocks: 16, patience: "2 minutes", maxFeePerGas: "500000000000" }
}

const inFolder = <A, E, R>(use: (folder: string, write: (config: unknown) => string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lignum-config-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    mkdirSync(join(folder, "node"))
    return yield* use(folder, (config) => {
      const file = join(folder, "node", "node.json")
      writeFileSync(file, typeof config === "string" ? config : JSON.stringify(config))
      return file
    })
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

describe("the configuration of a node", () => {
  it.effect("needs only what nobody can guess; paths are relative to the file", () =>
    inFolder((folder, write) =>
      Effect.gen(function*() {
        const config = yield* readNodeConfig(write(least))
        assert.strictEqual(config.data, join(folder, "node", "data"))
        assert.strictEqual(config.l1.addressesFile, join(folder, "addresses.json"))
        assert.strictEqual(config.ledger.secretFile, "/etc/ledger.secret")
        assert.strictEqual(config.l1.confirmations, 3)
        assert.isTrue(config.settling.profitableOnly && config.settling.redundancy && config.settling.revertUnproven)
        assert.strictEqual(config.settling.when, "race")
        assert.strictEqual(config.work.reservationPrice, 0n)
        assert.strictEqual(Duration.toSeconds(config.settling.patience), 120)
        assert.isUndefined(config.rpc)
        assert.isUndefined(config.flagging)
      })))

  it.effect("is what it was after it was written and read", () =>
    inFolder((_, write) =>
      Effect.gen(function*() {
        const given = yield* readNodeConfig(write({
          ...least,
          rpc: { host: "127.0.0.1", port: 0, secretFile: "rpc.secret" },
          flagging: { provingCost: "7", flagAfter: "1 minute" },
          work: { reservationPrice: "20000000000" }
        }))
        assert.deepStrictEqual(yield* readNodeConfig(write(yield* Schema.encodeEffect(NodeConfigJson)(given))), given)
      })))

  it.effect("what is wrong is named with its place", () =>
    inFolder((folder, write) =>
      Effect.gen(function*() {
        const refused = (config: unknown) => Effect.map(Effect.flip(readNodeConfig(write(config))), ({ message }) => message)
        assert.match(yield* refused({ ...least, settling: { ...least.settling, when: "never" } }), /node\.json: .*"race".*"turns".*\["settling"\]\["when"\]/)
        assert.match(yield* refused({ ...least, l1: { ...least.l1, url: "localhost" } }), /http:\/\/127\.0\.0\.1:8545.*\["l1"\]\["url"\]/)
        assert.match(yield* refused({ ...least, proving: { ...least.proving, niceness: 20 } }), /\["proving"\]\["niceness"\]/)
        assert.match(yield* refused({ ...least, settling: { ...least.settling, pateince: "1 minute" } }), /pateince/)
        assert.match(yield* refused({ ...least, settling: { ...least.settling, maxFeePerGas: "-1" } }), /maxFeePerGas/)
        assert.match(yield* refused("{"), /it is not JSON/)
        assert.match((yield* Effect.flip(readNodeConfig(join(folder, "none.json")))).message, /none\.json: there is no such file/)
      })))
})
