/** What every network must do, whatever it stands on. */
import { assert } from "@effect/vitest"
import { Effect, Ref, type Scope, Stream } from "effect"
import { BlockNumber } from "../../src/domain/Amount.ts"
import type { ProofId } from "../../src/domain/Hash.ts"
import type { Proof } from "../../src/domain/Proof.ts"
import { answers, fetchBeyond, type FetchRequest, type GossipMessage, messageCodec, proofMessage } from "../../src/gossip/Messages.ts"
import type { GossipStatus, ProofGossip, Verdict } from "../../src/gossip/ProofGossip.ts"
import { range } from "../domain/builders.ts"

export type Gossip = typeof ProofGossip.Service

/** A network under test. */
export interface Network {
  /** A node that knows others and is known to them. */
  readonly start: (name: string, knows: ReadonlyArray<Gossip>) => Effect.Effect<Gossip, never, Scope.Scope>
  /** Sends bytes, as they are, to a node as a peer of its own that does nothing else. */
  readonly shout: (to: Gossip, bytes: ReadonlyArray<Uint8Array>) => Effect.Effect<void, never, Scope.Scope>
  /** Waits until it is so, and fails if it never is. */
  readonly until: (what: string, condition: Effect.Effect<boolean>) => Effect.Effect<void>
}

export type NetworkTest = (name: string, program: (network: Network) => Effect.Effect<void, never, Scope.Scope>) => void

export const statusOf = (gossip: Gossip): Effect.Effect<GossipStatus> =>
  Effect.orDie(Effect.flatMap(Stream.runHead(gossip.changes), Effect.fromOption))

export const isConnected = (gossip: Gossip, peers: number) => Effect.map(statusOf(gossip), (status) => status.peers.length >= peers)

const areConnected = (...nodes: ReadonlyArray<readonly [gossip: Gossip, peers: number]>) =>
  Effect.map(Effect.forEach(nodes, ([gossip, peers]) => isConnected(gossip, peers)), (all) => all.every(Boolean))

/** A node that judges what comes in by a rule, and keeps what it saw. */
export const listen = Effect.fnUntraced(function*(gossip: Gossip, rule: (message: GossipMessage) => Verdict = () => "accept") {
  const seen = yield* Ref.make<ReadonlyArray<ProofId>>([])
  const judge = (message: GossipMessage) =>
    Effect.as(
      message.kind === "proof" ? Ref.update(seen, (all) => [...all, message.proof.id]) : Effect.void,
      rule(message)
    )
  // What comes before it listens is dropped.
  yield* Effect.forkScoped(gossip.receive(judge), { startImmediately: true })
  return { seen: Ref.get(seen), judge }
})

/** Answers from a list of proofs, a page at a time. */
const serves = (proofs: ReadonlyArray<Proof>) => (request: FetchRequest) =>
  Effect.succeed(
    proofs.filter((proof) => answers(request, proof))
      .toSorted((left, right) => left.statement.to.number - right.statement.to.number || (left.id < right.id ? -1 : 1))
      .slice(0, 100)
  )

