/**
 * Runs children, restarts those that fail, and can always say how each of them is (ND-1).
 *
 * The supervisor knows names, strategies, limits and backoff. It knows nothing of what its children do.
 */
import { Cause, Clock, Context, Deferred, Duration, Effect, Exit, Fiber, Queue, Runtime, Schema, Scope, type Stream, SubscriptionRef } from "effect"

/** A child that is started, restarted and stopped as one. */
export interface Child<R = never> {
  readonly name: string
  /**
   * Acquires what the child needs in its own scope and returns the effect that runs until it fails. The next child is
   * started when this one has been acquired.
   */
  readonly start: Effect.Effect<Effect.Effect<never, unknown>, unknown, R | Scope.Scope>
}

/** What is restarted when a child fails: it alone, or it and all that were started after it. */
export type Strategy = "one-for-one" | "rest-for-one"

export interface SupervisorOptions {
  readonly strategy: Strategy
  /** Delay before the first restart; it doubles with every restart of the child within the limit's window. */
  readonly backoff: Duration.Input
  /** Longest delay before a restart. */
  readonly maxBackoff: Duration.Input
  /** More restarts of one child than this within the window end the supervisor. */
  readonly restartLimit: { readonly times: number; readonly within: Duration.Input }
}

export const ChildStatus = Schema.Struct({
  name: Schema.String,
  state: Schema.Literals(["starting", "running", "waiting", "stopped"]),
  /** Restarts since the supervisor started. */
  restarts: Schema.Int,
  /** Why it was last restarted, in one line. */
  lastFailure: Schema.NullOr(Schema.String)
})
export type ChildStatus = typeof ChildStatus.Type

