/**
 * A node that is restarted in the middle of each of its waits does what an undisturbed one does (ND-1, ND-3): the same updates, the
 * same transactions, and none of them twice.
 */
import { assert, describe } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Ref } from "effect"
import { test } from "vitest"
import { noReputation } from "../../src/domain/Reputation.ts"
import { observe } from "../../src/domain/Settlement.ts"
import { ProvingFailed } from "../../src/proofs/ProofSystem.ts"
import { ModelChain } from "../../src/simulation/ModelChain.ts"
import { ModelLedger } from "../../src/simulation/ModelLedger.ts"
import { makeOperator, type Operator, type OperatorOptions, simulatedAccount, type SimulationOptions } from "../../src/simulation/Simulation.ts"
import { runVirtual } from "../../src/simulation/VirtualTime.ts"
import { pass, quietly } from "./virtual.ts"
import { activityOf, assertSound, auditOf, deedsOf, hour, minute, redundancyOf, said, until, type World, worldOf } from "./world.ts"

const [alice, bob] = [simulatedAccount(1), simulatedAccount(2)]

interface Wait {
  readonly name: string
  readonly world?: Partial<SimulationOptions>
  readonly node?: Partial<OperatorOptions>
  /** What happens beside the node, before it waits. */
  readonly before?: (node: Operator) => Effect.Effect<unknown, unknown, World | Effect.Services<ReturnType<typeof makeOperator>>>
  /** Holds in the middle of the wait. */
  readonly inTheMiddle: (node: Operator) => Effect.Effect<boolean, unknown, World>
  /** What ends the wait, if time alone does not. */
  readonly after?: (node: Operator) => Effect.Effect<unknown, unknown, World>
  /** Virtual seconds from the restart on. */
  readonly horizon: number
  /** What the node did on L1 in the end. */
  readonly deeds: ReadonlyArray<string>
}

/** Holds from a virtual second on. */
const from = (second: number) => Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (now) => now >= second * 1_000))
const setPrice = (price: bigint) => Effect.flatMap(ModelChain, ({ gasPrice }) => Ref.set(gasPrice, price))
const gwei = 10n ** 9n
const waitsFor = (pattern: RegExp) => (node: Operator) => Effect.map(activityOf(node), (activity) => pattern.test(activity))
const inTurnOnly = { blocksPerUpdate: 3, patience: "1000 days" } as const
const twoBlocks = { ledger: { length: 2 } }

