/**
 * A whole node over a real chain that finds proving paid too little: real proofs earn it real reputation, its flag reaches the real
 * contract, and the sequencers read what comes of it.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Option, Schedule, Stream } from "effect"
import { createPublicClient, createTestClient, http } from "viem"
import { fullBlocks } from "../../bench/Blocks.ts"
import { checkpointOf, freshWorld, register, send, type World } from "../../bench/L1World.ts"
import { makeSignalReader } from "../../src/devnet/SignalReader.ts"
import { ProverGas } from "../../src/domain/Amount.ts"
import { genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import { defaultParameters, ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { feeSignalAbi, rewardVaultAbi } from "../../src/l1/abi.ts"
import { L1PollInterval } from "../../src/l1/Follower.ts"
import { L1 } from "../../src/l1/L1.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { LedgerSource, LedgerUnavailable } from "../../src/ledger/LedgerSource.ts"
import { connectRoles, startRoles } from "../../src/node/ProverNode.ts"
import { loadKeys } from "../../src/proofs/CircuitKeys.ts"
import * as Groth16 from "../../src/proofs/Groth16.ts"
import { FeeController, FeeOptions } from "../../src/roles/FeeController.ts"
import { SettlerOptions } from "../../src/roles/Settler.ts"
import * as MemoryTransport from "../../src/rpc/MemoryTransport.ts"
import { layerSqlite } from "../../src/store/Sqlite.ts"
import * as SqliteStore from "../../src/store/SqliteStore.ts"
import { Store } from "../../src/store/Store.ts"

const { blocks, genesis } = fullBlocks("flag", 2)
const genesisRef = { number: genesis.number, hash: genesis.hash } as never
const checkpoint = checkpointOf(genesisCheckpoint(genesisRef, genesis.stateRoot), blocks[1]!.block.header)
const genesisOnLedger = { header: genesis, transfers: [], number: genesis.number, ref: genesisRef } as never

/** One update makes a prover active here, and one prover is the quorum. No epoch ends by itself while the test runs. */
const parameters = new ProtocolParameters({ ...defaultParameters, minUpdates: 1, signalCap: 10_000, signalEpoch: 10 * 24 * 3_600 })

const ledger = Layer.succeed(LedgerSource, {
  genesis: Effect.succeed(genesisOnLedger),
  blocks: (from) => Stream.fromIterable([genesisOnLedger, ...blocks.map(({ block }) => block)].slice(from)).pipe(Stream.concat(Stream.never)),
  witness: (number) => {
    const made = blocks[number - 1]
    return made === undefined ? Effect.fail(new LedgerUnavailable({ number, reason: "not made yet" })) : Effect.succeed(made.witness)
  },
  checkpoints: () => Stream.never
})

class Scene extends Context.Service<Scene, World>()("test/Scene") {}

const world = Layer.effectContext(Effect.gen(function*() {
  const made = yield* freshWorld("flag", genesis, 4, undefined, parameters)
  yield* send(made, {
    address: made.deployment.vault,
    abi: rewardVaultAbi,
    functionName: "fund",
    value: blocks.reduce((sum, { block }) => sum + block.header.proverFees, 0n)
  })
  return Context.make(Scene, made).pipe(Context.add(L1, made.l1))
}))

const sending = { maxFeePerGas: 500n * 10n ** 9n, replaceAfter: "30 seconds", confirmations: 1 } as const

const services = connectRoles.pipe(
  Layer.provideMerge(Layer.mergeAll(
    world,
    ledger,
    MemoryTransport.layer,
    Layer.unwrap(Effect.map(loadKeys(), (keys) => Groth16.layer({ keys }))),
    SqliteStore.layer.pipe(Layer.provide(layerSqlite(":memory:"))),
    Layer.succeed(SettlerOptions, { ...sending, blocksPerUpdate: 2, maxBlocks: 2, patience: "5 minutes", parameters, profitableOnly: false }),
    Layer.succeed(FeeOptions, {
      rule: devnetPriceRule,
      blockGas: ProverGas.make(32_000n),
      flagging: { costPerGas: devnetPriceRule.floor, minMargin: 0n, leafShare: 7_500, flagAfter: 6n }
    }),
    Layer.succeed(L1PollInterval, "50 millis")
  )),
  Layer.provideMerge(NodeServices.layer)
)

const eventually = <A, E, R>(what: Effect.Effect<A, E, R>) => what.pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 1_800 }))
const saying = (pattern: RegExp) =>
  eventually(Effect.gen(function*() {
    const { flagging } = yield* Effect.flatMap(Stream.runHead((yield* FeeController).changes()), Effect.fromOption)
    if (!pattern.test(flagging ?? "")) return yield* Effect.fail(flagging)
  }))

