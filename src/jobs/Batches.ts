/**
 * Group commit: what is asked for while a transaction runs goes into the next one, all of it together.
 */
import { Deferred, Effect, Exit, type Scope } from "effect"

interface Asked<Request, Answer> {
  readonly request: Request
  readonly answer: Deferred.Deferred<Answer>
}

/** How much goes into one transaction. */
export interface BatchLimits<Request> {
  readonly most: number
  /** Bytes. */
  readonly weight: number
  readonly weigh: (request: Request) => number
}

const unlimited = { most: 1_024, weight: Infinity, weigh: () => 0 }

/**
 * Answers requests in batches, one batch after the other.
 *
 * @param run does all of a batch and answers each, in their order. Where a batch fails, its requests are tried one by one: one that
 * cannot be done takes no others along.
 */
export const makeBatches = <Request, Answer, R>(
  run: (requests: ReadonlyArray<Request>) => Effect.Effect<ReadonlyArray<Answer>, never, R>,
  limits: BatchLimits<Request> = unlimited
): Effect.Effect<(request: Request) => Effect.Effect<Answer>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    let waiting: Array<Asked<Request, Answer>> = []
    let wake: Deferred.Deferred<void> | undefined
    let closed = false

    const next = (): ReadonlyArray<Asked<Request, Answer>> => {
      let [count, weight] = [0, 0]
      for (const { request } of waiting) {
        weight += limits.weigh(request)
        if (count > 0 && (count === limits.most || weight > limits.weight)) break
        count++
      }
      const batch = waiting.slice(0, count)
      waiting = waiting.slice(count)
      return batch
    }

    const answer = (batch: ReadonlyArray<Asked<Request, Answer>>): Effect.Effect<void, never, R> =>
      Effect.exit(run(batch.map(({ request }) => request))).pipe(
        Effect.flatMap((exit) => {
          if (Exit.isFailure(exit) && batch.length > 1) return Effect.forEach(batch, (one) => answer([one]), { discard: true })
          for (const [at, one] of batch.entries()) Deferred.doneUnsafe(one.answer, Exit.map(exit, (answers) => answers[at]!))
          return Effect.void
        })
      )

    const turn = Effect.suspend(() => {
      if (waiting.length > 0) return answer(next())
      wake = Deferred.makeUnsafe()
      // Whoever is about to ask for something, too, comes along.
      return Effect.andThen(Deferred.await(wake), Effect.yieldNow)
    })
    yield* Effect.forkScoped(Effect.forever(turn), { startImmediately: true })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closed = true
        for (const { answer } of waiting) Deferred.doneUnsafe(answer, Effect.interrupt)
      }))

    return (request) =>
      Effect.suspend(() => {
        if (closed) return Effect.interrupt
        const asked = { request, answer: Deferred.makeUnsafe<Answer>() }
        waiting.push(asked)
        if (wake !== undefined) Deferred.doneUnsafe(wake, Effect.void)
        wake = undefined
        return Deferred.await(asked.answer)
      })
  })
