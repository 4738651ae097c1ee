/**
 * A whole node over a real chain that takes its update back: real proofs, real contracts, and the roles as an operator runs them.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { createPublicClient, createTestClient, http } from "viem"
import { register } from "../../bench/L1World.ts"
import type { StateUpdated } from "../../src/l1/Events.ts"
import { startRoles } from "../../src/node/ProverNode.ts"
import { CheckpointWatcher } from "../../src/roles/CheckpointWatcher.ts"
import { RewardAuditor } from "../../src/roles/RewardAuditor.ts"
import { Store } from "../../src/store/Store.ts"
import { reorg } from "../l1/reorg.ts"
import { fixedLedger } from "./fixedLedger.ts"
import { eventually, realNode, Scene } from "./realNode.ts"

const ledger = fixedLedger("reorg", 2)
const checkpoint = ledger.checkpoint(2)

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

layer(realNode("reorg", ledger), { excludeTestServices: true, timeout: "5 minutes" })("a reorganisation of a real chain over a node's update", (it) => {
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
