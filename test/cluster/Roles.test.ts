/** All roles of an operator on two hosts, over models of L1 and the ledger; and what hosts that join are told. */
import { assert, layer } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Option, Redacted, Schema, Scope, Stream } from "effect"
import * as ClusterClient from "../../src/cluster/ClusterClient.ts"
import * as SharedConfig from "../../src/cluster/SharedConfig.ts"
import { startHost } from "../../src/cluster/startHost.ts"
import { devnetParameters } from "../../src/devnet/DevnetConfig.ts"
import { ProverGas, ProverPrice } from "../../src/domain/Amount.ts"
import { defaultParameters } from "../../src/domain/ProtocolParameters.ts"
import { Deployment } from "../../src/l1/Deploy.ts"
import { DevnetLedgerConfig } from "../../src/ledger/DevnetLedgerConfig.ts"
import { NodeConfig, WorkConfig } from "../../src/node/NodeConfig.ts"
import { connectRoles } from "../../src/node/ProverNode.ts"
import { FeeController } from "../../src/roles/FeeController.ts"
import { ProverPool } from "../../src/roles/ProverPool.ts"
import { RewardAuditor } from "../../src/roles/RewardAuditor.ts"
import { Settler } from "../../src/roles/Settler.ts"
import { TreePlanner } from "../../src/roles/TreePlanner.ts"
import { roleNames } from "../../src/rpc/RoleTransport.ts"
import { Database } from "../../src/store/Database.ts"
import * as ModelProofs from "../../src/simulation/ModelProofs.ts"
import { layer as modelRollup, operatorPorts, simulatedAccount } from "../../src/simulation/Simulation.ts"
import * as PostgresDatabase from "../../src/store/PostgresDatabase.ts"
import { RoleLeases } from "../../src/store/RoleLeases.ts"
import { lignum } from "../cli/lignum.ts"
import { freshDatabase, Postgres } from "../postgres.ts"
import { loopback, quietly, secret } from "./hosts.ts"

const ports = operatorPorts(simulatedAccount(1), defaultParameters).pipe(Layer.provideMerge(modelRollup({ seed: "hosts", ledger: { length: 2, blockTime: Duration.millis(200) } })))

const controlHost = Effect.fnUntraced(function*(url: Redacted.Redacted<string>, name: string) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  yield* startHost({ name, database: url, secret, listen: loopback, control: { ports }, proving: { sizes: ["small", "big"], cores: 1, memory: 1_024 }, drainWithin: "1 second" }).pipe(
    Effect.provide(ModelProofs.layer({ capacity: 1, blockTime: () => Duration.millis(50) })),
    Scope.provide(scope)
  )
  return { stop: Scope.close(scope, Exit.void) }
})

const now = <A, E>(stream: Stream.Stream<A, E>) => Effect.flatMap(Stream.runHead(stream), Effect.fromOption)

const config = Effect.gen(function*() {
  const ledger = new DevnetLedgerConfig({})
  const hex = (bytes: number) => `0x${"11".repeat(bytes)}`
  const { fields } = NodeConfig
  return {
    account: simulatedAccount(1),
    rollup: yield* Schema.decodeUnknownEffect(fields.rollup)({
      parameters: Schema.encodeSync(fields.rollup.fields.parameters)(devnetParameters({ blocksPerUpdate: 3, ledger })),
      price: Schema.encodeSync(fields.rollup.fields.price)(ledger.price),
      slots: 2,
      blockTime: "6 seconds",
      checkpointInterval: 2,
      settlementGas: { update: "340000", block: "57000", checkpoint: "196000", blocksPerUpdate: 3, blocksPerCheckpoint: 2 }
    }),
    work: WorkConfig.make({}),
    settling: yield* Schema.decodeUnknownEffect(fields.settling)({ blocksPerUpdate: 3, maxBlocks: 16, patience: "2 minutes", maxFeePerGas: "500000000000" }),
    l1: { url: "http://127.0.0.1:8545", pollInterval: Duration.seconds(2), confirmations: 3 },
    proving: { bigFrom: ProverGas.make(7n) },
    deployment: yield* Schema.decodeUnknownEffect(Deployment)({
      chainId: 1, block: 2, registry: hex(20), provers: hex(20), stateUpdate: hex(20), vault: hex(20), feeSignal: hex(20), groth16: hex(20), genesis: hex(32), verifyingKeys: hex(32)
    }),
    ledger: { host: "127.0.0.1", port: 1, secret: new Uint8Array(32) },
    peerKey: new Uint8Array([1])
  }
})