const waits: ReadonlyArray<Wait> = [
  {
    name: "ST-5: in the race, for a turn that is hours away",
    world: { ...twoBlocks, provers: [alice] },
    node: { settling: inTurnOnly },
    inTheMiddle: () => from(3 * hour),
    horizon: 2 * hour + 30 * minute,
    deeds: ["update to 2"]
  },
  {
    name: "ST-6: in another's turn, for its own",
    world: { ...twoBlocks, provers: [bob, alice] },
    node: { settling: inTurnOnly },
    // The order that this world's hashes draw begins with Bob.
    inTheMiddle: () =>
      Effect.flatMap(ModelChain, (chain) =>
        Effect.map(chain.pending, ({ state, timestamp }) => {
          const { turn: { holder, inFallback } } = observe(state, timestamp - 900n, [])
          return inFallback && holder === bob
        })),
    horizon: hour,
    deeds: ["update to 2"]
  },
  {
    name: "ST-2: for patience with a rest that is too small",
    node: { settling: { blocksPerUpdate: 3, patience: "2 hours" } },
    inTheMiddle: (node) => Effect.flatMap(from(hour), (late) => late ? waitsFor(/1 of 3 blocks/)(node) : Effect.succeed(false)),
    // Less than patience: it does not begin anew.
    horizon: hour + 45 * minute,
    deeds: ["update to 3", "update to 4"]
  },
  {
    name: "RW-4: in the redundancy window, for its own proofs",
    world: { ...twoBlocks, provers: [alice, bob], chain: { gasPrice: gwei / 100n } },
    node: { settling: { blocksPerUpdate: 2 }, proofs: { blockTime: () => Duration.minutes(15) } },
    before: () =>
      Effect.gen(function*() {
        const other = yield* makeOperator({ name: "bob", account: bob, settling: { blocksPerUpdate: 2 } })
        yield* other.start
      }),
    inTheMiddle: (node) =>
      Effect.flatMap(said("RedundancyOpened"), ([opened]) =>
        opened === undefined ? Effect.succeed(false) : Effect.map(redundancyOf(node), (activity) => /gathering proofs/.test(activity ?? ""))),
    horizon: 50 * minute,
    deeds: ["redundant to 2"]
  },
  {
    name: "ND-3: for L1 to include what is too cheap, before it is replaced",
    world: twoBlocks,
    node: { settling: { blocksPerUpdate: 2, replaceAfter: "10 minutes" } },
    before: (node) =>
      Effect.gen(function*() {
        yield* Ref.set(node.line.loses, true)
        yield* until("it is signed", Effect.map(node.store.allOutgoing, (all) => all.length > 0))
        yield* setPrice(2n * gwei)
        yield* pass(2 * minute)
        yield* Ref.set(node.line.loses, false)
      }),
    inTheMiddle: waitsFor(/waiting for the receipt of the update to block 2/),
    horizon: hour,
    deeds: ["update to 2"]
  },
  {
    name: "ND-3: for an update to be replaced again, after a first time",
    world: twoBlocks,
    node: { settling: { blocksPerUpdate: 2, replaceAfter: "10 minutes" } },
    before: (node) =>
      Effect.andThen(
        Ref.set(node.line.loses, true),
        until("it is replaced", Effect.map(node.store.allOutgoing, ([first]) => (first?.variants.length ?? 0) > 1))
      ),
    inTheMiddle: waitsFor(/waiting for the receipt/),
    after: (node) => Ref.set(node.line.loses, false),
    horizon: hour,
    deeds: ["update to 2"]
  },
  {
    name: "ND-3: for confirmations",
    world: { ...twoBlocks, chain: { emptyBlocks: Duration.minutes(1) } },
    node: { settling: { blocksPerUpdate: 2, confirmations: 20 } },
    inTheMiddle: waitsFor(/the update to block 2 is [5-9] of 20 L1 blocks deep/),
    horizon: hour,
    deeds: ["update to 2"]
  },
  {
    name: "RW-5: for cheaper gas, to draw its credit",
    world: twoBlocks,
    node: { settling: { blocksPerUpdate: 2 }, auditing: { claimAtLeast: 1n, claimGasShare: 20n } },
    before: () => Effect.andThen(until("the update", Effect.map(said("StateUpdated"), (all) => all.length > 0)), setPrice(50n * gwei)),
    inTheMiddle: (node) => Effect.map(auditOf(node), ({ claiming }) => /wei to draw: waits for cheaper gas/.test(claiming)),
    after: () => setPrice(gwei / 100n),
    horizon: hour,
    deeds: ["update to 2", "claim"]
  },
  {
    name: "RW-5: for the receipt of its claim",
    world: { ...twoBlocks, chain: { gasPrice: gwei / 100n } },
    node: { settling: { blocksPerUpdate: 2 }, auditing: { claimAtLeast: 1n, claimGasShare: 20n } },
    before: (node) =>
      Effect.gen(function*() {
        yield* until("the update", Effect.map(said("StateUpdated"), (all) => all.length > 0))
        yield* Ref.set(node.line.loses, true)
      }),
    inTheMiddle: (node) => Effect.map(node.store.allOutgoing, (all) => all.some(({ kind, state }) => kind === "claim" && state === "pending")),
    after: (node) => Ref.set(node.line.loses, false),
    horizon: hour,
    deeds: ["update to 2", "claim"]
  },
  {
    name: "FM-3: for the next epoch of the fee signal, having flagged in this one",
    world: { ledger: { length: 6 } },
    node: {
      settling: { ...inTurnOnly, blocksPerUpdate: 100 },
      fees: {
        flagging: {
          costPerGas: 10n ** 12n,
          minMargin: 0n,
          leafShare: 7_500,
          flagAfter: 60n
        }
      }
    },
    before: () =>
      Effect.flatMap(ModelChain, (chain) =>
        chain.amend((state) => {
          const accounts = new Map([[alice, { credit: 0n, reputation: { ...noReputation, amount: 10n ** 9n, updates: 3 } }]])
          return { state: { ...state, vault: { ...state.vault, accounts, totalReputation: { amount: 10n ** 10n, at: 0n } } }, effects: [] }
        })),
    // Three quarters of the first hour.
    inTheMiddle: () => from(45 * minute),
    horizon: 75 * minute - 60,
    deeds: ["flag", "flag"]
  },
  {
    name: "CP-4: for the deadline of what it cannot prove",
    world: twoBlocks,
    node: { settling: { blocksPerUpdate: 2, patience: "10 minutes" }, tick: "1 minute" },
    before: (node) => Ref.set(node.prover.failure, (block) => new ProvingFailed({ subject: `block ${block}`, reason: "never", retry: false })),
    inTheMiddle: () => from(23 * hour),
    after: () => Effect.flatMap(ModelLedger, ({ halted }) => Ref.set(halted, true)),
    horizon: 3 * hour,
    deeds: ["revert"]
  }
]

const outcomeOf = (wait: Wait, disturbed: boolean) =>
  runVirtual(
    Effect.scoped(Effect.gen(function*() {
      const node = yield* makeOperator({ name: "alice", account: alice, tick: "30 seconds", ...wait.node })
      yield* node.start
      if (wait.before !== undefined) yield* wait.before(node)
      yield* until(wait.name, wait.inTheMiddle(node), 10)
      if (disturbed) {
        yield* node.stop
        yield* pass(20)
        yield* node.start
      }
      if (wait.after !== undefined) yield* wait.after(node)
      yield* pass(wait.horizon)
      yield* assertSound(node)
      return { deeds: yield* deedsOf(alice), updates: (yield* said("StateUpdated")).map(({ from, submitter, to }) => ({ from, submitter, to })) }
    }).pipe(Effect.provide(worldOf(wait.name, wait.world)), Effect.provide(quietly))),
    { seed: wait.name }
  ).then((exit) => {
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    return exit.value
  })

describe("ND-1, ND-3: a node that is restarted while it waits", () => {
  for (const wait of waits) {
    test(wait.name, async () => {
      const undisturbed = await outcomeOf(wait, false)
      assert.deepStrictEqual(undisturbed.deeds, wait.deeds)
      assert.deepStrictEqual(await outcomeOf(wait, true), undisturbed)
    })
  }
})