export const conformance = (test: NetworkTest): void => {
  test("OC-1: a proof reaches everybody once, also those whom its prover does not know", ({ start, until }) =>
    Effect.gen(function*() {
      const alice = yield* start("alice", [])
      const bob = yield* start("bob", [alice])
      const carol = yield* start("carol", [bob])
      const heard = [yield* listen(alice), yield* listen(bob), yield* listen(carol)]
      yield* until("all are connected", areConnected([alice, 1], [bob, 2], [carol, 1]))
      const proofs = [range(0, 1), range(1, 2), range(2, 3)]
      for (const proof of proofs) {
        yield* alice.publish(proofMessage(proof))
        yield* until("it is with carol", Effect.map(heard[2]!.seen, (seen) => seen.includes(proof.id)))
      }
      assert.deepStrictEqual(yield* heard[1]!.seen, proofs.map(({ id }) => id))
      assert.deepStrictEqual(yield* heard[2]!.seen, proofs.map(({ id }) => id))
      assert.deepStrictEqual(yield* heard[0]!.seen, [], "nobody hears itself")
      const bobs = (yield* statusOf(bob)).peers.find(({ id }) => id === alice.self)
      assert.isAbove(bobs?.score ?? 0, 0, "who brings what is new and valid earns by it")
    }))

  test("OC-1: what a node does not find good goes no further", ({ start, until }) =>
    Effect.gen(function*() {
      const alice = yield* start("alice", [])
      const bob = yield* start("bob", [alice])
      const carol = yield* start("carol", [bob])
      const [bad, late, good] = [range(0, 1), range(0, 2), range(0, 3)]
      const verdicts = new Map<ProofId, Verdict>([[bad.id, "reject"], [late.id, "ignore"]])
      const atBob = yield* listen(bob, (message) => (message.kind === "proof" ? verdicts.get(message.proof.id) : undefined) ?? "accept")
      const atCarol = yield* listen(carol)
      yield* until("all are connected", areConnected([alice, 1], [bob, 2], [carol, 1]))
      for (const proof of [bad, late, good]) yield* alice.publish(proofMessage(proof))
      yield* until("the good one is with carol", Effect.map(atCarol.seen, (seen) => seen.includes(good.id)))
      assert.deepStrictEqual(new Set(yield* atBob.seen), new Set([bad.id, late.id, good.id]))
      assert.deepStrictEqual(yield* atCarol.seen, [good.id])
      const { accepted, ignored, received, rejected } = (yield* statusOf(bob)).counters
      assert.deepStrictEqual({ accepted, ignored, received, rejected }, { accepted: 1, ignored: 1, received: 3, rejected: 1 })
    }))

  test("OC-1: a version that nobody speaks yet is ignored and counted, and held against nobody", ({ shout, start, until }) =>
    Effect.gen(function*() {
      const alice = yield* start("alice", [])
      const heard = yield* listen(alice)
      const ofTomorrow = (n: number) => new TextEncoder().encode(JSON.stringify({ version: 2, kind: "proof", n }))
      yield* shout(alice, [...Array.from({ length: 20 }, (_, n) => ofTomorrow(n)), messageCodec.encode(proofMessage(range(0, 1)))])
      yield* until("the last one is there", Effect.map(heard.seen, (seen) => seen.length === 1))
      const { counters, cutOff } = yield* statusOf(alice)
      assert.strictEqual(counters.unknownVersions, 20)
      assert.strictEqual(counters.malformed, 0)
      assert.deepStrictEqual(cutOff, [])
    }))

  test("OC-1: who sends what is no message is cut off", ({ shout, start, until }) =>
    Effect.gen(function*() {
      const alice = yield* start("alice", [])
      yield* listen(alice)
      yield* shout(alice, Array.from({ length: 10 }, (_, n) => new TextEncoder().encode(`{"version": 1, "kind": "rumour", "n": ${n}}`)))
      yield* until("somebody is cut off", Effect.map(statusOf(alice), ({ cutOff }) => cutOff.length > 0))
      const { counters, cutOff } = yield* statusOf(alice)
      assert.match(cutOff[0]!.reason, /no message/)
      assert.strictEqual(counters.malformed, 4, "what comes after is not even read")
      yield* until("it is gone", Effect.map(statusOf(alice), ({ peers }) => peers.length === 0))
    }))

  test("OC-5: who was away fetches what it missed, page by page, from several", ({ start, until }) =>
    Effect.gen(function*() {
      const proofs = Array.from({ length: 250 }, (_, i) => range(i, i + 1))
      const alice = yield* start("alice", [])
      const bob = yield* start("bob", [alice])
      yield* Effect.forkScoped(alice.serve(serves(proofs.slice(0, 200))))
      yield* Effect.forkScoped(bob.serve(serves(proofs.slice(100))))
      const late = yield* start("late", [alice, bob])
      const known = new Set<ProofId>()
      const judge = (message: GossipMessage) =>
        Effect.sync((): Verdict => {
          if (message.kind !== "proof" || known.has(message.proof.id)) return "ignore"
          known.add(message.proof.id)
          return "accept"
        })
      yield* until("it knows both", isConnected(late, 2))
      assert.strictEqual(yield* late.fetch(fetchBeyond(BlockNumber.make(50)), judge), 200)
      assert.deepStrictEqual([...known].sort(), proofs.slice(50).map(({ id }) => id).sort())
      assert.strictEqual(yield* late.fetch(fetchBeyond(BlockNumber.make(50)), judge), 0)
    }))

  test("OC-1: what is fetched is judged like everything else, and a liar's answers end there", ({ start, until }) =>
    Effect.gen(function*() {
      const alice = yield* start("alice", [])
      yield* Effect.forkScoped(alice.serve(serves(Array.from({ length: 50 }, (_, i) => range(i, i + 1)))))
      const bob = yield* start("bob", [alice])
      const judged = yield* Ref.make(0)
      yield* until("they are connected", isConnected(bob, 1))
      const accepted = yield* bob.fetch(fetchBeyond(BlockNumber.make(0)), () => Effect.as(Ref.update(judged, (n) => n + 1), "reject"))
      assert.strictEqual(accepted, 0)
      assert.isAtMost(yield* Ref.get(judged), 3, "three false proofs are enough")
      yield* until("the liar is cut off", Effect.map(statusOf(bob), ({ cutOff }) => cutOff[0]?.id === alice.self))
    }))

  test("OC-1: while nobody judges, messages are dropped and counted, and afterwards it goes on", ({ start, until }) =>
    Effect.gen(function*() {
      const alice = yield* start("alice", [])
      const bob = yield* start("bob", [alice])
      yield* until("they are connected", areConnected([alice, 1], [bob, 1]))
      yield* alice.publish(proofMessage(range(0, 1)))
      yield* until("it was dropped", Effect.map(statusOf(bob), ({ counters }) => counters.dropped === 1))
      const heard = yield* listen(bob)
      yield* alice.publish(proofMessage(range(0, 2)))
      yield* until("the next is there", Effect.map(heard.seen, (seen) => seen.length === 1))
    }))
}
