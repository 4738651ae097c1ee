/**
 * The loops of a role. A role lives as long as all of them do.
 */
import { Context, Effect, FiberSet, Layer } from "effect"

export class RoleFibers extends Context.Service<RoleFibers, {
  /** Runs a loop for as long as the role lives; when it fails, the role has failed. */
  readonly fork: <A, E, R>(loop: Effect.Effect<A, E, R>) => Effect.Effect<void, never, R>
  /** Fails with the first failure of any loop. */
  readonly failure: Effect.Effect<never, unknown>
}>()("lignum/RoleFibers") {
  static readonly layer = Layer.effect(
    RoleFibers,
    Effect.gen(function*() {
      const fibers = yield* FiberSet.make<unknown, unknown>()
      return RoleFibers.of({
        fork: (loop) => Effect.asVoid(FiberSet.run(fibers, loop)),
        failure: Effect.andThen(FiberSet.join(fibers), Effect.never)
      })
    })
  )
}
