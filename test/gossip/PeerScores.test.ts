import { assert, describe, it } from "@effect/vitest"
import { defaultScores, PeerScores } from "../../src/gossip/PeerScores.ts"
import { type CutOff, PeerId } from "../../src/gossip/ProofGossip.ts"

const peer = PeerId.make("peer")
const minute = 60_000

const setting = () => {
  let now = 0
  const cutOffs: Array<CutOff> = []
  const scores = new PeerScores(defaultScores, () => now, (cutOff) => cutOffs.push(cutOff))
  return { scores, cutOffs, pass: (time: number) => void (now += time) }
}

describe("OC-1: what peers are worth", () => {
  it("OC-1: a stranger may send two false proofs, and is cut off with the third", () => {
    const { cutOffs, scores } = setting()
    for (let n = 0; n < 2; n++) scores.blame(peer, "invalid", "false")
    assert.deepStrictEqual(cutOffs, [])
    scores.judged(peer, true)
    scores.blame(peer, "invalid", "false")
    assert.deepStrictEqual(cutOffs.map(({ id, reason, rejected, until }) => ({ id, reason, rejected, until })), [
      { id: peer, reason: "false", rejected: 1, until: 10 * minute }
    ])
    assert.isTrue(scores.refuses(peer))
  })

  it("OC-1: merits buy a bounded licence, and are forgotten like faults", () => {
    const { cutOffs, pass, scores } = setting()
    for (let n = 0; n < 1_000; n++) scores.delivered(peer)
    assert.strictEqual(scores.scoreOf(peer), defaultScores.most)
    pass(defaultScores.halfLife)
    assert.closeTo(scores.scoreOf(peer), defaultScores.most / 2, 1e-9)
    for (let n = 0; n < 5; n++) scores.blame(peer, "invalid", "false")
    assert.strictEqual(cutOffs.length, 1, "five false proofs at most, whatever it did before")
  })

  it("OC-1: each refusal is twice as long as the one before, up to a day", () => {
    const { cutOffs, pass, scores } = setting()
    for (let n = 0; n < 12; n++) {
      scores.blame(peer, "oversize", "too long")
      pass(cutOffs[n]!.until - cutOffs[n]!.at)
      assert.isFalse(scores.refuses(peer))
    }
    const minutes = cutOffs.map(({ at, until }) => (until - at) / minute)
    assert.deepStrictEqual(minutes.slice(0, 8), [10, 20, 40, 80, 160, 320, 640, 1_280])
    assert.deepStrictEqual(minutes.slice(8), [1_440, 1_440, 1_440, 1_440])
  })

  it("OC-1: allowances hold for bursts, fill up again, and end in a refusal for who goes on", () => {
    const { cutOffs, pass, scores } = setting()
    const { burst, perSecond } = defaultScores.messages
    for (let n = 0; n < burst; n++) assert.isTrue(scores.admits(peer))
    assert.isFalse(scores.admits(peer))
    pass(1_000)
    for (let n = 0; n < perSecond; n++) assert.isTrue(scores.admits(peer))
    let refused = 0
    while (cutOffs.length === 0) {
      assert.isFalse(scores.admits(peer))
      refused++
    }
    assert.isAtMost(refused, -defaultScores.threshold / defaultScores.costs.excess + 1)
  })

  it("OC-1: bytes count the same in one piece and in many", () => {
    const { burst, perSecond } = defaultScores.bytes
    const tooMany = burst + 3 * perSecond
    for (const piece of [100, 10_000, tooMany]) {
      const { cutOffs, scores } = setting()
      let sent = 0
      while (cutOffs.length === 0) {
        scores.transferred(peer, piece, 0)
        sent += piece
      }
      assert.isAtMost(sent, Math.max(tooMany, piece), `${piece}`)
      assert.isAbove(sent, burst)
    }
  })

  it("OC-1: a steady sender within its rate is never blamed", () => {
    const { cutOffs, pass, scores } = setting()
    for (let n = 0; n < 100_000; n++) {
      assert.isTrue(scores.admits(peer))
      scores.transferred(peer, 1_200, 1)
      pass(20)
    }
    assert.deepStrictEqual(cutOffs, [])
    assert.strictEqual(scores.scoreOf(peer), 0)
  })

  it("OC-1: new names push out what is known of old ones, but not who is refused", () => {
    const { scores } = setting()
    scores.blame(peer, "oversize", "too long")
    for (let n = 0; n < 20_000; n++) scores.judged(PeerId.make(`name-${n}`), false)
    assert.isTrue(scores.refuses(peer))
  })
})
