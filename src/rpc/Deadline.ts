/**
 * How long a call may take. The deadline is in the call's definition, and what is left of it travels with the call as a header: when it
 * has passed, the server stops the work, whether or not the caller still lives. A stream has none: its reader's pace is its own.
 */
import { Context, Duration, Effect } from "effect"
import type { Rpc } from "effect/rpc"

/** Annotates an RPC that needs longer than half a minute. `Duration.infinity`: it waits for something, for as long as its caller does. */
export const Deadline = Context.Reference<Duration.Duration>("lignum/Deadline", { defaultValue: () => Duration.seconds(30) })

/** Milliseconds from the moment when the server has the call: clocks of two hosts are never compared. */
const header = "lignum-deadline"

export const deadlineOf = (rpc: Rpc.Any): Duration.Duration => Context.get((rpc as Rpc.AnyWithProps).annotations, Deadline)

export const headersFor = (deadline: Duration.Duration): Record<string, string> =>
  Duration.isFinite(deadline) ? { [header]: `${Math.ceil(Duration.toMillis(deadline))}` } : {}

/** Stops the work when its deadline has passed: the one that came with the call, or the RPC's own, whichever is sooner. */
export const stopAtDeadline = <A, E, R>(work: Effect.Effect<A, E, R>, rpc: Rpc.Any, headers: Readonly<Record<string, string | undefined>>): Effect.Effect<A, E, R> => {
  const asked = Number(headers[header])
  const deadline = Duration.min(deadlineOf(rpc), asked >= 0 ? Duration.millis(asked) : Duration.infinity)
  return Duration.isFinite(deadline) ? Effect.timeoutOrElse(work, { duration: deadline, orElse: () => Effect.interrupt }) : work
}
