/**
 * The proof forest over a long backlog: adding one proof and asking for the next 16 atoms, as a planner does after every proof.
 *
 * Every proof of a family is added to one forest, in random order, and every addition is timed with the question after it. The bars
 * take the last tenth, when the forest is full.
 */
import { createHash } from "node:crypto"
import { Forest, type Piece } from "../src/domain/Forest.ts"
import { ProofId } from "../src/domain/Hash.ts"
import { type Bench, type BenchOptions, type Measurements, median } from "./Report.ts"

/** What a planner asks for at a time. */
const atomCount = 16
/** Blocks of the heaviest tree that a settler is shown. */
const blocksShown = 64
/** How often the tip moves along the tree. */
const moves = 20
/** Proofs of a random family that start at the tip, so that there is a tree. */
const roots = 16

export interface ForestSize {
  readonly blocks: number
  readonly proofs: number
}

/** Draws that a label names: content ids, as proofs have, and fractions from 0 to 1. */
const draw = (label: string) => {
  const id = ProofId.make(`0x${createHash("sha256").update(label).digest("hex")}`)
  const fraction = (at: number) => Number.parseInt(id.slice(at, at + 12), 16) / 2 ** 48
  // Not the leading digits: ids are compared by those.
  return { id, first: fraction(18), second: fraction(30), third: fraction(42), order: fraction(54) }
}

type Draw = ReturnType<typeof draw>
type Range = Omit<Piece, "id">

const below = (fraction: number, bound: number) => Math.floor(fraction * bound)

/** A range that starts anywhere and covers up to so many blocks. */
const anyRange = ({ blocks }: ForestSize, { first, second }: Draw, nth: number, longest = blocks): Range => {
  const from = nth < roots ? 0 : below(first, blocks)
  return { from, to: from + 1 + below(second, Math.min(longest, blocks - from)) }
}

/** Blocks that a short range covers at most. */
const short = 16
/** Blocks that a merge covers at most: as many as an update can take. */
const widestMerge = 64

/** What ranges the proofs have. */
const families: Readonly<Record<string, (size: ForestSize, drawn: Draw, nth: number) => Range>> = {
  short: (size, drawn, nth) => anyRange(size, drawn, nth, short),
  long: (size, drawn, nth) => anyRange(size, drawn, nth),
  mixed: (size, drawn, nth) => anyRange(size, drawn, nth, drawn.third < 0.5 ? short : undefined),
  /** Every block, every binary merge of neighbours, every merge of those, and so on; then again by another prover. */
  merges: ({ blocks }, _, nth) => {
    let [width, place] = [1, nth]
    while (place >= Math.floor(blocks / width)) {
      place -= Math.floor(blocks / width)
      width = width < Math.min(widestMerge, blocks) ? 2 * width : 1
    }
    return { from: place * width, to: (place + 1) * width }
  }
}

type Atom = { readonly block: number } | { readonly left: Piece; readonly right: Piece }

/** The block that the tree lacks first, blocks that nothing covers, and merges of neighbours in the tree's beginning. */
const nextAtoms = (forest: Forest<Piece>): ReadonlyArray<Atom> => {
  const atoms: Array<Atom> = []
  if (forest.reach < forest.head) atoms.push({ block: forest.reach + 1 })
  for (let block = forest.uncovered(forest.reach + 1); block !== undefined && atoms.length < atomCount; block = forest.uncovered(block)) atoms.push({ block })
  const shown = forest.heaviest(blocksShown)
  for (let right = 1; right < shown.length && atoms.length < atomCount; right++) atoms.push({ left: shown[right - 1]!, right: shown[right]! })
  return atoms
}

const rounded = (value: number) => Number(value.toPrecision(4))

const milliseconds = (work: () => void): number => {
  const start = performance.now()
  work()
  return performance.now() - start
}

const spread = (times: ReadonlyArray<number>) => {
  const sorted = Float64Array.from(times).sort()
  const at = (part: number) => rounded(sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)]!)
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

