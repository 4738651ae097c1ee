/**
 * The smallest part of a failing history that still fails.
 */

/** Drops elements, many at a time and then fewer, for as long as what is left fails. */
export const shrink = async <A>(history: ReadonlyArray<A>, fails: (part: ReadonlyArray<A>) => Promise<boolean>): Promise<ReadonlyArray<A>> => {
  let smallest = history
  for (let size = Math.ceil(history.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = smallest.length - size; from >= 0; from -= size) {
      const part = smallest.toSpliced(from, size)
      if (await fails(part)) smallest = part
    }
  }
  return smallest
}
