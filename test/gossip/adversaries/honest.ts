/**
 * Honest nodes as they are: whole operators with all their roles over libp2p on the loopback interface, in real time. Chain, ledger and
 * proofs are models, so that a block takes a second and a proof less. And what it costs them to have a liar among their peers.
 */
import { assert } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer, Redacted, Ref, type Scope, Stream } from "effect"
import { pad } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { BlockNumber } from "../../../src/domain/Amount.ts"
import { type Address, toAddress } from "../../../src/domain/Hash.ts"
import type { Proof } from "../../../src/domain/Proof.ts"
import { type HintSigner as Signer, HintSigner, makeHintSigner } from "../../../src/gossip/HintSignature.ts"
import type { Libp2pGossipOptions } from "../../../src/gossip/libp2p/Options.ts"
import { type CutOff, ProofGossip } from "../../../src/gossip/ProofGossip.ts"
import { ExchangeOptions, ProofExchange } from "../../../src/roles/ProofExchange.ts"
import { PlannerOptions } from "../../../src/roles/TreePlanner.ts"
import { ModelChain } from "../../../src/simulation/ModelChain.ts"
import { layer, makeOperator, type Operator } from "../../../src/simulation/Simulation.ts"
import type { Gossip } from "../conformance.ts"
import { addressOf, type BarePeer, domain, startGossip, until } from "../peers.ts"

const keyOf = (number: number) => pad(`0x${number.toString(16).padStart(2, "0")}`, { size: 32 })
export const accountOf = (number: number): Address => toAddress(privateKeyToAddress(keyOf(number)))
export const signerOf = (number: number): Signer => makeHintSigner(domain, Redacted.make(keyOf(number)))

/** The number of the registered prover that lies. */
export const registeredLiar = 9

/** A block every second, two of them for an update. Who only reads is not registered, so that nothing is left to it. */
export const world = layer({
  seed: "honest",
  provers: [accountOf(1), accountOf(registeredLiar)],
  ledger: { blockTime: Duration.seconds(1), checkpointInterval: 2, length: 10_000 },
  chain: { slot: Duration.seconds(1), emptyBlocks: Duration.seconds(2) }
})

export interface HonestNode extends Operator {
  readonly gossip: Gossip
}

/** Short waits, so that a liar's answers are waited for briefly. */
const waits: Partial<Libp2pGossipOptions> = { frameTime: 500, fetch: { grace: "500 millis", bytesPerSecond: 20_000 } }

/** A node that proves fast, or leaves it to others, and holds on to some that are there already. */
export const honestNode = Effect.fnUntraced(function*(
  number: number,
  provingTime: Duration.Input,
  knows: ReadonlyArray<HonestNode>,
  options: Partial<Libp2pGossipOptions> = {}
): Effect.fn.Return<HonestNode, never, Layer.Success<typeof world> | Scope.Scope> {
  const bootstrap = yield* Effect.forEach(knows, ({ gossip }) => addressOf(gossip))
  const gossip = yield* startGossip({ bootstrap, ...waits, ...options })
  const operator = yield* makeOperator({
    name: `honest-${number}`,
    account: accountOf(number),
    proofs: { blockTime: () => Duration.fromInputUnsafe(provingTime), linkTime: Duration.millis(50) },
    settling: { blocksPerUpdate: 2, patience: "1 minute" },
    l1Poll: "200 millis",
    tick: "200 millis"
  })
  yield* operator.start.pipe(
    Effect.provideService(ProofGossip, gossip),
    Effect.provideService(HintSigner, signerOf(number)),
    Effect.provideService(ExchangeOptions, { fetchEvery: "1 second", fetchPause: "200 millis", hintEvery: "2 seconds", hintLifetime: "10 seconds" }),
    Effect.updateService(PlannerOptions, (given) => ({ ...given, hints: { ...given.hints, lifetime: 2_000, claimLimit: 3_000 } }))
  )
  return { ...operator, gossip }
})

/** One that proves, one that lives on what others prove. */
export const honestPair = Effect.gen(function*() {
  const prover = yield* honestNode(1, "100 millis", [])
  const reader = yield* honestNode(2, "1 hour", [prover])
  yield* until("they exchange proofs", Effect.map(proofsOf(reader), (proofs) => proofs.length >= 2))
  return { prover, reader }
})

export const proofsOf = ({ store }: Operator): Effect.Effect<ReadonlyArray<Proof>> => store.proofsBeyond(BlockNumber.make(0))

export const exchangeOf = ({ roles }: Operator) =>
  Effect.orDie(Effect.flatMap(Stream.runHead(Context.get(roles, ProofExchange).changes()), Effect.fromOption))

export const verificationsOf = ({ prover }: Operator) => Effect.map(Ref.get(prover.verified), ({ length }) => length)

