/**
 * A whole node over a real chain that takes its update back: real proofs, real contracts, and the roles as an operator runs them.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schedule, Stream } from "effect"
import { createPublicClient, createTestClient, http } from "viem"
import { fullBlocks } from "../../bench/Blocks.ts"
import { checkpointOf, freshWorld, register, send, type World } from "../../bench/L1World.ts"
import { ProverGas } from "../../src/domain/Amount.ts"
import { genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import { defaultParameters } from "../../src/domain/ProtocolParameters.ts"
import { rewardVaultAbi } from "../../src/l1/abi.ts"
import type { StateUpdated } from "../../src/l1/Events.ts"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { L1 } from "../../src/l1/L1.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { LedgerSource, LedgerUnavailable } from "../../src/ledger/LedgerSource.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { loadKeys } from "../../src/proofs/CircuitKeys.ts"
import * as Groth16 from "../../src/proofs/Groth16.ts"
import { CheckpointWatcher } from "../../src/roles/CheckpointWatcher.ts"
import { FeeOptions } from "../../src/roles/FeeController.ts"
import { RewardAuditor } from "../../src/roles/RewardAuditor.ts"
import { SettlerOptions } from "../../src/roles/Settler.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteStore from "../../src/store/SqliteStore.ts"
import { Store } from "../../src/store/Store.ts"
import { reorg } from "../l1/reorg.ts"

const { blocks, genesis } = fullBlocks("reorg", 2)
const genesisRef = { number: genesis.number, hash: genesis.hash } as never
const checkpoint = checkpointOf(genesisCheckpoint(genesisRef, genesis.stateRoot), blocks[1]!.block.header)

const ledger = Layer.succeed(LedgerSource, {
  genesis: Effect.succeed({ header: genesis, transfers: [], number: genesis.number, ref: genesisRef } as never),
  blocks: (from) =>
    Stream.fromIterable([{ header: genesis, transfers: [], number: genesis.number, ref: genesisRef } as never, ...blocks.map(({ block }) => block)].slice(from)).pipe(
      Stream.concat(Stream.never)
    ),
  witness: (number) => {
    const made = blocks[number - 1]
    return made === undefined ? Effect.fail(new LedgerUnavailable({ number, reason: "not made yet" })) : Effect.succeed(made.witness)
  },
  checkpoints: () => Stream.never
})

class Scene extends Context.Service<Scene, World>()("test/Scene") {}

const world = Layer.effectContext(Effect.gen(function*() {
  const made = yield* freshWorld("reorg", genesis, 4)
  yield* send(made, {
    address: made.deployment.vault,
    abi: rewardVaultAbi,
    functionName: "fund",
    value: blocks.reduce((sum, { block }) => sum + block.header.proverFees, 0n)
  })
  return Context.make(Scene, made).pipe(Context.add(L1, made.l1))
}))

const services = connectRoles.pipe(
  Layer.provideMerge(Layer.mergeAll(
    world,
    ledger,
    MemoryTransport.layer,
    Layer.unwrap(Effect.map(loadKeys(), (keys) => Groth16.layer({ keys }))),
    SqliteStore.layer.pipe(Layer.provide(layerSqlite(":memory:"))),
    Layer.succeed(SettlerOptions, {
      blocksPerUpdate: 2,
      maxBlocks: 2,
      patience: "5 minutes",
      parameters: defaultParameters,
      maxFeePerGas: 500n * 10n ** 9n,
      profitableOnly: false,
      replaceAfter: "30 seconds",
      confirmations: 1
    }),
    Layer.succeed(FeeOptions, { rule: devnetPriceRule, blockGas: ProverGas.make(32_000n) }),
    Layer.succeed(L1PollInterval, "50 millis")
  )),
  Layer.provideMerge(NodeServices.layer)
)

const eventually = <A, E, R>(what: Effect.Effect<A, E, R>) => what.pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 1_800 }))

/** The update that the chain has, once it has one and the node knows. */
const settledUpdate = eventually(Effect.gen(function*() {
  const { deployment, l1 } = yield* Scene
  const events = yield* l1.events(deployment.block, (yield* l1.latest).number)
  const updates = events.filter((event): event is StateUpdated => event._tag === "StateUpdated")
  const view = yield* Effect.flatMap(Stream.runHead((yield* CheckpointWatcher).changes()), Effect.fromOption)
  const [mine] = yield* (yield* Store).allOutgoing
  if (updates.length !== 1 || view.updates !== 1 || view.tip.number !== 2 || mine?.state !== "confirmed") return yield* Effect.fail("not yet")
  return { transaction: updates[0]!.at.transaction, submission: mine }
}))

const assertBooksHold = Effect.gen(function*() {
  const { l1 } = yield* Scene
  const report = yield* eventually(Effect.gen(function*() {
    const found = yield* Effect.flatMap(Stream.runHead((yield* RewardAuditor).changes()), Effect.fromOption)
    return found.l1Block === (yield* l1.latest).number && found.checkedBlocks === 2 ? found : yield* Effect.fail("not yet")
  }))
  assert.deepStrictEqual(report.alarms, [])
  assert.strictEqual(yield* l1.creditOf(l1.account), report.accounts.find(({ account }) => account === l1.account)!.credited)
})

const rawOf = (url: string, hash: `0x${string}`) =>
  Effect.promise(() =>
    createPublicClient({ transport: http(url) }).request({ method: "eth_getRawTransactionByHash" as never, params: [hash] as never }) as Promise<`0x${string}`>)

layer(services, { excludeTestServices: true, timeout: "5 minutes" })("a reorganisation of a real chain over a node's update", (it) => {
  it.effect("ND-3: settles the same blocks once, by the same transaction where it still holds", () =>
    Effect.gen(function*() {
      const scene = yield* Scene
      const { l1, url } = scene
      const chain = createTestClient({ mode: "anvil", transport: http(url) })
      yield* startRoles()
      yield* register(scene, checkpoint)
      const registeredIn = (yield* l1.latest).number
      const registration = yield* Effect.promise(async () =>
        (await createPublicClient({ transport: http(url) }).getBlock({ blockNumber: BigInt(registeredIn) })).transactions[0]!)
      const raw = yield* rawOf(url, registration)
      const first = yield* settledUpdate
      yield* Effect.promise(() => chain.mine({ blocks: 3 }))
      assert.strictEqual((yield* l1.latest).number - registeredIn, 4, "five blocks have the checkpoint and the update in them")

      // The checkpoint comes again in the new blocks; the update does not.
      yield* reorg(url, 5, [[raw, 0]])
      const second = yield* settledUpdate
      assert.strictEqual(second.transaction, first.transaction)
      assert.deepStrictEqual(second.submission.variants, first.submission.variants)
      yield* assertBooksHold

      // Both are taken back, and the checkpoint comes later: until then the update would be refused, and nothing is spent on it.
      yield* reorg(url, (yield* l1.latest).number - registeredIn + 1)
      yield* eventually(Effect.gen(function*() {
        const view = yield* Effect.flatMap(Stream.runHead((yield* CheckpointWatcher).changes()), Effect.fromOption)
        if (view.tip.number !== 0 || view.updates !== 0 || view.checkpoints.length !== 0) return yield* Effect.fail("not yet")
      }))
      assert.strictEqual(yield* l1.nextNonce, 0)
      yield* Effect.sleep("6 seconds")
      assert.strictEqual(yield* l1.nextNonce, 0)
      yield* register(scene, checkpoint)
      yield* settledUpdate
      assert.strictEqual(yield* l1.nextNonce, 1, "one transaction settled it")
      yield* assertBooksHold
    }))
})
