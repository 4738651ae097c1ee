/**
 * Items to be taken in an order while others are added.
 */
export class BinaryHeap<A> {
  readonly #items: Array<A> = []
  readonly #isBefore: (one: A, other: A) => boolean

  /** @param isBefore whether one item comes out before another; of two that are level, either may come first */
  constructor(isBefore: (one: A, other: A) => boolean) {
    this.#isBefore = isBefore
  }

  /** The item that comes next. */
  get first(): A | undefined {
    return this.#items[0]
  }

  push(item: A): void {
    const items = this.#items
    let at = items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(item, items[parent]!)) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  /** Takes the item that comes next. */
  pop(): A | undefined {
    const items = this.#items
    const first = items[0]
    const moved = items.pop()
    if (moved === undefined || items.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child + 1 < items.length && this.#isBefore(items[child + 1]!, items[child]!)) child++
      if (child >= items.length || !this.#isBefore(items[child]!, moved)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = moved
    return first
  }
}
