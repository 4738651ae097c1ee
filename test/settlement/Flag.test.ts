/**
 * A whole node over a real chain that finds proving paid too little: real proofs earn it real reputation, its flag reaches the real
 * contract, and the sequencers read what comes of it.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { createPublicClient, createTestClient, http } from "viem"
import { register } from "../../bench/L1World.ts"
import { makeSignalReader } from "../../src/devnet/SignalReader.ts"
import { defaultParameters, ProtocolParameters } from "../../src/domain/ProtocolParameters.ts"
import { feeSignalAbi } from "../../src/l1/abi.ts"
import { devnetPriceRule } from "../../src/ledger/DevnetLedgerConfig.ts"
import { startRoles } from "../../src/node/ProverNode.ts"
import { FeeController } from "../../src/roles/FeeController.ts"
import { Store } from "../../src/store/Store.ts"
import { fixedLedger } from "./fixedLedger.ts"
import { eventually, realNode, Scene } from "./realNode.ts"

const ledger = fixedLedger("flag", 2)

/** One update makes a prover active here, and one prover is the quorum. No epoch ends by itself while the test runs. */
const parameters = new ProtocolParameters({ ...defaultParameters, minUpdates: 1, signalCap: 10_000, signalEpoch: 10 * 24 * 3_600 })

const node = realNode("flag", ledger, {
  parameters,
  fees: { flagging: { costPerGas: devnetPriceRule.floor, minMargin: 0n, leafShare: 7_500, flagAfter: 6n } }
})

const saying = (pattern: RegExp) =>
  eventually(Effect.gen(function*() {
    const { flagging } = yield* Effect.flatMap(Stream.runHead((yield* FeeController).changes()), Effect.fromOption)
    if (!pattern.test(flagging ?? "")) return yield* Effect.fail(flagging)
  }))

layer(node, { excludeTestServices: true, timeout: "5 minutes" })("a node that proving pays too little, over a real chain", (it) => {
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

      yield* register(scene, ledger.checkpoint(2))
      yield* saying(/^flagged in epoch \d+ already/)
      const standing = yield* l1.signal
      assert.deepStrictEqual(
        [standing.flagged, standing.updates, standing.multiplier],
        [true, 1n, 1_250_000n]
      )
      const gas = ledger.blocks.reduce((sum, { block }) => sum + block.header.proverGasUsed, 0n)
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
