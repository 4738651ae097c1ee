/**
 * Which blocks are covered by any of many overlapping ranges: a segment tree over block numbers.
 *
 * A node counts the ranges that cover all of its blocks and not all of its parent's. Ranges are removed as they were added, so that
 * counts never have to be handed down. Everything takes O(log n) of the blocks between the floor and the furthest range; room for
 * more blocks, and giving back what lies behind the floor, take O(1) per block over time.
 */
export class Coverage {
  /** Number of the block before the first leaf. */
  #base: number
  /** Leaves: a power of two. Node i has the children 2i and 2i + 1, and leaves are the nodes from here on. */
  #size = 64
  #counts = new Int32Array(2 * this.#size)
  /** Whether a node covers all of its blocks, by itself or by its children. */
  #full = new Uint8Array(2 * this.#size)

  /** @param base number of the block before the first one that can be covered */
  constructor(base: number) {
    this.#base = base
  }

  /** Counts a range, from the block after `from` to the block `to`. */
  add(from: number, to: number): void {
    while (to - this.#base > this.#size) this.#double()
    this.#count(from, to, 1)
  }

  /** Takes back a range that was added. */
  remove(from: number, to: number): void {
    this.#count(from, to, -1)
  }

  /** Whether a range covers a block. */
  has(block: number): boolean {
    const leaf = block - this.#base - 1
    if (leaf < 0 || leaf >= this.#size) return false
    for (let node = leaf + this.#size; node > 0; node >>= 1) if (this.#counts[node]! > 0) return true
    return false
  }

  /** The first block after `block` that no range covers. */
  firstGap(block: number): number {
    const start = Math.max(block - this.#base, 0)
    const gap = start < this.#size ? this.#find(1, 0, this.#size, start) : -1
    return this.#base + 1 + (gap < 0 ? Math.max(start, this.#size) : gap)
  }

  /** Gives room back: no range up to the block `floor` is left, and none will be added. */
  forget(floor: number): void {
    if (2 * (floor - this.#base) < this.#size) return
    const before = { base: this.#base, counts: this.#counts, size: this.#size }
    this.#base = floor
    this.#resize(64)
    for (let node = 1; node < before.counts.length; node++) {
      const count = before.counts[node]!
      if (count === 0) continue
      const width = before.size >> (31 - Math.clz32(node))
      const from = before.base + node * width - before.size
      while (from + width - floor > this.#size) this.#double()
      this.#count(from, from + width, count)
    }
  }

  #resize(size: number): void {
    this.#size = size
    this.#counts = new Int32Array(2 * size)
    this.#full = new Uint8Array(2 * size)
  }

  /** The whole tree becomes the left half of one twice the size: level by level, the nodes keep their order. */
  #double(): void {
    const [counts, full, size] = [this.#counts, this.#full, this.#size]
    this.#resize(2 * size)
    for (let width = 1; width <= size; width *= 2) {
      this.#counts.set(counts.subarray(width, 2 * width), 2 * width)
      this.#full.set(full.subarray(width, 2 * width), 2 * width)
    }
  }

  #count(from: number, to: number, by: number): void {
    const first = from - this.#base + this.#size
    const end = to - this.#base + this.#size
    for (let left = first, right = end; left < right; left >>= 1, right >>= 1) {
      if (left % 2 === 1) this.#countNode(left++, by)
      if (right % 2 === 1) this.#countNode(--right, by)
    }
    this.#refreshAbove(first)
    this.#refreshAbove(end - 1)
  }

  #countNode(node: number, by: number): void {
    this.#counts[node]! += by
    this.#refresh(node)
  }

  #refresh(node: number): void {
    const byChildren = node < this.#size && this.#full[2 * node] === 1 && this.#full[2 * node + 1] === 1
    this.#full[node] = this.#counts[node]! > 0 || byChildren ? 1 : 0
  }

  #refreshAbove(leaf: number): void {
    for (let node = leaf >> 1; node > 0; node >>= 1) this.#refresh(node)
  }

  /** The first leaf from `start` on that is not covered, among the `width` leaves from `left` on under a node; -1 if there is none. */
  #find(node: number, left: number, width: number, start: number): number {
    if (left + width <= start || this.#full[node] === 1) return -1
    if (width === 1) return left
    const half = width / 2
    const found = this.#find(2 * node, left, half, start)
    return found >= 0 ? found : this.#find(2 * node + 1, left + half, half, start)
  }
}
