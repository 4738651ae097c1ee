/**
 * Boundaries to be taken in the order of their numbers: a binary heap.
 */
import type { Boundary, Piece } from "./Boundary.ts"

export class BoundaryHeap<P extends Piece> {
  readonly #items: Array<Boundary<P>> = []

  /** The boundary with the lowest number. */
  get first(): Boundary<P> | undefined {
    return this.#items[0]
  }

  push(boundary: Boundary<P>): void {
    const items = this.#items
    let at = items.push(boundary) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (items[parent]!.number <= boundary.number) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = boundary
  }

  /** Takes the boundary with the lowest number. */
  pop(): Boundary<P> | undefined {
    const items = this.#items
    const first = items[0]
    const moved = items.pop()
    if (moved === undefined || items.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child + 1 < items.length && items[child + 1]!.number < items[child]!.number) child++
      if (child >= items.length || items[child]!.number >= moved.number) break
      items[at] = items[child]!
      at = child
    }
    items[at] = moved
    return first
  }
}
