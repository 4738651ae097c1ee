import { assert, describe, it } from "@effect/vitest"
import { Inbox } from "../../src/gossip/Inbox.ts"
import { PeerId } from "../../src/gossip/ProofGossip.ts"

const [alice, bob, liar] = ["alice", "bob", "liar"].map((name) => PeerId.make(name)) as [PeerId, PeerId, PeerId]
const stranger = (n: number) => PeerId.make(`stranger-${n}`)

const drain = <A>(inbox: Inbox<A>): ReadonlyArray<A> => {
  const taken: Array<A> = []
  for (let next = inbox.take(); next !== undefined; next = inbox.take()) taken.push(next)
  return taken
}

describe("OC-1: messages that wait for a verdict", () => {
  it("OC-1: peers are served in turns, each in its own order", () => {
    const inbox = new Inbox<string>({ perPeer: 10, total: 100 }, () => false)
    for (const message of ["l1", "l2", "l3", "l4"]) inbox.put(liar, message)
    inbox.put(alice, "a1")
    inbox.put(bob, "b1")
    assert.deepStrictEqual(drain(inbox), ["l1", "a1", "b1", "l2", "l3", "l4"])
    assert.strictEqual(inbox.size, 0)
  })

  it("OC-1: a peer that has filled its room displaces nobody", () => {
    const inbox = new Inbox<number>({ perPeer: 3, total: 100 }, () => false)
    assert.deepStrictEqual([1, 2, 3, 4, 5].map((n) => inbox.put(liar, n)), [undefined, undefined, undefined, 4, 5])
    assert.strictEqual(inbox.put(alice, 6), undefined)
  })

  it("OC-1: when all room is taken, who has taken most makes way", () => {
    const inbox = new Inbox<string>({ perPeer: 4, total: 4 }, () => false)
    for (const message of ["l1", "l2", "l3", "l4"]) inbox.put(liar, message)
    assert.strictEqual(inbox.put(alice, "a1"), "l4")
    assert.strictEqual(inbox.put(bob, "b1"), "l3")
    assert.strictEqual(inbox.put(liar, "l5"), "l5", "not for itself")
    assert.deepStrictEqual([...drain(inbox)].sort(), ["a1", "b1", "l1", "l2"])
  })

  it("OC-1: however many strangers there are, peers with merits have every other turn", () => {
    const inbox = new Inbox<string>({ perPeer: 10, total: 1_000 }, (peer) => peer === alice || peer === bob)
    for (let n = 0; n < 50; n++) inbox.put(stranger(n), "stranger")
    for (let n = 0; n < 5; n++) {
      inbox.put(alice, "alice")
      inbox.put(bob, "bob")
    }
    const first = drain(inbox).slice(0, 20)
    assert.strictEqual(first.filter((message) => message === "alice").length, 5)
    assert.strictEqual(first.filter((message) => message === "bob").length, 5)
  })

  it("OC-1: what a peer sent goes with it", () => {
    const inbox = new Inbox<string>({ perPeer: 10, total: 100 }, () => false)
    inbox.put(liar, "l1")
    inbox.put(alice, "a1")
    assert.deepStrictEqual(inbox.drop(liar), ["l1"])
    assert.deepStrictEqual(drain(inbox), ["a1"])
  })
})