/** A child failed too often: what it needs is broken. Read the failure, mend the cause, start again; nothing acknowledged is lost. */
export class RestartLimitReached extends Schema.TaggedError<RestartLimitReached>()("RestartLimitReached", {
  child: Schema.String,
  restarts: Schema.Int,
  failure: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 1

  override get message() {
    return `${this.child} failed ${this.restarts + 1} times in a row and was given up: ${this.failure}`
  }
}

export interface Supervisor {
  /** The children, in the order in which they are started; the present state first, then every change. */
  readonly changes: Stream.Stream<ReadonlyArray<ChildStatus>>
  readonly status: Effect.Effect<ReadonlyArray<ChildStatus>>
  /** Never ends well: fails when a child reaches its restart limit. */
  readonly run: Effect.Effect<never, RestartLimitReached>
}

/** The part of a child that changes while the supervisor runs. */
interface Slot<R> {
  readonly child: Child<R>
  /** Counts starts, so that news of an earlier life is told from news of this one. */
  life: number
  scope: Scope.Closeable | undefined
  /** Times of the restarts within the window, in milliseconds. */
  recent: ReadonlyArray<number>
}

type News = { readonly _tag: "Ended"; readonly index: number; readonly life: number; readonly failure: string } | {
  readonly _tag: "RestartDue"
  readonly index: number
  readonly life: number
}

/** Starts the children in order and keeps them running until the scope closes; then stops them in reverse order. */
export const supervise = Effect.fnUntraced(function*<R>(
  children: ReadonlyArray<Child<R>>,
  options: SupervisorOptions
): Effect.fn.Return<Supervisor, never, R | Scope.Scope> {
  const context = yield* Effect.context<R>()
  const slots = children.map((child): Slot<R> => ({ child, life: 0, scope: undefined, recent: [] }))
  const status = yield* SubscriptionRef.make<ReadonlyArray<ChildStatus>>(
    children.map(({ name }) => ({ name, state: "starting", restarts: 0, lastFailure: null }))
  )
  const news = yield* Queue.unbounded<News>()
  const gaveUp = yield* Deferred.make<never, RestartLimitReached>()

  const mark = (index: number, change: Partial<ChildStatus>) =>
    SubscriptionRef.update(status, (all) => all.map((one, i) => (i === index ? { ...one, ...change } : one)))

  const stop = (index: number) =>
    Effect.suspend(() => {
      const slot = slots[index]!
      const scope = slot.scope
      slot.scope = undefined
      slot.life += 1
      return (scope === undefined ? Effect.void : Scope.close(scope, Exit.void)).pipe(
        Effect.andThen(mark(index, { state: "stopped" }))
      )
    })

  const start = Effect.fnUntraced(function*(index: number) {
    const slot = slots[index]!
    const life = ++slot.life
    const scope = yield* Scope.make()
    slot.scope = scope
    yield* mark(index, { state: "starting" })
    const acquired = yield* Deferred.make<void>()
    const lifetime = slot.child.start.pipe(
      Effect.tap(() => Effect.andThen(mark(index, { state: "running" }), Deferred.succeed(acquired, undefined))),
      Effect.flatten,
      Effect.provideContext(Context.add(context, Scope.Scope, scope)),
      Effect.onExit((exit) =>
        Effect.andThen(
          Deferred.succeed(acquired, undefined),
          Queue.offer(news, { _tag: "Ended", index, life, failure: Exit.isFailure(exit) ? oneLine(exit.cause) : "it ended" })
        )
      )
    )
    const fiber = yield* Effect.forkDetach(lifetime, { startImmediately: true })
    yield* Scope.addFinalizer(scope, Fiber.interrupt(fiber))
    yield* Deferred.await(acquired)
  })

  const window = Duration.toMillis(Duration.fromInputUnsafe(options.restartLimit.within))
  const delayOf = (restarts: number) =>
    Math.min(
      Duration.toMillis(Duration.fromInputUnsafe(options.backoff)) * 2 ** (restarts - 1),
      Duration.toMillis(Duration.fromInputUnsafe(options.maxBackoff))
    )

  const ended = Effect.fnUntraced(function*(index: number, failure: string) {
    const slot = slots[index]!
    const now = yield* Clock.currentTimeMillis
    slot.recent = [...slot.recent.filter((at) => at > now - window), now]
    if (slot.recent.length > options.restartLimit.times) {
      for (let i = slots.length - 1; i >= 0; i--) yield* stop(i)
      return yield* Deferred.fail(
        gaveUp,
        new RestartLimitReached({ child: slot.child.name, restarts: slot.recent.length - 1, failure })
      )
    }
    const last = options.strategy === "one-for-one" ? index : slots.length - 1
    for (let i = last; i >= index; i--) yield* stop(i)
    const restarts = (yield* SubscriptionRef.get(status))[index]!.restarts + 1
    yield* mark(index, { state: "waiting", restarts, lastFailure: failure })
    yield* Effect.logWarning(`${slot.child.name} failed and is restarted: ${failure}`)
    return yield* Queue.offer(news, { _tag: "RestartDue", index, life: slot.life }).pipe(
      Effect.delay(delayOf(slot.recent.length)),
      Effect.forkScoped
    )
  })

  const restart = Effect.fnUntraced(function*(index: number) {
    const last = options.strategy === "one-for-one" ? index : slots.length - 1
    for (let i = index; i <= last; i++) yield* start(i)
  })

  // Interruption of the whole must reach the children in reverse order, whatever the loop is doing.
  yield* Effect.addFinalizer(() => Effect.forEach(slots.map((_, i) => slots.length - 1 - i), stop, { discard: true }))

  yield* Effect.forEach(slots, (_, index) => start(index), { discard: true }).pipe(
    Effect.andThen(
      Queue.take(news).pipe(
        Effect.flatMap((item) => {
          if (slots[item.index]!.life !== item.life) return Effect.void
          return item._tag === "Ended" ? ended(item.index, item.failure) : restart(item.index)
        }),
        Effect.forever
      )
    ),
    Effect.forkScoped
  )

  return {
    changes: SubscriptionRef.changes(status),
    status: SubscriptionRef.get(status),
    run: Deferred.await(gaveUp)
  }
})

/** A failure as one line for people: the first reason, without a stack. */
export const oneLine = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.split("\n", 1)[0]!
}
