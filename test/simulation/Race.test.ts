/**
 * Race and turn with whole nodes, hours of virtual time at the protocol's durations: when they begin, whom they serve, and what it
 * costs to miss one.
 */
import { assert, describe } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { defaultParameters } from "../../src/domain/ProtocolParameters.ts"
import { observe } from "../../src/domain/Settlement.ts"
import { ModelChain } from "../../src/simulation/ModelChain.ts"
import { ModelConsensus } from "../../src/simulation/ModelConsensus.ts"
import { makeOperator, simulatedAccount } from "../../src/simulation/Simulation.ts"
import { pass, virtual } from "./virtual.ts"
import { activityOf, assertSound, creditsOf, hour, minute, said, until, worldOf } from "./world.ts"

const { bond, fallbackBounty, idleFallback, turnLength } = defaultParameters
const [alice, bob, carol] = [simulatedAccount(1), simulatedAccount(2), simulatedAccount(3)]

/** Moves only when it is its turn: there are never three blocks, and it has all the time of the world. */
const inTurnOnly = { blocksPerUpdate: 3, patience: "1000 days" } as const
const twoBlocks = { ledger: { length: 2 } }

const seenAt = (accounts: ReadonlyArray<typeof alice>) =>
  Effect.flatMap(ModelChain, (chain) => Effect.map(chain.pending, ({ state, timestamp }) => observe(state, timestamp, accounts)))

describe("ST-4: the idle clock", () => {
  virtual("ST-4, ST-5: five idle hours begin only with something provable", () =>
    Effect.gen(function*() {
      const node = yield* makeOperator({ name: "alice", account: alice, settling: inTurnOnly, tick: "20 seconds" })
      yield* node.start
      yield* pass(6 * hour)
      const { idleSince, turn } = yield* seenAt([])
      assert.strictEqual(idleSince, 0n, "blocks are made and proven, and none is checkpointed")
      assert.deepStrictEqual([turn.inFallback, turn.endsAt], [false, 0n])
      assert.match(yield* activityOf(node), /no checkpoint beyond block 0/)

      yield* (yield* ModelConsensus).allow(2)
      yield* until("the checkpoint is registered", Effect.map(said("CheckpointRegistered"), (all) => all.length === 2))
      const registered = (yield* said("CheckpointRegistered"))[1]!.time
      yield* pass(registered + idleFallback - 1 - 6 * hour)
      assert.deepStrictEqual(yield* said("StateUpdated"), [], "the race lasts for five hours from there")
      yield* pass(5 * minute)
      const [update] = yield* said("StateUpdated")
      assert.isAtLeast(update!.time, registered + idleFallback)
      assert.isAtMost(update!.time, registered + idleFallback + minute)
      assert.deepStrictEqual((yield* said("UpdatedInTurn")).map(({ holder, submitter, turn }) => ({ holder, submitter, turn })), [
        { holder: alice, submitter: alice, turn: 0 }
      ])
      assert.strictEqual((yield* creditsOf(alice)).bounty, fallbackBounty)
      yield* assertSound(node)
    }).pipe(Effect.provide(worldOf("idle", { ...twoBlocks, provers: [alice], consensus: { upTo: 0 } }))))

  virtual("ST-4: an update begins it anew for what is left", () =>
    Effect.gen(function*() {
      const node = yield* makeOperator({ name: "alice", account: alice, settling: inTurnOnly, tick: "20 seconds" })
      yield* node.start
      yield* pass(7 * hour)
      const [race, turn, ...more] = yield* said("StateUpdated")
      assert.deepStrictEqual([race!, turn!, ...more].map(({ to }) => Number(to.number)), [3, 4])
      assert.isAtMost(race!.time, hour)
      assert.isAtLeast(turn!.time, race!.time + idleFallback)
      assert.isAtMost(turn!.time, race!.time + idleFallback + minute)
      yield* assertSound(node)
    }).pipe(Effect.provide(worldOf("anew", { provers: [alice] }))))
})

