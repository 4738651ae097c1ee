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

export interface Batches<Request, Answer> {
  readonly ask: (request: Request) => Effect.Effect<Answer>
  /** Those that are put off are asked again. */
  readonly again: Effect.Effect<void>
}

/**
 * Answers requests in batches, one batch after the other.
 *
 * @param run does all of a batch and answers each, in their order, and then those that were put off before and come along. Whom it
 * answers `undefined` is put off. Where a batch fails, its requests are tried one by one: one that cannot be done takes no others along.
 */
export const makeBatches = <Request, Answer, R>(
  run: (requests: ReadonlyArray<Request>, putOff: ReadonlyArray<Request>) => Effect.Effect<ReadonlyArray<Answer | undefined>, never, R>,
  limits: BatchLimits<Request> = unlimited
): Effect.Effect<Batches<Request, Answer>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    let waiting: Array<Asked<Request, Answer>> = []
    let putOff: Array<Asked<Request, Answer>> = []
    /** Whether those that the present batch puts off are to be asked again at once. */
    let anew = false
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

    const answer = (batch: ReadonlyArray<Asked<Request, Answer>>, along: ReadonlyArray<Asked<Request, Answer>>): Effect.Effect<void, never, R> =>
      Effect.exit(run(batch.map(({ request }) => request), along.map(({ request }) => request))).pipe(
        Effect.flatMap((exit) => {
          const all = [...batch, ...along]
          if (Exit.isFailure(exit) && all.length > 1) {
            waiting.push(...along)
            return Effect.forEach(batch, (one) => answer([one], []), { discard: true })
          }
          const later = anew ? waiting : putOff
          for (const [at, one] of all.entries()) {
            const answered = Exit.map(exit, (answers) => answers[at])
            if (Exit.isSuccess(answered) && answered.value === undefined) later.push(one)
            else Deferred.doneUnsafe(one.answer, answered as Exit.Exit<Answer>)
          }
          return Effect.void
        })
      )

    const awake = () => {
      if (wake !== undefined) Deferred.doneUnsafe(wake, Effect.void)
      wake = undefined
    }

    const turn = Effect.suspend(() => {
      if (waiting.length > 0) {
        const along = putOff
        putOff = []
        anew = false
        return answer(next(), along)
      }
      wake = Deferred.makeUnsafe()
      // Whoever is about to ask for something, too, comes along.
      return Effect.andThen(Deferred.await(wake), Effect.yieldNow)
    })
    yield* Effect.forkScoped(Effect.forever(turn), { startImmediately: true })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closed = true
        for (const { answer } of [...waiting, ...putOff]) Deferred.doneUnsafe(answer, Effect.interrupt)
      }))

    const ask = (request: Request): Effect.Effect<Answer> =>
      Effect.suspend(() => {
        if (closed) return Effect.interrupt
        const asked = { request, answer: Deferred.makeUnsafe<Answer>() }
        waiting.push(asked)
        awake()
        return Deferred.await(asked.answer)
      })
    const again = Effect.sync(() => {
      anew = true
      if (putOff.length === 0) return
      waiting.push(...putOff)
      putOff = []
      awake()
    })
    return { ask, again }
  })