layer(Layer.merge(Postgres.layer, quietly), { excludeTestServices: true })("an operator's hosts", (it) => {
  it.effect("ND-2: every role answers from wherever it is, and on the other host when one stops", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      const [a] = yield* Effect.forEach(["a", "b"], (name) => controlHost(url, name), { concurrency: 2 })
      const outside = yield* Layer.build(Layer.provideMerge(connectRoles, ClusterClient.layer(url, secret)))
      const ask = Effect.gen(function*() {
        yield* now(Context.get(outside, TreePlanner).changes())
        yield* now(Context.get(outside, FeeController).changes())
        yield* now(Context.get(outside, Settler).changes())
        yield* now(Context.get(outside, RewardAuditor).changes())
        return yield* now(Context.get(outside, ProverPool).changes())
      })
      assert.deepStrictEqual((yield* ask).hosts.map(({ name }) => name).sort(), ["a", "b"])
      yield* a!.stop
      assert.deepStrictEqual((yield* ask).hosts.map(({ name }) => name), ["b"])
      const { holder } = Context.get(outside, RoleLeases)
      for (const role of roleNames) {
        yield* holder(role).pipe(Effect.delay("50 millis"), Effect.repeat({ until: Option.exists(({ host }) => host === "b") }), Effect.timeout("30 seconds"))
      }
    }))

  it.effect("what the first host writes is what others read; its secrets stay, and prices reach those that run", () =>
    Effect.gen(function*() {
      const url = yield* freshDatabase
      yield* Effect.gen(function*() {
        assert.match((yield* Effect.flip(SharedConfig.read)).message, /has no configuration.*lignum node --config FILE/)
        const decided = yield* config
        const written = yield* SharedConfig.publish(decided)
        assert.strictEqual(written.secret.length, 32)
        assert.deepStrictEqual(yield* SharedConfig.read, written)
        const again = yield* SharedConfig.publish({ ...decided, peerKey: new Uint8Array([2]) })
        assert.deepStrictEqual([again.secret, again.peerKey], [written.secret, written.peerKey])
        const heard = yield* (yield* Database).news("operator")
        yield* SharedConfig.reprice(ProverPrice.make(99n))
        yield* Stream.runDrain(Stream.take(heard, 2))
        assert.strictEqual((yield* SharedConfig.read).work.reservationPrice, 99n)
      }).pipe(Effect.provide(PostgresDatabase.layer(url)))
    }))

  it.effect("a host that cannot join says why, and ends with 2", () =>
    Effect.gen(function*() {
      const url = Redacted.value(yield* freshDatabase)
      const refused = Effect.fnUntraced(function*(args: ReadonlyArray<string>, ...words: ReadonlyArray<RegExp>) {
        const { code, stderr } = yield* Effect.promise(() => lignum(["node", ...args]).ended)
        assert.strictEqual(code, 2, stderr)
        for (const word of words) assert.match(stderr, word)
      })
      yield* refused(["--join", url], /no configuration of an operator/, /--config FILE/)
      yield* refused([], /--join/, /--config/)
      const decided = yield* config
      yield* Effect.provide(SharedConfig.publish(decided), PostgresDatabase.layer(Redacted.make(url)))
      yield* refused(["--join", url, "--role", "control"], /--l1-key/, new RegExp(decided.account))
    }))
})