describe("ST-5, ST-6: race and turn", () => {
  /** A node of a prover that is not registered comes so late, in seconds of idle time; what its update was. */
  const comesAfter = (idle: number) =>
    Effect.gen(function*() {
      const node = yield* makeOperator({ name: "bob", account: bob, settling: { blocksPerUpdate: 2 } })
      yield* until("the checkpoint is registered", Effect.map(said("CheckpointRegistered"), (all) => all.length === 2))
      const registered = (yield* said("CheckpointRegistered"))[1]!.time
      yield* pass(registered + idle - (yield* Clock.currentTimeMillis) / 1_000)
      yield* node.start
      yield* pass(5 * minute)
      const [update] = yield* said("StateUpdated")
      yield* assertSound(node)
      return { idle: update!.time - registered, inTurn: yield* said("UpdatedInTurn"), credits: yield* creditsOf(bob) }
    })

  virtual("ST-5: 4 h 59 min is the race, and pays whoever comes", () =>
    Effect.gen(function*() {
      const { credits, idle, inTurn } = yield* comesAfter(4 * hour + 59 * minute)
      assert.strictEqual(Math.floor(idle / minute), 4 * 60 + 59)
      assert.deepStrictEqual(inTurn, [])
      assert.isAbove(Number(credits.submission), 0)
      assert.isUndefined(credits.bounty)
    }).pipe(Effect.provide(worldOf("4:59", { ...twoBlocks, provers: [alice] }))))

  virtual("ST-6: 5 h is a turn, and a stranger's proof is taken but its submission is not paid", () =>
    Effect.gen(function*() {
      const { credits, idle, inTurn } = yield* comesAfter(idleFallback)
      assert.isAtLeast(idle, idleFallback)
      assert.isBelow(idle, idleFallback + minute)
      assert.deepStrictEqual(inTurn.map(({ holder, submitter, turn }) => ({ holder, submitter, turn })), [{ holder: alice, submitter: bob, turn: 0 }])
      assert.isAbove(Number(credits.leaf), 0, "its work is")
      assert.isUndefined(credits.submission)
      assert.isUndefined(credits.bounty)
    }).pipe(Effect.provide(worldOf("5:00", { ...twoBlocks, provers: [alice] }))))

  virtual("ST-6: turns missed one after another cost their holders half of their reputation each, and no bond", () =>
    Effect.gen(function*() {
      const provers = [alice, bob, carol]
      const chain = yield* ModelChain
      const reputation = 64_000n
      yield* chain.amend((state) => ({
        state: {
          ...state,
          vault: {
            ...state.vault,
            accounts: new Map(provers.map((prover) => [prover, { credit: 0n, reputation: { amount: reputation, workedAt: state.tip.updatedAt, updates: 5 } }])),
            totalReputation: { amount: 3n * reputation, at: state.tip.updatedAt }
          }
        },
        effects: []
      }))
      yield* until("the checkpoint is registered", Effect.map(said("CheckpointRegistered"), (all) => all.length === 2))
      const started = (yield* said("CheckpointRegistered"))[1]!.time

      // Only the one whose turn is the third from now is there.
      const { state } = yield* chain.head
      const holders = [0, 1, 2].map((turn) => {
        const at = BigInt(started + idleFallback + turn * turnLength)
        return observe(state, at, []).turn.holder
      })
      assert.strictEqual(new Set(holders).size, 3)
      const node = yield* makeOperator({ name: "third", account: holders[2]!, settling: inTurnOnly, tick: "20 seconds" })
      yield* node.start
      yield* pass(7 * hour)

      const update = (yield* said("StateUpdated"))[0]!
      assert.isAtLeast(update.time, started + idleFallback + 2 * turnLength)
      assert.isAtMost(update.time, started + idleFallback + 2 * turnLength + minute)
      const missed = yield* said("TurnMissed")
      assert.deepStrictEqual(missed.map(({ holder, turn }) => ({ holder, turn })), [{ holder: holders[0]!, turn: 0 }, { holder: holders[1]!, turn: 1 }])
      const { accounts, provers: registered } = yield* seenAt([holders[0]!, holders[1]!])
      for (const [i, { lost }] of missed.entries()) {
        const left = accounts[i]!.reputation
        assert.isAtMost(Number(lost > left ? lost - left : left - lost), Number(lost) / 100, "a half, but for what has decayed since")
      }
      assert.deepStrictEqual(registered.map(({ prover }) => prover), provers)
      assert.deepStrictEqual(yield* said("BondReturned"), [])
      assert.isAbove(Number(bond), 0)
      assert.strictEqual((yield* creditsOf(holders[2]!)).bounty, fallbackBounty)
      yield* assertSound(node)
    }).pipe(Effect.provide(worldOf("missed", { ...twoBlocks, provers: [alice, bob, carol] }))))
})