layer(services, { excludeTestServices: true, timeout: "5 minutes" })("a node that proving pays too little, over a real chain", (it) => {
  it.effect("FM-3, FM-4, ND-3: earns reputation, flags once per epoch, and the sequencers read the multiplier", () =>
    Effect.gen(function*() {
      const scene = yield* Scene
      const { deployment, l1, url } = scene
      const client = createPublicClient({ transport: http(url), cacheTime: 0 })
      const chain = createTestClient({ mode: "anvil", transport: http(url) })
      const onL1 = Effect.promise(() => client.readContract({ address: deployment.feeSignal, abi: feeSignalAbi, functionName: "multiplier" }))
      const events = Effect.flatMap(l1.latest, ({ number }) => l1.events(deployment.block, number))
      const signal = makeSignalReader(parameters)
      assert.isTrue(Option.isNone(yield* signal.multiplier(0n)), "nothing is known before it is read")
      yield* Effect.forkScoped(signal.follow)
      const read = Effect.flatMap(l1.latest, ({ timestamp }) => Effect.map(signal.multiplier(timestamp), Option.getOrUndefined))
      yield* eventually(Effect.flatMap(read, (multiplier) => multiplier === 1_000_000n ? Effect.void : Effect.fail(multiplier)))

      // Before its first update the contract would refuse the flag, and the node asks before it sends.
      yield* startRoles()
      yield* saying(/this node's work was in 0 updates, and it takes 1/)
      assert.strictEqual((yield* Effect.flip(l1.dryRun({ kind: "flag" }))).message, "L1 would refuse it: FM3_NotActive(0, 1)")
      assert.strictEqual(yield* l1.nextNonce, 0)

      yield* register(scene, checkpoint)
      yield* saying(/^flagged in epoch \d+ already/)
      const standing = yield* l1.signal
      assert.deepStrictEqual(
        [standing.flagged, standing.updates, standing.multiplier],
        [true, 1n, 1_250_000n]
      )
      const gas = blocks.reduce((sum, { block }) => sum + block.header.proverGasUsed, 0n)
      assert.isTrue(standing.reputation <= gas && standing.reputation > gas * 999n / 1_000n, "what it proved, a moment ago")
      const [flagged] = (yield* events).filter((event) => event._tag === "Flagged")
      assert.strictEqual(flagged?._tag === "Flagged" ? flagged.prover : "", l1.account)
      assert.strictEqual(yield* l1.nextNonce, 2, "an update and a flag")
      const store = yield* Store
      const kept = yield* eventually(Effect.flatMap(store.outgoing("flag", `${deployment.feeSignal}/${standing.epoch}`), (found) =>
        Option.isSome(found) && found.value.state === "confirmed" ? Effect.succeed(found.value) : Effect.fail("not yet")))
      assert.strictEqual(kept.id, flagged!.at.transaction)
      yield* eventually(Effect.flatMap(read, (multiplier) => multiplier === 1_250_000n ? Effect.void : Effect.fail(multiplier)))

      // The next epoch has the next flag; then the node's books are good for nothing more, because its cost is what it is.
      yield* Effect.promise(async () => {
        await chain.increaseTime({ seconds: parameters.signalEpoch })
        await chain.mine({ blocks: 1 })
      })
      yield* eventually(Effect.flatMap(events, (all) => all.filter(({ _tag }) => _tag === "MultiplierRaised").length === 2 ? Effect.void : Effect.fail("not yet")))
      assert.strictEqual(yield* onL1, 1_562_500n)
      assert.strictEqual(yield* l1.nextNonce, 3)
      assert.strictEqual((yield* Effect.flip(l1.dryRun({ kind: "flag" }))).message, `L1 would refuse it: FM3_AlreadyFlagged(${standing.epoch + 1n})`)
      yield* eventually(Effect.flatMap(read, (multiplier) => multiplier === 1_562_500n ? Effect.void : Effect.fail(multiplier)))

      // What sequencers work out from events and time is what the contract says, far into quiet epochs.
      const { timestamp } = yield* l1.latest
      for (const epochs of [0, 1, 2, 3, 5, 8, 40]) {
        const later = timestamp + BigInt(epochs * parameters.signalEpoch)
        const said = yield* Effect.promise(() =>
          client.readContract({
            address: deployment.feeSignal,
            abi: feeSignalAbi,
            functionName: "multiplier",
            blockOverrides: { time: later }
          })
        )
        assert.deepStrictEqual(yield* signal.multiplier(later), Option.some(said), `${epochs} epochs on`)
      }
    }).pipe(Effect.scoped))
})
