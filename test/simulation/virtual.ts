/** Tests in virtual time. */
import { Cause, Duration, Effect, Exit, Logger, type Scope } from "effect"
import { test } from "vitest"
import { quiet, runVirtual } from "../../src/simulation/VirtualTime.ts"

/** What nodes log is not what tests look at. */
export const quietly = Logger.layer([])

/** A test whose program runs in virtual time, from 1970 on; its seed is its name. */
export const virtual = <A, E>(name: string, program: () => Effect.Effect<A, E, Scope.Scope>): void =>
  test(name, async () => {
    const exit = await runVirtual(Effect.scoped(program()).pipe(Effect.provide(quietly)), { seed: name })
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  })

/** Lets virtual time pass, and everything that happens in it. */
export const pass = (time: number | Duration.Input) =>
  Effect.andThen(Effect.sleep(typeof time === "number" ? Duration.seconds(time) : time), quiet)