/** Blocks in a row that L1's tip must go on by, with their proofs in everybody's hands. */
const row = 4

/** The most numbers that follow each other. */
const longestRow = (numbers: ReadonlySet<number>): number => {
  let longest = 0
  for (const first of numbers) {
    if (numbers.has(first - 1)) continue
    let length = 1
    while (numbers.has(first + length)) length++
    longest = Math.max(longest, length)
  }
  return longest
}

/**
 * What must hold whatever a liar did: L1's tip goes on, each node gets the proofs that it does not make, and none keeps what it has
 * not verified. On a machine that is busy, a block may be settled before somebody's proof of it has come to all, and then nobody asks
 * for it any more: so it takes some blocks in a row, not particular ones.
 */
export const assertUnharmed = Effect.fnUntraced(function*(...nodes: ReadonlyArray<HonestNode>) {
  const chain = yield* ModelChain
  const tip = Effect.map(chain.head, ({ state }) => state.tip.number as number)
  const before = yield* tip
  const begun = yield* Clock.currentTimeMillis
  yield* until("L1's tip moves on", Effect.map(tip, (now) => now >= before + row))
  for (const node of nodes) {
    const settled = Effect.gen(function*() {
      const now = yield* tip
      return new Set((yield* proofsOf(node)).map(({ statement }) => statement.to.number as number).filter((number) => number > before && number <= now))
    })
    yield* until(`${node.name} has the proofs of ${row} settled blocks in a row`, Effect.map(settled, (numbers) => longestRow(numbers) >= row))
    const verified = new Set(yield* Ref.get(node.prover.verified))
    const unverified = (yield* proofsOf(node)).filter(({ id, statement }) =>
      !verified.has(id) && statement.leaves.some(({ prover }) => prover !== node.account))
    assert.deepStrictEqual(unverified.map(({ id }) => id), [], `${node.name} keeps nothing unverified`)
  }
  return (yield* Clock.currentTimeMillis) - begun
})

/** What a liar cost a node until it was cut off. */
export interface Cost {
  readonly cutOff: CutOff
  /** Verifications of proofs, those of honest ones included. */
  readonly verifications: number
  /** Of this whole process, liar and honest nodes together, in seconds. */
  readonly cpuSeconds: number
}

/** A liar may cost this process so much at most, in seconds of CPU: it is shared with the honest nodes, and with a busy machine. */
const mostCpu = 15

const cpuSince = (before: NodeJS.CpuUsage): number => {
  const { system, user } = process.cpuUsage(before)
  return (system + user) / 1e6
}

/** What happens beside liars that break no rule, and what it costs a node: bytes and CPU, those of honest work included. */
export const costBeside = Effect.fnUntraced(function*<A, E, R>(what: string, victim: HonestNode, work: Effect.Effect<A, E, R>, mostBytes: number) {
  const cpu = process.cpuUsage()
  const received = Effect.map(exchangeOf(victim), ({ gossip }) => gossip.counters.bytesReceived)
  const before = yield* received
  const done = yield* work
  const bytes = (yield* received) - before
  const cpuSeconds = cpuSince(cpu)
  console.log(`${what}: ${bytes} bytes came in meanwhile, honest ones included; ${cpuSeconds.toFixed(2)} s of CPU in all`)
  assert.isAtMost(bytes, mostBytes)
  assert.isBelow(cpuSeconds, mostCpu)
  return done
})

/** Lets a liar go on until a node cuts it off, and says what that cost. */
export const costUntilCutOff = Effect.fnUntraced(function*<R>(
  what: string,
  victim: HonestNode,
  liar: BarePeer,
  lies: Effect.Effect<unknown, never, R>
) {
  const cpu = process.cpuUsage()
  const verifiedBefore = yield* verificationsOf(victim)
  const found = Effect.map(exchangeOf(victim), ({ gossip }) => gossip.cutOff.find(({ id }) => id === liar.id))
  yield* Effect.raceFirst(
    Effect.andThen(lies, Effect.never),
    until(`${what}: the liar is cut off`, Effect.map(found, (one) => one !== undefined))
  )
  const cutOff = (yield* found)!
  const cost: Cost = { cutOff, verifications: (yield* verificationsOf(victim)) - verifiedBefore, cpuSeconds: cpuSince(cpu) }
  console.log(
    `${what}: cut off (${cutOff.reason}) after ${cutOff.bytes} bytes, ${cutOff.judged} messages judged, ${cutOff.rejected} rejected, ` +
      `${cost.verifications} verifications; ${cost.cpuSeconds.toFixed(2)} s of CPU in all`
  )
  assert.isBelow(cost.cpuSeconds, mostCpu)
  yield* until(
    `${what}: it is disconnected`,
    Effect.map(exchangeOf(victim), ({ gossip }) => !gossip.peers.some(({ id }) => id === liar.id))
  )
  return cost
})
