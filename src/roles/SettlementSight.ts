/**
 * What the settler must know of L1 beside the watcher's view: between which checkpoints the tip lies (CP-4), which redundancy turns are
 * this node's (RW-4), and who else may race.
 */
import type { BlockRef } from "../domain/Block.ts"
import type { Checkpoint } from "../domain/Checkpoint.ts"
import type { Address } from "../domain/Hash.ts"
import { type L1Event, type RedundancyOpened, registeredAfter } from "../l1/Events.ts"

/** An update that this node may prove once more. */
export interface RedundancyTurn {
  readonly from: BlockRef
  readonly to: BlockRef
  readonly opened: RedundancyOpened
}

export interface SettlementSight {
  /** The newest checkpoint at or behind the tip, and the oldest beyond it, the next ones after that. All are live. */
  readonly behind: Checkpoint | undefined
  readonly beyond: ReadonlyArray<Checkpoint>
  /** The last update's blocks. */
  readonly last: { readonly from: BlockRef; readonly to: BlockRef } | undefined
  /** This node's turns that nobody used yet, oldest first. Those whose time is over are among them. */
  readonly turns: ReadonlyArray<RedundancyTurn>
  /** The registered provers (ST-6). */
  readonly registered: ReadonlySet<Address>
}

export const nothingSeen: SettlementSight = { behind: undefined, beyond: [], last: undefined, turns: [], registered: new Set() }

/** A window has room for fewer updates than this: of older turns, the time is over. */
const turnsKept = 64

/** What is known after one more event. */
export const lookAt = (sight: SettlementSight, event: L1Event, account: Address): SettlementSight => {
  switch (event._tag) {
    case "CheckpointRegistered":
      // The first is genesis, where the tip starts.
      return sight.behind === undefined ? { ...sight, behind: event.checkpoint } : { ...sight, beyond: [...sight.beyond, event.checkpoint] }
    case "CheckpointsReverted":
      return { ...sight, beyond: [] }
    case "StateUpdated": {
      const passed = sight.beyond.filter(({ number }) => number <= event.to.number)
      return { ...sight, behind: passed[passed.length - 1] ?? sight.behind, beyond: sight.beyond.slice(passed.length), last: { from: event.from, to: event.to } }
    }
    case "RedundancyOpened":
      return event.holder === account && sight.last !== undefined && sight.last.to.hash === event.to
        ? { ...sight, turns: [...sight.turns, { ...sight.last, opened: event }].slice(-turnsKept) }
        : sight
    case "RedundancyProven":
      return { ...sight, turns: sight.turns.filter(({ to }) => to.hash !== event.to) }
    case "ProverRegistered":
    case "ProverLeft":
      return { ...sight, registered: registeredAfter(sight.registered, event) }
    default:
      return sight
  }
}
