/**
 * What keeps a role that lives twice for a moment from writing twice: every write that leads to something external is made in one
 * transaction with a look at whether the writer's lease on the role is still the newest (ND-3).
 */
import { Context, Effect, Schema } from "effect"

/** Another host has taken the role over. Whoever meets this stops; what it was about to write was not written. */
export class FencedOff extends Schema.TaggedError<FencedOff>()("FencedOff", { role: Schema.String, epoch: Schema.Int }) {
  override get message() {
    return `the lease on the ${this.role} (epoch ${this.epoch}) has gone to another host: nothing was written`
  }
}

/** Looked at inside the transaction of every such write. In a node of one process, where a role cannot live twice, nothing is. */
export const Fence = Context.Reference<{ readonly check: Effect.Effect<void, FencedOff> }>("lignum/Fence", {
  defaultValue: () => ({ check: Effect.void })
})
