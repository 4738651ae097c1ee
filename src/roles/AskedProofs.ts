/**
 * The block proofs that a planner waits for. Its end ends none of them: the next planner, here or on another host, takes them up or
 * cancels them.
 */
import { Clock, Effect, FiberMap } from "effect"
import { BlockRef } from "../domain/Block.ts"
import type { BlockHash } from "../domain/Hash.ts"
import { type AtomKey, atomKey, type BlockAtom, type Range } from "../domain/planning/Atom.ts"
import type { Stopped } from "../domain/planning/Planner.ts"
import type { ProverPool } from "./ProverPool.ts"

/** For how long the proof of a settled block may be another's business: who needs it for a redundancy turn has asked for it again by then. */
const turnPatience = 60_000

/** What a cancelled job says of why. */
const uselessBy: Record<Stopped, string> = { superseded: "nobody needs it any more", yielded: "another prover works on it" }

/** What the ledger and the planner say about a block that was asked for before. */
export interface Sight {
  /** The last settled block. */
  readonly tip: number
  /** The ledger's block with a number beyond the tip, as far as it was read. */
  readonly hashAt: (number: number) => BlockHash | undefined
  /** Takes the work on a block up; none if it is of no use. */
  readonly adopt: (number: number) => BlockAtom | undefined
}

/**
 * @param until what is done until a proof is there, or will not be
 */
export const makeAskedProofs = Effect.fnUntraced(function*(
  pool: ProverPool["Service"],
  until: (atom: BlockAtom, block: BlockRef) => Effect.Effect<void>
) {
  const waiting = yield* FiberMap.make<AtomKey, void, never>()
  const asked = new Map<AtomKey, BlockRef>()
  /** Asked for before, and not looked at since. */
  let leftOver: ReadonlyArray<BlockRef> = []
  const begun = yield* Clock.currentTimeMillis

  const ask = (atom: BlockAtom, block: BlockRef) =>
    Effect.suspend(() => {
      const key = atomKey(atom)
      asked.set(key, block)
      return FiberMap.run(waiting, key, Effect.ensuring(until(atom, block), Effect.sync(() => asked.delete(key))))
    })

  /** What was asked for goes on where the ledger still has the block and nobody has proven it; else nobody needs it (OC-4). */
  const takeOver = Effect.fnUntraced(function*({ adopt, hashAt, tip }: Sight) {
    const now = yield* Clock.currentTimeMillis
    const useless: Array<BlockRef> = []
    const later: Array<BlockRef> = []
    for (const block of leftOver) {
      const { hash, number } = block
      const atom = hashAt(number) === hash ? adopt(number) : undefined
      if (atom !== undefined) yield* ask(atom, block)
      else if (number <= tip ? now < begun + turnPatience : hashAt(number) === undefined) later.push(block)
      else useless.push(block)
    }
    leftOver = later
    if (useless.length > 0) yield* pool.cancel({ blocks: useless, reason: uselessBy.superseded })
  })

  return {
    ask,
    /** Cancels work that was asked for. */
    drop: Effect.fnUntraced(function*(atom: Range, why: Stopped) {
      const block = asked.get(atomKey(atom))
      if (block === undefined) return
      yield* FiberMap.remove(waiting, atomKey(atom))
      yield* pool.cancel({ blocks: [block], reason: uselessBy[why] })
    }),
    /** Waits for nothing any more, until the blocks are seen again. */
    setAside: Effect.suspend(() => {
      leftOver = [...leftOver, ...asked.values()]
      asked.clear()
      return FiberMap.clear(waiting)
    }),
    /** What an earlier planner asked for. */
    inherit: Effect.map(pool.asked(), (blocks) => {
      leftOver = blocks
    }),
    /** It is asked for by somebody else. */
    leave: (block: BlockRef) => {
      leftOver = leftOver.filter(({ hash }) => hash !== block.hash)
    },
    takeOver
  }
})
