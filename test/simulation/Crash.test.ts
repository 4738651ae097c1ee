/** A settler that dies between any two of its steps, and a node that does: nothing is lost, and nothing is done twice (ND-1, ND-3). */
import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Ref } from "effect"
import type { Fault, Question } from "../../src/simulation/ModelL1.ts"
import { makeOperator, type Operator, simulatedAccount } from "../../src/simulation/Simulation.ts"
import { ModelChain } from "../../src/simulation/ModelChain.ts"
import { pass, virtual } from "./virtual.ts"
import { assertSound, creditsOf, deedsOf, minute, said, until, worldOf } from "./world.ts"

const alice = simulatedAccount(1)
const settling = { blocksPerUpdate: 2, confirmations: 3 } as const
const twoUpdates = { chain: { emptyBlocks: Duration.seconds(12) } }

const disturb = ({ line }: Operator, question: Question, fault: Fault) => Ref.set(line.faults, new Map([[question, fault]]))
const mend = ({ line }: Operator) => Ref.set(line.faults, new Map())

const stored = ({ store }: Operator) => Effect.map(store.allOutgoing, (all) => all.length > 0)
const sent = ({ line }: Operator) => Effect.map(Ref.get(line.sent), (all) => all.length > 0)
const settled = Effect.map(said("StateUpdated"), (all) => all.length > 0)

/** Where a crash finds the first update, and how it is made to stop there. */
const crashes: ReadonlyArray<{
  readonly name: string
  /** What goes wrong before the update. */
  readonly before: (node: Operator) => Effect.Effect<void, never, ModelChain>
  /** Holds when the settler stands there. */
  readonly there: (node: Operator) => Effect.Effect<boolean, never, ModelChain>
  /** What is mended once it has crashed. */
  readonly after: (node: Operator) => Effect.Effect<void, never, ModelChain>
}> = [
  {
    name: "before it is signed",
    before: (node) => disturb(node, "sign", "silent"),
    there: () => Effect.map(said("CheckpointRegistered"), (all) => all.length > 1),
    after: mend
  },
  { name: "between signing and sending", before: (node) => disturb(node, "send", "silent"), there: stored, after: mend },
  {
    name: "between sending and inclusion",
    // Too little for a block, until the node is back.
    before: () => Effect.void,
    there: (node) => Effect.tap(sent(node), (yes) => yes ? Effect.flatMap(ModelChain, ({ gasPrice }) => Ref.set(gasPrice, 10n ** 12n)) : Effect.void),
    after: () => Effect.flatMap(ModelChain, ({ gasPrice }) => Ref.set(gasPrice, 10n ** 9n))
  },
  {
    name: "between sending and the receipt",
    before: () => Effect.void,
    there: (node) => Effect.tap(sent(node), (yes) => yes ? disturb(node, "receipt", "silent") : Effect.void),
    after: (node) => Effect.andThen(until("the update", settled), mend(node))
  },
  { name: "between the receipt and its conclusion", before: () => Effect.void, there: () => settled, after: () => Effect.void }
]

describe("ND-3: a node that loses its power", () => {
  for (const { after, before, name, there } of crashes) {
    virtual(`ND-1, ND-3: ${name} goes on where it was: each block is settled once, by one transaction`, () =>
      Effect.gen(function*() {
        const node = yield* makeOperator({ name: "alice", account: alice, settling, tick: "1 second" })
        yield* before(node)
        yield* node.start
        yield* until(name, there(node))
        yield* node.stop
        yield* after(node)
        yield* pass(minute)
        const kept = (yield* node.store.allOutgoing).map(({ id }) => id)
        yield* node.start
        yield* pass(60 * minute)
        assert.deepStrictEqual(yield* deedsOf(alice), ["update to 2", "update to 4"])
        // What was signed before is what L1 has.
        const updates = yield* said("StateUpdated")
        for (const id of kept) assert.strictEqual(updates[0]!.at.transaction, id)
        assert.deepStrictEqual((yield* node.store.allOutgoing).map(({ state }) => state), ["confirmed", "confirmed"])
        assert.isAbove(Number((yield* creditsOf(alice)).submission), 0)
        yield* assertSound(node)
      }).pipe(Effect.provide(worldOf(name, twoUpdates))))
  }
})

describe("ND-1: a settler whose answers from L1 are deadly", () => {
  for (const question of ["sign", "send", "receipt"] as const) {
    virtual(`ND-1, ND-3: dies of ${question}, is restarted alone, and does everything once`, () =>
      Effect.gen(function*() {
        const node = yield* makeOperator({ name: "alice", account: alice, settling, tick: "1 second" })
        yield* disturb(node, question, "deadly")
        yield* node.start
        const supervisor = yield* Effect.flatMap(node.supervisor, Effect.fromOption)
        const restarts = Effect.map(supervisor.status, (roles) => roles.filter((role) => role.restarts > 0).map(({ name }) => name))
        yield* until("it died", Effect.map(restarts, (names) => names.length > 0))
        assert.deepStrictEqual(yield* restarts, ["settler"])
        yield* mend(node)
        const died = (yield* supervisor.status).reduce((sum, role) => sum + role.restarts, 0)
        yield* pass(60 * minute)
        assert.deepStrictEqual(yield* deedsOf(alice), ["update to 2", "update to 4"])
        yield* assertSound(node, died)
      }).pipe(Effect.provide(worldOf(question, twoUpdates))))
  }
})
