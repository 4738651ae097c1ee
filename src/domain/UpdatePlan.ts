/**
 * Which state update to make of what is proven and what is checkpointed (ST-1, ST-2). Pure: the settler acts on it.
 */
import { Result, Schema } from "effect"
import type { BlockRef } from "./Block.ts"
import type { Checkpoint } from "./Checkpoint.ts"
import type { Proof } from "./Proof.ts"

/** How large updates should be. Every update has a fixed cost on L1, so that small ones waste gas and large ones wait. */
export interface UpdatePolicy {
  /** An update covers a multiple of this many blocks, so that its gas per block is known beforehand. */
  readonly blocksPerUpdate: number
  /** Blocks of one update at most. */
  readonly maxBlocks: number
}

/** There is no update to make now; `reason` says what it waits for (ND-5). */
export class NothingToSettle extends Schema.TaggedError<NothingToSettle>()("NothingToSettle", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

export interface UpdatePlan {
  /** The pieces of the heaviest tree that the update is made of, from the tip to `end`. */
  readonly pieces: ReadonlyArray<Proof>
  readonly end: BlockRef
  /** Every checkpoint beyond the tip up to the one that continues `end`, oldest first. */
  readonly checkpoints: ReadonlyArray<Checkpoint>
  readonly continuedBy: Checkpoint
  /** Whether `end` is the checkpoint's own block; else the update carries an ancestry proof (ST-2). */
  readonly endIsCheckpoint: boolean
}

/**
 * The largest update that the policy allows.
 *
 * @param tip the proven tip as L1 has it
 * @param checkpoints registered checkpoints beyond the tip, oldest first
 * @param heaviest the heaviest tree's pieces, from the tip on
 * @param overdue whether the oldest provable block has waited so long that any size will do
 */
export const planUpdate = (
  tip: BlockRef,
  checkpoints: ReadonlyArray<Checkpoint>,
  heaviest: ReadonlyArray<Proof>,
  policy: UpdatePolicy,
  overdue: boolean
): Result.Result<UpdatePlan, NothingToSettle> => {
  const nothing = (reason: string) => Result.fail(new NothingToSettle({ reason }))
  const head = checkpoints[checkpoints.length - 1]
  if (head === undefined) return nothing(`no checkpoint beyond block ${tip.number}`)
  if (heaviest.length === 0) return nothing(`no proof continues block ${tip.number}`)
  if (heaviest[0]!.statement.from.hash !== tip.hash) return nothing("the forest has not seen the new tip yet")

  const continued = heaviest.filter(({ statement }) => statement.to.number <= head.number)
  if (continued.length === 0) return nothing(`no checkpoint continues block ${heaviest[0]!.statement.to.number}`)
  const fitting = continued.filter(({ statement }) => statement.to.number - tip.number <= policy.maxBlocks)
  if (fitting.length === 0) return nothing(`the first piece covers more than ${policy.maxBlocks} blocks`)
  const even = fitting.filter(({ statement }) => (statement.to.number - tip.number) % policy.blocksPerUpdate === 0)
  const last = even[even.length - 1] ?? (overdue ? fitting[fitting.length - 1] : undefined)
  if (last === undefined) {
    return nothing(`${fitting[fitting.length - 1]!.statement.to.number - tip.number} of ${policy.blocksPerUpdate} blocks for an update`)
  }

  const end = last.statement.to
  const continues = checkpoints.findIndex(({ number }) => number >= end.number)
  const continuedBy = checkpoints[continues]!
  return Result.succeed({
    pieces: fitting.slice(0, fitting.indexOf(last) + 1),
    end,
    checkpoints: checkpoints.slice(0, continues + 1),
    continuedBy,
    endIsCheckpoint: continuedBy.blockHash === end.hash
  })
}
