/** Liars against honest nodes (OC-1). Each test says what the liar cost until it was cut off. */
import { assert, describe } from "@effect/vitest"
import { Effect, type Layer, type Scope } from "effect"
import { BlockNumber } from "../../../src/domain/Amount.ts"
import { BlockRef } from "../../../src/domain/Block.ts"
import { Leaf, Proof, Statement } from "../../../src/domain/Proof.ts"
import { fetchProtocol } from "../../../src/gossip/libp2p/FetchProtocol.ts"
import { type HintMessage, HintMessage as Hint, messageCodec, proofMessage } from "../../../src/gossip/Messages.ts"
import { defaultScores } from "../../../src/gossip/PeerScores.ts"
import { ModelLedger } from "../../../src/simulation/ModelLedger.ts"
import { flipBit, withBytes } from "../../proofs/fixture.ts"
import { isConnected, statusOf } from "../conformance.ts"
import { range } from "../../domain/builders.ts"
import { barePeer, live, until } from "../peers.ts"
import {
  accountOf,
  assertUnharmed,
  costBeside,
  costUntilCutOff,
  honestNode,
  honestPair,
  proofsOf,
  registeredLiar,
  signerOf,
  verificationsOf,
  world
} from "./honest.ts"
import { frameLength, messageFrame, pour, rawStream } from "./wire.ts"

const bytesOf = (proof: Proof) => messageCodec.encode(proofMessage(proof))

/** The same claim in the name of somebody who has not proven it. */
const claimedBy = (proof: Proof, number: number): Proof => {
  const { from, leaves: [leaf] } = proof.statement
  return new Proof({ ...proof, statement: new Statement({ from, leaves: [new Leaf({ ...leaf, prover: accountOf(number) })] }) })
}

const adversary = <A>(name: string, program: () => Effect.Effect<A, never, Layer.Success<typeof world> | Scope.Scope>) =>
  live(name, () => program().pipe(Effect.provide(world)))