const megabytes = (bytes: number) => Math.round(bytes / 1e6)

/** Adds a family's proofs one by one and asks after each; then moves the tip along the tree, back and on again, and replaces the newest blocks. */
const measureFamily = (family: string, size: ForestSize, seed: number) => {
  // What other families left behind is not this one's memory.
  globalThis.gc?.()
  const { blocks, proofs } = size
  const drawn = Array.from({ length: proofs }, (_, nth) => {
    const one = draw(`${seed}/${family}/${nth}`)
    return { order: one.order, piece: { id: one.id, ...families[family]!(size, one, nth) } }
  })
  const pieces = drawn.sort((a, b) => a.order - b.order).map(({ piece }) => piece)
  const forest = new Forest<Piece>(0)
  for (let block = 0; block < blocks; block++) forest.append(16_000n)

  let peak = 0
  let atoms: ReadonlyArray<Atom> = []
  const times: Array<number> = []
  for (const [nth, piece] of pieces.entries()) {
    times.push(milliseconds(() => {
      forest.add(piece)
      atoms = nextAtoms(forest)
    }))
    if (nth % 1_000 === 0) peak = Math.max(peak, process.memoryUsage.rss())
  }
  const tree = forest.heaviest()
  const found = { reach: forest.reach, pieces: tree.length, atoms: atoms.length }

  const moved = { blocks: 0, forwards: 0, backwards: 0 }
  const replacing: Array<number> = []
  for (let move = 0; move < moves && forest.tip < forest.reach; move++) {
    const [from, to] = [forest.tip, forest.heaviest(1)[0]!.to]
    const moveTip = (tip: number) =>
      milliseconds(() => {
        forest.moveTip(tip)
        nextAtoms(forest)
      })
    moved.blocks += to - from
    moved.forwards += moveTip(to)
    moved.backwards += moveTip(from)
    forest.moveTip(to)
    replacing.push(milliseconds(() => {
      const gone = forest.truncate(Math.max(forest.head - blocksShown, to))
      while (forest.head < blocks) forest.append(16_000n)
      for (const piece of gone) forest.add(piece)
      nextAtoms(forest)
    }))
  }
  return {
    tree: found,
    addAndAsk: spread(times),
    full: spread(times.slice(-Math.ceil(proofs / 10))),
    /** Milliseconds for each block that the tip moved over, with a question after every move. */
    tip: { blocks: moved.blocks, forwards: rounded(moved.forwards / moved.blocks), backwards: rounded(moved.backwards / moved.blocks) },
    newestBlocksReplaced: spread(replacing),
    peakMegabytes: megabytes(Math.max(peak, process.memoryUsage.rss()))
  }
}

/** The bench at any size. */
export const measureForest = ({ blocks, proofs }: ForestSize, { progress, runs, seed }: BenchOptions): Measurements => {
  const names = Object.keys(families)
  const measured = Array.from({ length: runs }, (_, run) =>
    names.map((family) => {
      const one = measureFamily(family, { blocks, proofs }, seed + run)
      progress(`run ${run + 1} of ${runs}, ${family}: ${JSON.stringify(one)}`)
      return one
    }))
  const of = (value: (one: (typeof measured)[number]) => number) => median(measured.map(value))
  return {
    bars: [
      ...names.map((family, i) => ({ id: `add-and-ask-${family}-p99`, value: of((run) => run[i]!.full.p99), unit: "ms", atMost: 1 })),
      { id: "peak-memory", value: of((run) => Math.max(...run.map(({ peakMegabytes }) => peakMegabytes))), unit: "MB", atMost: 512 }
    ],
    details: {
      blocks,
      proofs,
      atoms: atomCount,
      unit: "ms",
      families: Object.fromEntries(names.map((family, i) => [family, measured.map((run) => run[i]!)]))
    }
  }
}

export const bench: Bench = {
  runs: 1,
  measure: async (options) => measureForest({ blocks: 100_000, proofs: 300_000 }, options)
}
