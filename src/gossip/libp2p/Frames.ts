/**
 * Watches a stream of frames, each after its length as an unsigned varint, without keeping any of it: how long they say they are,
 * and whether one is left half.
 */

/** A frame says that it is longer than any may be. */
export class FrameTooLong extends Error {
  override readonly name = "FrameTooLong"
}

export class FrameScanner {
  readonly #longest: number
  /** Bytes of the present frame that are still to come; undefined while its length is read. */
  #left: number | undefined
  #length = 0
  #shift = 0

  /** @param longest bytes of one frame at most */
  constructor(longest: number) {
    this.#longest = longest
  }

  /** Whether a frame has begun and not ended. */
  get inside(): boolean {
    return this.#left !== undefined || this.#shift > 0
  }

  /** Takes the next bytes, and throws `FrameTooLong` as soon as a frame says so. Answers how many frames ended with them. */
  push(bytes: Uint8Array): number {
    let ended = 0
    for (let at = 0; at < bytes.length;) {
      if (this.#left === undefined) {
        const byte = bytes[at++]!
        this.#length += (byte & 0x7f) * 2 ** this.#shift
        this.#shift += 7
        if (this.#length > this.#longest || this.#shift > 35) throw new FrameTooLong(`a frame of at least ${this.#length} bytes`)
        if ((byte & 0x80) !== 0) continue
        this.#left = this.#length
        this.#length = 0
        this.#shift = 0
      }
      const taken = Math.min(this.#left, bytes.length - at)
      at += taken
      this.#left -= taken
      if (this.#left > 0) continue
      this.#left = undefined
      ended++
    }
    return ended
  }
}