describe("OC-1: liars among honest nodes", () => {
  adversary("OC-1: flipped bits: three verifications, and the liar is gone", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const liar = yield* barePeer
      yield* liar.dial(reader.gossip)
      const [proof] = yield* proofsOf(prover)
      const stolen = claimedBy(proof!, 50)
      const before = yield* verificationsOf(reader)
      const { cutOff } = yield* costUntilCutOff("flipped bits", reader, liar, Effect.gen(function*() {
        for (let bit = 0; bit < 200; bit++) yield* liar.publish(bytesOf(withBytes(stolen, flipBit(stolen.bytes, bit))))
      }))
      assert.isAtMost(cutOff.rejected, 3)
      assert.isAtMost(cutOff.bytes, 200 * 2_000)
      const honest = (yield* proofsOf(reader)).length
      assert.isAtMost((yield* verificationsOf(reader)) - before, honest + 4)
      yield* assertUnharmed(prover, reader)
    }))

  adversary("OC-1: valid proofs of a foreign chain cost no verification", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const liar = yield* barePeer
      yield* liar.dial(reader.gossip)
      const head = (yield* (yield* ModelLedger).rollup).blocks.length - 1
      const foreign = Array.from({ length: 400 }, (_, i) => range((i % head), (i % head) + 1, 100 + i))
      const { cutOff } = yield* costUntilCutOff("foreign chain", reader, liar, Effect.forEach(foreign, (proof) => liar.publish(bytesOf(proof))))
      assert.strictEqual(cutOff.rejected, 0)
      assert.isAtMost(cutOff.judged, 60)
      assert.isAtMost(cutOff.bytes, 400 * 1_500)
      yield* assertUnharmed(prover, reader)
    }))

  adversary("OC-1: replays cost no verification, and end with the allowance", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const liar = yield* barePeer
      yield* liar.dial(reader.gossip)
      const [proof] = yield* proofsOf(prover)
      const stream = yield* rawStream(liar, reader.gossip)
      const frame = messageFrame(bytesOf(proof!))
      const many = Buffer.concat(Array.from({ length: 50 }, () => frame))
      const { cutOff } = yield* costUntilCutOff("replays", reader, liar, pour(stream, Array.from({ length: 2_000 }, () => many)))
      assert.isAtMost(cutOff.judged, 1)
      assert.isAtMost(cutOff.bytes, 3 * defaultScores.bytes.burst)
      yield* assertUnharmed(prover, reader)
    }))

  adversary("OC-1: a flood is read as far as the allowance goes, and nobody else waits for it", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const liar = yield* barePeer
      yield* liar.dial(reader.gossip)
      // Proofs of blocks that are still to come: the reader cannot know that they are made up.
      const flood = function*() {
        for (let i = 0; i < 5_000; i++) yield messageFrame(bytesOf(range(100_000 + i, 100_001 + i, 7)))
      }
      const stream = yield* rawStream(liar, reader.gossip)
      const { cutOff } = yield* costUntilCutOff("flood", reader, liar, pour(stream, flood()))
      assert.isAtMost(cutOff.judged, 2 * defaultScores.messages.burst)
      assert.isAtMost(cutOff.bytes, 2 * defaultScores.bytes.burst)
      yield* assertUnharmed(prover, reader)
    }))

  adversary("OC-1: a message of 100 MB is refused by its first bytes", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const liar = yield* barePeer
      yield* liar.dial(reader.gossip)
      const stream = yield* rawStream(liar, reader.gossip)
      const piece = new Uint8Array(64 * 1024)
      const message = [frameLength(100_000_000), ...Array.from({ length: 1_526 }, () => piece)]
      const { cutOff } = yield* costUntilCutOff("100 MB", reader, liar, pour(stream, message))
      assert.match(cutOff.reason, /longer than any message/)
      assert.isAtMost(cutOff.bytes, 1_000_000)
      yield* assertUnharmed(prover, reader)
    }))

  adversary("OC-1: half messages are waited for briefly", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const liar = yield* barePeer
      yield* liar.dial(reader.gossip)
      const { cutOff } = yield* costUntilCutOff("half messages", reader, liar, Effect.gen(function*() {
        for (let i = 0; i < 10; i++) {
          const stream = yield* rawStream(liar, reader.gossip)
          yield* pour(stream, [frameLength(1_000), new Uint8Array(10)])
          yield* Effect.sleep("700 millis")
        }
      }))
      assert.match(cutOff.reason, /half a message/)
      assert.isAtMost(cutOff.bytes, 10_000)
      yield* assertUnharmed(prover, reader)
    }))

  /** A peer that answers requests for proofs in its own way. */
  const answering = (how: (send: (bytes: Uint8Array) => void, close: () => void) => void) =>
    Effect.gen(function*() {
      const liar = yield* barePeer
      yield* Effect.promise(() =>
        liar.node.handle(fetchProtocol, (stream) => {
          stream.addEventListener("remoteCloseWrite", () =>
            how((bytes) => {
              try {
                stream.send(bytes)
              } catch {
                // It was left.
              }
            }, () => void stream.close().catch(() => undefined)))
          stream.addEventListener("message", () => undefined)
        }, { maxInboundStreams: 100 }))
      return liar
    })

  adversary("OC-1: who answers slowly is left, and then cut off", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const liar = yield* answering((send) => {
        send(Uint8Array.of(0))
      })
      yield* liar.dial(reader.gossip)
      const { cutOff } = yield* costUntilCutOff("slow answers", reader, liar, Effect.void)
      assert.match(cutOff.reason, /only 1 bytes came in time/)
      assert.isAtMost(cutOff.bytes, 10_000)
      yield* assertUnharmed(prover, reader)
    }))

  adversary("OC-1: half an answer, and one that does not end", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const half = yield* answering((send, close) => {
        send(Uint8Array.of(0, 0, 1, 0, 7))
        close()
      })
      yield* half.dial(reader.gossip)
      const first = yield* costUntilCutOff("half answers", reader, half, Effect.void)
      assert.match(first.cutOff.reason, /ends within a message/)
      const endless = yield* answering((send) => {
        for (let i = 0; i < 200; i++) send(new Uint8Array(64 * 1024))
      })
      yield* endless.dial(reader.gossip)
      const second = yield* costUntilCutOff("endless answers", reader, endless, Effect.void)
      assert.match(second.cutOff.reason, /more than \d+ bytes came/)
      assert.isAtMost(second.cutOff.bytes, 3_000_000)
      yield* assertUnharmed(prover, reader)
    }))

  adversary("OC-5: who withholds delays nobody: others are asked as well", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      yield* Effect.forEach(Array.from({ length: 6 }), () =>
        Effect.gen(function*() {
          const liar = yield* answering((_, close) => close())
          yield* liar.dial(reader.gossip)
        }), { concurrency: 3 })
      const late = yield* honestNode(3, "1 hour", [reader])
      const wanted = (yield* proofsOf(prover)).length
      const caughtUp = until("the late one has caught up", Effect.map(proofsOf(late), ({ length }) => length >= wanted - 2))
      yield* costBeside("withholding", late, Effect.andThen(caughtUp, assertUnharmed(prover, reader, late)), 1_000_000)
    }))

  adversary("OC-3: lies in hints: forged ones are refused, those of a registered liar hold up nobody", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const times = (issuedAt: number) => ({ issuedAt, expiresAt: issuedAt + 30_000 })
      const all = Array.from({ length: 64 }, (_, i) => ({ from: BlockNumber.make(i), to: BlockNumber.make(i + 1) }))
      const hintOf = (number: number, atoms: HintMessage["atoms"], issuedAt: number) =>
        messageCodec.encode(signerOf(number).sign({ capacity: 64, atoms, ...times(issuedAt) }))

      const registered = yield* barePeer
      yield* registered.dial(reader.gossip)
      const hintsEverything = Effect.gen(function*() {
        for (let i = 0; i < 10; i++) {
          const now = Date.now()
          // Of one moment and with two meanings: only the first is heard.
          for (const atoms of [all, all.slice(0, 1)]) yield* registered.publish(hintOf(registeredLiar, atoms, now))
          yield* Effect.sleep("260 millis")
        }
      })
      yield* costBeside("hints of everything", reader, Effect.andThen(hintsEverything, assertUnharmed(prover, reader)), 1_000_000)

      const forger = yield* barePeer
      yield* forger.dial(reader.gossip)
      const hint = signerOf(1).sign({ capacity: 64, atoms: all, ...times(Date.now() + 5_000) })
      const forged = (n: number): HintMessage => new Hint({ ...hint, issuedAt: hint.issuedAt + 300 * n })
      const { cutOff } = yield* costUntilCutOff("forged hints", reader, forger, Effect.gen(function*() {
        for (let n = 1; n < 10; n++) yield* forger.publish(messageCodec.encode(forged(n)))
      }))
      assert.isAtMost(cutOff.rejected, 3)

      const stranger = yield* barePeer
      yield* stranger.dial(reader.gossip)
      const unregistered = yield* costUntilCutOff("hints of nobody", reader, stranger, Effect.gen(function*() {
        for (let n = 0; n < 200; n++) yield* stranger.publish(hintOf(99, all, Date.now() + n))
      }))
      assert.isAtMost(unregistered.cutOff.judged, 60)
      yield* assertUnharmed(prover, reader)
    }))

  adversary("OC-1: who gives blocks other numbers to different nodes is found out by each, without a verification", () =>
    Effect.gen(function*() {
      const { prover, reader } = yield* honestPair
      const [proof] = yield* proofsOf(reader)
      const { from, leaves } = proof!.statement
      const stolen = [new Leaf({ ...leaves[0], prover: accountOf(51) })] as const
      const moved = (by: number) => {
        const elsewhere = new BlockRef({ ...from, number: BlockNumber.make(from.number + by) })
        return new Proof({ ...proof!, statement: new Statement({ from: elsewhere, leaves: stolen }) })
      }
      for (const [i, node] of [reader, prover].entries()) {
        const liar = yield* barePeer
        yield* liar.dial(node.gossip)
        const { cutOff } = yield* costUntilCutOff(`two tips, ${node.name}`, node, liar, Effect.gen(function*() {
          for (let by = 1; by < 20; by++) yield* liar.publish(bytesOf(moved(by * 2 + i)))
        }))
        assert.isAtMost(cutOff.rejected, 3)
      }
      yield* assertUnharmed(prover, reader)
    }))

  adversary("OC-1: twenty identities do not surround a node that holds on to one of its own choice", () =>
    Effect.gen(function*() {
      const prover = yield* honestNode(1, "100 millis", [])
      const inbound = 8
      const victim = yield* honestNode(2, "1 hour", [prover], { inbound })
      yield* until("the victim knows the prover", isConnected(victim.gossip, 1))
      const { length: connected } = (yield* Effect.forEach(Array.from({ length: 20 }), () =>
        Effect.flatMap(barePeer, (liar) =>
          liar.dial(victim.gossip).pipe(Effect.timeoutOption("3 seconds"), Effect.catchCause(() => Effect.succeedNone))), {
        concurrency: 10
      })).filter(({ _tag }) => _tag === "Some")
      assert.isAtLeast(connected, 4)
      const { peers } = yield* statusOf(victim.gossip)
      assert.isAtMost(peers.filter(({ direction }) => direction === "inbound").length, inbound)
      assert.include(peers.filter(({ direction }) => direction === "outbound").map(({ id }) => id), prover.gossip.self)
      const delay = yield* costBeside("eclipse", victim, assertUnharmed(prover, victim), 1_000_000)
      console.log(`eclipse: ${connected} of 20 identities connected; the next four blocks were settled and known in ${(delay / 1_000).toFixed(1)} s`)
    }))
})
