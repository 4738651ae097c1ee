import { assert, describe, it } from "@effect/vitest"
import { FrameScanner, FrameTooLong } from "../../../src/gossip/libp2p/Frames.ts"

const frame = (length: number) => {
  const prefix: Array<number> = []
  let left = length
  for (; left >= 0x80; left = Math.floor(left / 0x80)) prefix.push((left % 0x80) | 0x80)
  return Uint8Array.of(...prefix, left, ...new Uint8Array(length))
}

describe("OC-1: frames of a stream", () => {
  it("OC-1: are counted however their bytes are cut", () => {
    const bytes = Buffer.concat([1, 0, 127, 128, 300, 5].map(frame))
    for (const size of [1, 2, 3, 7, 64, bytes.length]) {
      const scanner = new FrameScanner(300)
      let ended = 0
      for (let at = 0; at < bytes.length; at += size) ended += scanner.push(bytes.subarray(at, at + size))
      assert.strictEqual(ended, 6)
      assert.isFalse(scanner.inside)
    }
  })

  it("OC-1: one that is longer than any may be is found by its length alone", () => {
    assert.throws(() => new FrameScanner(300).push(frame(301).subarray(0, 2)), FrameTooLong)
    assert.throws(() => new FrameScanner(300).push(new Uint8Array(10).fill(0xff)), FrameTooLong)
    // A length that does not end.
    assert.throws(() => new FrameScanner(300).push(new Uint8Array(10).fill(0x80)), FrameTooLong)
  })

  it("OC-1: one that has begun is known to be open", () => {
    const scanner = new FrameScanner(300)
    scanner.push(Uint8Array.of(0x80))
    assert.isTrue(scanner.inside, "within its length")
    scanner.push(Uint8Array.of(1, 9))
    assert.isTrue(scanner.inside)
  })
})
